"""Generate the client from ``openapi.yaml``, its reference, and a program that calls it.

With ``--check``, only report whether the generated files are up to date.

Exit status: 0 the files are written or up to date; 1 they are out of date
(``--check``); 2 they could not be generated.
"""

from __future__ import annotations

import argparse
import copy
import filecmp
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from openapi_python_client.strings import PythonIdentifier, snake_case

from siteassist_spec import (
    EVENT_STREAM,
    JSON,
    Document,
    EventStream,
    Json,
    Operation,
    Parameter,
    Response,
    SpecError,
    Union,
    base_path,
    read_operations,
    read_union,
    read_websockets,
)
from siteassist_spec.transform import rest_only

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / "generator-config.yml"
TEMPLATES = ROOT / "templates"
PACKAGE = ROOT / "generated" / "siteassist"
PAGE = ROOT / "docs" / "reference" / "client-reference.md"
PROGRAM = ROOT / "tests" / "generated" / "every_method.py"


class GenerationError(Exception):
    """The generator failed; the message is meant for the user."""


TEXT = "text/plain"
SETTINGS = {"publishableKey": "api_key", "deviceId": "device_id"}
"""The client setting that provides each ``x-credential`` of a request."""
SCHEMAS = "#/components/schemas/"
OF_EVERY_CALL = {
    "self",
    "timeout",
    "idle_timeout",
    "max_retries",
    "extra_headers",
    "extra_query",
    "extra_body",
}
"""The names of the arguments common to all methods of the client."""


def prepare(document: Document) -> dict[str, Any]:
    """Return a copy of the description with all the data that the templates need.

    The generator drops the operationId and the path of an operation, the descriptions
    of parameters, all bounds, and the payloads of server-sent events. It keeps the
    extensions of responses. Therefore this function adds ``x-operation`` to the first
    success of each operation (with the name, the method, the path and the text for
    each parameter), adds the payloads by type to ``x-event-stream``, and adds the
    bounds to the descriptions of properties.

    Raises `SpecError` if the description contains a construct that the client cannot
    support.
    """
    operations = read_operations(document)
    base_path(document)  # Raises if the description has no valid server.
    base_url = document.raw["servers"][0]["url"]
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    prepared = rest_only(document)
    schemas = prepared.get("components", {}).get("schemas", {})
    _complete_schemas(document, schemas)
    sessions: list[Operation] = []
    for operation in operations.values():
        _check_arguments(document, operation)
        node = prepared["paths"][operation.path][operation.method.lower()]
        keys = {int(status): status for status in node["responses"]}
        for response in operation.successes:
            _check_response(document, operation, response)
            # A copy in place of the reference, since operations may share a response.
            written = copy.deepcopy(dict(response.raw))
            if JSON in response.media:
                # The generator types only the first media type of a response.
                content = written["content"]
                written["content"] = {JSON: content.pop(JSON), **content}
            if response.stream is not None:
                written["x-event-stream"] |= _stream(
                    document, operation, response, response.stream, schemas
                )
            node["responses"][keys[response.status]] = written
        first = min(operation.successes, key=lambda response: response.status)
        if operation.paging is not None and first.paging is None:
            raise document.error(
                f"{operation.operation_id}: `x-page` must be set on the first success",
                (*operation.pointer, "responses"),
            )
        node["responses"][keys[first.status]]["x-operation"] = {
            "name": operation.operation_id,
            "method": operation.method,
            "path": operation.path,
            "base_url": base_url,
            "parameters": {
                one.name: _described(one.resolved, one.description) for one in operation.parameters
            },
            "settings": {
                name: SETTINGS[role]
                for name, role in operation.credentials.items()
                if role in SETTINGS
            },
            "secrets": [name for name, role in operation.credentials.items() if role != "deviceId"],
            "token": operation.session_token,
            "package_version": version,
        }
        if operation.session_token is not None:
            sessions.append(operation)
    _check_sessions(document, sessions)
    for socket in read_websockets(document).values():
        _add_socket(document, socket, operations, prepared)
    return prepared


