"""The course of listening, without I/O: keep-alive, reconnection and missed messages.

`Listening.steps` yields steps; the drivers in `listener` carry them out and send their
results back. A step that is interrupted can be repeated.

The order of events: those of a connection as they arrive. After each connection has
been opened, the messages that are in the conversation's list and were not delivered come
first. A message that is in the list and arrives on the socket as well is delivered once.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from siteassist_runtime import log, retry
from siteassist_runtime.deadline import NEVER, Deadline
from siteassist_runtime.errors import (
    APIConnectionError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    SiteAssistError,
)
from siteassist_runtime.live.frames import Frames

if TYPE_CHECKING:
    import httpx

    from siteassist_runtime.live.socket_format import SocketFormat

PAGE_SIZE = 100
"""The number of messages of a request."""
_REMEMBERED = 1000  # Identifiers of delivered messages, to recognise them in the list.
# Messages after which the list is read without need, so that none is forgotten before.
_UNLISTED = _REMEMBERED // 2
# The duration of the last read of the list, when the time of listening is over.
LAST_SECONDS = 1.0
# The duration of a handshake while the list is read instead.
_HANDSHAKE_SECONDS = 10.0
# The exceptions of a reader for an event that does not match the description.
_UNREADABLE = (ValueError, TypeError, AttributeError, RecursionError, LookupError, OverflowError)


class Fetch(NamedTuple):
    """A step: return a page of missed messages, or the `SiteAssistError` of the call."""

    offset: int
    seconds: float | None
    selected: bool = True
    """Whether to read only the messages that the socket sends."""


class Connect(NamedTuple):
    """A step: return the response to the handshake, or the `SiteAssistError` of the call."""

    headers: dict[str, str]
    seconds: float | None


class Send(NamedTuple):
    """A step: send bytes, and return None or the exception."""

    data: bytes


class Receive(NamedTuple):
    """A step: return the next bytes, None if none arrive in time, or the exception."""

    seconds: float


class Disconnect(NamedTuple):
    """A step: send bytes if possible, and close the connection."""

    data: bytes


class Pause(NamedTuple):
    """A step: wait."""

    seconds: float


class Deliver(NamedTuple):
    """A step: pass an event to the program."""

    event: Any


Step: TypeAlias = Fetch | Connect | Send | Receive | Disconnect | Pause | Deliver
"""A step of listening, which a driver carries out."""
Steps: TypeAlias = Generator[Step, Any, Any]


def is_last(page: Sequence[Any], before: Sequence[Any]) -> bool:
    """Return whether a page is the last one.

    A service that ignores the offset returns the same page again and again.
    """
    return len(page) < PAGE_SIZE or (bool(before) and before[0].id == page[0].id)


def may_repeat(error: SiteAssistError) -> bool:
    """Return whether the service may work again later, for the same request."""
    if isinstance(error, APIStatusError):
        return retry.is_temporary(error.status_code)
    return isinstance(error, APIConnectionError)


class Listening:
    """The state of a listener."""

    def __init__(
        self,
        form: SocketFormat,
        conversation_id: str,
        *,
        after: str | None = None,
        offset: int | None = None,
        timeout: float | None = None,
        idle_timeout: float | None = None,
        longest_text: int | None = None,
        longest_wait: float = NEVER,
        poll_seconds: float | None = None,
    ) -> None:
        """Start the deadlines.

        ``poll_seconds`` is the time between two reads of the list while there is no connection;
        by default, the list is read after each connection has been opened.

        ``after`` is the id of the last message that is known already, or ``offset`` its
        position in the list; with neither, listening begins with the next message.
        """
        self._form = form
        self._conversation = conversation_id
        self._after = after
        self._offset = offset
        self._total = Deadline(timeout)
        self._idle = Deadline(idle_timeout)
        self._longest_text = longest_text
        self._longest_wait = longest_wait
        self._poll_seconds = poll_seconds
        self._frames: Frames | None = None
        # The messages that were delivered and may be in the rest of the list.
        self._delivered: dict[str, None] = {}
        self._unlisted = 0
        self._attempt = 0
        # The last sign of life. The time that the program takes for events is added.
        self._heard = 0.0

    def steps(self) -> Steps:
        """Yield the steps; it ends only with an exception.

        Raises `APITimeoutError` when a limit is exceeded, and the error of a call that
        would fail again.
        """
        if self._offset is None:
            self._offset = yield from self._position()
        while True:
            error = yield from self._connect()
            if error is None:
                error = yield from self._converse()
                yield Disconnect(self.farewell())
            wait = retry.backoff(self._attempt, self._form.first_delay, self._form.longest_delay)
            self._attempt += 1
            stated = getattr(error, "retry_after", None)
            if stated is not None:
                if stated > self._longest_wait:
                    raise error
                wait = max(wait, stated)
            log.log_retry(self._form.operation, error, wait)
            yield from self._rest(wait)

    def _rest(self, seconds: float) -> Steps:
        """Wait for the next attempt; at the end of the time, deliver the messages of the list."""
        while seconds > 0:
            left = self._left()
            wait = min(seconds, left, self._poll_seconds or seconds)
            yield Pause(wait)
            seconds -= wait
            if wait == left:
                yield from self._catch_up(at_end=True)
            elif self._poll_seconds is not None:
                yield from self._catch_up()

    def farewell(self) -> bytes:
        """Return the bytes that close the connection; none if it is not open."""
        return b"" if self._frames is None else self._frames.close()

    def _left(self) -> float:
        """Return the seconds until a limit. Raises `APITimeoutError` if one is exceeded."""
        for deadline, told in ((self._total, "listening ended"), (self._idle, "no event")):
            if deadline.remaining() <= 0:
                raise APITimeoutError(
                    f"{told} within {deadline.seconds:g} s", operation=self._form.operation.name
                )
        return min(self._total.remaining(), self._idle.remaining())

    def _limit(self) -> float | None:
        left = self._left()
        return None if left == NEVER else left

    def _position(self) -> Steps:
        """Return the number of messages that are in the list already."""
        offset = 0
        before: list[Any] = []
        while True:
            page = yield Fetch(offset, self._limit())
            if isinstance(page, SiteAssistError):
                raise page
            for message in page:
                offset += 1
                if self._after is not None and str(message.id) == self._after:
                    return offset
            if is_last(page, before):
                break
            before = page
        if self._after is not None:
            raise SiteAssistError(
                f"the conversation has no message {self._after} of this kind",
                operation=self._form.missed.operation.name,
            )
        return offset

    def _connect(self) -> Generator[Step, Any, SiteAssistError | None]:
        """Open a connection; return None, or the error if a later attempt may succeed."""
        self._frames = frames = Frames(self._longest_text)
        limit = self._limit()
        if self._poll_seconds is not None:
            limit = min(limit or _HANDSHAKE_SECONDS, _HANDSHAKE_SECONDS)
        result = yield Connect(frames.headers, limit)
        if isinstance(result, SiteAssistError):
            if not may_repeat(result):
                raise result
            return result
        response: httpx.Response = result
        try:
            frames.begin(response.reason_phrase, response.headers.raw)
        except ValueError as error:
            yield Disconnect(b"")
            raise APIResponseError(
                str(error), operation=self._form.operation.name, response=None, text=""
            ) from None
        return None

    def _converse(self) -> Generator[Step, Any, SiteAssistError]:
        """Deliver the events of a connection; return the reason for its end."""
        assert self._frames is not None  # noqa: S101  # `_connect` has set it
        frames = self._frames
        self._heard = time.monotonic()
        next_ping = self._heard + self._form.ping_interval
        error = yield from self._catch_up()
        # Nothing was read meanwhile.
        self._heard = time.monotonic()
        while error is None and not frames.closed:
            left = self._left()
            now = time.monotonic()
            if now >= next_ping:
                next_ping = now + self._form.ping_interval
                error = yield from self._send(frames.encode(self._form.ping))
                continue
            silent = self._heard + self._form.idle_limit - now
            if silent <= 0:
                return self._broken(f"no sign of life within {self._form.idle_limit:g} s")
            data = yield Receive(min(next_ping - now, silent, left))
            if isinstance(data, Exception):
                return self._broken(str(data) or type(data).__name__)
            if data is None:
                continue
            for message in frames.receive(data):
                error = yield from self._take(message)
                if error is not None:
                    return error
            error = yield from self._send(frames.pending())
        return error or self._broken(frames.reason)

    def _send(self, data: bytes) -> Generator[Step, Any, SiteAssistError | None]:
        error = (yield Send(data)) if data else None
        return None if error is None else self._broken(str(error) or type(error).__name__)

    def _broken(self, reason: str) -> SiteAssistError:
        return APIConnectionError(
            f"the connection broke: {reason}", operation=self._form.operation.name
        )

    def _take(self, message: str | bytes) -> Generator[Step, Any, SiteAssistError | None]:
        """Deliver the event in a message; return an error if the connection is of no use."""
        self._heard = time.monotonic()
        self._attempt = 0
        if message == self._form.pong:
            return None
        try:
            event = self._read(message)
        except _UNREADABLE as error:
            # It may have been a message. If so, the list has it.
            log.log_unreadable(self._form.operation, error)
            return (yield from self._catch_up())
        carried = getattr(event, self._form.missed.carrier, None)
        if carried is None:
            yield from self._deliver(event)
        elif str(carried.id) not in self._delivered:
            self._remember(str(carried.id))
            self._unlisted += 1
            yield from self._deliver(event)
            if self._unlisted >= _UNLISTED:
                return (yield from self._catch_up())
        return None

    def _read(self, message: str | bytes) -> Any:
        if isinstance(message, bytes):
            raise TypeError("a binary message")
        data = json.loads(message)
        kind = data["type"]
        if not isinstance(kind, str):
            raise TypeError(f"the type of an event must be a string, got {kind!r}")
        return self._form.events[kind](data)

    def _catch_up(self, *, at_end: bool = False) -> Generator[Step, Any, SiteAssistError | None]:
        """Deliver the messages of the list that were not delivered.

        Return the error of a call that may succeed later, or of one after the last moment.
        """
        before: list[Any] = []
        while True:
            page = yield Fetch(self._offset or 0, LAST_SECONDS if at_end else self._limit())
            if isinstance(page, SiteAssistError):
                if not at_end and not may_repeat(page):
                    raise page
                return page
            for message in page:
                self._offset = (self._offset or 0) + 1
                if str(message.id) not in self._delivered:
                    self._remember(str(message.id))
                    event = self._form.missed.event(message, self._conversation)
                    event.caught_up = True
                    yield from self._deliver(event)
            if is_last(page, before):
                self._unlisted = 0
                return None
            before = page

    def _remember(self, message_id: str) -> None:
        self._delivered[message_id] = None
        if len(self._delivered) > _REMEMBERED:
            del self._delivered[next(iter(self._delivered))]

    def _deliver(self, event: Any) -> Generator[Step, Any, None]:
        """Pass on an event. The time until the program asks for the next one does not count."""
        before = time.monotonic()
        yield Deliver(event)
        self._heard += time.monotonic() - before
        self._idle.restart()
