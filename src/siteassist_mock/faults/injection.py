"""Faults as changes of what an application sends.

Each fault wraps the ``send`` of the one before, so that several can be combined.
A request is carried out whatever its answer suffers: that is what makes a
failure on the way so hard, since the client cannot know. Only
``expired-session``, an answer of its own, is made elsewhere (`siteassist_mock.app`).

In a stream a fault comes with the first piece of the text.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from siteassist_mock.faults.plan import FAULTS_KEY, HEADER, Fault, parse_fault
from siteassist_mock.http.access_log import OPERATION
from siteassist_mock.http.connection import TRANSPORT, reset
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import SentWhole, disconnected, frame
from siteassist_mock.http.middleware import CutOff, ErrorBoundary
from siteassist_mock.http.preferences import header_values, parse_preferences
from siteassist_spec import EVENT_STREAM

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from siteassist_mock.faults.plan import FaultPlan

__all__ = ["FaultInjection"]

_TERMINATOR = frame("[DONE]")
_ERROR = frame({"type": "error", "errorText": "The answer broke off, as was asked for"})
# The type is one of the protocol's own kinds, which a client passes through.
_PADDING = (b'data: {"type":"data-padding","data":"', b'"}\n\n')
_PIECE_BYTES = 65_536


class FaultInjection:
    """Makes the faults that a request asks for, or else those that the server plans."""

    def __init__(self, app: ASGIApp, operation_id: str, plan: FaultPlan) -> None:
        """Disturb what ``app`` sends, which answers the operation.

        An `ApiError` of ``app`` becomes an answer in here if there is a fault,
        so that it gets the fault, too.
        """
        self._app = app
        self._answering = ErrorBoundary(app)
        self._operation_id = operation_id
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application.

        Raises `ApiError` 400 for a header that names no fault: unlike a
        preference it is there for tests, and a test that tests nothing should
        say so. Raises `CutOff` where a connection should be cut and there is none.
        """
        # The first place where it is known.
        scope[OPERATION] = self._operation_id
        headers = header_values(scope["headers"], HEADER)
        faults = _requested(headers) if headers else self._plan.choose()
        if not faults:
            await self._app(scope, receive, send)
            return
        scope[FAULTS_KEY] = [fault.name for fault in faults]
        wire = _Sender(scope, asyncio.ensure_future(disconnected(receive)))
        try:
            await self._disturb(faults, wire, receive, send)
        finally:
            wire.leaving.cancel()

    async def _disturb(
        self, faults: list[Fault], wire: _Sender, receive: Receive, send: Send
    ) -> None:
        effects: list[_Effect] = []
        # The application writes to the last one, and the first one to the wire.
        for name, effect in _EFFECTS.items():
            for fault in faults:
                if fault.name == name:
                    effects.append(effect(fault.value, send, wire))
                    send = effects[-1]
        with suppress(_BrokenOff, SentWhole):
            await self._answering(wire.scope, receive, send)
        # An event stream that cannot write any more ends without a word.
        for made in effects:
            if made.broke_off:
                await made.end()


class _BrokenOff(OSError):  # noqa: N818 - no error, and never seen outside
    """Nothing more can be sent, as ASGI 2.4 says it; a stream settles what it has."""


class _Sender:
    """What is on the other side of ``send``."""

    def __init__(self, scope: Scope, leaving: asyncio.Future[None]) -> None:
        self.scope = scope
        self.leaving = leaving

    async def wait(self, seconds: float) -> bool:
        """Wait, and return whether the client is still there."""
        if seconds:
            await asyncio.wait({self.leaving}, timeout=seconds)
        else:
            await asyncio.sleep(0)
        return not self.leaving.done()

    async def cut(self, *, hard: bool) -> None:
        """End the connection, in the middle of whatever is on its way."""
        transport = self.scope.get(TRANSPORT)
        if transport is None:
            raise CutOff("the connection was cut, as was asked for")
        if hard:
            reset(transport)
        else:
            transport.close()
        # Else the server would complain of an answer without an end.
        await self.leaving


class _Effect:
    """Sends everything on as it is; a fault overrides what it changes.

    What is no stream is held back until it is complete.
    """

    def __init__(self, value: Any, send: Send, wire: _Sender) -> None:
        self.value = value
        self.send = send
        self.wire = wire
        self.broke_off = False
        self.start: Message = {}
        self._body: list[bytes] = []
        self._met = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            await self.begin()
        elif not self._streams():
            self._body.append(message.get("body", b""))
            if not message.get("more_body", False):
                await self.whole(b"".join(self._body))
        elif not self._met and b'"type":"text-delta"' in message["body"]:
            self._met = True
            await self.piece(message)
        else:
            await self.event(message)

    async def begin(self) -> None:
        if self._streams():
            await self.send(self.start)

    async def whole(self, body: bytes) -> None:
        await self.send(self.start)
        await self.send({"type": "http.response.body", "body": body})

    async def event(self, message: Message) -> None:
        await self.send(message)

    async def piece(self, message: Message) -> None:
        """Send the first piece of a streamed text."""
        await self.event(message)

    async def end(self) -> None:
        """Do what is left after the application has ended, if this broke it off."""

    async def more(self, body: bytes) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    def break_off(self) -> None:
        self.broke_off = True
        raise _BrokenOff

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.start["headers"] if key == name), b"")

    def set_header(self, name: bytes, value: bytes) -> None:
        # A response may keep its list of headers, so it gets a new one.
        headers = [header for header in self.start["headers"] if header[0] != name]
        self.start = {**self.start, "headers": [*headers, (name, value)]}

    def _streams(self) -> bool:
        return self.header(b"content-type").startswith(EVENT_STREAM.encode())