def _add_socket(
    document: Document,
    socket: Operation,
    operations: Mapping[str, Operation],
    prepared: dict[str, Any],
) -> None:
    """Add ``x-socket`` to the first success of the operation that lists missed messages.

    The generator knows no WebSockets, so the handshake is not in its description. Raises
    `SpecError` if the client could not listen to the socket.
    """
    place = (*socket.pointer, "responses", "101", "x-websocket", "missed")
    websocket = socket.websocket
    assert websocket is not None
    missed = websocket.missed
    listing = operations.get(missed.operation_id)
    paging = None if listing is None else listing.paging
    in_path = [one.name for one in socket.places("path")]
    if (
        listing is None
        or paging is None
        or len(in_path) != 1
        or in_path != [one.name for one in listing.places("path")]
    ):
        raise document.error(
            "missed: `operationId` must name an operation with `x-page` and the path parameter "
            f"of {socket.operation_id}, got `{missed.operation_id}`",
            (*place, "operationId"),
        )
    schemas = prepared["components"]["schemas"]
    page = document.component(listing.successes[0].media[JSON].schema) or ""
    item = _items(schemas[page]["properties"][paging.items])
    query = {one.name for one in listing.places("query")}
    for name in missed.parameters:
        if name not in query or name not in schemas.get(item, {}).get("properties", {}):
            raise document.error(
                f"missed: `{name}` must be a query parameter of {listing.operation_id} and a "
                "property of its items",
                (*place, "parameters", name),
            )
    events = read_union(document, websocket.messages)
    for name in (*events.exact.values(), events.other):
        schemas[name]["x-socket-event"] = True
    carrier = _carrier(document, events, schemas, item, socket.places("path")[0])
    if carrier is None:
        raise document.error(
            f"missed: a member of `messages` must carry `{item}` in a property, and need no other "
            "property than `type` and the path parameter",
            place,
        )
    sending = [
        one for one in operations.values() if one.path == listing.path and one.method == "POST"
    ]
    if len(sending) != 1 or sending[0].body is None:
        raise document.error(f"POST {listing.path} must send a message", ("paths", listing.path))
    node = prepared["paths"][listing.path][listing.method.lower()]
    first = min(listing.successes, key=lambda response: response.status)
    written = next(one for key, one in node["responses"].items() if int(key) == first.status)
    written["x-socket"] = {
        "name": socket.operation_id,
        "method": socket.method,
        "path": socket.path,
        "description": socket.description.strip().partition(".\n")[0].partition(". ")[0] + ".",
        "parameters": {
            one.name: _described(one.resolved, one.description) for one in socket.parameters
        },
        "settings": {
            name: SETTINGS[role] for name, role in socket.credentials.items() if role in SETTINGS
        },
        "secrets": [name for name, role in socket.credentials.items() if role != "deviceId"],
        "ping": websocket.ping,
        "pong": websocket.pong,
        "times": {
            "ping_interval": websocket.ping_interval,
            "idle_limit": websocket.idle_limit,
            "first_delay": websocket.first_delay,
            "longest_delay": websocket.longest_delay,
        },
        "events": asdict(events),
        "missed": dict(missed.parameters),
        "item": item,
        "carrier": carrier,
        "sending": sending[0].operation_id,
        "errors": {
            str(response.status): response.description
            for response in socket.responses.values()
            if response.status >= 400
        },
    }


def _carrier(
    document: Document, events: Union, schemas: dict[str, Any], item: str, parameter: Parameter
) -> dict[str, str] | None:
    """Return the member of a union that carries an item, and the names of its properties."""
    for kind, name in events.exact.items():
        schema = schemas[name]
        found = {document.component(field): key for key, field in schema["properties"].items()}
        owner = found.get(document.component(parameter.schema))
        if item in found and set(schema["required"]) <= {"type", found[item], owner}:
            return {"kind": kind, "class": name, "property": found[item], "owner": owner or ""}
    return None


def _complete_schemas(document: Document, schemas: dict[str, Any]) -> None:
    """Add the bounds of properties to their descriptions, and mark secrets."""
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "$ref" not in field:
                field["description"] = _described(field, field.get("description", ""))
        _mark_secrets(document, schema)


def _mark_secrets(document: Document, schema: dict[str, Any]) -> None:
    """Add ``x-secrets``, the names of its secret properties, to a schema."""
    secrets = [
        name
        for name, field in schema.get("properties", {}).items()
        if document.resolve(field).get("x-credential", "deviceId") != "deviceId"
    ]
    for name in secrets:
        if name not in schema.get("required", ()):
            place = document.find({name: schema["properties"][name]})
            raise document.error(f"the secret property `{name}` must be required", (*place, name))
    if secrets:
        schema["x-secrets"] = secrets


