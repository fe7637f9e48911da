"""Change the API in four ways on copies of the repository, and check the derived parts.

    make exercises                   all exercises, with all faulty servers
    make exercises ARGS=--quick      the second exercise only, with one faulty server

An exercise makes the edits that a change of the API needs by hand: in `openapi.yaml`,
in `docs/evidence.md`, in `tests/spec/data`, which restates the vendor's documents
independently, and in the mock's handlers and storage. Nothing else is edited. The client,
the tests, the contract suite, its reports and the published forms must adapt by
themselves.

Exit status: 0 all exercises passed; 1 an exercise failed; 2 the command line is invalid.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from siteassist_spec.document import walk

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent
SPEC = "openapi.yaml"
OPERATIONS = "tests/spec/data/documented_operations.yaml"
EXAMPLES = "tests/spec/data/documented_examples.yaml"
SCHEMAS = "tests/spec/data/documented_schemas.yaml"
EVIDENCE = "docs/evidence.md"
# Tests that derive their expectations from the description, and must pass unchanged.
DERIVED = (
    "tests/spec",
    "tests/generated/test_client_surface.py",
    "tests/generated/test_names.py",
    "tests/scripts/publish/test_collection.py",
)


class ExerciseError(Exception):
    """An exercise failed; the message gives the reason."""


class Copy:
    """An editable copy of the repository."""

    def __init__(self, folder: Path) -> None:
        """Copy all files tracked by git into ``folder``."""
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "-z"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, listed.stdout.split("\0")):
            if (ROOT / name).exists():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)

    def yaml(self, name: str, change: Callable[[Any], object]) -> None:
        """Change a YAML file, keeping its comments, order and quotes."""
        yaml = YAML()
        yaml.preserve_quotes = True
        yaml.width = 1000
        path = self.folder / name
        document = yaml.load(path.read_text(encoding="utf-8"))
        change(document)
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(document, file)

    def set(self, name: str, *steps: str, value: Any) -> None:
        """Set the value at a path of a YAML file."""

        def change(document: Any) -> None:
            for step in steps[:-1]:
                document = document[step]
            document[steps[-1]] = value

        self.yaml(name, change)

    def after(self, name: str, line: str, text: str) -> None:
        """Insert lines after the only line that begins with ``line``."""
        path = self.folder / name
        lines = path.read_text(encoding="utf-8").splitlines()
        (place,) = [index for index, found in enumerate(lines) if found.startswith(line)]
        lines.insert(place + 1, text.rstrip("\n"))
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def append(self, name: str, text: str) -> None:
        """Append text to a file."""
        path = self.folder / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Replace all occurrences of ``old`` in a file.

        Raises `ExerciseError` if there are none.
        """
        path = self.folder / name
        text = path.read_text(encoding="utf-8")
        if old not in text:
            raise ExerciseError(f"{name} does not contain {old!r}: the exercise is out of date")
        path.write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *command: str, status: int = 0, timeout: float = 600) -> str:
        """Run a command of the project in the copy and return its output.

        Raises `ExerciseError`, with the last lines of the output, if the exit status is
        not ``status`` or the command does not end within ``timeout`` seconds.
        """
        path = os.pathsep.join(str(self.folder / name) for name in ("src", "generated", "."))
        words = " ".join(command)
        try:
            done = subprocess.run(
                [str(TOOLS / command[0]), *command[1:]],
                cwd=self.folder,
                env={**os.environ, "PYTHONPATH": path},
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ExerciseError(f"{words}: did not end within {timeout:.0f} s") from error
        if done.returncode != status:
            lines = (done.stdout + done.stderr).strip().splitlines()
            shown = "\n    ".join(lines[-30:])
            raise ExerciseError(
                f"{words}: expected exit status {status}, got {done.returncode}\n    {shown}"
            )
        return done.stdout

    def contract(self, status: int = 0) -> dict[str, Any]:
        """Run the quick profile of the contract suite on the copy's mock and return the report."""
        self.run("python", "scripts/contract.py", "--profile", "quick", status=status)
        report = (self.folder / "reports" / "summary.json").read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(report)
        return found


@dataclass(frozen=True)
class Exercise:
    """A change of the API."""

    name: str
    title: str
    edit: Callable[[Copy], None]
    check: Callable[[Copy], None] = lambda _: None
    """A check to run after generation, in addition to the derived tests."""
    faults: dict[str, tuple[Callable[[Copy], None], str]] = field(default_factory=dict)
    """Faults of the server by name: the edit that causes a fault, and the rule that finds it."""


HANDLERS = "src/siteassist_mock/handlers/__init__.py"
CONVERSATIONS = "src/siteassist_mock/handlers/conversations.py"
REPOSITORY = "src/siteassist_mock/storage/store.py"


def optional_field(copy: Copy) -> None:
    """Add an optional field to messages."""
    description = "How sure the assistant is of its answer."
    schema = {"type": "number", "description": description, "minimum": 0, "maximum": 1}
    copy.set(SPEC, "components", "schemas", "Message", "properties", "confidence", value=schema)
    copy.set(SCHEMAS, "Message", "optional", "confidence", value="number, 0..1")


def client_has_field(copy: Copy) -> None:
    """Check that the generated class has the field and that the contract suite passes."""
    program = "from siteassist.models import Message; print(Message.__attrs_attrs__.confidence)"
    copy.run("python", "-c", program)
    copy.contract()


def delete_operation(copy: Copy) -> None:
    """Add an operation that deletes a conversation and responds without a body."""
    path = "/conversations/{conversationId}"
    link = {
        "operationId": "deleteConversation",
        "description": "Delete the conversation.",
        "parameters": {"conversationId": "$response.body#/id"},
    }

    def change(spec: Any) -> None:
        errors = {
            status: response
            for status, response in spec["paths"][path]["get"]["responses"].items()
            if not status.startswith("2")
        }
        spec["paths"][path]["delete"] = {
            "operationId": "deleteConversation",
            "tags": ["Conversations"],
            "summary": "Delete a conversation",
            "description": "Deletes one of the visitor's own conversations with its messages.",
            "security": [{"bearerAuth": []}],
            "parameters": [{"$ref": "#/components/parameters/ConversationId"}],
            "responses": {"204": {"description": "The conversation is deleted."}, **errors},
        }
        made = spec["paths"]["/conversations"]["post"]["responses"]["201"]
        made["links"]["deleteConversation"] = link

    copy.yaml(SPEC, change)
    documented = {
        "request": f"DELETE {path}",
        "bearer": True,
        "parameters": {"conversationId": "path, required, string (uuid)"},
        "body": None,
        "success": {"204": {}},
        "errors": "all",
    }
    copy.set(OPERATIONS, "operations", "deleteConversation", value=documented)
    copy.after(
        EVIDENCE, "| `getConversation` |", f"| `deleteConversation` | `DELETE {path}` | P5 | |"
    )
    handler(copy, OWN)


OWN = """
    with call.services.store.write() as records:
        conversation = own_conversation(records, call)
        records.delete_conversation(conversation.id)
    return Response(status_code=204)
"""
WITHOUT_OWNER_CHECK = """
    with call.services.store.write() as records:
        records.delete_conversation(call.path["conversationId"])
    return Response(status_code=204)
"""
WITH_BODY = """
    with call.services.store.write() as records:
        conversation = own_conversation(records, call)
        records.delete_conversation(conversation.id)
    return JSONResponse({"success": True})
"""


def handler(copy: Copy, body: str) -> None:
    """Write the handler of `deleteConversation`, and the storage method that it calls."""
    start = "\n\ndef delete_conversation(call: Call) -> Response:\n"
    path = copy.folder / CONVERSATIONS
    text = path.read_text(encoding="utf-8").partition(start)[0]
    if "import JSONResponse, Response" not in text:
        text = text.replace("import JSONResponse", "import JSONResponse, Response")
        entry = '    "deleteConversation": conversations.delete_conversation,'
        copy.after(HANDLERS, '    "getConversation": ', entry)
        copy.after(REPOSITORY, "class Records:", DELETE_RECORDS)
    docstring = '    """Delete a conversation with its messages."""\n'
    path.write_text(text.rstrip("\n") + "\n" + start + docstring + body.lstrip("\n"))


def without_token_check(copy: Copy) -> None:
    """Let the mock accept `deleteConversation` without a token."""
    handler(copy, WITHOUT_OWNER_CHECK)
    checked = "self._needs_token = operation.needs_token"
    excepted = ' and operation.operation_id != "deleteConversation"'
    copy.replace("src/siteassist_mock/app.py", checked, checked + excepted)


DELETE_RECORDS = '''    def delete_conversation(self, conversation_id: str) -> None:
        """Delete a conversation with its messages."""
        from sqlalchemy import delete

        gone = delete(messages).where(messages.c.conversation_id == conversation_id)
        self._connection.execute(gone)
        self._connection.execute(delete(conversations).where(conversations.c.id == conversation_id))
'''


PATH = "/conversations/{conversationId}"


def client_deletes(copy: Copy) -> None:
    """Check that the client's method returns None and deletes the conversation."""
    program = (
        "from siteassist import SiteAssist, NotFoundError\n"
        "from siteassist_mock.testing import mock_server\n"
        "with mock_server() as url:\n"
        "    client = SiteAssist(api_key='sa_pk_1234567890abcdef', device_id='d', base_url=url)\n"
        "    made = client.start_conversation()\n"
        "    assert client.delete_conversation(made.id) is None\n"
        "    try:\n"
        "        client.get_conversation(made.id)\n"
        "    except NotFoundError:\n"
        "        print('gone')\n"
    )
    if copy.run("python", "-c", program).strip() != "gone":
        raise ExerciseError("the generated client does not delete the conversation")


def everything_deletes(copy: Copy) -> None:
    """Check the client, and that the report covers the operation, including its isolation."""
    client_deletes(copy)
    rows = copy.contract()["coverage"]
    tested = {
        row["what"] for row in rows if row["operation"] == "deleteConversation" and row["count"]
    }
    missing = {"isolation", "token-required", "unknown-not-found"} - tested
    if missing:
        raise ExerciseError(f"the suite did not test {', '.join(sorted(missing))}")


def renamed_parameter(copy: Copy) -> None:
    """Rename the parameter `offset` of the lists to `skip`."""

    def change(spec: Any) -> None:
        for _, node in walk(spec):
            if isinstance(node, dict) and node.get("name") == "offset" and "in" in node:
                node["name"] = "skip"
            if isinstance(node, dict) and "x-page" in node:
                node["x-page"]["offset"] = "skip"

    copy.yaml(SPEC, change)

    def documented(document: Any) -> None:
        for operation in document["operations"].values():
            parameters = operation["parameters"]
            if "offset" in parameters:
                parameters["skip"] = parameters.pop("offset")

    copy.yaml(OPERATIONS, documented)
    copy.replace(EXAMPLES, "at: parameter offset", "at: parameter skip")
    for name, taken in READERS_OF_OFFSET.items():
        copy.replace(name, taken, taken.replace("offset", "skip"))


READERS_OF_OFFSET = {
    CONVERSATIONS: 'count("offset")',
    "src/siteassist_mock/handlers/knowledge.py": 'count("offset")',
    "src/siteassist_mock/handlers/messages.py": 'query["offset"]',
}
"""How the handlers of the mock read the parameter."""


def client_pages(copy: Copy) -> None:
    """Check that the methods still return pages, using the renamed parameter."""
    program = (
        "from siteassist import SiteAssist\n"
        "from siteassist_mock.testing import mock_server\n"
        "with mock_server() as url:\n"
        "    client = SiteAssist(api_key='sa_pk_1234567890abcdef', device_id='d', base_url=url)\n"
        "    made = {client.start_conversation().id for _ in range(5)}\n"
        "    assert made == {one.id for one in client.get_conversations(limit=2)}\n"
        "    assert len(made) - 3 == len(list(client.get_conversations(limit=2, skip=3)))\n"
    )
    copy.run("python", "-c", program)
    copy.contract()


def more_events(copy: Copy) -> None:
    """Describe one more event."""
    name, kind = "CitationEvent", "citation"

    def change(spec: Any) -> None:
        schemas = spec["components"]["schemas"]
        schemas[name] = {
            "type": "object",
            "description": "A source of the answer.",
            "required": ["type", "url"],
            "properties": {
                "type": {
                    "type": "string",
                    "const": kind,
                    "description": "Names the type of this payload.",
                },
                "url": {"type": "string", "description": "The source."},
            },
        }
        union = schemas["StreamPayload"]["anyOf"]
        union.insert(len(union) - 1, {"$ref": f"#/components/schemas/{name}"})
        exact, _ = schemas["OtherPayload"]["properties"]["type"]["not"]["anyOf"]
        exact["enum"].append(kind)

    last = list(YAML(typ="safe").load(copy.folder / SPEC)["components"]["schemas"])[-1]
    copy.yaml(SPEC, change)
    copy.after(EVIDENCE, f"| `{last}` |", f"| `{name}` | F-stream | |")

    def documented(document: Any) -> None:
        union = document["StreamPayload"]
        document["StreamPayload"] = union.replace("OtherPayload", f"{name}, OtherPayload")
        other = document["OtherPayload"]["required"]
        other["type"] = other["type"].replace(" | ^data-", f" | {kind} | ^data-")
        document[name] = {"required": {"type": f"always {kind}", "url": "string"}}

    copy.yaml(SCHEMAS, documented)


def client_streams(copy: Copy) -> None:
    """Check that streams yield the new event as an instance of its generated class."""
    copy.run("python", "-c", STREAM_PROGRAM)
    copy.contract()


STREAM_PROGRAM = """
import httpx, siteassist
sent = ['{"type":"start"}', '{"type":"citation","url":"u"}', '{"type":"abort"}', "[DONE]"]
body = "".join(f"data: {one}\\n\\n" for one in sent)
answer = lambda _: httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})
client = siteassist.SiteAssist(token="x", transport=httpx.MockTransport(answer))
with client.send_message_stream("123e4567-e89b-12d3-a456-426614174000", content="Hi") as stream:
    kinds = [type(event) for event in stream]
expected = [siteassist.StartPayload, siteassist.CitationEvent, siteassist.AbortPayload]
assert kinds[:3] == expected, kinds
"""


EXERCISES = (
    Exercise("a", "an optional field of Message", optional_field, client_has_field),
    Exercise(
        "b",
        "DELETE /conversations/{conversationId} with 204",
        delete_operation,
        everything_deletes,
        {
            "delete without an owner check": (
                lambda copy: handler(copy, WITHOUT_OWNER_CHECK),
                "isolation",
            ),
            "200 with a body": (lambda copy: handler(copy, WITH_BODY), "described"),
            "delete without a token check": (without_token_check, "token-required"),
        },
    ),
    Exercise("c", "`offset` renamed to `skip`", renamed_parameter, client_pages),
    Exercise("d", "the events abort and CitationEvent", more_events, client_streams),
)


def steps(exercise: Exercise, copy: Copy, *, quick: bool) -> Iterator[tuple[str, float]]:
    """Run an exercise, and yield the name and the duration in seconds of each step.

    Raises `ExerciseError` if a step fails.
    """

    def timed(name: str, step: Callable[[], object]) -> tuple[str, float]:
        begun = time.monotonic()
        step()
        return name, time.monotonic() - begun

    yield timed("edit", lambda: exercise.edit(copy))
    yield timed("generate", lambda: copy.run("python", "scripts/generate.py"))
    tests = ("pytest", "-q", "-x", "-p", "no:cacheprovider", *DERIVED)
    yield timed("derived tests", lambda: copy.run(*tests))
    yield timed("client and contract suite", lambda: exercise.check(copy))
    for name, (fault, rule) in exercise.faults.items():
        fault(copy)

        def found(rule: str = rule, name: str = name) -> None:
            report = copy.contract(status=1)
            rules = {one["rule"] for one in report["violations"]}
            if rule not in rules:
                violated = ", ".join(sorted(rules)) or "none"
                raise ExerciseError(
                    f"{name}: expected a violation of the rule {rule}, got {violated}"
                )

        yield timed(f"fault found: {name}", found)
        if quick:
            break


def main() -> int:
    """Run the selected exercises and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make exercises",
        description="Change the API on copies of the repository, and check the derived parts.",
    )
    names = [exercise.name for exercise in EXERCISES]
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"an exercise: {', '.join(names)} (default: all)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="run only one faulty server per exercise, and without names only exercise b",
    )
    parser.add_argument("--keep", type=Path, help="keep the copies in this folder")
    options = parser.parse_args()
    if unknown := set(options.names) - set(names):
        parser.error(f"unknown exercise {min(unknown)!r}: expected one of {', '.join(names)}")
    failed = 0
    for exercise in EXERCISES:
        asked = options.names or (["b"] if options.quick else names)
        if exercise.name not in asked:
            continue
        print(f"({exercise.name}) {exercise.title}", flush=True)
        with tempfile.TemporaryDirectory() as temporary:
            folder = (options.keep or Path(temporary)) / exercise.name
            try:
                folder.mkdir(parents=True)
                for name, seconds in steps(exercise, Copy(folder), quick=options.quick):
                    print(f"    {name}: {seconds:.1f} s", flush=True)
            except (ExerciseError, FileExistsError) as error:
                failed += 1
                print(f"    FAILED: {error}", flush=True)
    if failed:
        noun = "exercise" if failed == 1 else "exercises"
        print(f"{failed} {noun} failed.")
    else:
        print("All exercises passed.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
