"""Answers as server-sent events: the UI message stream of the AI SDK."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from siteassist_mock.content.answer import TimedEvent
from siteassist_spec import EVENT_STREAM

_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-cache"),
]


def frame(payload: Mapping[str, Any] | str) -> bytes:
    """Return an event with the data ``payload``, as JSON unless it is a string."""
    data = (
        payload
        if isinstance(payload, str)
        else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    )
    return f"data: {data}\n\n".encode()


class SentWhole(OSError):
    """The end of a stream after the last message given to ``send``, which was sent whole."""


class EventStreamResponse:
    """An ASGI response that streams an answer."""

    def __init__(
        self,
        events: Sequence[TimedEvent],
        *,
        delay: float = 0.0,
        wait: float = 0.0,
        settle: Callable[[Sequence[TimedEvent], bool], Awaitable[None]] | None = None,
    ) -> None:
        """Stream ``events`` after ``wait`` seconds, then the terminator.

        After each event come ``delay`` seconds, unless it has a pause of its own.

        ``settle`` is called once, with the events that were sent and False when the client
        disconnects, or else with all events and True. That is before the last event, so
        that a client that has read it finds the answer stored.
        """
        self._events = events
        self._delay = delay
        self._wait = wait
        self._settle = settle or _ignore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, and stop when the client disconnects."""
        disconnection = asyncio.ensure_future(disconnected(receive))
        try:
            await self._send(send, disconnection)
        except OSError:
            # ASGI 2.4: `send` raises this after the client has disconnected.
            return
        finally:
            disconnection.cancel()

    async def _send(self, send: Send, disconnection: asyncio.Future[None]) -> None:
        *events, last = self._events
        sent = 0
        complete = False
        try:
            if self._wait:
                await asyncio.wait({disconnection}, timeout=self._wait)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            for event in events:
                try:
                    await send(_body(frame(event.payload)))
                except SentWhole:
                    sent += 1
                    raise
                sent += 1
                await pause(self._pause(event), disconnection)
                if disconnection.done():
                    return
            complete = True
        finally:
            await self._settle(self._events if complete else events[:sent], complete)
        await send(_body(frame(last.payload)))
        await pause(self._pause(last), disconnection)
        await send(_body(frame("[DONE]")))
        await send({"type": "http.response.body", "body": b""})

    def _pause(self, event: TimedEvent) -> float:
        return self._delay if event.pause is None else event.pause


async def disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def pause(seconds: float, disconnection: asyncio.Future[None]) -> None:
    """Wait after an event, unless the client disconnects."""
    if seconds:
        await asyncio.wait({disconnection}, timeout=seconds)
    else:
        # Lets the server send the event, detect that the client has disconnected, and
        # serve other clients.
        await asyncio.sleep(0)


def _body(event: bytes) -> Message:
    return {"type": "http.response.body", "body": event, "more_body": True}


async def _ignore(_sent: Sequence[TimedEvent], _complete: bool) -> None:
    """Do nothing: the answer does not belong to a conversation."""
