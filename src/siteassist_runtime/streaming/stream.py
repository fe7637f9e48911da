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
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Self, TypeVar

from siteassist_runtime.body import TooLargeError, pieces, read
from siteassist_runtime.deadline import Deadline, current
from siteassist_runtime.errors import (
    APITimeoutError,
    SiteAssistError,
    StreamDecodeError,
    StreamError,
    StreamTruncatedError,
)
from siteassist_runtime.http_library import errors
from siteassist_runtime.redaction import redact, redact_exception
from siteassist_runtime.streaming.answer import Answer, join_surrogates
from siteassist_runtime.streaming.queued import QueuedNotice
from siteassist_runtime.streaming.sse import EventDecoder

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

    from siteassist_runtime.pages import AsyncPages, Pages
    from siteassist_runtime.streaming.feed import DirectFeed, TaskFeed

EventT = TypeVar("EventT")
PartT = TypeVar("PartT")
UsageT = TypeVar("UsageT")

_QUEUED = 202
_ASSISTANT = "assistant"  # The role of the message that an answer becomes.
_TEXT_TIMEOUT = 5.0  # Seconds for the text of a 202: the message is queued even without it.
_LARGEST_TEXT = 1024 * 1024  # Bytes of that text.
_DRAIN = 0.1  # Seconds for the response to end after the terminal marker.
_LOOSE = 64 * 1024  # Bytes after which the pieces of a text are joined.
_SHOWN = 100  # Characters of an invalid event that an error quotes.


_scan = json.JSONDecoder().raw_decode


def _standard_loads(text: str) -> Any:
    # Takes half the time of `json.loads`.
    value, end = _scan(text)
    return value if end == len(text) else json.loads(text)


