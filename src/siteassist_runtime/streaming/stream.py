"""Streamed answers."""

from __future__ import annotations

import json
import socket
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

import httpx

from siteassist_runtime.deadline import Deadline, current
from siteassist_runtime.errors import (
    APIResponseError,
    APITimeoutError,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
)
from siteassist_runtime.redaction import redact, redact_exception
from siteassist_runtime.streaming.answer import Answer
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.streaming.sse import EventDecoder

if TYPE_CHECKING:
    from types import TracebackType

EventT = TypeVar("EventT")
PartT = TypeVar("PartT")
UsageT = TypeVar("UsageT")

_QUEUED = 202
_TEXT_TIMEOUT = 5.0  # Seconds for the text of a 202: the message is queued even without it.
_DRAIN = 0.1  # Seconds for the response to end after the terminal marker.
_LOOSE = 64 * 1024  # Bytes after which the pieces of a text are joined.
_SHOWN = 100  # Characters of an invalid event that an error quotes.


_scan = json.JSONDecoder().raw_decode


def _standard_loads(text: str) -> Any:
    # Takes half the time of `json.loads`.
    value, end = _scan(text)
    return value if end == len(text) else json.loads(text)


_loads: Callable[[str], Any]
try:
    from orjson import loads as _loads
except ImportError:
    _loads = _standard_loads


class EventTable(dict[str, Callable[[dict[str, Any]], Any]]):
    """The reader of events by type, with a default for unknown types."""

    def __init__(
        self,
        known: Mapping[str, Callable[[dict[str, Any]], Any]],
        prefixes: Mapping[str, Callable[[dict[str, Any]], Any]],
        other: Callable[[dict[str, Any]], Any],
    ) -> None:
        """Store the readers of known types, of prefixes of types, and of all others."""
        super().__init__(known)
        self._prefixes = prefixes
        self._other = other

    def __missing__(self, kind: str) -> Callable[[dict[str, Any]], Any]:
        """Return the reader for a prefix of the type, or the default."""
        for prefix, reader in self._prefixes.items():
            if isinstance(kind, str) and kind.startswith(prefix):
                return reader
        return self._other


class StreamFormat(NamedTuple):
    """The format of an operation's stream, from the generated client."""

    terminator: str
    """The data of the last event."""
    error_type: str
    """The type of the event that reports a failure."""
    error_text: str
    """The field of that event with the message."""
    events: EventTable
    """The readers of events, by type."""
    part: Callable[[dict[str, Any]], Any]
    """The reader of a part of a message."""
    usage: Callable[[dict[str, Any]], Any]
    """The reader of a count of tokens."""


class _Reader(Generic[EventT]):
    """Decodes chunks to events and assembles the answer."""

    def __init__(
        self, operation: str, form: StreamFormat, secrets: Callable[[], Iterable[str]]
    ) -> None:
        self.answer = Answer()
        self.done = False
        self._operation = operation
        self._form = form
        self._secrets = secrets
        self._decoder = EventDecoder()
        # The current text, and the function that appends to it.
        self._text_id: str | None = None
        self._write: Callable[[str], object] | None = None
        # Nearly all events are deltas of texts, so their reader is looked up once.
        self._read_delta = form.events["text-delta"]
        self._terminator = form.terminator
        self._loose = 0  # Bytes since the pieces were last joined.

    def read(  # noqa: C901  # a call for each event would take longer than decoding it
        self, chunk: bytes
    ) -> Generator[EventT, None, bool]:
        """Yield the events that ``chunk`` completes; return True if there were none."""
        terminator, read_delta, loads = self._terminator, self._read_delta, _loads
        text_id, write = self._text_id, self._write
        silent = True
        faulty = False
        data = ""
        try:
            for data in self._decoder.feed(chunk):
                if data == terminator:
                    self.done = True
                    break
                if not data:
                    continue
                try:
                    payload = loads(data)
                except ValueError:
                    # orjson rejects some valid JSON, such as a lone surrogate.
                    payload = json.loads(data)
                kind = payload["type"]
                if kind == "text-delta":
                    event = read_delta(payload)
                    if event.id != text_id or write is None:
                        text_id = event.id
                        write = self.answer.writer("text", text_id)
                        self._text_id, self._write = text_id, write
                    # Raises a TypeError if the delta is not a string.
                    write(event.delta + "")
                else:
                    event = self._other(kind, payload)
                    # A text that starts again is a new part.
                    text_id = write = self._text_id = self._write = None
                silent = False
                yield event
        except StreamError as error:
            error.operation = self._operation
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            faulty = True
        if faulty:
            # Raised after the handler: the context of the error would show the raw data.
            raise self._faulty(data)
        self._loose += len(chunk)
        if self._loose > _LOOSE:
            self._loose = 0
            self.answer.compact()
        return silent

    def _faulty(self, data: str) -> StreamDecodeError:
        shown = redact(data, self._secrets())
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        msg = f"the stream contains an invalid event: {shown}"
        return StreamDecodeError(msg, operation=self._operation)

    def _other(self, kind: str, payload: dict[str, Any]) -> Any:
        """Read and add an event, other than a delta of a text."""
        if kind == self._form.error_type:
            reason = str(payload.get(self._form.error_text) or "no reason given")
            raise StreamError(f"the answer failed: {redact(reason, self._secrets())}")
        event = self._form.events[kind](payload)
        self.answer.take(event.to_dict())
        return event

    def unreadable(self, error: httpx.DecodingError) -> StreamDecodeError:
        words = redact(str(error), self._secrets())
        msg = f"cannot decode the stream: {words}"
        return StreamDecodeError(msg, operation=self._operation)

    def truncated(self, error: Exception | None) -> StreamTruncatedError:
        words = redact(str(error), self._secrets()) if error else ""
        cause = f" ({words})" if words else ""
        msg = f"the stream ended without its terminal marker{cause}; the answer may be incomplete"
        failed = StreamTruncatedError(msg, operation=self._operation)
        failed.__cause__ = redact_exception(error, self._secrets()) if error else None
        return failed


