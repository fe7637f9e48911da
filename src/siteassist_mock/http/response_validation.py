"""Validation of responses with ``openapi.yaml``, for ``--strict``.

It keeps the mock and the description consistent. Faults are injected after the
check, so they are not violations.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TypeAlias

from jsonschema_rs import Draft202012Validator
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.http.event_stream import frame
from siteassist_mock.http.json_parser import parse_json
from siteassist_mock.http.request_validation import compile_schema, describe
from siteassist_spec import (
    EVENT_STREAM,
    JSON,
    Document,
    WebSocket,
    event_schema,
    read_operations,
    read_websockets,
)

# A body beyond the limit, which no operation documents.
_UNDOCUMENTED = frozenset({413})
_KEPT = 100
_NO_EVENT = re.compile(rb"(?:(?:event|id|retry)?(?::.*)?(?:\n|\Z))*")
"""Comments and other fields without data, which are no event to a client."""
_WEBSOCKET = "websocket."
"""The prefix of the types of ASGI messages that refuse a handshake."""
_INTERNAL_ERROR = 1011
"""The close code of a server that fails (RFC 6455, 7.4.1)."""

_logger = logging.getLogger("siteassist_mock")


class Violations:
    """The violations of one server, one sentence each; only the latest are kept."""

    def __init__(self) -> None:
        """Begin without violations."""
        self._sentences: deque[str] = deque(maxlen=_KEPT)

    def add(self, sentence: str) -> None:
        """Log a violation and keep it."""
        _logger.error("strict: %s", sentence)
        self._sentences.append(sentence)

    def take(self) -> list[str]:
        """Return the violations since the last call."""
        taken = list(self._sentences)
        self._sentences.clear()
        return taken


class Strict:
    """The response checks of all operations of a server."""

    def __init__(self, document: Document) -> None:
        """Compile the checks of the operations of ``document``.

        Raises `siteassist_spec.SpecError` if a schema is not valid.
        """
        self.violations = Violations()
        self._checks = _compile(document)
        self._texts = _compile_texts(document)

    def guard(self, app: ASGIApp, operation_id: str) -> ASGIApp:
        """Return ``app``, the endpoint of an operation, with a check of its responses.

        An invalid response becomes a 500 with one sentence about the violation. An
        invalid event of a stream becomes an ``error`` event, which ends the stream.
        """
        checks, violations = self._checks[operation_id], self.violations

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            checked = _CheckedSend(operation_id, checks, send)
            with suppress(_Violation):
                await app(scope, receive, checked)
            # After the exception: a stream suppresses it and ends.
            if checked.problem:
                violations.add(checked.problem)
                await checked.report(scope, receive)

        return guarded

    def guard_socket(self, app: ASGIApp, operation_id: str) -> ASGIApp:
        """Return ``app``, the endpoint of a handshake, with a check of all that it sends.

        An invalid refusal becomes a 500, as in `guard`. An invalid text is not sent: it
        closes the socket with the code 1011.
        """
        checks, violations = self._checks[operation_id], self.violations
        texts = self._texts[operation_id]

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            checked = _CheckedSocketSend(operation_id, checks, texts, send)
            with suppress(_Violation):
                await app(scope, receive, checked)
            if checked.problem:
                violations.add(checked.problem)
                await checked.report(scope, receive)

        return guarded

    def problem(self, operation_id: str, status: int, content_type: str, body: bytes) -> str | None:
        """Return how a whole response violates the description, in one sentence, or None."""
        start = {"status": status, "headers": [(b"content-type", content_type.encode("latin-1"))]}
        checked = _CheckedSend(operation_id, self._checks[operation_id], _unused)
        with suppress(_Violation):
            checked.judge(start, body)
        return checked.problem or None


async def _unused(_message: Message) -> None:
    """Do nothing."""


class _Violation(OSError):
    """An invalid response; an `OSError`, so that a stream settles its text."""


class _BodyCheck:
    """The check of a whole body with one schema."""

    def __init__(
        self, operation_id: str, schema: Mapping[str, Any], spec: Mapping[str, Any], media_type: str
    ) -> None:
        self._validator = compile_schema(operation_id, schema, spec)
        self._json = media_type == JSON

    def problem(self, body: bytes, *, halves: bool = False) -> str | None:
        try:
            value = parse_json(body, halves=halves) if self._json else body.decode()
        except ValueError as error:
            return f"with a body that {error}" if self._json else "with a body that is not UTF-8"
        return _fault(self._validator, value, "a body")


class _EventCheck:
    """The check of each event: its data is a listed literal, or JSON of a schema."""

    def __init__(self, operation_id: str, schema: Mapping[str, Any], document: Document) -> None:
        spec = document.raw
        event = document.resolve(event_schema(document, schema))
        data = document.resolve(event["properties"]["data"])
        forms = [document.resolve(form) for form in data["anyOf"]]
        self._literals = [
            compile_schema(operation_id, form, spec)
            for form in forms
            if "contentSchema" not in form
        ]
        self._payloads = [
            compile_schema(operation_id, form["contentSchema"], spec)
            for form in forms
            if "contentSchema" in form
        ]

    def problem(self, event: bytes, *, halves: bool = False) -> str | None:
        lines = event.decode(errors="replace").split("\n")
        data = "\n".join(
            line.removeprefix("data:").removeprefix(" ")
            for line in lines
            if line.startswith("data:")
        )
        # An event without other lines than comments is valid.
        if all(line.startswith(":") for line in lines) or any(
            literal.is_valid(data) for literal in self._literals
        ):
            return None
        try:
            payload = parse_json(data.encode(), halves=halves)
        except ValueError as error:
            return f"with an event whose data {error}"
        problems = [_fault(validator, payload, "an event") for validator in self._payloads]
        return None if None in problems else problems[0]


class _TextCheck:
    """The check of each text of a socket: the answer to a ping, or JSON of a schema."""

    def __init__(self, operation_id: str, websocket: WebSocket, spec: Mapping[str, Any]) -> None:
        self._pong = websocket.pong
        self._validator = compile_schema(operation_id, websocket.messages, spec)

    def problem(self, text: str | None) -> str | None:
        if text is None:
            return "with a message that is not a text"
        if text == self._pong:
            return None
        try:
            value = parse_json(text.encode())
        except ValueError as error:
            return f"with a text that {error}"
        return _fault(self._validator, value, "a text")


class _EmptyCheck:
    """The check of a response that is documented without a body."""

    def problem(self, body: bytes, *, halves: bool = False) -> str | None:
        del halves  # of the other checks
        return "with a body, which it does not document" if body else None


_Check: TypeAlias = _BodyCheck | _EventCheck | _EmptyCheck


class _CheckedSend:
    """A ``send`` that raises `_Violation` for the first invalid message."""

    def __init__(
        self, operation_id: str, checks: Mapping[int, Mapping[str, _Check]], send: Send
    ) -> None:
        self.problem = ""
        self._operation_id = operation_id
        self._checks = checks
        self._send = send
        self._start: Message = {}
        self._check: _Check | None = None
        self._kept = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            self._check = self._find(message)
            if isinstance(self._check, _EventCheck):
                await self._send(message)
            return
        self._kept += message.get("body", b"")
        more = message.get("more_body", False)
        if isinstance(self._check, _EventCheck):
            *events, self._kept = self._kept.split(b"\n\n")
            for event in events:
                self._refuse(self._check.problem(event))
            if self._kept and not more:
                self._refuse("with a stream that ends within an event")
            whole = b"".join(event + b"\n\n" for event in events)
            if whole or not more:
                await self._send({**message, "body": whole})
        elif not more:
            if self._check is not None:
                self._refuse(self._check.problem(self._kept))
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": self._kept})

    def judge(self, start: Message, body: bytes) -> None:
        """Check a whole response of another server. Raises `_Violation`.

        It may have a character in two deltas, each with one half of it.
        """
        self._start = start
        check = self._find(start)
        if isinstance(check, _EventCheck):
            text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
            *events, rest = text.replace(b"\r", b"\n").split(b"\n\n")
            for event in events:
                if not _NO_EVENT.fullmatch(event):
                    self._refuse(check.problem(event, halves=True))
            if rest:
                self._refuse("with a stream that ends within an event")
        elif check is not None:
            self._refuse(check.problem(body, halves=True))

    async def report(self, scope: Scope, receive: Receive) -> None:
        """Send the violation to the client."""
        if isinstance(self._check, _EventCheck):
            body = frame({"type": "error", "errorText": self.problem})
            await self._send({"type": "http.response.body", "body": body})
        else:
            error = ApiError(500, code="RESPONSE_NOT_ALLOWED", message=self.problem)
            await error_response(error)(scope, receive, self._send)

    def _find(self, start: Message) -> _Check | None:
        status = start["status"]
        if status in _UNDOCUMENTED:
            return None
        if status not in self._checks:
            self._refuse("which it does not document")
        header = next((value for key, value in start["headers"] if key == b"content-type"), b"")
        media_type = header.decode("latin-1").partition(";")[0].strip().lower()
        if not media_type and not self._checks[status]:
            return _EmptyCheck()
        if media_type not in self._checks[status]:
            self._refuse(f"as {media_type or 'no media type'}, which it does not document")
        return self._checks[status][media_type]

    def _refuse(self, problem: str | None) -> None:
        if problem is not None:
            status = self._start["status"]
            self.problem = f"{self._operation_id} answered {status} {problem}"
            raise _Violation


class _CheckedSocketSend(_CheckedSend):
    """A ``send`` of a socket that raises `_Violation` for the first invalid message."""

    def __init__(
        self,
        operation_id: str,
        checks: Mapping[int, Mapping[str, _Check]],
        texts: _TextCheck,
        send: Send,
    ) -> None:
        async def refuse(message: Message) -> None:
            await send({**message, "type": f"{_WEBSOCKET}{message['type']}"})

        super().__init__(operation_id, checks, refuse)
        self._texts = texts
        self._send_message = send
        self._accepted = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind.startswith(f"{_WEBSOCKET}http.response."):
            await super().__call__({**message, "type": kind.removeprefix(_WEBSOCKET)})
            return
        if kind == "websocket.accept":
            self._start = {"status": 101}
            self._accepted = True
        if kind == "websocket.send":
            self._refuse(self._texts.problem(message.get("text")))
        await self._send_message(message)

    async def report(self, scope: Scope, receive: Receive) -> None:
        """Close the socket, or refuse the handshake."""
        if self._accepted:
            await self._send_message({"type": "websocket.close", "code": _INTERNAL_ERROR})
        else:
            error = ApiError(500, code="RESPONSE_NOT_ALLOWED", message=self.problem)
            await error_response(error)(scope, receive, self._send_message)


def _fault(validator: Draft202012Validator, value: Any, what: str) -> str | None:
    if validator.is_valid(value):
        return None
    return f"with {what} that is not allowed: {describe(validator.iter_errors(value))}"


# Compiling takes most of the start of a strict server, and a process that runs tests
# starts many. Nothing changes the checks.
@lru_cache(maxsize=1)
def _compile(document: Document) -> Mapping[str, Mapping[int, Mapping[str, _Check]]]:
    """Return the checks by operationId, status and media type."""
    compiled: dict[str, _Check] = {}

    def check(operation_id: str, media_type: str, schema: Mapping[str, Any]) -> _Check:
        # Most documented responses are errors with the same schema.
        key = json.dumps([media_type, schema], sort_keys=True)
        if key not in compiled:
            compiled[key] = (
                _EventCheck(operation_id, schema, document)
                if media_type == EVENT_STREAM
                else _BodyCheck(operation_id, schema, document.raw, media_type)
            )
        return compiled[key]

    return {
        operation_id: {
            status: {
                media_type: check(operation_id, media_type, media.schema)
                for media_type, media in response.media.items()
            }
            for status, response in operation.responses.items()
        }
        for operation_id, operation in (
            *read_operations(document).items(),
            *read_websockets(document).items(),
        )
    }


@lru_cache(maxsize=1)
def _compile_texts(document: Document) -> Mapping[str, _TextCheck]:
    """Return the checks of the texts of sockets, by the operationId of the handshake."""
    return {
        operation_id: _TextCheck(operation_id, operation.websocket, document.raw)
        for operation_id, operation in read_websockets(document).items()
        if operation.websocket is not None
    }
