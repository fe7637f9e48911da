"""Tools that others use read the published forms as they are meant."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from scripts.consumers.prism import running_prism
from siteassist_mock.testing import mock_server
from siteassist_spec import Document
from siteassist_spec.transform import rest_only, to_openapi_3_0
from tests.generated.description import EVENTS
from tests.values import ANSWERS, BEARER, PRIVATE_KEY, ROOT

DOCUMENT = Document.load()
OLDER = to_openapi_3_0(DOCUMENT)
EXAMPLES = DOCUMENT.raw["components"]["examples"]
SDKS = ("ai5", "ai6", "ai7")
"""AI SDK in three versions, by the names in tools/node/package.json."""
NEW_IN = {
    "ai6": {"tool-approval-request", "tool-output-denied"},
    "ai7": {
        "tool-approval-response",
        "custom",
        "reasoning-file",
        "steering-message",
        "reset-step",
    },
}
"""The types that the versions have added."""
ID = "123e4567-e89b-12d3-a456-426614174000"
LIMIT = 120.0
"""The time limit of a program, in seconds."""

each_sdk = pytest.mark.parametrize("sdk", SDKS)


def program(node_bin: Path, name: str) -> str:
    """Return the path of a tool; skip the test if it is not installed."""
    path = node_bin / name
    if not path.exists():
        pytest.skip(f"{name} of tools/node/package.json is not installed")
    return str(path)


def read_by(
    node_bin: Path, sdk: str, stream: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Read a stream with AI SDK's own transport and reader."""
    if not (node_bin.parent / sdk).exists():
        pytest.skip(f"{sdk} of tools/node/package.json is not installed")
    command = ["node", str(ROOT / "tools" / "node" / "read_stream.mjs"), sdk, *options]
    return run(command, input=stream)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program, and return its output."""
    return subprocess.run(
        command, capture_output=True, text=True, timeout=LIMIT, check=False, **options
    )


def payloads(stream: str) -> list[Any]:
    """Return the payloads of a stream."""
    *events, last, rest = stream.split("\n\n")
    assert ("data: [DONE]", "") == (last, rest)
    return [json.loads(event.removeprefix("data: ")) for event in events]


def text_of(chunks: list[Any]) -> str:
    """Return the text that the deltas add up to."""
    return "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta")


@each_sdk
@pytest.mark.parametrize("name", ["StreamedAnswer", "StreamedShippingAnswer"])
def test_ai_sdk_reads_examples(node_bin: Path, sdk: str, name: str) -> None:
    """AI SDK takes each event of the examples, and has the same text."""
    stream = EXAMPLES[name]["value"]
    done = read_by(node_bin, sdk, stream)
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert payloads(stream) == found["chunks"]
    texts = [part["text"] for part in found["message"]["parts"] if part["type"] == "text"]
    assert text_of(found["chunks"]) == "".join(texts) != ""


def rules_of(sdk: str) -> list[str]:
    """Return what to say for the scripted answers that a version of AI SDK knows."""
    later = {kind for version, kinds in NEW_IN.items() if version > sdk for kind in kinds}
    return [
        rule["when"]
        for rule in YAML(typ="safe", pure=True).load(ANSWERS)
        if not any(event.get("type") in later for event in rule.get("events", ()))
    ]


VALID_FAULTS = (
    "delay=0.01",
    "drip",
    "stream-error",
    "no-terminator",
    "wrong-content-type",
    "oversized-body=1000",
    "drip, oversized-body=1000",
)


@each_sdk
def test_ai_sdk_chats_with_the_mock(node_bin: Path, sdk: str) -> None:
    """AI SDK takes each event, makes the stored parts of it, and likes the answer by its id."""
    program(node_bin.parent, sdk)
    plain = ["Hello", "How long does shipping take?"]
    asked: list[dict[str, Any]] = [{"content": said} for said in (*plain, *rules_of(sdk))]
    asked += [{"content": plain[1], "headers": {"mock-fault": name}} for name in VALID_FAULTS]
    asked += [{"content": "order", "headers": {"mock-fault": name}} for name in VALID_FAULTS]
    with mock_server(strict=True, script=ANSWERS) as mock:
        command = ["node", str(ROOT / "tools" / "node" / "chat.mjs"), sdk, mock.url, PRIVATE_KEY]
        done = run(command, input=json.dumps(asked))
        assert 0 == done.returncode, done.stderr
        answers = json.loads(done.stdout)
        assert len(asked) == len(answers)
        for question, answer in zip(asked, answers, strict=True):
            check_answer(mock, sdk, question["content"], answer)
        # A human agent answers later, so there is no event.
        chat = answers[0]["conversation"]
        mock.hand_over(chat)
        waiting = json.dumps([{"content": "Are you there?", "conversation": chat}])
        (answer,) = json.loads(run(command, input=waiting).stdout)
        assert ([], []) == (answer["chunks"], answer["errors"])


def check_answer(url: str, sdk: str, question: str, answer: dict[str, Any]) -> None:
    """Compare what AI SDK has read with the stored message."""
    path = f"{url}/conversations/{answer['conversation']}/messages?role=assistant"
    (stored,) = httpx.get(path, headers=BEARER).json()["data"]
    errors = [f"Error: {one['errorText']}" for one in answer["chunks"] if one["type"] == "error"]
    assert errors == answer["errors"], question
    assert ("error" if stored["error"] else "complete") == stored["status"]
    assert stored["id"] == answer["message"]["id"]
    assert {"status": 200, "body": {"feedback": "like"}} == answer["liked"]
    assert "like" == stored["feedback"]
    assert stored["metadata"] == answer["message"].get("metadata")
    added = {"step-start", "data-padding"}
    parts = [part for part in answer["message"]["parts"] if part["type"] not in added]
    assert [part["type"] for part in stored["parts"]] == [part["type"] for part in parts]
    if sdk == "ai7":
        # Earlier versions have other fields of tools.
        assert stored["parts"] == [bare_part(part) for part in parts]


def bare_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return a part as it is stored: texts have nothing but their text."""
    names = ("type", "text") if part["type"] in {"text", "reasoning"} else tuple(part)
    return {name: part[name] for name in names}


