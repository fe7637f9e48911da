"""The chunks of an asynchronous response."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anyio import fail_after, move_on_after

from siteassist_runtime.body import pieces_async
from siteassist_runtime.deadline import Deadline
from siteassist_runtime.exchange import Exchange, on_asyncio
from siteassist_runtime.http_library import errors

if TYPE_CHECKING:
    import httpx

_AHEAD = 64 * 1024  # Bytes that are read before they are asked for.
_CLOSING = 5.0  # Seconds for a transport to close a response.

Start = Callable[[], "Awaitable[httpx.Response]"]


class TaskFeed:
    """Reads a response in a task of its own, on asyncio.

    A reader that stops waiting, by a cancellation or a timeout, loses no chunk: the
    next one takes it. The task makes the request and closes the response, too, so that
    no cancellation reaches a connection other than through its scope.
    """

    def __init__(self, start: Start) -> None:
        """Send the request."""
        self._start = start
        self.chunks: deque[bytes] = deque()
        """The chunks that have arrived."""
        self._size = 0
        self._ignoring = False
        self._ended = False
        self._response: httpx.Response | None = None
        # The reader waits for a chunk, the task for room.
        self._arrival: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._exchange = Exchange(self._run)
        self._exchange.task.add_done_callback(self._end)

    async def open(self) -> httpx.Response:
        """Wait for the response, and return it before its body is read."""
        try:
            while self._response is None and not self._ended:
                await self._wait(None)
        except BaseException:
            await self._exchange.cancel()
            raise
        if self._response is None:
            await self._exchange.result()
            raise InterruptedError("the request was cancelled")
        return self._response

    async def _run(self) -> None:
        response = await self._start()
        self._response = response
        _set(self._arrival)
        try:
            async for chunk in pieces_async(response):
                if self._ignoring:
                    continue
                self.chunks.append(chunk)
                self._size += len(chunk)
                _set(self._arrival)
                if self._size > _AHEAD:
                    self._room = asyncio.get_running_loop().create_future()
                    await self._room
        finally:
            with move_on_after(_CLOSING, shield=True):
                await response.aclose()

    def _end(self, _task: object) -> None:
        self._ended = True
        _set(self._arrival)

    async def _wait(self, deadline: Deadline | None) -> None:
        """Wait for a chunk, or for the end. Raises `TimeoutError` after the deadline."""
        loop = asyncio.get_running_loop()
        arrival = self._arrival = loop.create_future()
        timer = None
        if deadline is not None and deadline.seconds is not None:
            timer = loop.call_later(deadline.remaining(), _fail, arrival)
        try:
            await arrival
        finally:
            self._arrival = None
            if timer is not None:
                timer.cancel()

    @property
    def awaited(self) -> bool:
        """Whether a task waits for a chunk."""
        return self._arrival is not None

    async def next(self, deadline: Deadline) -> bytes:
        """Return the next chunk.

        Raises `StopAsyncIteration` at the end of the body, and `TimeoutError` after the
        deadline.
        """
        while not self.chunks:
            if self._ended:
                self._check_end()
            await self._wait(deadline)
        chunk = self.chunks.popleft()
        self._size -= len(chunk)
        if self._room is not None and self._size <= _AHEAD:
            _set(self._room)
            self._room = None
        return chunk

    def _check_end(self) -> None:
        task = self._exchange.task
        if task.cancelled():
            raise InterruptedError("reading was cancelled")
        error = task.exception()
        raise StopAsyncIteration if error is None else error

    async def finish(self, seconds: float) -> None:
        """Ignore the rest of the body, which has some time to end.

        Then its connection can be used again.
        """
        self._ignoring = True
        self.chunks.clear()
        _set(self._room)
        await asyncio.wait((self._exchange.task,), timeout=seconds)

    async def aclose(self) -> None:
        """Close the response, even if the task is reading."""
        await self._exchange.cancel()


class DirectFeed:
    """Reads a response in the task that asks for its chunks.

    For event loops other than asyncio's, whose cancellations harm no connection.
    """

    def __init__(self, start: Start) -> None:
        """Store the function that sends the request."""
        self._start = start
        self.chunks: deque[bytes] = deque()
        """Always empty: nothing is read before it is asked for."""
        self.awaited = False
        """Whether a task waits for a chunk."""
        self._response: httpx.Response | None = None
        self._pieces = self._read()

    async def open(self) -> httpx.Response:
        """Send the request and return the response, whose body is not read."""
        self._response = await self._start()
        return self._response

    async def next(self, deadline: Deadline) -> bytes:
        """Return the next chunk; raises the same errors as `TaskFeed.next`."""
        self.awaited = True
        try:
            with fail_after(None if deadline.seconds is None else deadline.remaining()):
                return await anext(self._pieces)
        finally:
            self.awaited = False

    async def _read(self) -> AsyncIterator[bytes]:
        if self._response is not None:
            async for piece in pieces_async(self._response):
                yield piece

    async def finish(self, seconds: float) -> None:
        """Read the rest of the body, which has some time to end."""
        with suppress(*errors("HTTPError")), move_on_after(seconds):
            async for _ in self._pieces:
                pass
            # Calls inside the block can use the connection.
            await self.aclose()

    async def aclose(self) -> None:
        """Close the response."""
        if self._response is not None:
            with move_on_after(_CLOSING, shield=True):
                await self._response.aclose()


def make_feed(start: Start) -> TaskFeed | DirectFeed:
    """Return the feed for the running event loop."""
    return TaskFeed(start) if on_asyncio() else DirectFeed(start)


def _set(future: asyncio.Future[None] | None) -> None:
    if future is not None and not future.done():
        future.set_result(None)


def _fail(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())
