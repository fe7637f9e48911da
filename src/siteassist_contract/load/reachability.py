"""The distinction between an unanswered request and a server that is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 3.0
"""Seconds without any answer after which a server with an unanswered request counts as gone."""


class Reachability:
    """The unanswered requests of a server that many visitors use.

    An unanswered request is a violation only if a later one is answered. When a
    server dies, its pending requests are not violations.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: list[tuple[float, str, Callable[[], None]]] = []

    def answered(self, began: float) -> None:
        """Record that a request that began at ``began`` was answered."""
        # A request that began before the failure may have been in progress already.
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
