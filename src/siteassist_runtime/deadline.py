"""A limit on the whole of a call, however many pieces it comes in.

httpx limits each read by itself, so that a server which sends a byte a second
is never too slow. A `Deadline` bounds the sum: what `network.guard` has guarded
looks at the deadline of the thread that uses it.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

NEVER = float("inf")


class _Current(threading.local):
    """The moment by which the calling thread must be done."""

    at: float = NEVER


current = _Current()
"""What bounds the connections of each thread."""


class Deadline:
    """A moment by which something must be done; entered, it bounds this thread's connections."""

    __slots__ = ("_before", "at", "seconds")

    def __init__(self, seconds: float | None) -> None:
        """Start to count ``seconds``; None is for ever."""
        self.seconds = seconds
        self.at = NEVER if seconds is None else time.monotonic() + seconds
        self._before = NEVER

    def remaining(self) -> float:
        """Return the seconds that are left, not below zero; infinite for ever."""
        return self.at if self.at == NEVER else max(0.0, self.at - time.monotonic())

    def restart(self) -> None:
        """Count from now again."""
        if self.seconds is not None:
            self.at = time.monotonic() + self.seconds

    def httpx_timeout(self) -> dict[str, float | None]:
        """Return what is left as httpx wants it in a request's extensions."""
        left = None if self.at == NEVER else self.remaining()
        return {"connect": left, "read": left, "write": left, "pool": left}

    def __enter__(self) -> Self:
        """Bound this thread's connections."""
        self._before = current.at
        current.at = self.at
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bound them as before."""
        current.at = self._before
