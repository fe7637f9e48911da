"""Both ways to read an asynchronous response: in a task of its own, and directly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio.lowlevel
import httpx
import pytest

from siteassist import APITimeoutError, AsyncSiteAssist, StreamTruncatedError
from siteassist_runtime.deadline import Deadline
from siteassist_runtime.streaming import feed
from siteassist_runtime.streaming.feed import DirectFeed, TaskFeed, make_feed

WATCHDOG = 10.0
HEADERS = {"content-type": "text/event-stream"}
HI = b'data: {"type":"text-delta","id":"1","delta":"Hi"}\n\n'
DONE = b"data: [DONE]\n\n"
NEVER = Deadline(None)

Feed = TaskFeed | DirectFeed
Main = Callable[[], Awaitable[Any]]


class Body(httpx.AsyncByteStream):
    """A body of chunks: bytes, exceptions to raise, and seconds to wait."""

    def __init__(self, *steps: bytes | float | Exception) -> None:
        self.steps = steps
        self.given = 0
        self.closed = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the chunks."""
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            if isinstance(step, float):
                await anyio.sleep(step)
            else:
                self.given += 1
                yield step

    async def aclose(self) -> None:
        """Record the close, which takes a moment."""
        await anyio.lowlevel.checkpoint()
        self.closed += 1


@pytest.fixture(params=[TaskFeed, DirectFeed])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> type[Feed]:
    """Return the class of the feed, which streams use as well."""
    found: type[Feed] = request.param
    monkeypatch.setattr(feed, "on_asyncio", lambda: found is TaskFeed)
    return found


def awaited(main: Main) -> Any:
    """Run ``main`` on a new event loop, and fail if it hangs or leaves tasks behind."""

    async def watched() -> Any:
        result = await asyncio.wait_for(main(), WATCHDOG)
        assert 1 == len(asyncio.all_tasks())
        return result

    return asyncio.run(watched())


def feeding(kind: type[Feed], body: Body) -> Feed:
    """Return a feed of this body."""

    async def start() -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        return httpx.Response(200, headers=HEADERS, stream=body)

    made = make_feed(start)
    assert isinstance(made, kind)
    return made


def test_chunks_arrive_in_order(kind: type[Feed]) -> None:
    """The chunks arrive in order, and then the end, again and again."""
    body = Body(b"a", 0.001, b"b", b"c")

    async def main() -> None:
        reading = feeding(kind, body)
        response = await reading.open()
        assert 200 == response.status_code
        assert [b"a", b"b", b"c"] == [await reading.next(NEVER) for _ in range(3)]
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await reading.next(NEVER)
        await reading.aclose()

    awaited(main)
    assert body.closed


def test_error_follows_the_chunks_before_it(kind: type[Feed]) -> None:
    """An error is raised after the chunks that arrived before it."""

    async def main() -> None:
        reading = feeding(kind, Body(b"a", httpx.ReadError("reset")))
        await reading.open()
        assert b"a" == await reading.next(NEVER)
        with pytest.raises(httpx.ReadError, match="reset"):
            await reading.next(NEVER)
        await reading.aclose()

    awaited(main)


def test_request_that_fails(kind: type[Feed]) -> None:
    """An error of the request is raised when the feed is opened."""

    async def start() -> httpx.Response:
        await anyio.lowlevel.checkpoint()
        raise httpx.ConnectError("refused")

    async def main() -> None:
        reading = make_feed(start)
        assert isinstance(reading, kind)
        with pytest.raises(httpx.ConnectError, match="refused"):
            await reading.open()
        await reading.aclose()

    awaited(main)


def test_request_that_is_cancelled(kind: type[Feed]) -> None:
    """A cancellation while the feed is opened cancels the request."""
    cancelled = []

    async def start() -> httpx.Response:
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            cancelled.append(error)
            raise
        raise AssertionError

    async def main() -> None:
        reading = make_feed(start)
        assert isinstance(reading, kind)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading.open(), 0.01)

    awaited(main)
    assert 1 == len(cancelled)