@cache
def _fastest_loads() -> Callable[[str], Any]:
    """Return orjson's parser if it is installed, which is not imported before the first stream."""
    try:
        from orjson import loads
    except ImportError:
        return _standard_loads
    return loads


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
        self.other = other

    def __missing__(self, kind: str) -> Callable[[dict[str, Any]], Any]:
        """Return the reader for a prefix of the type, or the default."""
        for prefix, reader in self._prefixes.items():
            if isinstance(kind, str) and kind.startswith(prefix):
                return reader
        return self.other


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
        """Whether the terminal marker has arrived."""
        self.silent = True
        """Whether the last chunk had no event."""
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
        self._loads = _fastest_loads()
        self._loose = 0  # Bytes since the pieces were last joined.

    def read(  # noqa: C901  # a call for each event would take longer than decoding it
        self, chunk: bytes
    ) -> Generator[EventT]:
        """Yield the events that ``chunk`` completes."""
        terminator, read_delta, loads = self._terminator, self._read_delta, self._loads
        text_id, write = self._text_id, self._write
        self.silent = True
        faulty = False
        data = ""
        try:
            for data in self._decoder.feed(chunk):
                if data == terminator:
                    self.done = True
                    self.answer.finish()
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
                self.silent = False
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
        try:
            event = self._form.events[kind](payload)
        except (KeyError, TypeError, ValueError, AttributeError):
            # Only texts are needed to go on: any other event with an invalid field is passed on.
            if kind.startswith("text-"):
                raise
            event = self._form.events.other(payload)
        self.answer.take(event.to_dict())
        return event

    def unreadable(self, error: Exception) -> StreamDecodeError:
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
        self._found: str | None = None
        self._reader: _Reader[EventT] = _Reader(operation, form, secrets)
        self._response: httpx.Response | None = None
        self._queued: QueuedNotice | None = None
        self._closed = False
        self._failed: SiteAssistError | None = None
        self._halves: dict[str, str] = {}

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
        """Whether the answer is complete: the terminal marker has arrived after no abort."""
        return self._reader.done and not self.aborted

    @property
    def aborted(self) -> bool:
        """Whether the service aborted the answer, which is incomplete then."""
        return self._reader.answer.aborted

    @property
    def message_id(self) -> str | None:
        """The identifier of the answer's message; None if the service does not send it.

        `fetch_message_id` reads it then.
        """
        return self._reader.answer.message_id or self._found

    @property
    def finish_reason(self) -> str | None:
        """The reason why the answer ended, such as ``stop``; None if it was not sent (yet)."""
        return self._reader.answer.finish_reason

    @property
    def status_code(self) -> int | None:
        """The HTTP status; None before the stream is open."""
        return None if self._response is None else self._response.status_code

    @property
    def request_id(self) -> str | None:
        """The ``X-Request-Id`` header, or None."""
        return None if self._response is None else self._response.headers.get("x-request-id")

    def _is_known(self) -> bool:
        """Whether the identifier of the message need not be read, or cannot be.

        Raises `SiteAssistError` if the message is not complete yet.
        """
        if self.message_id is not None or self._queued is not None:
            return True
        if not self.done:
            msg = "fetch_message_id needs the whole answer: read the stream to its end first"
            raise SiteAssistError(msg, operation=self._operation)
        return False

    def _find(self, messages: Iterable[Any]) -> str | None:
        """Return the identifier of the assistant's last message with the answer's text, or None."""
        text = self.text
        for message in messages:
            # A visitor or a human agent may write the same.
            if message.role == _ASSISTANT and message.text == text:
                self._found = str(message.id)
        return self._found

    def __repr__(self) -> str:
        """Show the operation and the state."""
        states = {
            "aborted": self.aborted,
            "done": self.done,
            "queued": self._queued is not None,
            "not done": True,
        }
        state = next(name for name, holds in states.items() if holds)
        return f"<{type(self).__name__} {self._operation}: {state}>"

    def _check_idle(self, deadline: Deadline) -> None:
        # Comments do not restart the deadline.
        if not deadline.remaining():
            raise self._idle_error()

    def _check_readable(self) -> None:
        """Raise if an iteration cannot start: outside the block of a stream with more to come."""
        more = not self._reader.done and self._queued is None and self._failed is None
        if self._response is None or (self._closed and more):
            raise self._not_open()

    def _failure(self, error: BaseException) -> SiteAssistError:
        """Return the error for a stream that ended early."""
        if isinstance(error, SiteAssistError):
            return error
        if isinstance(error, (StopIteration, StopAsyncIteration)):
            return self._reader.truncated(None)
        if isinstance(error, errors("TimeoutException", TimeoutError)):
            failed = self._idle_error()
            failed.__cause__ = redact_exception(error, self._secrets())
            return failed
        if isinstance(error, errors("DecodingError")):
            return self._reader.unreadable(error)
        if isinstance(error, errors("HTTPError", InterruptedError)):
            return self._reader.truncated(error)
        # Nothing that this module expects, such as a KeyboardInterrupt: its text is its own.
        return self._reader.truncated(InterruptedError("reading was interrupted"))

    def _piece(self, event: EventT) -> str | None:
        """Return the text that an event adds, or None.

        Half a character is kept until the other one arrives, or its text ends.
        """
        kind = getattr(event, "type_", None)
        if kind == "text-delta":
            delta: str = event.delta  # type: ignore[attr-defined]  # the type guarantees it
            if delta.isascii() and not self._halves:
                return delta
            id_: str = event.id  # type: ignore[attr-defined]  # the type guarantees it
            words, half = join_surrogates(self._halves.pop(id_, "") + delta)
            if half:
                self._halves[id_] = half
            return words if words or not half else None
        if kind in {"text-start", "text-end"} and self._halves:
            id_ = event.id  # type: ignore[attr-defined]  # the type guarantees it
            return self._halves.pop(id_, None)
        return None

    def _rest(self) -> str | None:
        """Return a half that stayed without another when the stream ended."""
        return self._halves.popitem()[1] if self._halves else None

    def _idle_error(self) -> APITimeoutError:
        # Without `idle_timeout`, a transport may still have its own timeout.
        limit = "in time" if self._idle is None else f"for {self._idle:g} s"
        msg = f"no event arrived {limit}"
        return APITimeoutError(msg, operation=self._operation)

    def _busy(self) -> SiteAssistError:
        msg = "the stream is being read already: it has one reader at a time"
        return SiteAssistError(msg, operation=self._operation)

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
    seconds; comments do not count as events. Reading on raises the error again.
    `text` and `parts` keep the part of the answer that had arrived.
    """

    def __init__(
        self,
        operation: str,
        form: StreamFormat,
        idle_timeout: float | None,
        start: Callable[[], httpx.Response],
        secrets: Callable[[], Iterable[str]] = tuple,
        messages: Callable[[], Pages[Any, Any]] | None = None,
    ) -> None:
        """Store the functions that send the request, return the secrets and read the messages."""
        super().__init__(operation, form, idle_timeout, secrets)
        self._start = start
        self._messages = messages
        self._events: Generator[EventT] | None = None
        self._next: Callable[[], EventT] = self._refuse

    def __enter__(self) -> Self:
        """Send the request."""
        if self._response is not None:
            raise self._opened_before()
        response = self._response = self._start()
        try:
            if response.status_code == _QUEUED:
                self._queued = _notice(response, Deadline(self._idle))
        except BaseException:
            response.close()
            raise
        self._events = self._read(response) if self._queued is None else _nothing()
        self._next = self._events.__next__
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
                # Another thread is reading.
                if self._response is not None and _is_shared(self._response):
                    # It closes the response; hanging up would end other streams.
                    return
                hang_up(self._response)
        if self._response is not None:
            self._response.close()

    def __iter__(self) -> Self:
        """Continue reading where it stopped."""
        self._check_readable()
        return self

    def __next__(self) -> EventT:
        """Return the next event."""
        try:
            return self._next()
        except StopIteration:
            # A generator that raised an error has ended, too.
            if self._failed is None:
                raise
        except ValueError:
            # A generator that is running cannot continue.
            raise self._busy() from None
        raise self._failed.with_traceback(None)

    def _refuse(self) -> EventT:
        raise self._not_open()

    def text_deltas(self) -> Iterator[str]:
        """Return the pieces of the text as they arrive.

        A character whose halves arrive in two deltas is in one piece.
        """
        return _TextDeltas(self)

    def fetch_message_id(self) -> str | None:
        """Return the identifier of the answer's message; read the messages if it was not sent.

        That takes one request at most. Returns None if no message of the assistant has the text
        of the answer, if a human agent will answer (`queued`), or if the operation stores no
        message; the last one if several have it. Raises `SiteAssistError` before the answer is
        complete, and the errors of the request.
        """
        if self._is_known() or self._messages is None:
            return self.message_id
        pages = self._messages()
        return self._find(pages._items(pages.page()))

    def until_done(self) -> Self:
        """Read to the end and return the stream."""
        for _ in self:
            pass
        return self

    def _read(self, response: httpx.Response) -> Generator[EventT]:
        reader = self._reader
        deadline = Deadline(self._idle)
        chunks: Iterator[bytes] = iter(())
        try:
            chunks = pieces(response)
            while not reader.done:
                # The same as `with deadline`, but faster.
                before, current.at = current.at, deadline.at
                try:
                    chunk = next(chunks)
                finally:
                    current.at = before
                if self._closed:
                    response.close()
                    break
                yield from reader.read(chunk)
                if reader.silent:
                    self._check_idle(deadline)
                else:
                    deadline.restart()
        except GeneratorExit:
            raise
        except errors("HTTPError", StopIteration) as error:
            self._failed = self._failure(error)
        except BaseException as error:
            self._failed = self._failure(error)
            raise
        if self._failed is not None:
            # Raised after the handler: the context of the error would show the request.
            raise self._failed
        if not reader.done:
            self._failed = reader.truncated(InterruptedError("closed by another thread"))
            raise self._failed
        if _can_drain(response):
            _drain(chunks)
            # Calls inside the block can use the connection.
            response.close()


class _TextDeltas(Iterator[str]):
    """The pieces of the text of a stream."""

    def __init__(self, stream: Stream[Any, Any, Any]) -> None:
        stream._check_readable()
        self._stream = stream

    def __next__(self) -> str:
        for event in self._stream:
            piece = self._stream._piece(event)
            if piece is not None:
                return piece
        rest = self._stream._rest()
        if rest is None:
            raise StopIteration
        return rest


def _nothing() -> Generator[Any]:
    yield from ()


def hang_up(response: httpx.Response | None) -> None:
    """Shut down a connection that another thread is reading from."""
    stream = None if response is None else response.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    if connection is not None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _is_shared(response: httpx.Response) -> bool:
    """Return whether a connection carries several responses at a time."""
    return bool(response.extensions.get("http_version", b"").startswith(b"HTTP/2"))


def _can_drain(response: httpx.Response) -> bool:
    """Return whether reading on keeps its deadline, and makes a connection available.

    A transport that ignores the deadline would wait for the end of the body, and
    httpcore ends all streams of an HTTP/2 connection when one is late.
    """
    stream = response.extensions.get("network_stream")
    return getattr(stream, "respects_deadlines", False) and not _is_shared(response)


def _notice(response: httpx.Response, deadline: Deadline) -> QueuedNotice:
    """Read the text of a 202; the message is queued even if it does not arrive."""
    limit = Deadline(min(deadline.remaining(), _TEXT_TIMEOUT))
    try:
        with limit:
            read(response, limit, _LARGEST_TEXT)
        return QueuedNotice(response.content.decode("utf-8", "replace"))
    except errors("HTTPError", TooLargeError):
        return QueuedNotice("")


def _drain(chunks: Iterator[bytes]) -> None:
    """Read to the end of the response, so that its connection can be reused."""
    try:
        with Deadline(_DRAIN) as deadline:
            while deadline.remaining():
                next(chunks)
    except errors("HTTPError", StopIteration):
        pass


class AsyncStream(_BaseStream[EventT, PartT, UsageT]):
    """A streamed answer: an asynchronous iterator of its events.

    Open it with ``async with``, which sends the request and raises for an error
    status; leave the block early to close the connection. Iterating raises
    `StreamError` if the service reports a failure, `StreamTruncatedError` if the
    stream ends without its terminal marker, `StreamDecodeError` for an invalid
    event, and `APITimeoutError` if no event arrives for ``idle_timeout``
    seconds; comments do not count as events. Reading on raises the error again.
    A wait that is cancelled loses nothing: the next read continues. `text` and
    `parts` keep the part of the answer that had arrived.
    """

    def __init__(
        self,
        operation: str,
        form: StreamFormat,
        idle_timeout: float | None,
        start: Callable[[], Awaitable[httpx.Response]],
        secrets: Callable[[], Iterable[str]] = tuple,
        messages: Callable[[], AsyncPages[Any, Any]] | None = None,
    ) -> None:
        """Store the functions that send the request, return the secrets and read the messages."""
        super().__init__(operation, form, idle_timeout, secrets)
        self._start = start
        self._messages = messages
        self._feed: TaskFeed | DirectFeed | None = None
        # The events of the current chunk.
        self._events: Iterable[EventT] = ()
        self._finished = False
        self._deadline: Deadline | None = None
        # The seconds that were left when a wait was cancelled.
        self._left: float | None = None

    async def __aenter__(self) -> Self:
        """Send the request."""
        from siteassist_runtime.streaming.feed import make_feed

        if self._feed is not None:
            raise self._opened_before()
        feed = make_feed(self._start)
        response = self._response = await feed.open()
        self._feed = feed
        try:
            if response.status_code == _QUEUED:
                self._queued = await _notice_async(feed, Deadline(self._idle))
        except BaseException:
            await feed.aclose()
            raise
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
        self._events = ()
        if self._feed is not None:
            await self._feed.aclose()

    def __aiter__(self) -> Self:
        """Continue reading where it stopped."""
        self._check_readable()
        return self

    async def __anext__(self) -> EventT:
        """Return the next event."""
        reader = self._reader
        try:
            for event in self._events:
                return event
        except BaseException as error:
            self._failed = self._failure(error)
            raise
        while not reader.done and (chunk := await self._chunk()) is not None:
            self._events = reader.read(chunk)
            try:
                for event in self._events:
                    return event
            except BaseException as error:
                self._failed = self._failure(error)
                raise
        if reader.done and not self._finished and self._feed is not None:
            self._finished = True
            await self._feed.finish(_DRAIN)
        raise StopAsyncIteration

    async def _chunk(self) -> bytes | None:
        """Return the next chunk, or None if there is nothing to read."""
        feed = self._feed
        if self._response is None or feed is None:
            raise self._not_open()
        if self._failed is not None:
            raise self._failed.with_traceback(None)
        if self._closed or self._queued is not None:
            return None
        if feed.awaited:
            raise self._busy()
        try:
            return await feed.next(self._running_deadline())
        except errors(
            "HTTPError", StopAsyncIteration, TimeoutError, InterruptedError, APITimeoutError
        ) as error:
            failed = self._failed = self._failure(error)
        except BaseException:
            # The time until the next read does not count.
            self._left = None if self._deadline is None else self._deadline.remaining()
            raise
        # Raised after the handler: the context of the error would show the request.
        raise failed

    def _running_deadline(self) -> Deadline:
        """Return the deadline for the next event, which comments do not restart."""
        if self._deadline is None:
            self._deadline = Deadline(self._idle)
        elif self._left is not None:
            self._deadline.resume(self._left)
            self._left = None
        elif self._reader.silent:
            self._check_idle(self._deadline)
        else:
            self._deadline.restart()
        return self._deadline

    def text_deltas(self) -> AsyncIterator[str]:
        """Return the pieces of the text as they arrive.

        A character whose halves arrive in two deltas is in one piece.
        """
        return _AsyncTextDeltas(self)

    async def fetch_message_id(self) -> str | None:
        """Return the identifier of the answer's message; read the messages if it was not sent.

        That takes one request at most. Returns None if no message of the assistant has the text
        of the answer, if a human agent will answer (`queued`), or if the operation stores no
        message; the last one if several have it. Raises `SiteAssistError` before the answer is
        complete, and the errors of the request.
        """
        if self._is_known() or self._messages is None:
            return self.message_id
        pages = self._messages()
        return self._find(pages._items(await pages.page()))

    async def until_done(self) -> Self:
        """Read to the end and return the stream."""
        async for _ in self:
            pass
        return self


class _AsyncTextDeltas(AsyncIterator[str]):
    """The pieces of the text of a stream."""

    def __init__(self, stream: AsyncStream[Any, Any, Any]) -> None:
        stream._check_readable()
        self._stream = stream

    async def __anext__(self) -> str:
        async for event in self._stream:
            piece = self._stream._piece(event)
            if piece is not None:
                return piece
        rest = self._stream._rest()
        if rest is None:
            raise StopAsyncIteration
        return rest


async def _notice_async(feed: TaskFeed | DirectFeed, deadline: Deadline) -> QueuedNotice:
    """Read the text of a 202; the message is queued even if it does not arrive."""
    limit = Deadline(min(deadline.remaining(), _TEXT_TIMEOUT))
    text = b""
    try:
        while len(text) <= _LARGEST_TEXT:
            text += await feed.next(limit)
    except StopAsyncIteration:
        return QueuedNotice(text.decode("utf-8", "replace"))
    except errors("HTTPError", TimeoutError, InterruptedError):
        pass
    return QueuedNotice("")