def _check_sessions(document: Document, sessions: list[Operation]) -> None:
    """Raise `SpecError` unless exactly one operation starts a session, with a key and a device."""
    if len(sessions) != 1:
        raise document.error(
            "exactly one operation must return an `x-credential: sessionToken`, "
            f"got {len(sessions)}",
            ("paths",) if not sessions else sessions[1].pointer,
        )
    (session,) = sessions
    properties = document.resolve(session.body.schema).get("properties", {}) if session.body else {}
    roles = {session.credentials[name] for name in properties if name in session.credentials}
    if {"publishableKey", "deviceId"} - roles:
        raise document.error(
            f"{session.operation_id} starts a session: its body must have properties with the "
            "`x-credential`s publishableKey and deviceId",
            session.pointer,
        )


def _check_arguments(document: Document, operation: Operation) -> None:
    """Raise `SpecError` if two arguments of an operation's method would have the same name."""
    names = [(one.name, operation.pointer) for one in operation.parameters]
    if operation.body is not None:
        pointer = (*operation.pointer, "requestBody")
        schema = document.resolve(operation.body.schema)
        if schema.get("type") != "object":
            raise document.error(
                f"{operation.operation_id}: a request body must be an object, "
                "whose properties are the arguments of the method",
                pointer,
            )
        names += [(name, pointer) for name in schema.get("properties", {})]
    taken = set(OF_EVERY_CALL)
    for name, pointer in names:
        argument = str(PythonIdentifier(snake_case(name), ""))
        if argument in taken:
            raise document.error(
                f"{operation.operation_id}: the argument `{argument}` is duplicated", pointer
            )
        taken.add(argument)


def _check_response(document: Document, operation: Operation, response: Response) -> None:
    """Raise `SpecError` if the client could not read a successful response."""
    pointer = (*operation.pointer, "responses", str(response.status))
    for name, media in response.media.items():
        if name not in {JSON, EVENT_STREAM, TEXT}:
            raise document.error(
                f"{operation.operation_id}: a response of the media type {name} is not supported",
                (*pointer, "content", name),
            )
        if name == JSON and document.resolve(media.schema).get("type") != "object":
            raise document.error(
                f"{operation.operation_id}: a response in JSON must be an object",
                (*pointer, "content", name),
            )
    streams = EVENT_STREAM in response.media
    if streams and (response.stream is None or JSON not in response.media):
        raise document.error(
            f"{operation.operation_id}: a response with {EVENT_STREAM} needs `x-event-stream` "
            f"and {JSON}",
            pointer,
        )


def _stream(
    document: Document,
    operation: Operation,
    response: Response,
    stream: EventStream,
    schemas: dict[str, Any],
) -> dict[str, Any]:
    """Return the template data for a stream, and mark the schemas of its events and answer."""
    payloads = read_union(document, stream.payload)
    parts = read_union(document, {"$ref": f"{SCHEMAS}{stream.parts}"})
    for name in (*payloads.exact.values(), *payloads.prefixes.values(), payloads.other):
        schemas[name]["x-event"] = True
    _mark_texts(schemas, stream.parts, parts.exact.get("text"))
    answer = document.component(response.media[JSON].schema) or ""
    found = _answer(schemas, schemas.get(answer, {}), stream.usage)
    if found is None:
        raise document.error(
            f"{operation.operation_id}: the response in JSON must be a schema with "
            "an array of steps that have parts and usage",
            (*operation.pointer, "responses", str(response.status), "content", JSON),
        )
    schemas[answer]["x-answer"] = found
    return {"payloads": asdict(payloads), "parts": asdict(parts)}


def _items(field: Json) -> str:
    """Return the schema name of an array's items, or an empty string."""
    items = field.get("items", {})
    return str(items.get("$ref", "")).removeprefix(SCHEMAS) if field.get("type") == "array" else ""


def _mark_texts(schemas: dict[str, Any], parts: str, text: str | None) -> None:
    """Add ``x-text`` to the schemas with a required array of parts, which together form a text."""
    for schema in schemas.values():
        for name, field in schema.get("properties", {}).items():
            if text and _items(field) == parts and name in schema.get("required", ()):
                schema["x-text"] = {"parts": name, "text": text}


def _answer(schemas: dict[str, Any], schema: Json, usage: str) -> dict[str, str] | None:
    """Return the names of an answer's property for steps and of a step's property for usage."""
    for name, field in schema.get("properties", {}).items():
        step = schemas.get(_items(field), {})
        for inner, counted in step.get("properties", {}).items():
            if "x-text" in step and counted.get("$ref") == f"{SCHEMAS}{usage}":
                return {"steps": name, "usage": inner, "class": usage}
    return None


