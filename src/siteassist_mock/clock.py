"""A monotonic clock with timestamps in the format of the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime


class Clock:
    """A clock that never goes back, even if the clock of the system does.

    A later reading is never smaller, so timestamps sort in the order of events.
    """

    def __init__(self, now: Callable[[], float], *, floor: str | None = None) -> None:
        """Read ``now`` (seconds since 1970), but never before ``floor``, a timestamp."""
        self._now = now
        self._latest = datetime.fromisoformat(floor).timestamp() if floor else 0.0

    def advance(self, timestamp: str) -> None:
        """Set the clock to ``timestamp``, if that is later."""
        self._latest = max(self._latest, datetime.fromisoformat(timestamp).timestamp())

    def seconds(self) -> float:
        """Return the seconds since 1970."""
        self._latest = max(self._latest, self._now())
        return self._latest

    def timestamp(self) -> str:
        """Return the time as RFC 3339 in UTC with milliseconds, such as ``…:00.000Z``."""
        moment = datetime.fromtimestamp(self.seconds(), UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
