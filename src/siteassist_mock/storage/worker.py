"""A thread for the transactions of a database that may keep a caller waiting.

PostgreSQL may be on another machine, be stopped, or wait for the lock of another
program. Meanwhile the event loop must serve other requests and signals.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class StoreUnavailable(Exception):
    """A database that cannot be reached, or does not answer in time.

    The transaction is rolled back, unless the connection was lost during its commit.
    """


class Worker:
    """A thread that runs one function at a time, each within a time limit."""

    def __init__(self, interrupt: Callable[[], None], *, seconds: float) -> None:
        """Allow each function ``seconds``, the wait for its turn included.

        ``interrupt`` must make a function that runs longer raise an exception.
        """
        self._interrupt = interrupt
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="siteassist-mock-database")

    async def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of ``function``.

        Raises `StoreUnavailable` at the end of the time. The function then ends
        without a result, or does not begin.
        """
        submitted = self._executor.submit(function, *args, **kwargs)
        future = asyncio.wrap_future(submitted)
        try:
            done, _ = await asyncio.wait({future}, timeout=self._seconds)
            if done:
                return future.result()
            if not submitted.cancel():
                self._interrupt()
        finally:
            # Otherwise asyncio would log an exception that no task reads.
            future.cancel()
        raise StoreUnavailable("the database does not answer in time")

    def close(self) -> None:
        """Interrupt the running function, and run no others."""
        self._interrupt()
        self._executor.shutdown(cancel_futures=True)
