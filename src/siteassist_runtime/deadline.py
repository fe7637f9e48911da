"""Deadlines of whole calls.

The timeouts of httpx apply to each read, so a server that sends a byte a second
never exceeds them. A `Deadline` limits the sum. Connections that are wrapped by
`network.guard` respect the deadline of the thread that uses them.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

NEVER = float("inf")


class _Current(threading.local):
    """The deadline of the calling thread."""

    at: float = NEVER


current = _Current()
"""The deadline of each thread."""


class Deadline:
    """A moment; as a context manager, it limits this thread's use of connections."""

    __slots__ = ("_before", "_steps", "at", "seconds")

    def __init__(
        self, seconds: float | None, steps: Mapping[str, float | None] | None = None
    ) -> None:
        """Start a deadline ``seconds`` from now; None means no limit.

        ``steps`` are the limits of the steps of an attempt, as in `httpx.Timeout`.
        """
        self.seconds = seconds
        self._steps = steps
        self.at = NEVER if seconds is None else time.monotonic() + seconds
        self._before = NEVER

    def remaining(self) -> float:
        """Return the seconds left, at least 0; infinite without a limit."""
        return self.at if self.at == NEVER else max(0.0, self.at - time.monotonic())

    def restart(self) -> None:
        """Restart the deadline from now."""
        if self.seconds is not None:
            self.at = time.monotonic() + self.seconds

    def resume(self, left: float) -> None:
        """Continue with the seconds that were left when the deadline was interrupted."""
        if self.seconds is not None:
            self.at = time.monotonic() + left

    def httpx_timeout(self) -> dict[str, float | None]:
        """Return the seconds left as the ``timeout`` extension of an httpx request."""
        if self._steps is not None:
            return dict(self._steps)
        left = None if self.at == NEVER else self.remaining()
        return {"connect": left, "read": left, "write": left, "pool": left}

    def __enter__(self) -> Self:
        """Apply the deadline to this thread."""
        self._before = current.at
        current.at = self.at
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Restore the previous deadline of this thread."""
        current.at = self._before