class _Drip(_Effect):
    """The body comes byte by byte."""

    async def __call__(self, message: Message) -> None:
        for byte in message.get("body", b""):
            await self.more(bytes((byte,)))
            if not await self.wire.wait(self.value):
                self.break_off()
        await self.send({**message, "body": b""} if "body" in message else message)


class _Reset(_Effect):
    """The connection breaks down, before the answer or in the middle of it."""

    async def begin(self) -> None:
        if self.value == "start":
            self.break_off()
        await super().begin()

    async def whole(self, body: bytes) -> None:
        await self.send(self.start)
        await self._half(body)

    async def piece(self, message: Message) -> None:
        await self._half(message["body"])

    async def _half(self, body: bytes) -> None:
        await self.more(body[: len(body) // 2])
        self.break_off()

    async def end(self) -> None:
        await self.wire.cut(hard=True)


class _Truncate(_Reset):
    """The connection is closed in the middle of the answer."""

    async def end(self) -> None:
        await self.wire.cut(hard=False)


class _StreamError(_Effect):
    """The stream reports an error and ends; the message is stored as broken off."""

    async def piece(self, message: Message) -> None:
        await self.send(message)
        self.broke_off = True
        raise SentWhole

    async def end(self) -> None:
        # Only now, so that whoever reads it finds the message settled.
        await self.more(_ERROR)
        await self.more(_TERMINATOR)
        await self.send({"type": "http.response.body", "body": b""})


class _NoTerminator(_Effect):
    """The stream ends properly, but without its last event."""

    async def event(self, message: Message) -> None:
        if message["body"] != _TERMINATOR:
            await self.send(message)


class _WrongContentType(_Effect):
    """The answer says that it is HTML, as those of many a proxy do."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            self.set_header(b"content-type", b"text/html; charset=utf-8")
            message = self.start
        await self.send(message)


class _OversizedBody(_Effect):
    """The answer is valid, and very large."""

    async def whole(self, body: bytes) -> None:
        if not body:
            # No longer body is valid here; HTTP itself forbids one with a 204.
            await super().whole(body)
            return
        # Spaces after a value are JSON, too.
        self.set_header(b"content-length", str(len(body) + self.value).encode())
        await self.send(self.start)
        await self.more(body)
        await self._fill(b" ")
        await self.send({"type": "http.response.body", "body": b""})

    async def piece(self, message: Message) -> None:
        before, after = _PADDING
        await self.more(before)
        await self._fill(b"x")
        await self.more(after)
        await self.send(message)

    async def _fill(self, byte: bytes) -> None:
        left = self.value
        while left:
            size = min(left, _PIECE_BYTES)
            await self.more(byte * size)
            if not await self.wire.wait(0):
                self.break_off()
            left -= size


class _MalformedJson(_Effect):
    """A brace is missing: in the body, or in one event."""

    async def whole(self, body: bytes) -> None:
        if self.header(b"content-type") == b"application/json":
            body = body[:-1]
            self.set_header(b"content-length", str(len(body)).encode())
        await super().whole(body)

    async def piece(self, message: Message) -> None:
        body = message["body"].removesuffix(b"}\n\n")
        await self.send({**message, "body": body + b"\n\n"})


class _Delay(_Effect):
    """Nothing comes for a while."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not await self.wire.wait(self.value):
            self.break_off()
        await self.send(message)


# From the wire to the application: a delay comes before anything that breaks
# the answer off, and what the answer says is changed before it is cut.
_EFFECTS: dict[str, type[_Effect]] = {
    "drip": _Drip,
    "wrong-content-type": _WrongContentType,
    "reset": _Reset,
    "truncate": _Truncate,
    "stream-error": _StreamError,
    "no-terminator": _NoTerminator,
    "oversized-body": _OversizedBody,
    "malformed-json": _MalformedJson,
    "delay": _Delay,
}


def _requested(headers: list[str]) -> list[Fault]:
    named = parse_preferences(headers)
    if list(named) == ["none"]:
        return []
    if not named:
        raise _unusable("it names no fault")
    try:
        return [parse_fault(name, value) for name, value in named.items()]
    except ValueError as error:
        raise _unusable(str(error)) from None


def _unusable(reason: str) -> ApiError:
    return ApiError(
        400,
        code="INVALID_FAULT",
        message=f"The header Mock-Fault cannot be used: {reason}.",
        details={"field": "Mock-Fault", "reason": reason},
    )