def test_wait_ends_at_the_deadline(kind: type[Feed]) -> None:
    """Waiting for a chunk ends at the deadline."""

    async def main() -> None:
        reading = feeding(kind, Body(WATCHDOG, b"a"))
        await reading.open()
        with pytest.raises(TimeoutError):
            await reading.next(Deadline(0.01))
        await reading.aclose()

    awaited(main)


@pytest.mark.parametrize("rest", [(b"b", b"c"), (httpx.ReadError("reset"),), (WATCHDOG,)])
def test_rest_of_the_body_is_ignored(kind: type[Feed], rest: tuple[Any, ...]) -> None:
    """After the end of the answer the rest has some time to arrive, and no errors."""
    body = Body(b"a", *rest)

    async def main() -> None:
        reading = feeding(kind, body)
        await reading.open()
        assert b"a" == await reading.next(NEVER)
        await reading.finish(0.01)
        await reading.aclose()

    awaited(main)
    assert body.closed
    assert 1 + len([step for step in rest if isinstance(step, bytes)]) == body.given


def test_closed_feed_can_be_closed_again(kind: type[Feed]) -> None:
    """A feed can be closed before it is opened, while it waits, and twice."""
    body = Body(WATCHDOG)

    async def main() -> None:
        await feeding(kind, Body()).aclose()
        reading = feeding(kind, body)
        await reading.open()
        await reading.aclose()
        await reading.aclose()

    awaited(main)
    assert body.closed


def test_task_reads_ahead_up_to_a_limit() -> None:
    """The task reads ahead, but no more than some chunks, and goes on when they are taken."""
    body = Body(*[bytes(20_000)] * 100)

    async def main() -> None:
        reading = feeding(TaskFeed, body)
        await reading.open()
        for taken in range(97):
            for _ in range(3):
                await asyncio.sleep(0)
            assert taken + 4 == body.given
            assert 20_000 == len(await reading.next(NEVER))
        await reading.finish(WATCHDOG)
        await reading.aclose()

    awaited(main)
    assert 100 == body.given


def test_task_that_others_cancel_is_an_error() -> None:
    """A program that cancels all its tasks ends the wait for a chunk."""

    async def main() -> None:
        reading = feeding(TaskFeed, Body(WATCHDOG))
        await reading.open()
        assert isinstance(reading, TaskFeed)
        asyncio.get_running_loop().call_later(0.01, reading._exchange.task.cancel)
        with pytest.raises(InterruptedError, match="cancelled"):
            await reading.next(NEVER)
        await reading.aclose()

    awaited(main)


def client(body: Body, status: int = 200) -> AsyncSiteAssist:
    """Return a client whose service answers with this body."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, headers=HEADERS, stream=body))
    return AsyncSiteAssist(token="t", transport=transport)


def test_stream_uses_the_feed(kind: type[Feed]) -> None:
    """A stream reads an answer with either feed."""

    async def main() -> None:
        async with (
            client(Body(HI, 0.001, HI + DONE, b": more\n\n")) as made,
            made.send_message_stream("c", content="Hi") as stream,
        ):
            assert isinstance(stream._feed, kind)
            assert "HiHi" == (await stream.until_done()).text

    awaited(main)


def test_stream_stays_failed(kind: type[Feed]) -> None:
    """A stream that was cut off or idle stays failed with either feed."""

    async def main() -> None:
        for steps, expected in (
            ((HI,), StreamTruncatedError),
            ((HI, WATCHDOG, DONE), APITimeoutError),
        ):
            async with (
                client(Body(*steps)) as made,
                made.send_message_stream("c", content="Hi", idle_timeout=0.05) as stream,
            ):
                for _ in range(2):
                    with pytest.raises(expected):
                        await stream.until_done()
                assert ("Hi", False) == (stream.text, stream.done)

    assert kind
    awaited(main)


def test_queued_notice(kind: type[Feed]) -> None:
    """The text of a 202 is read with either feed; a text without an end is left out."""

    async def main() -> list[str]:
        found = []
        for body in (Body(b"Message ", b"sent"), Body(b"Message ", httpx.ReadError("reset"))):
            async with (
                client(body, 202) as made,
                made.send_message_stream("c", content="Hi") as stream,
            ):
                assert [] == [event async for event in stream]
                found.append(str(stream.queued))
        return found

    assert kind
    assert ["Message sent", ""] == awaited(main)