def _described(schema: Json, description: str) -> str:
    """Return ``description`` with the bounds and the default of ``schema``."""
    said = [description.strip()]
    for low, high, unit in (("minLength", "maxLength", " characters"), ("minimum", "maximum", "")):
        least, most = schema.get(low), schema.get(high)
        if least is not None and most is not None:
            said.append(f"From {least:,} to {most:,}{unit}.")
        elif most is not None:
            said.append(f"At most {most:,}{unit}.")
        elif least is not None:
            said.append(f"At least {least:,}{unit.rstrip('s') if least == 1 else unit}.")
    default = schema.get("default")
    if default not in (None, []) and "const" not in schema:
        said.append(f"`{json.dumps(default).strip(chr(34))}` if left out.")
    return " ".join(part for part in said if part)


def generate(target: Path) -> None:
    """Generate the package in ``target``, which must not exist.

    Raises `SpecError` if the description does not suit the client, and
    `GenerationError` if the generator fails or warns.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as prepared:
        json.dump(prepare(Document.load()), prepared)
        prepared.flush()
        _run_generator(Path(prepared.name), target)


def _run_generator(prepared: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    tools = Path(sys.executable).parent
    command = [
        str(tools / "openapi-python-client"),
        "generate",
        f"--path={prepared}",
        f"--config={CONFIG}",
        f"--output-path={target}",
        f"--custom-template-path={TEMPLATES}",
        "--meta=none",
        "--fail-on-warning",
    ]
    # The generator's post-hooks look up ruff in the PATH.
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GenerationError(f"{done.stdout}{done.stderr}".strip())
    # The generator omits this marker when it writes no packaging metadata.
    (target / "py.typed").touch()


def describe(package: Path, page: Path, program: Path) -> None:
    """Write the reference of the client in ``package``, and the program that calls its methods.

    Raises `GenerationError` if a command fails.
    """
    path = os.pathsep.join((str(package.parent), str(ROOT / "src")))
    reference = Path(__file__).with_name("reference.py")
    ruff = str(Path(sys.executable).with_name("ruff"))
    hooks = ("--isolated", "--no-cache", "--quiet", "--target-version=py311", "--line-length=100")
    for command in (
        [sys.executable, str(reference), str(page), str(program)],
        [ruff, "check", "--fix-only", "--select=I", *hooks, str(program)],
        [ruff, "format", *hooks, str(program)],
    ):
        done = subprocess.run(
            command,
            env={
                **os.environ,
                "PYTHONPATH": path,
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise GenerationError(f"{done.stdout}{done.stderr}".strip())


def differences(expected: Path, actual: Path) -> list[str]:
    """Return a line for each file that differs between two folders, sorted."""
    wanted, found = _files(expected), _files(actual)
    rows = [f"missing   {name}" for name in wanted - found]
    rows += [f"extra     {name}" for name in found - wanted]
    rows += [
        f"differs   {name}"
        for name in wanted & found
        if not filecmp.cmp(expected / name, actual / name, shallow=False)
    ]
    return sorted(rows)


def _files(root: Path) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only; change nothing")
    check: bool = parser.parse_args().check
    try:
        with tempfile.TemporaryDirectory() as folder:
            fresh = Path(folder) / "siteassist"
            generate(fresh)
            described = [(Path(folder) / path.name, path) for path in (PAGE, PROGRAM)]
            describe(fresh, *(new for new, _ in described))
            rows = differences(fresh, PACKAGE)
            changed = [
                (new, old)
                for new, old in described
                if not old.exists() or new.read_bytes() != old.read_bytes()
            ]
            if rows and not check:
                # Replace the whole folder, to remove files that are no longer generated.
                shutil.rmtree(PACKAGE, ignore_errors=True)
                shutil.copytree(fresh, PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
            rows += [f"differs   {old.relative_to(ROOT)}" for _, old in changed]
            if not check:
                for new, old in changed:
                    old.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(new, old)
    except (SpecError, GenerationError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    if not rows:
        print("The generated files are up to date.")
    elif check:
        print(
            "The generated files are out of date; run `make generate`:",
            *rows,
            sep="\n  ",
            file=sys.stderr,
        )
        return 1
    else:
        noun = "file" if len(rows) == 1 else "files"
        print(f"{len(rows)} generated {noun} changed:", *rows, sep="\n  ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
