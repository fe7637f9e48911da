"""Injection of faults into the sockets of conversations.

Each fault wraps the ``send`` of the previous one, so that faults can be combined. The
application sends valid events; a fault changes them on their way to the client.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from siteassist_mock.faults.plan import FAULTS_KEY, HEADER, Fault, FaultPlan, requested_faults
from siteassist_mock.http.access_log import OPERATION
from siteassist_mock.http.errors import ApiError, unavailable
from siteassist_mock.http.preferences import header_values
from siteassist_spec import WebSocket

# Longest time that an event is held back for the next one, to swap the two.
_HELD_SECONDS = 1.0
_UNAVAILABLE = 503
_ABNORMAL = 1006
"""The code of a connection that ended without a close (RFC 6455, 7.4.1)."""


class SocketFaultInjection:
    """Middleware that injects the faults of the handshake's header, or else those of the plan."""

    def __init__(
        self, app: ASGIApp, operation_id: str, websocket: WebSocket, plan: FaultPlan
    ) -> None:
        """Inject faults into the sockets of ``app``; the operation is their handshake."""
        self._app = app
        self._operation_id = operation_id
        self._websocket = websocket
        self._plan = plan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the application.

        Raises `ApiError` for a handshake that a fault refuses, and 400 for an invalid header.
        """
        scope[OPERATION] = self._operation_id
        headers = header_values(scope.get("headers", ()), HEADER)
        faults = requested_faults(headers) if headers else self._plan.choose_for_socket()
        scope[FAULTS_KEY] = [fault.name for fault in faults]
        for fault in faults:
            if fault.name == "socket-refuse":
                raise unavailable() if fault.value == _UNAVAILABLE else ApiError(fault.value)
        effects: list[_Effect] = []
        ended = asyncio.Event()
        # The application sends to the last effect, and the first effect to the server.
        for effect, fault in _effects(faults):
            effects.append(effect(fault.value, send, self._websocket.pong, ended))
            send = effects[-1]
        if effects:
            receive = partial(_receive_until, ended, receive)
        try:
            with suppress(_Ended):
                await self._app(scope, receive, send)
        finally:
            for made in effects:
                made.stop()


class _Ended(OSError):
    """The end of the connection; an `OSError`, at which the application ends as well."""


async def _receive_until(ended: asyncio.Event, receive: Receive) -> Message:
    """Return the next message, or that of a client that is gone once ``ended`` is set."""
    received = asyncio.ensure_future(receive())
    ending = asyncio.ensure_future(ended.wait())
    try:
        await asyncio.wait({received, ending}, return_when=asyncio.FIRST_COMPLETED)
        if received.done():
            return received.result()
        return {"type": "websocket.disconnect", "code": _ABNORMAL}
    finally:
        received.cancel()
        ending.cancel()


class _Effect:
    """A ``send`` that passes on all messages; each fault overrides some methods."""

    def __init__(self, value: Any, send: Send, pong: str, ended: asyncio.Event) -> None:
        self.value = value
        self.send = send
        self._pong = pong
        self._ended = ended

    async def __call__(self, message: Message) -> None:
        if message["type"] != "websocket.send":
            await self.send(message)
        elif message.get("text") == self._pong:
            await self.pong(message)
        else:
            await self.event(message)

    async def pong(self, message: Message) -> None:
        """Send the answer to a ping."""
        await self.send(message)

    async def event(self, message: Message) -> None:
        """Send an event."""
        await self.send(message)

    def stop(self) -> None:
        """Stop the tasks of the effect."""


class _Drop(_Effect):
    """The connection ends in place of the first event, without a close."""

    async def event(self, message: Message) -> None:
        raise _Ended


class _Close(_Effect):
    """The socket is closed in place of the first event."""

    async def event(self, message: Message) -> None:
        await self.send({"type": "websocket.close", "code": self.value})
        raise _Ended


class _NoPong(_Effect):
    """No ping is answered."""

    async def pong(self, message: Message) -> None:
        pass


class _Garbage(_Effect):
    """Each event is cut in half, so that it is not JSON."""

    async def event(self, message: Message) -> None:
        text = message["text"]
        await self.send({**message, "text": text[: len(text) // 2]})


class _Late(_Effect):
    """Each text is delayed."""

    async def pong(self, message: Message) -> None:
        await self.event(message)

    async def event(self, message: Message) -> None:
        await asyncio.sleep(self.value)
        await self.send(message)


class _Duplicate(_Effect):
    """Each event is sent twice."""

    async def event(self, message: Message) -> None:
        await self.send(message)
        await self.send(message)


class _Reorder(_Effect):
    """Each event is sent after the next one, if that comes soon."""

    _held: Message | None = None
    _release: asyncio.Task[None] | None = None

    async def event(self, message: Message) -> None:
        if self._release is not None and self._held is None:
            # It is being sent.
            await self._release
        self.stop()
        if self._ended.is_set():
            raise _Ended
        held, self._held = self._held, None
        if held is None:
            self._held = message
            self._release = asyncio.ensure_future(self._send_alone())
        else:
            await self.send(message)
            await self.send(held)

    def stop(self) -> None:
        if self._release is not None:
            self._release.cancel()
            self._release = None

    async def _send_alone(self) -> None:
        await asyncio.sleep(_HELD_SECONDS)
        held, self._held = self._held, None
        if held is not None:
            # The client may have disconnected.
            try:
                await self.send(held)
            except _Ended:
                self._ended.set()
            except (OSError, RuntimeError):
                pass


# In the order from the server to the application: events are delayed before one of them ends
# the connection, and changed before they are repeated.
_EFFECTS: dict[str, type[_Effect]] = {
    "socket-drop": _Drop,
    "socket-close": _Close,
    "socket-late": _Late,
    "socket-reorder": _Reorder,
    "socket-duplicate": _Duplicate,
    "socket-garbage": _Garbage,
    "socket-no-pong": _NoPong,
}


def _effects(faults: list[Fault]) -> list[tuple[type[_Effect], Fault]]:
    return [
        (effect, fault)
        for name, effect in _EFFECTS.items()
        for fault in faults
        if fault.name == name
    ]
