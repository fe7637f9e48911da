"""The clocks of a server: one for timestamps, one for limits and idle times.

The clock of the system may be wrong for a while, or be set back. Timestamps follow it.
Durations must not: a visitor would be refused until the clock reaches a time again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

SYSTEM: Callable[[], float] = time.time
"""The system's clock, in seconds since 1970."""

# A step back that is longer sets the clock right, a shorter one would only change the
# order of events.
_LONGEST_STEP = 60.0


def elapsed() -> float:
    """Return the seconds since some moment, the time of a suspended machine included."""
    # Only Linux has this clock; those of other systems run on anyway.
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Clock:
    """A clock with timestamps in the format of the API.

    It stands still while the clock of the system makes up for a short step back, so
    timestamps sort in the order of events.
    """

    def __init__(self, now: Callable[[], float], *, floor: str | None = None) -> None:
        """Read ``now`` (seconds since 1970), with ``floor`` as an earlier timestamp."""
        self._now = now
        self._latest = datetime.fromisoformat(floor).timestamp() if floor else 0.0

    def seconds(self) -> float:
        """Return the seconds since 1970."""
        now = self._now()
        if not now < self._latest <= now + _LONGEST_STEP:
            self._latest = now
        return self._latest

    def timestamp(self) -> str:
        """Return the time as RFC 3339 in UTC with milliseconds, such as ``…:00.000Z``."""
        moment = datetime.fromtimestamp(self.seconds(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class SteadyClock:
    """A clock that begins with the time of another one, and then counts seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        """Begin with ``now``; a clock other than the system's is followed, as in tests."""
        self.counts = now is SYSTEM
        """Whether the clock counts by itself."""
        self._elapsed = elapsed if self.counts else now
        self._offset = now() - self._elapsed()

    def seconds(self) -> float:
        """Return the seconds since 1970."""
        return self._offset + self._elapsed()

    def set(self, seconds: float) -> None:
        """Count on from ``seconds`` since 1970."""
        self._offset = seconds - self._elapsed()
