"""Exchanges in tasks of their own, so that a cancelled caller loses no connection.

asyncio cancels a task once, wherever it waits. If httpcore is releasing a connection at
that moment, the connection counts as in use for ever (httpcore issues 658, 830 and 1093).
httpcore shields these places from cancel scopes of anyio, so an exchange runs in a task
that only its cancel scope cancels. Other event loops cancel through scopes themselves.
"""

from __future__ import annotations

import asyncio
import math
import sys
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from anyio import CancelScope, fail_after
from anyio.lowlevel import current_token

ResultT = TypeVar("ResultT")

# An exchange that need not wait ends before its caller would have to.
_EAGER: dict[str, Any] = {"eager_start": True} if sys.version_info >= (3, 12) else {}


def on_asyncio() -> bool:
    """Return whether the caller is a task of asyncio."""
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False


def running_loop() -> Any:
    """Return the running event loop, or the token of a loop of another library."""
    if on_asyncio():
        return asyncio.get_running_loop()
    token = current_token()
    # Newer versions of anyio wrap the loop in a new object each time.
    return getattr(token, "native_token", token)


class Exchange(Generic[ResultT]):
    """A coroutine that runs in a task of its own, on asyncio."""

    __slots__ = ("_cancelled", "_scope", "_waiter", "_work", "task")

    def __init__(
        self, work: Callable[[], Coroutine[Any, Any, ResultT]], seconds: float | None = None
    ) -> None:
        """Start the task, which has some time."""
        loop = asyncio.get_running_loop()
        self._work = work
        self._cancelled = False
        self._waiter: asyncio.Future[None] | None = None
        self._scope = CancelScope(deadline=math.inf if seconds is None else loop.time() + seconds)
        self.task: asyncio.Task[ResultT] = asyncio.Task(self._run(), loop=loop, **_EAGER)
        """The task. Code that waits for it must not be able to cancel it."""

    async def _run(self) -> ResultT:
        try:
            with self._scope:
                return await self._work()
            if self._cancelled:
                raise asyncio.CancelledError
            raise TimeoutError
        finally:
            self._wake()

    def _wake(self, _task: object = None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def result(self) -> ResultT:
        """Wait for the end and return the result. Raises `TimeoutError` if it takes too long.

        A cancellation of the caller cancels the exchange, and continues at its end.
        """
        if not self.task.done():
            self._waiter = asyncio.get_running_loop().create_future()
            if not _EAGER:
                # A task that is cancelled before it begins does not run at all.
                self.task.add_done_callback(self._wake)
            try:
                await self._waiter
            except asyncio.CancelledError:
                await self.cancel()
                raise
        return self.task.result()

    async def cancel(self) -> None:
        """Cancel the exchange and wait for its end, even if the caller is cancelled."""
        self._cancelled = True
        self._scope.cancel()
        cancelled = None
        with CancelScope(shield=True):
            while not self.task.done():
                try:
                    await asyncio.wait((self.task,))
                except asyncio.CancelledError as error:
                    cancelled = error
        if not self.task.cancelled():
            # Otherwise asyncio would log the exception as never retrieved.
            self.task.exception()
        if cancelled is not None:
            raise cancelled


async def in_time(
    work: Callable[[], Coroutine[Any, Any, ResultT]], seconds: float | None
) -> ResultT:
    """Run an exchange and return its result. Raises `TimeoutError` if it takes too long."""
    if on_asyncio():
        return await Exchange(work, seconds).result()
    with fail_after(seconds):
        return await work()
