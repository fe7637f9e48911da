"""An answer as server-sent events: the AI SDK's UI message stream.

The order of the events is that of the page "Send a message in a conversation":
an answer brackets its step, the step brackets its text, and ``[DONE]`` ends all.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

from siteassist_spec import EVENT_STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from starlette.types import Receive, Scope, Send

__all__ = ["EventStreamResponse", "SentWhole", "disconnected", "frame"]

_HEADERS = [
    (b"content-type", EVENT_STREAM.encode()),
    (b"cache-control", b"no-cache"),
]


def frame(payload: dict[str, Any] | str) -> bytes:
    """Return one event whose data is ``payload``, as JSON unless it is a text."""
    data = (
        payload
        if isinstance(payload, str)
        else json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    )
    return f"data: {data}\n\n".encode()


class SentWhole(OSError):  # noqa: N818 - no error, but the end of a stream
    """Nothing more can be sent, but what was given to ``send`` last has been, as a whole."""


class EventStreamResponse:
    """An ASGI response that writes an answer piece by piece."""

    def __init__(
        self,
        pieces: Sequence[str],
        *,
        delay: float = 0.0,
        wait: float = 0.0,
        error: str | None = None,
        settle: Callable[[str, bool], None] | None = None,
    ) -> None:
        """Write ``pieces`` with ``delay`` seconds after each event.

        ``wait`` seconds go by before all of them, and ``error`` is reported after
        them, in the place of the closing events.

        ``settle`` is called once, with the text that was sent and whether that
        is all of it: before the closing events, so that whoever has read them
        finds the text stored, or when the client leaves earlier.
        """
        self._pieces = pieces
        self._delay = delay
        self._wait = wait
        self._error = error
        self._settle = settle or _ignore

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send the stream, and stop where the client leaves."""
        leaving = asyncio.ensure_future(disconnected(receive))
        try:
            await self._send(send, leaving)
        except OSError:
            # A server by ASGI 2.4 raises this when it writes to a client that left.
            return
        finally:
            leaving.cancel()

    async def _send(self, send: Send, leaving: asyncio.Future[None]) -> None:
        text_id = f"msg_{uuid.uuid4().hex}"
        sent: list[str] = []
        complete = False
        try:
            if self._wait:
                await asyncio.wait({leaving}, timeout=self._wait)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            for payload in _opening(text_id):
                await self._write(send, payload, leaving)
            for piece in self._pieces:
                if leaving.done():
                    return
                delta = {"type": "text-delta", "id": text_id, "delta": piece}
                try:
                    await self._write(send, delta, leaving)
                except SentWhole:
                    sent.append(piece)
                    raise
                sent.append(piece)
            if leaving.done():
                return
            complete = True
        finally:
            self._settle("".join(sent), complete)
        for last in _closing(text_id) if self._error is None else _broken_off(self._error):
            await self._write(send, last, leaving)
        await send({"type": "http.response.body", "body": b""})

    async def _write(
        self, send: Send, payload: dict[str, Any] | str, leaving: asyncio.Future[None]
    ) -> None:
        await send({"type": "http.response.body", "body": frame(payload), "more_body": True})
        if self._delay:
            await asyncio.wait({leaving}, timeout=self._delay)
        else:
            # Lets the server put the event on the wire, notice that a client has
            # left, and serve others.
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
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _ignore(_text: str, _complete: bool) -> None:  # noqa: FBT001 - called by position as `settle`
    """Keep nothing: the answer belongs to no conversation."""
