"""Tests for responses with server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.event_stream import EventStreamResponse, frame

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message


def play(
    stream: EventStreamResponse,
    read: list[bytes],
    *,
    leave_after: int | None = None,
    fail: bool = False,
) -> None:
    """Append the bodies of ``stream`` to ``read``.

    The client disconnects after ``leave_after`` bodies. With ``fail``, it does not report
    the disconnect: the next send raises `OSError` instead.
    """

    async def main() -> None:
        leaving = asyncio.Event()
        receiving = iter([{"type": "http.request"}])

        async def receive() -> Message:
            for message in receiving:
                return message
            await leaving.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                if leave_after == len(read) and fail:
                    raise OSError
                read.append(message["body"])
                if leave_after == len(read) and not fail:
                    leaving.set()
            # Give the stream's own task the time to notice the disconnect.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        await stream({"type": "http"}, receive, send)

    asyncio.run(main())


def noting(note: Callable[..., None]) -> Callable[..., Awaitable[None]]:
    """Return ``note`` as the function that settles a stream."""

    async def settle(*end: object) -> None:
        note(*end)

    return settle


def types(read: list[bytes]) -> list[str]:
    """Return the type of each event."""
    data = [chunk.decode().removeprefix("data: ").removesuffix("\n\n") for chunk in read if chunk]
    return [event if event == "[DONE]" else json.loads(event)["type"] for event in data]


def test_a_frame_is_one_line_of_data() -> None:
    """Newlines are escaped by JSON, and a blank line ends the event."""
    assert frame("[DONE]") == b"data: [DONE]\n\n"
    assert frame({"delta": "é\n\n"}) == 'data: {"delta":"é\\n\\n"}\n\n'.encode()


@pytest.mark.parametrize("pieces", [[], ["a ", "b"]])
def test_events_have_the_documented_order(pieces: list[str]) -> None:
    """Each event is one chunk, and the text is stored before the closing events."""
    read: list[bytes] = []
    settled: list[Any] = []
    play(
        EventStreamResponse(pieces, settle=noting(lambda *end: settled.append((*end, len(read))))),
        read,
    )
    deltas = ["text-delta"] * len(pieces)
    opening, closing = ["start", "start-step", "text-start"], ["text-end", "finish-step", "finish"]
    assert types(read) == [*opening, *deltas, *closing, "[DONE]"]
    assert read[-1] == b""
    assert settled == [("".join(pieces), True, len(opening) + len(deltas))]


@pytest.mark.parametrize(
    ("pieces", "fail"),
    [(["a ", "b ", "c"], False), (["a ", "b ", "c"], True), (["a "], False)],
)
def test_a_disconnect_ends_the_stream(pieces: list[str], *, fail: bool) -> None:
    """The text already sent is stored as incomplete, even if only closing events are left."""
    read: list[bytes] = []
    settled: list[Any] = []
    stream = EventStreamResponse(pieces, settle=noting(lambda *end: settled.append(end)))
    play(stream, read, leave_after=4, fail=fail)
    assert types(read) == ["start", "start-step", "text-start", "text-delta"]
    assert settled == [("a ", False)]


@pytest.mark.parametrize(("wait", "delay"), [(3600.0, 0.0), (0.0, 3600.0)])
def test_a_cancelled_stream_is_settled(wait: float, delay: float) -> None:
    """A shutdown during the wait before the first event or between events stores the message."""
    sent: list[Message] = []
    settled: list[Any] = []

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    async def main() -> None:
        stream = EventStreamResponse(
            ["a"], wait=wait, delay=delay, settle=noting(lambda *end: settled.append(end))
        )
        task = asyncio.ensure_future(stream({"type": "http"}, receive, send))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert bool(sent) == (wait == 0)
    assert settled == [("", False)]
