"""Injection of faults into responses.

Each fault wraps the ``send`` of the previous one, so that faults can be combined.
The request is always carried out, so clients cannot know whether it was. Only
``expired-session`` replaces the response; it is in `siteassist_mock.app`.

In a stream a fault occurs at the first piece of the text.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.faults.plan import FAULTS_KEY, HEADER, Fault, FaultPlan, requested_faults
from siteassist_mock.http.access_log import OPERATION
from siteassist_mock.http.connection import TRANSPORT, reset
from siteassist_mock.http.event_stream import SentWhole, disconnected, frame
from siteassist_mock.http.middleware import CutOff, ErrorBoundary
from siteassist_mock.http.preferences import header_values
from siteassist_spec import EVENT_STREAM

_TERMINATOR = frame("[DONE]")
_ERROR = frame({"type": "error", "errorText": "The answer broke off, as was asked for"})
# Clients must accept every event whose type begins with "data-".
_PADDING = (b'data: {"type":"data-padding","data":"', b'"}\n\n')
_PIECE_BYTES = 65_536


class FaultInjection:
    """Middleware that injects the faults of the request header, or else those of the plan."""

    def __init__(self, app: ASGIApp, operation_id: str, plan: FaultPlan) -> None:
        """Inject faults into the responses of ``app``, the endpoint of the operation.

        If there is a fault, an `ApiError` of ``app`` becomes a response here, so that
        it gets the fault as well.
        """
        self._app = app
        self._app_with_errors = ErrorBoundary(app)
        self._operation_id = operation_id
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application.

        Raises `ApiError` 400 for an invalid header, and `CutOff` to end the connection if
        the application runs without one.
        """
        # Faults are logged with the operation, so it is set here.
        scope[OPERATION] = self._operation_id
        headers = header_values(scope["headers"], HEADER)
        faults = requested_faults(headers) if headers else self._plan.choose()
        if not faults:
            await self._app(scope, receive, send)
            return
        scope[FAULTS_KEY] = [fault.name for fault in faults]
        peer = _Peer(scope, asyncio.ensure_future(disconnected(receive)))
        try:
            await self._inject(faults, peer, receive, send)
        finally:
            peer.disconnection.cancel()

    async def _inject(self, faults: list[Fault], peer: _Peer, receive: Receive, send: Send) -> None:
        effects: list[_Effect] = []
        # The application sends to the last effect, and the first effect to the server.
        for name, effect in _EFFECTS.items():
            for fault in faults:
                if fault.name == name:
                    effects.append(effect(fault.value, send, peer))
                    send = effects[-1]
        with suppress(_BrokenOff, SentWhole):
            await self._app_with_errors(peer.scope, receive, send)
        # After the exception: an event stream suppresses it and ends.
        for made in effects:
            if made.broke_off:
                await made.end()


class _BrokenOff(OSError):
    """The end of the response; an `OSError` as in ASGI 2.4, so that a stream settles its text."""


class _Peer:
    """The client at the other end of the connection."""

    def __init__(self, scope: Scope, disconnection: asyncio.Future[None]) -> None:
        self.scope = scope
        self.disconnection = disconnection

    async def wait(self, seconds: float) -> bool:
        """Wait, and return whether the client is still connected."""
        if seconds:
            await asyncio.wait({self.disconnection}, timeout=seconds)
        else:
            await asyncio.sleep(0)
        return not self.disconnection.done()

    async def cut(self, *, hard: bool) -> None:
        """Close the connection, or reset it if ``hard``."""
        transport = self.scope.get(TRANSPORT)
        if transport is None:
            raise CutOff("the connection was cut as requested")
        if hard:
            reset(transport)
        else:
            transport.close()
        # Otherwise the server would log an incomplete response.
        await self.disconnection


class _Effect:
    """A ``send`` that passes on all messages; each fault overrides some methods.

    Responses other than streams are collected until they are complete.
    """

    def __init__(self, value: Any, send: Send, peer: _Peer) -> None:
        self.value = value
        self.send = send
        self.peer = peer
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
        """End the response after the application, if this effect has broken it off."""

    async def more(self, body: bytes) -> None:
        await self.send({"type": "http.response.body", "body": body, "more_body": True})

    def break_off(self) -> None:
        self.broke_off = True
        raise _BrokenOff

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.start["headers"] if key == name), b"")

    def set_header(self, name: bytes, value: bytes) -> None:
        # A new list, as the response may keep the old one.
        headers = [header for header in self.start["headers"] if header[0] != name]
        self.start = {**self.start, "headers": [*headers, (name, value)]}

    def _streams(self) -> bool:
        return self.header(b"content-type").startswith(EVENT_STREAM.encode())


class _Drip(_Effect):
    """The body is sent byte by byte."""

    async def __call__(self, message: Message) -> None:
        for byte in message.get("body", b""):
            await self.more(bytes((byte,)))
            if not await self.peer.wait(self.value):
                self.break_off()
        await self.send({**message, "body": b""} if "body" in message else message)


class _Reset(_Effect):
    """The connection is reset before the response or in the middle of it."""

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
        await self.peer.cut(hard=True)


class _Truncate(_Reset):
    """The connection is closed in the middle of the response."""

    async def end(self) -> None:
        await self.peer.cut(hard=False)


class _StreamError(_Effect):
    """The stream reports an error and ends; the message is stored as broken off."""

    async def piece(self, message: Message) -> None:
        await self.send(message)
        self.broke_off = True
        raise SentWhole

    async def end(self) -> None:
        # Sent last, so that the message is stored before a client reads the error.
        await self.more(_ERROR)
        await self.more(_TERMINATOR)
        await self.send({"type": "http.response.body", "body": b""})


class _NoTerminator(_Effect):
    """The stream ends properly, but without its last event."""

    async def event(self, message: Message) -> None:
        if message["body"] != _TERMINATOR:
            await self.send(message)


class _WrongContentType(_Effect):
    """The content type is that of HTML, as in responses of many proxies."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
            self.set_header(b"content-type", b"text/html; charset=utf-8")
            message = self.start
        await self.send(message)


class _OversizedBody(_Effect):
    """The response is valid and very large."""

    async def whole(self, body: bytes) -> None:
        if not body:
            # A body would not be valid here, and HTTP forbids one with a 204.
            await super().whole(body)
            return
        # Spaces after a JSON value are valid.
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
            if not await self.peer.wait(0):
                self.break_off()
            left -= size


class _MalformedJson(_Effect):
    """A brace is missing in the body, or in one event."""

    async def whole(self, body: bytes) -> None:
        if self.header(b"content-type") == b"application/json":
            body = body[:-1]
            self.set_header(b"content-length", str(len(body)).encode())
        await super().whole(body)

    async def piece(self, message: Message) -> None:
        body = message["body"].removesuffix(b"}\n\n")
        await self.send({**message, "body": body + b"\n\n"})


class _Delay(_Effect):
    """The response begins after a delay."""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and not await self.peer.wait(self.value):
            self.break_off()
        await self.send(message)


# In the order from the server to the application: a delay comes before a fault that
# ends the response, and the content is changed before the response is cut.
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
