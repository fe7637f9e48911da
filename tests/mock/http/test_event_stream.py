"""An answer as server-sent events."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.event_stream import EventStreamResponse, frame

if TYPE_CHECKING:
    from starlette.types import Message


def play(
    stream: EventStreamResponse, *, leave_after: int | None = None, fail: bool = False
) -> list[bytes]:
    """Return what a client reads that leaves after so many events, if at all."""
    read: list[bytes] = []

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
            # Let the stream's own task see that the client leaves.
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        await stream({"type": "http"}, receive, send)

    asyncio.run(main())
    return read


def types(read: list[bytes]) -> list[str]:
    """Return the type of every event."""
    data = [chunk.decode().removeprefix("data: ").removesuffix("\n\n") for chunk in read if chunk]
    return [event if event == "[DONE]" else json.loads(event)["type"] for event in data]


def test_a_frame_is_one_line_of_data() -> None:
    """JSON escapes newlines, and a blank line ends the event."""
    assert frame("[DONE]") == b"data: [DONE]\n\n"
    assert frame({"delta": "é\n\n"}) == 'data: {"delta":"é\\n\\n"}\n\n'.encode()


def test_events_come_in_the_documented_order() -> None:
    """One chunk for each event, and the text is settled before the closing ones."""
    settled: list[Any] = []
    read = play(EventStreamResponse(["a ", "b"], settle=lambda *end: settled.append(end)))
    assert types(read) == [
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
        "[DONE]",
    ]
    assert read[-1] == b""
    assert settled == [("a b", True)]


def test_the_text_is_settled_before_the_closing_events() -> None:
    """Whoever has read the end finds the text stored."""
    order: list[str] = []
    stream = EventStreamResponse(["a"], settle=lambda *_: order.append("settled"))

    async def receive() -> Message:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        order.extend(types([message.get("body", b"")]))

    asyncio.run(stream({"type": "http"}, receive, send))
    assert order[-5:] == ["settled", "text-end", "finish-step", "finish", "[DONE]"]


def test_an_empty_answer_is_a_whole_stream() -> None:
    """No delta, but all brackets."""
    assert types(play(EventStreamResponse([]))) == [
        "start",
        "start-step",
        "text-start",
        "text-end",
        "finish-step",
        "finish",
        "[DONE]",
    ]


@pytest.mark.parametrize("fail", [False, True])
def test_a_client_that_leaves_ends_the_stream(*, fail: bool) -> None:
    """Whether the server reports it or refuses to write; what was sent is settled."""
    settled: list[Any] = []
    stream = EventStreamResponse(["a ", "b ", "c"], settle=lambda *end: settled.append(end))
    read = play(stream, leave_after=4, fail=fail)
    assert types(read) == ["start", "start-step", "text-start", "text-delta"]
    assert settled == [("a ", False)]


def test_a_client_that_leaves_before_the_end_has_no_whole_answer() -> None:
    """Though it has all of the text: the closing events say that this is all."""
    settled: list[Any] = []
    stream = EventStreamResponse(["a"], settle=lambda *end: settled.append(end))
    read = play(stream, leave_after=4)
    assert ["start", "start-step", "text-start", "text-delta"] == types(read)
    assert [("a", False)] == settled


def test_a_stream_that_is_cancelled_is_settled() -> None:
    """A server that stops does not leave a message half-written."""
    settled: list[Any] = []

    async def main() -> None:
        began = asyncio.Event()
        stream = EventStreamResponse(["a"], delay=3600, settle=lambda *end: settled.append(end))

        async def receive() -> Message:
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}

        async def send(_message: Message) -> None:
            began.set()

        task = asyncio.ensure_future(stream({"type": "http"}, receive, send))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert settled == [("", False)]