class _BaseStream(Generic[EventT, PartT, UsageT]):
    """The base class of both kinds of stream."""

    def __init__(
        self,
        operation: str,
        form: StreamFormat,
        idle_timeout: float | None,
        secrets: Callable[[], Iterable[str]],
    ) -> None:
        self._operation = operation
        self._form = form
        self._idle = idle_timeout
        self._secrets = secrets
        self._reader: _Reader[EventT] = _Reader(operation, form, secrets)
        self._response: httpx.Response | None = None
        self._queued: QueuedNotice | None = None
        self._closed = False

    @property
    def text(self) -> str:
        """The text of the answer so far."""
        return self._reader.answer.text

    @property
    def parts(self) -> list[PartT]:
        """The parts of the answer so far, in order; texts may be incomplete."""
        return [self._form.part(part) for part in self._reader.answer.parts]

    @property
    def usage(self) -> UsageT | None:
        """The tokens that the answer used, or None if not reported yet."""
        usage = self._reader.answer.usage
        return None if usage is None else self._form.usage(usage)

    @property
    def metadata(self) -> Any:
        """The metadata of the message as last sent, or None."""
        return self._reader.answer.metadata

    @property
    def queued(self) -> QueuedNotice | None:
        """The notice that a human agent will answer (202), or None."""
        return self._queued

    @property
    def done(self) -> bool:
        """Whether the answer is complete: its terminal marker has arrived."""
        return self._reader.done

    @property
    def status_code(self) -> int | None:
        """The HTTP status; None before the stream is open."""
        return None if self._response is None else self._response.status_code

    @property
    def request_id(self) -> str | None:
        """The ``X-Request-Id`` header, or None."""
        return None if self._response is None else self._response.headers.get("x-request-id")

    def __repr__(self) -> str:
        """Show the operation and the state."""
        state = "done" if self.done else "queued" if self._queued is not None else "not done"
        return f"<{type(self).__name__} {self._operation}: {state}>"

    def _check(self, response: httpx.Response) -> None:
        found = str(response.headers.get("content-type", "nothing"))
        kind = found.partition(";")[0].strip().lower()
        if response.status_code != _QUEUED and kind != "text/event-stream":
            raise APIResponseError(
                f"expected text/event-stream, got {redact(found, self._secrets())}",
                operation=self._operation,
                response=None,
                text="",
            )

    def _check_idle(self, deadline: Deadline) -> None:
        # Comments do not restart the deadline.
        if not deadline.remaining():
            raise self._idle_error()

    def _failure(self, error: Exception) -> SiteAssistError:
        """Return the error for a stream that ended early."""
        if isinstance(error, (StopIteration, StopAsyncIteration)):
            return self._reader.truncated(None)
        if isinstance(error, (TimeoutError, httpx.TimeoutException)):
            failed = self._idle_error()
            failed.__cause__ = redact_exception(error, self._secrets())
            return failed
        if isinstance(error, httpx.DecodingError):
            return self._reader.unreadable(error)
        return self._reader.truncated(error)

    def _idle_error(self) -> APITimeoutError:
        # Without `idle_timeout`, a transport may still have its own timeout.
        limit = "in time" if self._idle is None else f"for {self._idle:g} s"
        msg = f"no event arrived {limit}"
        return APITimeoutError(msg, operation=self._operation)

    def _opened_before(self) -> SiteAssistError:
        msg = "a stream can be opened only once; call the method again"
        return SiteAssistError(msg, operation=self._operation)

    def _not_open(self) -> SiteAssistError:
        way = "async with" if isinstance(self, AsyncStream) else "with"
        msg = f"a stream must be read inside its `{way}` block"
        return SiteAssistError(msg, operation=self._operation)


