"""The events of a conversation, as blocking and asynchronous iterators."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from siteassist_runtime.errors import SiteAssistError
from siteassist_runtime.http_library import core_errors
from siteassist_runtime.live.listening import (
    Connect,
    Deliver,
    Disconnect,
    Fetch,
    Listening,
    Pause,
    Receive,
    Send,
    Step,
    Steps,
)
from siteassist_runtime.streaming.stream import hang_up

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

    from siteassist_runtime.live.calls import AsyncSocketCalls, SocketCalls

EventT = TypeVar("EventT")

_CHUNK = 64 * 1024  # Bytes.
_SEND_SECONDS = 10.0  # A server that reads takes a ping at once.
_CLOSE_SECONDS = 1.0


def _broken() -> tuple[type[Exception], ...]:
    """Return the exceptions of a connection that breaks."""
    return (*core_errors("NetworkError", "ProtocolError", "TimeoutException"), OSError)


class _BaseListener(Generic[EventT]):
    """The state of a listener: the current step, and how it ended."""

    def __init__(
        self, operation: str, begin: Callable[[], Listening], calls: SocketCalls | AsyncSocketCalls
    ) -> None:
        self._operation = operation
        self._begin = begin
        self._caller = calls.caller
        self._listening: Listening | None = None
        self._steps: Steps | None = None
        # A step that was interrupted is carried out again.
        self._step: Step | None = None
        self._failed: Exception | None = None
        self._closed = False

    def _current(self) -> Step:
        """Return the step to carry out. Raises the exception with which listening ended."""
        if self._failed is not None:
            raise self._failed.with_traceback(None)
        if self._step is None:
            self._listening = self._begin()
            self._steps = self._listening.steps()
            self._step = next(self._steps)
        return self._step

    def _done(self, result: Any) -> None:
        """Continue with the result of the step. Raises the exception that ends listening."""
        assert self._steps is not None  # noqa: S101  # `_current` has set it
        try:
            self._step = self._steps.send(result)
        except Exception as error:
            if self._caller.closed:
                # Closing the client ends its listeners, in the middle of a call as well.
                self._closed = True
                return
            # A generator that has raised ends without a word.
            self._failed = error
            raise

    def _farewell(self) -> bytes:
        return b"" if self._listening is None else self._listening.farewell()

    def _busy(self) -> SiteAssistError:
        return SiteAssistError("a listener has one reader at a time", operation=self._operation)

    def __repr__(self) -> str:
        """Show the operation and whether the listener is closed."""
        state = "closed" if self._closed or self._failed is not None else "open"
        return f"<{type(self).__name__} {self._operation}, {state}>"

    def __reduce__(self) -> Any:
        """Refuse to be pickled."""
        raise TypeError("a listener cannot be pickled: it has an open connection")


class _Link:
    """The connection of a listener, which ends with it."""

    __slots__ = ("__weakref__", "response")

    def __init__(self) -> None:
        self.response: httpx.Response | None = None

    @property
    def stream(self) -> Any:
        if self.response is None:
            raise OSError("there is no connection")
        return self.response.extensions["network_stream"]

    def close(self, data: bytes = b"") -> None:
        """Send bytes if that is possible, and close the connection."""
        response = self.response
        if response is None:
            return
        with suppress(*_broken()):
            if data:
                self.stream.write(data, timeout=_CLOSE_SECONDS)
        self.response = None
        with suppress(*_broken()):
            response.close()

    async def aclose(self, data: bytes = b"") -> None:
        """Send bytes if that is possible, and close the connection, even if cancelled."""
        from anyio import ClosedResourceError, move_on_after

        response = self.response
        if response is None:
            return
        with move_on_after(_CLOSE_SECONDS, shield=True), suppress(*_broken(), ClosedResourceError):
            if data:
                await self.stream.write(data, timeout=_CLOSE_SECONDS)
        self.response = None
        with move_on_after(_CLOSE_SECONDS, shield=True), suppress(*_broken(), ClosedResourceError):
            await response.aclose()


def pause(closing: threading.Event, seconds: float) -> None:
    """Wait, or until the listener is closed."""
    closing.wait(seconds)


async def pause_async(closing: Any, seconds: float) -> None:
    """Wait, or until the listener is closed."""
    from anyio import move_on_after

    with move_on_after(seconds):
        await closing.wait()


class Listener(_BaseListener[EventT], Iterator[EventT]):
    """The events of a conversation: an iterator that waits for the next one.

    It connects when the first event is asked for, keeps the connection alive, and connects
    again when it breaks. Messages that were sent meanwhile are read from the conversation
    and delivered in order, with `caught_up` set. Iterating raises `APITimeoutError`
    when a limit is exceeded, and the error of the service that would come again.
    Iterating on raises the error again. `close` ends it, from any thread.
    """

    def __init__(self, operation: str, begin: Callable[[], Listening], calls: SocketCalls) -> None:
        """Store the functions that begin to listen and that make the calls."""
        super().__init__(operation, begin, calls)
        self._calls = calls
        self._link = _Link()
        self._reading = threading.Lock()
        self._closing = threading.Event()
        self._finalizer = weakref.finalize(self, self._link.close)
        # The pool may be gone when the program ends.
        self._finalizer.atexit = False

    def __enter__(self) -> Self:
        """Return the listener itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection and end the iteration; any thread can do so."""
        self._closed = True
        self._closing.set()
        if self._reading.acquire(blocking=False):
            try:
                self._link.close(self._farewell())
            finally:
                self._reading.release()
        else:
            # The thread that reads closes it.
            hang_up(self._link.response)

    def __iter__(self) -> Self:
        """Return the listener itself."""
        return self

    def __next__(self) -> EventT:
        """Wait for the next event and return it."""
        if not self._reading.acquire(blocking=False):
            raise self._busy()
        try:
            return self._next()
        finally:
            self._reading.release()
            if self._closed or self._failed is not None:
                self._link.close(self._farewell())

    def _next(self) -> EventT:
        while not self._closed:
            step = self._current()
            if isinstance(step, Deliver):
                event: EventT = step.event
                self._step = Deliver(None)
                if event is not None:
                    return event
                self._done(None)
            else:
                self._done(self._perform(step))
        raise StopIteration

    def _perform(self, step: Step) -> Any:
        """Carry out a step and return its result."""
        match step:
            case Fetch():
                return self._calls.fetch(step)
            case Connect():
                result = self._calls.connect(step)
                if not isinstance(result, SiteAssistError):
                    self._link.response = result
                return result
            case Pause():
                return pause(self._closing, step.seconds)
            case Disconnect():
                return self._link.close(step.data)
        try:
            return self._exchange(step)
        except _broken() as error:
            return error

    def _exchange(self, step: Step) -> bytes | None:
        stream = self._link.stream
        if isinstance(step, Send):
            stream.write(step.data, timeout=_SEND_SECONDS)
            return None
        assert isinstance(step, Receive)  # noqa: S101  # the only one left
        try:
            data: bytes = stream.read(_CHUNK, timeout=step.seconds)
        except core_errors("ReadTimeout"):
            return None
        return data


class AsyncListener(_BaseListener[EventT], AsyncIterator[EventT]):
    """The events of a conversation: an asynchronous iterator that waits for the next one.

    It behaves like `Listener`. A wait that is cancelled loses nothing: the next one
    continues. `aclose` ends it, from any task of its event loop.
    """

    def __init__(
        self, operation: str, begin: Callable[[], Listening], calls: AsyncSocketCalls
    ) -> None:
        """Store the functions that begin to listen and that make the calls."""
        super().__init__(operation, begin, calls)
        self._calls = calls
        self._link = _Link()
        self._reading = False
        self._closing: Any = None
        self._end: AsyncGenerator[None] | None = None
        self.loop: Any = None
        """The event loop of the connection; None before the first wait."""

    async def __aenter__(self) -> Self:
        """Return the listener itself."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection and end the iteration; any task of the loop can do so."""
        self._closed = True
        if self._closing is not None:
            self._closing.set()
        await self._release()

    async def _release(self) -> None:
        await self._link.aclose(self._farewell())
        end, self._end = self._end, None
        if end is not None:
            await end.aclose()

    def __aiter__(self) -> Self:
        """Return the listener itself."""
        return self

    async def __anext__(self) -> EventT:
        """Wait for the next event and return it."""
        if self._reading:
            raise self._busy()
        self._reading = True
        try:
            return await self._next()
        finally:
            self._reading = False
            if self._closed or self._failed is not None:
                await self._release()

    async def _next(self) -> EventT:
        if self._closing is None:
            from anyio import Event

            from siteassist_runtime.exchange import running_loop

            self.loop = running_loop()
            self._closing = Event()
            self._end = _hold(self._link)
            # A loop that ends, and a listener that is dropped, close the generator.
            await anext(self._end)
        while not self._closed:
            step = self._current()
            if isinstance(step, Deliver):
                event: EventT = step.event
                self._step = Deliver(None)
                if event is not None:
                    return event
                self._done(None)
            else:
                self._done(await self._perform(step))
        raise StopAsyncIteration

    async def _perform(self, step: Step) -> Any:
        """Carry out a step and return its result."""
        match step:
            case Fetch():
                return await self._calls.fetch(step)
            case Connect():
                result = await self._calls.connect(step)
                if not isinstance(result, SiteAssistError):
                    self._link.response = result
                return result
            case Pause():
                return await pause_async(self._closing, step.seconds)
            case Disconnect():
                return await self._link.aclose(step.data)
        from anyio import ClosedResourceError

        try:
            return await self._exchange(step)
        except ClosedResourceError as error:
            return error
        except _broken() as error:
            return error

    async def _exchange(self, step: Step) -> bytes | None:
        stream = self._link.stream
        if isinstance(step, Send):
            await stream.write(step.data, timeout=_SEND_SECONDS)
            return None
        assert isinstance(step, Receive)  # noqa: S101  # the only one left
        try:
            data: bytes = await stream.read(_CHUNK, timeout=step.seconds)
        except core_errors("ReadTimeout"):
            return None
        return data


async def _hold(link: _Link) -> AsyncGenerator[None]:
    """Close a connection when this generator is closed."""
    try:
        yield
    finally:
        await link.aclose()
