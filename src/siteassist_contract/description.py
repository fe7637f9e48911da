"""What ``openapi.yaml`` says of every operation, ready to compare an answer with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jsonschema_rs

from siteassist_contract.reading import read_json
from siteassist_spec import load_spec

Json = Mapping[str, Any]

EVENT_STREAM = "text/event-stream"
PLAIN = "text/plain"
_SHOWN = 200
"""How many characters of a schema's complaint are shown."""


@dataclass(frozen=True)
class Media:
    """One media type of a response."""

    schema: jsonschema_rs.Draft202012Validator | None
    """What a whole body has to fit; ``None`` for an event stream."""
    payload: jsonschema_rs.Draft202012Validator | None = None
    """What the payload of one event has to fit; ``None`` unless it is a stream."""


@dataclass(frozen=True)
class Operation:
    """One operation."""

    operation_id: str
    method: str
    """In capitals."""
    path: str
    """With names in braces, such as ``/conversations/{conversationId}``."""
    needs_token: bool
    parameters: tuple[Json, ...]
    """As they are written, with references followed, their schemas' as well."""
    body: Json | None
    """The JSON schema of the request's body, with references; ``None`` if there is none."""
    body_required: bool
    responses: Mapping[int, Mapping[str, Media]] = field(repr=False)
    stream: Json | None
    """``x-event-stream``, if the operation can stream."""

    @property
    def label(self) -> str:
        """Name the operation as people do: ``GET /search (search)``."""
        return f"{self.method} {self.path} ({self.operation_id})"


@cache
def operations() -> Mapping[str, Operation]:
    """Return all operations, by their ``operationId``."""
    spec = load_spec()
    found = {}
    for path, item in spec["paths"].items():
        for method, written in item.items():
            operation = _operation(spec, path, method, written)
            found[operation.operation_id] = operation
    return found


def faults(operation_id: str, status: int, content_type: str, content: bytes) -> list[str]:
    """Say where an answer breaks the description: its status, its media type, its body.

    Payloads of an event stream are judged one by one; what a stream is beyond
    that is `siteassist_contract.streams`'s to say.
    """
    responses = operations()[operation_id].responses
    if status not in responses:
        return [f"{status} is no status that is documented for it"]
    media_type = content_type.partition(";")[0].strip().lower()
    media = responses[status].get(media_type)
    if media is None:
        known = " or ".join(responses[status])
        return [f"{status} comes as {known}, this one as {content_type or 'nothing'}"]
    if media.schema is None:
        return []
    value, fault = _read(media_type, content)
    if fault is not None:
        return [fault]
    return list(complaints(media.schema, value))


def complaints(schema: jsonschema_rs.Draft202012Validator, value: object) -> Iterator[str]:
    """Say what in ``value`` does not fit, a sentence per place."""
    try:
        errors = [(error.instance_path, error.message) for error in schema.iter_errors(value)]
    except (RecursionError, UnicodeError, ValueError) as error:
        yield f"it cannot be compared with its schema: {error}"
        return
    for path, message in errors:
        place = "/".join(str(step) for step in path)
        half = _SHOWN // 2
        short = message if len(message) <= _SHOWN else f"{message[:half]} … {message[-half:]}"
        yield f"`{place}`: {short}" if place else short


def validator(schema: Json) -> jsonschema_rs.Draft202012Validator:
    """Compile a schema of the description, whose references lead into it."""
    # The keyword beside a reference would not do: some validators stop at one.
    whole = {"allOf": [schema], "components": load_components()}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


@cache
def load_components() -> Json:
    """Return the ``components`` of the description."""
    components: Json = load_spec()["components"]
    return components


def resolve(spec: Json, node: Json) -> Json:
    """Follow a reference to a component; ours never lead to another one."""
    if "$ref" not in node:
        return node
    found: Any = spec
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    resolved: Json = found
    return resolved


def _operation(spec: Json, path: str, method: str, written: Json) -> Operation:
    parameters = []
    for parameter in written.get("parameters", []):
        known = resolve(spec, parameter)
        parameters.append({**known, "schema": resolve(spec, known["schema"])})
    request = written.get("requestBody")
    answers = {int(s): resolve(spec, r) for s, r in written["responses"].items()}
    streams = (r["x-event-stream"] for r in answers.values() if "x-event-stream" in r)
    return Operation(
        operation_id=written["operationId"],
        method=method.upper(),
        path=path,
        needs_token=bool(written["security"]),
        parameters=tuple(parameters),
        body=request and request["content"]["application/json"]["schema"],
        body_required=bool(request and request.get("required")),
        responses={
            status: {name: _media(spec, name, media) for name, media in answer["content"].items()}
            for status, answer in answers.items()
        },
        stream=next(streams, None),
    )


_COMPILED: dict[str, Media] = {}


def _media(spec: Json, name: str, media: Json) -> Media:
    # Most answers are errors, and all of those have the same schema.
    key = json.dumps([name, media["schema"]])
    if key not in _COMPILED:
        if name == EVENT_STREAM:
            event = resolve(spec, media["schema"])
            forms = event["properties"]["data"]["anyOf"]
            content = next(f["contentSchema"] for f in forms if "contentSchema" in f)
            _COMPILED[key] = Media(schema=None, payload=validator(content))
        else:
            _COMPILED[key] = Media(schema=validator(media["schema"]))
    return _COMPILED[key]


def _read(media_type: str, content: bytes) -> tuple[object, str | None]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return None, f"the body is not UTF-8 at byte {error.start}"
    if media_type == PLAIN:
        return text, None
    if not text.strip():
        return None, "the body is empty, and should be JSON"
    try:
        return read_json(text), None
    except ValueError as error:
        return None, f"the body is not JSON: {error}"