@each_sdk
def test_ai_sdk_refuses_what_is_no_answer(node_bin: Path, sdk: str) -> None:
    """A delta without its start and an unknown type are refused, so that the tests can fail."""
    delta = '{"type":"text-delta","id":"1","delta":"x"}'
    for data in (delta, '{"type":"of-tomorrow"}'):
        assert 1 == read_by(node_bin, sdk, f"data: {data}\n\ndata: [DONE]\n\n").returncode


@each_sdk
def test_ai_sdk_accepts_every_described_event(node_bin: Path, sdk: str) -> None:
    """The events with all their fields are those of the protocol; some are new in version 7."""
    later = {kind for version, kinds in NEW_IN.items() if version > sdk for kind in kinds}
    known = [event for event in EVENTS.values() if event["type"] not in later]
    assert {"ai5": 23, "ai6": 25, "ai7": 30}[sdk] == len(known)
    # Version 5 refuses unknown fields, which later versions have added.
    sent = [bare(event) for event in known] if sdk == "ai5" else known
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in sent)
    done = read_by(node_bin, sdk, f"{stream}data: [DONE]\n\n", "--chunks")
    assert 0 == done.returncode, done.stderr
    # Version 7 drops the fields of a citation that the kind of its source has not.
    types = [event["type"] for event in json.loads(done.stdout)["chunks"]]
    assert [event["type"] for event in sent] == types


