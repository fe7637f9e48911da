"""Facts of ``openapi.yaml`` that the checks need, and the validation of answers against it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from siteassist_contract.http.json_reader import read_json, shown_value
from siteassist_spec import (
    EVENT_STREAM,
    JSON,
    Document,
    Json,
    Operation,
    read_operations,
    read_websockets,
)
from siteassist_spec.schemas import Validator, compile_schema, complaints

PLAIN = "text/plain"
API_KEY, DEVICE, SESSION_TOKEN = "publishableKey", "deviceId", "sessionToken"
"""Values of ``x-credential``: kinds of credentials, independent of their names."""
CLOSING = "closeConversation"
"""The operation that ends a conversation, which no schema or extension states."""
_FEEDBACK = "feedback"
"""The property of a request that rates a message."""
_HEADER = re.compile(r"[!-~](?:[ -~]*[!-~])?")
"""The texts that every HTTP header can contain."""


@cache
def document() -> Document:
    """Return the description."""
    return Document.load()


@cache
def operations() -> Mapping[str, Operation]:
    """Return the operations that answer a request, by their ``operationId``."""
    return read_operations(document())


@cache
def handshakes() -> Mapping[str, Operation]:
    """Return the operations that open a WebSocket, by their ``operationId``."""
    return read_websockets(document())


@cache
def all_operations() -> Mapping[str, Operation]:
    """Return the operations of both kinds, by their ``operationId``."""
    return {**operations(), **handshakes()}


def validator(schema: Json) -> Validator:
    """Return the validator of a schema, whose references are resolved in the description."""
    return compiled(json.dumps(schema))


def faults(operation_id: str, status: int, content_type: str, content: bytes) -> list[str]:
    """Return the faults of an answer: in its status, its media type or its body.

    The payloads of an event stream are validated one by one, by
    `siteassist_contract.checks.stream_grammar`.
    """
    response = all_operations()[operation_id].responses.get(status)
    if response is None:
        return [f"undocumented status {status}"]
    if not response.media:
        shown = content.decode("utf-8", "replace")[:80]
        return [f"{status} must have no body, got {shown!r}"] if content else []
    media_type = content_type.partition(";")[0].strip().lower()
    media = response.media.get(media_type)
    if media is None:
        known = " or ".join(response.media)
        return [f"{status} must have the media type {known}, got {content_type or 'none'}"]
    if media_type == EVENT_STREAM:
        return []
    value, fault = _read(media_type, content)
    if fault is not None:
        return [fault]
    return list(complaints(validator(media.schema), value))


def credential_of(schema: Json) -> str | None:
    """Return the ``x-credential`` of a schema, or None."""
    kind: str | None = resolve(schema).get("x-credential")
    return kind


@cache
def credential_name(kind: str) -> str:
    """Return the name of the parameters and properties that hold a kind of credential.

    Raises `LookupError` if nothing holds it.
    """
    for operation in read_operations(document()).values():
        for name, schema in (*_request_values(operation), *answer_properties(operation).items()):
            if credential_of(schema) == kind:
                return name
    raise LookupError(f"openapi.yaml has no `x-credential: {kind}`")


def key_argument(api_key: str) -> dict[str, str]:
    """Return the publishable key as an argument, by its name."""
    return {credential_name(API_KEY): api_key}


def session_arguments(api_key: str, device: str) -> dict[str, str]:
    """Return the arguments that start a session, by their names."""
    return {**key_argument(api_key), credential_name(DEVICE): device}


def session_token(answer: object) -> str | None:
    """Return the session token in the JSON of an answer, or None.

    A text that a header cannot contain is not a token.
    """
    if not isinstance(answer, Mapping):
        return None
    token = answer.get(credential_name(SESSION_TOKEN))
    return token if isinstance(token, str) and _HEADER.fullmatch(token) else None


def takes_key(operation: Operation) -> bool:
    """Whether a request of ``operation`` carries the publishable key."""
    return any(credential_of(schema) == API_KEY for _, schema in _request_values(operation))


def takes_feedback(operation: Operation) -> bool:
    """Whether a request of ``operation`` rates a message."""
    return _FEEDBACK in properties(operation)


def feedback_operation() -> str:
    """Return the ``operationId`` of the operation that rates a message.

    Raises `LookupError` if no operation does.
    """
    for name, operation in operations().items():
        if takes_feedback(operation):
            return name
    raise LookupError("openapi.yaml has no operation that takes feedback")


def properties(operation: Operation) -> Json:
    """Return the schemas of the properties of the request's body, by name."""
    if operation.body is None:
        return {}
    found: Json = resolve(operation.body.schema).get("properties", {})
    return found


def optional_names(operation: Operation) -> list[str]:
    """Return the properties that the request's body may leave out."""
    if operation.body is None:
        return []
    required = resolve(operation.body.schema).get("required", ())
    return [name for name in properties(operation) if name not in required]


def ends_object(operation: Operation) -> bool:
    """Whether an accepted request makes its object unusable for other requests."""
    return operation.method == "DELETE" or operation.operation_id == CLOSING


def is_time(name: str) -> bool:
    """Whether a property of an answer is a point in time.

    The description gives times no format, only names: O-7.
    """
    return name.endswith("At")


def page_query(
    operation_id: str, *, limit: int | None = None, offset: int | None = None
) -> dict[str, int | None]:
    """Return the query parameters that request one page of a list."""
    paging = operations()[operation_id].paging
    if paging is None:
        raise ValueError(f"{operation_id} has no pages")
    return {paging.limit: limit, paging.offset: offset}


def page_due(operation_id: str, *, limit: int, offset: int) -> dict[str, int]:
    """Return the expected values of the properties of an answer that repeat the paging."""
    described = answer_properties(operations()[operation_id])
    asked = page_query(operation_id, limit=limit, offset=offset)
    return {name: value for name, value in asked.items() if name in described and value is not None}


def page_words(values: Mapping[str, object]) -> str:
    """Return paging properties as text."""
    return ", ".join(f"`{name}` {shown_value(value)}" for name, value in values.items())


def answer_properties(operation: Operation) -> Json:
    """Return the schemas of the properties of a JSON answer, by name."""
    media = operation.successes[0].media.get(JSON)
    found: Json = {} if media is None else resolve(media.schema).get("properties", {})
    return found


def resolve(node: Json) -> Json:
    """Follow the reference of a node of the description, if it has one."""
    return document().resolve(node)


def forms(schema: Json) -> Iterator[Json]:
    """Yield the resolved alternatives of a schema; the schema itself if it has no ``anyOf``."""
    resolved = resolve(schema)
    for form in resolved.get("anyOf", (resolved,)):
        yield resolve(form)


@cache
def compiled(schema: str) -> Validator:
    """Compile a schema from JSON text."""
    # Cached: most answers are errors, which share one schema.
    return compile_schema(document(), json.loads(schema))


def _request_values(operation: Operation) -> Iterator[tuple[str, Json]]:
    """Yield the name and the schema of each parameter and each property of the body."""
    yield from ((parameter.name, parameter.schema) for parameter in operation.parameters)
    yield from properties(operation).items()


def _read(media_type: str, content: bytes) -> tuple[Any, str | None]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return None, f"the body is not UTF-8 at byte {error.start}"
    if media_type == PLAIN:
        return text, None
    if not text.strip():
        return None, "the body is empty, expected JSON"
    try:
        return read_json(text), None
    except ValueError as error:
        return None, f"the body is not JSON: {error}"
