"""The wait for the reply to a message that a human agent has to answer.

With the library for WebSockets the reply is listened for; without it, or while no connection
can be opened, the conversation's messages are read again and again.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from siteassist_runtime.deadline import NEVER, Deadline
from siteassist_runtime.errors import (
    AnswerTimeoutError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    SiteAssistError,
)
from siteassist_runtime.live.frames import is_installed
from siteassist_runtime.live.listening import LAST_SECONDS, Fetch, Pause, is_last, may_repeat

if TYPE_CHECKING:
    from siteassist_runtime.async_driver import AsyncCaller
    from siteassist_runtime.live.listener import AsyncListener, Listener
    from siteassist_runtime.live.socket_format import Place, SocketFormat
    from siteassist_runtime.sync_driver import Caller

POLL_SECONDS = 2.0
"""The time between two requests for the messages."""


class Listen(NamedTuple):
    """A step: return the first message from the socket, or the `SiteAssistError`."""

    offset: int
    seconds: float | None


ReplyStep: TypeAlias = Fetch | Pause | Listen
"""A step of waiting for a reply, which a driver carries out."""
ReplySteps: TypeAlias = Generator[ReplyStep, Any, Any]


class _Found(NamedTuple):
    """The place of a sent message in the conversation."""

    message_id: Any
    offset: int
    """The number of the agents' messages before it."""
    reply: Any
    """The first agent's message after it, or None."""

    def answered(self, reply: Any) -> _Found:
        """Return the place with its reply, if it has none yet."""
        return self if self.reply is not None else self._replace(reply=reply)


class Reply:
    """The wait for a reply to a message that has been sent."""

    def __init__(
        self,
        form: SocketFormat,
        operation: str,
        content: str,
        wait: float | None,
        *,
        listens: bool,
    ) -> None:
        """Start the deadline. ``operation`` has sent the message."""
        self.form = form
        self._operation = operation
        self._content = content
        self._deadline = Deadline(wait)
        self._listens = listens and is_installed()
        self._message_id: Any = None

    def steps(self) -> ReplySteps:
        """Yield the steps and return the reply.

        Raises `AnswerTimeoutError` without a reply in time, and the error of a call that
        would fail again.
        """
        found = yield from self._find()
        self._message_id = found.message_id
        if found.reply is not None:
            return found.reply
        try:
            return (yield from self._wait(found.offset))
        except AnswerTimeoutError:
            # The reply may have come since the last read.
            page = yield Fetch(found.offset, LAST_SECONDS)
            if isinstance(page, SiteAssistError) or not page:
                raise
            return page[0]

    def _wait(self, offset: int) -> ReplySteps:
        if self._listens:
            result = yield Listen(offset, self._left())
            if isinstance(result, APITimeoutError):
                raise self._late()
            if not isinstance(result, SiteAssistError):
                return result
            if not isinstance(result, (APIStatusError, APIResponseError)):
                raise result
        while True:
            page = yield from self._fetch(offset, selected=True)
            if page:
                return page[0]
            yield self._pause()

    def _find(self) -> Generator[ReplyStep, Any, _Found]:
        """Return the place of the message: that of the last one with its content."""
        missed = self.form.missed
        same: _Found | None = None
        last: _Found | None = None
        offset = agents = 0
        before: list[Any] = []
        while True:
            page = yield from self._fetch(offset, selected=False)
            for message in page:
                if not missed.selects(message):
                    last = _Found(message.id, agents, None)
                    same = last if getattr(message, "text", None) == self._content else same
                    continue
                agents += 1
                same = same and same.answered(message)
                last = last and last.answered(message)
            offset += len(page)
            if is_last(page, before):
                # The service may have changed the content.
                return same or last or _Found(None, agents, None)
            before = page

    def _fetch(self, offset: int, *, selected: bool) -> Generator[ReplyStep, Any, list[Any]]:
        """Return a page of messages; repeat a call that may succeed later."""
        while True:
            page = yield Fetch(offset, self._left(), selected)
            if not isinstance(page, SiteAssistError):
                return list(page)
            if not may_repeat(page):
                raise page
            yield self._pause()

    def _pause(self) -> Pause:
        return Pause(min(POLL_SECONDS, self._left() or POLL_SECONDS))

    def _left(self) -> float | None:
        """Return the seconds left, None without a limit. Raises `AnswerTimeoutError` at its end."""
        left = self._deadline.remaining()
        if left <= 0:
            raise self._late()
        return None if left == NEVER else left

    def _late(self) -> AnswerTimeoutError:
        return AnswerTimeoutError(
            f"the message was sent, but no agent answered within {self._deadline.seconds:g} s",
            operation=self._operation,
            message_id=self._message_id,
        )


def wait_for_reply(caller: Caller, reply: Reply, place: Place, extra: Mapping[str, Any]) -> Any:
    """Carry out the steps and return the reply."""
    from siteassist_runtime.live.calls import SocketCalls

    calls = SocketCalls(caller, reply.form, place, **extra)
    steps = reply.steps()
    result: Any = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration as end:
            return end.value
        match step:
            case Fetch():
                result = calls.fetch(step)
            case Listen(offset, seconds):
                limits = {
                    "offset": offset,
                    "timeout": seconds,
                    "poll_seconds": POLL_SECONDS,
                    **extra,
                }
                listener = caller.listen(reply.form, place, **limits)
                result = _first_message(listener, reply.form.missed.carrier)
            case Pause():
                time.sleep(step.seconds)
                result = None


def _first_message(listener: Listener[Any], carrier: str) -> Any:
    """Return the first message that a listener receives, or the exception that ends it."""
    try:
        with listener:
            for event in listener:
                message = getattr(event, carrier, None)
                if message is not None:
                    return message
    except SiteAssistError as error:
        return error
    return SiteAssistError("the client is closed")


async def wait_for_reply_async(
    caller: AsyncCaller, reply: Reply, place: Place, extra: Mapping[str, Any]
) -> Any:
    """Carry out the steps and return the reply."""
    from siteassist_runtime.async_driver import sleep
    from siteassist_runtime.live.calls import AsyncSocketCalls

    calls = AsyncSocketCalls(caller, reply.form, place, **extra)
    steps = reply.steps()
    result: Any = None
    while True:
        try:
            step = steps.send(result)
        except StopIteration as end:
            return end.value
        match step:
            case Fetch():
                result = await calls.fetch(step)
            case Listen(offset, seconds):
                limits = {
                    "offset": offset,
                    "timeout": seconds,
                    "poll_seconds": POLL_SECONDS,
                    **extra,
                }
                listener = caller.listen(reply.form, place, **limits)
                result = await _first_message_async(listener, reply.form.missed.carrier)
            case Pause():
                await sleep(step.seconds)
                result = None


async def _first_message_async(listener: AsyncListener[Any], carrier: str) -> Any:
    """Return the first message that a listener receives, or the exception that ends it."""
    try:
        async with listener:
            async for event in listener:
                message = getattr(event, carrier, None)
                if message is not None:
                    return message
    except SiteAssistError as error:
        return error
    return SiteAssistError("the client is closed")