def bare(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event with its required fields only."""
    (name,) = (name for name, whole in EVENTS.items() if whole is event)
    required = DOCUMENT.raw["components"]["schemas"][name]["required"]
    return {field: event[field] for field in required}


BODIES = [
    (f"/messages/{ID}/feedback", {}),
    (f"/messages/{ID}/feedback", {"feedback": None}),
    (f"/messages/{ID}/feedback", {"feedback": "like"}),
    (f"/messages/{ID}/feedback", {"feedback": "love"}),
    (f"/messages/{ID}/feedback", {"feedback": 1}),
    (f"/conversations/{ID}/messages", {}),
    (f"/conversations/{ID}/messages", {"content": ""}),
    (f"/conversations/{ID}/messages", {"content": "x"}),
    (f"/conversations/{ID}/messages", {"content": "x", "pageContext": None}),
    (f"/conversations/{ID}/messages", {"content": "x", "pageContext": 3}),
    (f"/conversations/{ID}/messages", {"content": "x", "pageContext": {"url": 1}}),
]
EXPECTED = [422, 200, 200, 422, 422, 422, 422, 200, 200, 422, 422]


@contextmanager
def prism(node_bin: Path, description: Any, folder: Path, *options: str) -> Iterator[str]:
    """Run Prism with a description and return its address."""
    path = folder / "description.json"
    path.write_text(json.dumps(description), encoding="utf-8")
    verb, *others = options
    with running_prism(program(node_bin, "prism"), verb, path, *others) as url:
        yield url


@pytest.mark.parametrize("form", [DOCUMENT.raw, OLDER], ids=["3.1", "3.0.3"])
def test_prism_checks_bodies(node_bin: Path, tmp_path: Path, form: Any) -> None:
    """Prism refuses the same bodies with each form, and streams the whole example."""
    headers = {"Authorization": "Bearer x"}
    with prism(node_bin, form, tmp_path, "mock") as url, httpx.Client(headers=headers) as client:
        found = [client.post(f"{url}{path}", json=body).status_code for path, body in BODIES]
        stream = client.post(
            f"{url}/chat/completions",
            json={"messages": [], "stream": True},
            headers={"Accept": "text/event-stream"},
        )
    assert EXPECTED == found
    assert EXAMPLES["StreamedShippingAnswer"]["value"] == stream.text


@pytest.mark.parametrize("form", [DOCUMENT.raw, OLDER], ids=["3.1", "3.0.3"])
def test_prism_lets_streams_through(node_bin: Path, tmp_path: Path, form: Any) -> None:
    """Prism's proxy takes a stream for a valid response, even if it refuses invalid ones."""
    body = {"messages": [{"role": "user", "content": "Hello"}], "stream": True}
    with (
        mock_server() as upstream,
        prism(node_bin, form, tmp_path, "proxy", upstream, "--errors") as url,
    ):
        answer = httpx.post(f"{url}/chat/completions", json=body, headers=BEARER)
    assert 200 == answer.status_code, answer.text
    assert answer.text.endswith("data: [DONE]\n\n")


def test_orval_writes_typescript_that_compiles(node_bin: Path, tmp_path: Path) -> None:
    """A client made by orval from OpenAPI 3.0.3 is accepted by the strict compiler."""
    path, target = tmp_path / "description.json", tmp_path / "client.ts"
    older = to_openapi_3_0(Document(rest_only(DOCUMENT)))
    path.write_text(json.dumps(older), encoding="utf-8")
    orval = [program(node_bin, "orval"), "--input", str(path), "--output", str(target)]
    tsc = [program(node_bin, "tsc"), "--strict", "--noEmit", "--target", "es2022"]
    tsc += ["--module", "es2022", "--moduleResolution", "bundler", "--lib", "es2022,dom"]
    for command in ([*orval, "--client", "fetch"], [*tsc, str(target)]):
        done = run(command, cwd=tmp_path)
        assert 0 == done.returncode, done.stdout + done.stderr
    assert "sendMessageFeedback" in target.read_text(encoding="utf-8")
