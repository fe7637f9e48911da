"""Tests for responses with server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.content.assistant import Reply
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


EVENTS = Reply(({"text": "a b c"},), 0).events("id")
"""Eight events: four open the text, with its first piece, and two close the step and the answer."""


def test_the_answer_is_stored_before_its_last_event() -> None:
    """Each event is one chunk, and a client that has read the last one finds the answer stored."""
    read: list[bytes] = []
    settled: list[Any] = []
    play(
        EventStreamResponse(EVENTS, settle=noting(lambda *end: settled.append((*end, len(read))))),
        read,
    )
    assert types(read) == [*(event.payload["type"] for event in EVENTS), "[DONE]"]
    assert {"type": "start", "messageId": "id"} == json.loads(read[0].removeprefix(b"data: "))
    assert read[-1] == b""
    assert settled == [(EVENTS, True, len(EVENTS) - 1)]


@pytest.mark.parametrize("fail", [False, True])
@pytest.mark.parametrize("count", range(1, len(EVENTS)))
def test_a_disconnect_ends_the_stream(count: int, *, fail: bool) -> None:
    """The events already sent are stored as incomplete, even if only the last one is left."""
    read: list[bytes] = []
    settled: list[Any] = []
    stream = EventStreamResponse(EVENTS, settle=noting(lambda *end: settled.append(end)))
    play(stream, read, leave_after=count, fail=fail)
    assert types(read) == [event.payload["type"] for event in EVENTS[:count]]
    # Unless the disconnect is reported, the last event is sent before it is noticed.
    complete = fail and count == len(EVENTS) - 1
    assert settled == [(EVENTS if complete else EVENTS[:count], complete)]


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
            EVENTS, wait=wait, delay=delay, settle=noting(lambda *end: settled.append(end))
        )
        task = asyncio.ensure_future(stream({"type": "http"}, receive, send))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert bool(sent) == (wait == 0)
    assert settled == [(EVENTS[: len(sent) - 1] if sent else [], False)]
