"""Answers as server-sent events: the UI message stream of the AI SDK.

The order of the events is that of the page "Send a message in a conversation": the
answer contains a step, the step contains a text, and ``[DONE]`` is the last event.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from starlette.types import Receive, Scope, Send

from siteassist_spec import EVENT_STREAM

_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-cache"),
]


def frame(payload: dict[str, Any] | str) -> bytes:
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
        pieces: Sequence[str],
        *,
        delay: float = 0.0,
        wait: float = 0.0,
        error: str | None = None,
        settle: Callable[[str, bool], Awaitable[None]] | None = None,
    ) -> None:
        """Stream ``pieces`` after ``wait`` seconds, with ``delay`` seconds after each event.

        ``error`` is reported after the pieces, instead of the closing events.

        ``settle`` is called once, with the text that was sent and whether it is
        complete: before the closing events, so that a client that has read them
        finds the text stored, or when the client disconnects.
        """
        self._pieces = pieces
        self._delay = delay
        self._wait = wait
        self._error = error
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
        text_id = f"msg_{uuid.uuid4().hex}"
        sent: list[str] = []
        complete = False
        try:
            if self._wait:
                await asyncio.wait({disconnection}, timeout=self._wait)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            for payload in _opening(text_id):
                await self._write(send, payload, disconnection)
            for piece in self._pieces:
                if disconnection.done():
                    return
                delta = {"type": "text-delta", "id": text_id, "delta": piece}
                try:
                    await self._write(send, delta, disconnection)
                except SentWhole:
                    sent.append(piece)
                    raise
                sent.append(piece)
            if disconnection.done():
                return
            complete = True
        finally:
            await self._settle("".join(sent), complete)
        for last in _closing(text_id) if self._error is None else _broken_off(self._error):
            await self._write(send, last, disconnection)
        await send({"type": "http.response.body", "body": b""})

    async def _write(
        self, send: Send, payload: dict[str, Any] | str, disconnection: asyncio.Future[None]
    ) -> None:
        await send({"type": "http.response.body", "body": frame(payload), "more_body": True})
        if self._delay:
            await asyncio.wait({disconnection}, timeout=self._delay)
        else:
            # Lets the server send the event, detect that the client has
            # disconnected, and serve other clients.
            await asyncio.sleep(0)


def _opening(text_id: str) -> Iterator[dict[str, Any]]:
    yield {"type": "start"}
    yield {"type": "start-step"}
    yield {
        "type": "text-start",
        "id": text_id,
        "providerMetadata": {"mock": {"itemId": text_id}},
    }


def _closing(text_id: str) -> Iterator[dict[str, Any] | str]:
    yield {"type": "text-end", "id": text_id}
    yield {"type": "finish-step"}
    yield {"type": "finish"}
    yield "[DONE]"


def _broken_off(error: str) -> Iterator[dict[str, Any] | str]:
    yield {"type": "error", "errorText": error}
    yield "[DONE]"


async def disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ignore(_text: str, _complete: bool) -> None:
    """Do nothing: the answer does not belong to a conversation."""
