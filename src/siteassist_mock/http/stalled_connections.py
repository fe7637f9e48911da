"""The end of connections whose client does nothing for too long."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

SECONDS: Mapping[str, float] = {
    # A request line and headers, or the next request. uvicorn closes idle connections
    # that had a request after five seconds.
    "head": 10.0,
    "body": 60.0,
    # A client that does not read its response.
    "response": 60.0,
    # A client of a socket sends a ping every 30 seconds, and itself disconnects
    # after 60 seconds without an answer.
    "socket": 60.0,
    # A closing connection with unread data.
    "end": 60.0,
}
"""The longest wait for each thing that a client owes."""


class StalledConnections:
    """The time that each connection waits for its client, measured by regular calls."""

    def __init__(self, seconds: Mapping[str, float] = SECONDS) -> None:
        """End connections that wait longer than ``seconds``."""
        self._seconds = seconds
        self._since: dict[Any, tuple[tuple[str, object], float]] = {}

    def end(self, connections: Iterable[Any], now: float) -> None:
        """End the stalled ones of all ``connections``, at the monotonic time ``now``."""
        before, self._since = self._since, {}
        for connection in list(connections):
            awaited = connection.awaited()
            if awaited is None:
                continue
            known, since = before.get(connection, (None, now))
            if known != awaited:
                since = now
            if now - since >= self._seconds[awaited[0]]:
                connection.end()
            else:
                self._since[connection] = awaited, since
