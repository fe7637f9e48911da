"""The distinction between an unanswered request and a server that is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 3.0
"""After how many seconds without any answer a server that failed counts as gone."""


class Reachability:
    """Watches the answers of a server that many visitors talk to.

    An unanswered request is a violation only if a later one is answered. When a
    server dies, its pending requests are not violations.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, str, Callable[[], None]]] = []

    def answered(self, began: float) -> None:
        """Record that a request that began at ``began`` was answered."""
        # One that began before may have been on its way already.
        while self._waiting and self._waiting[0][0] < began:
            self._waiting.pop(0)[2]()

    def failed(self, reason: str, confirm: Callable[[], None]) -> None:
        """Record an unanswered request; ``confirm`` is called if the server answers a later one."""
        self._waiting.append((self._clock(), reason, confirm))

    def lost(self, patience: float = PATIENCE) -> str | None:
        """Return the first failure if the server has not answered for ``patience`` seconds."""
        if not self._waiting:
            return None
        since, reason, _ = self._waiting[0]
        return reason if self._clock() - since >= patience else None