class Stream(_BaseStream[EventT, PartT, UsageT]):
    """A streamed answer: an iterator of its events.

    Open it with ``with``, which sends the request and raises for an error
    status; leave the block early to close the connection. Iterating raises
    `StreamError` if the service reports a failure, `StreamTruncatedError` if the
    stream ends without its terminal marker, `StreamDecodeError` for an invalid
    event, and `APITimeoutError` if no event arrives for ``idle_timeout``
    seconds; comments do not count as events. `text` and `parts` keep the part of
    the answer that had arrived.
    """

    def __init__(
        self,
        operation: str,
        form: StreamFormat,
        idle_timeout: float | None,
        start: Callable[[], httpx.Response],
        secrets: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Store the functions that send the request and return the secrets."""
        super().__init__(operation, form, idle_timeout, secrets)
        self._start = start
        self._events: Generator[EventT] | None = None

    def __enter__(self) -> Self:
        """Send the request."""
        if self._response is not None:
            raise self._opened_before()
        response = self._response = self._start()
        try:
            self._check(response)
            if response.status_code == _QUEUED:
                self._queued = _queued(response, Deadline(self._idle))
        except BaseException:
            response.close()
            raise
        self._events = self._read(response)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection, even if the answer is incomplete."""
        self.close()

    def close(self) -> None:
        """Close the connection; `text` and `parts` stay available."""
        self._closed = True
        if self._events is not None:
            try:
                self._events.close()
            except ValueError:
                # Another thread is reading: shut down its socket.
                _hang_up(self._response)
        if self._response is not None:
            self._response.close()

    def __iter__(self) -> Iterator[EventT]:
        """Continue reading where it stopped."""
        if self._events is None or (self._closed and not self.done and self._queued is None):
            raise self._not_open()
        return self._events

    def __next__(self) -> EventT:
        """Return the next event."""
        return next(iter(self))

    def text_deltas(self) -> Iterator[str]:
        """Yield the pieces of the text as they arrive."""
        for event in self:
            if getattr(event, "type_", None) == "text-delta":
                yield event.delta  # type: ignore[attr-defined]  # the type guarantees it

    def until_done(self) -> Self:
        """Read to the end and return the stream."""
        for _ in self:
            pass
        return self

    def _read(self, response: httpx.Response) -> Generator[EventT]:
        if self._queued is not None:
            return
        reader = self._reader
        chunks = response.iter_bytes()
        deadline = Deadline(self._idle)
        failed = None
        while not reader.done:
            # The same as `with deadline`, but faster.
            before, current.at = current.at, deadline.at
            try:
                chunk = next(chunks)
            except (StopIteration, httpx.HTTPError) as error:
                failed = self._failure(error)
                break
            finally:
                current.at = before
            if (yield from reader.read(chunk)):
                self._check_idle(deadline)
            else:
                deadline.restart()
        if failed is not None:
            # Raised after the handler: the context of the error would show the request.
            raise failed
        _drain(chunks)


def _hang_up(response: httpx.Response | None) -> None:
    """Shut down a connection that another thread is reading from."""
    stream = None if response is None else response.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _queued(response: httpx.Response, deadline: Deadline) -> QueuedNotice:
    """Read the text of a 202; the message is queued even if it does not arrive."""
    try:
        with Deadline(min(deadline.remaining(), _TEXT_TIMEOUT)):
            return QueuedNotice(response.read().decode("utf-8", "replace"))
    except httpx.HTTPError:
        return QueuedNotice("")


def _drain(chunks: Iterator[bytes]) -> None:
    """Read to the end of the response, so that its connection can be reused."""
    try:
        with Deadline(_DRAIN) as deadline:
            while deadline.remaining():
                next(chunks)
    except (StopIteration, httpx.HTTPError):
        pass


class AsyncStream(_BaseStream[EventT, PartT, UsageT]):
    """A streamed answer: an asynchronous iterator of its events.

    Open it with ``async with``, which sends the request and raises for an error
    status; leave the block early to close the connection. Iterating raises
    `StreamError` if the service reports a failure, `StreamTruncatedError` if the
    stream ends without its terminal marker, `StreamDecodeError` for an invalid
    event, and `APITimeoutError` if no event arrives for ``idle_timeout``
    seconds; comments do not count as events. `text` and `parts` keep the part of
    the answer that had arrived.
    """

    def __init__(
        self,
        operation: str,
        form: StreamFormat,
        idle_timeout: float | None,
        start: Callable[[], Awaitable[httpx.Response]],
        secrets: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """Store the functions that send the request and return the secrets."""
        super().__init__(operation, form, idle_timeout, secrets)
        self._start = start
        self._events: AsyncIterator[EventT] | None = None

    async def __aenter__(self) -> Self:
        """Send the request."""
        if self._response is not None:
            raise self._opened_before()
        response = self._response = await self._start()
        try:
            self._check(response)
            if response.status_code == _QUEUED:
                self._queued = await _queued_async(response, Deadline(self._idle))
        except BaseException:
            await response.aclose()
            raise
        self._events = self._read(response)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection, even if the answer is incomplete."""
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connection; `text` and `parts` stay available."""
        self._closed = True
        if self._response is not None:
            await self._response.aclose()
        if self._events is not None:
            # Another task may be reading; it ends because the response is closed.
            with suppress(RuntimeError):
                await self._events.aclose()  # type: ignore[attr-defined]  # it is a generator

    def __aiter__(self) -> AsyncIterator[EventT]:
        """Continue reading where it stopped."""
        if self._events is None or (self._closed and not self.done and self._queued is None):
            raise self._not_open()
        return self._events

    async def __anext__(self) -> EventT:
        """Return the next event."""
        return await anext(aiter(self))

    async def text_deltas(self) -> AsyncIterator[str]:
        """Yield the pieces of the text as they arrive."""
        async for event in self:
            if getattr(event, "type_", None) == "text-delta":
                yield event.delta  # type: ignore[attr-defined]  # the type guarantees it

    async def until_done(self) -> Self:
        """Read to the end and return the stream."""
        async for _ in self:
            pass
        return self

    async def _read(self, response: httpx.Response) -> AsyncIterator[EventT]:
        if self._queued is not None:
            return
        from anyio import fail_after

        reader = self._reader
        chunks = response.aiter_bytes()
        deadline = Deadline(self._idle)
        failed = None
        while not reader.done:
            try:
                with fail_after(deadline.remaining()):
                    chunk = await anext(chunks)
            except (StopAsyncIteration, TimeoutError, httpx.HTTPError) as error:
                failed = self._failure(error)
                break
            silent = True
            for event in reader.read(chunk):
                silent = False
                yield event
            if silent:
                self._check_idle(deadline)
            else:
                deadline.restart()
        if failed is not None:
            # Raised after the handler: the context of the error would show the request.
            raise failed
        await _drain_async(chunks)


async def _queued_async(response: httpx.Response, deadline: Deadline) -> QueuedNotice:
    """Read the text of a 202; the message is queued even if it does not arrive."""
    from anyio import fail_after

    try:
        with fail_after(min(deadline.remaining(), _TEXT_TIMEOUT)):
            return QueuedNotice((await response.aread()).decode("utf-8", "replace"))
    except (TimeoutError, httpx.HTTPError):
        return QueuedNotice("")


async def _drain_async(chunks: AsyncIterator[bytes]) -> None:
    """Read to the end of the response, so that its connection can be reused."""
    from anyio import move_on_after

    try:
        with move_on_after(_DRAIN):
            async for _ in chunks:
                pass
    except httpx.HTTPError:
        pass
