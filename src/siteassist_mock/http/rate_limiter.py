"""Rate limits by the generic cell rate algorithm (GCRA, ITU-T I.371).

It needs one number for each key: the time at which the key's allowance is whole
again. The whole allowance may be spent at once, and comes back evenly.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siteassist_mock.storage.store import Store

__all__ = ["RateLimit", "RateLimiter", "SharedRateLimiter", "parse_rate"]

_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NANOSECONDS = 10**9
_MAX_KEYS = 10_000
# After so many requests those that have their whole allowance are cleared away.
_PRUNE_EVERY = 1000


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests a key may make in how many seconds."""

    count: int
    seconds: int


def parse_rate(text: str) -> RateLimit:
    """Return the limit that ``text`` spells, such as ``60/m``.

    Raises `ValueError` with a sentence.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a rate limit is a number per s, m or h, such as 60/m, not {text[:40]!r}")
    return RateLimit(int(match[1]), _SECONDS[match[2]])


class _Rates:
    """What several limits make of one more request."""

    def __init__(self, limits: Sequence[RateLimit]) -> None:
        self._limits = [
            (limit.seconds * _NANOSECONDS // limit.count, limit.seconds * _NANOSECONDS)
            for limit in limits
        ]

    def count(self, before: Sequence[int], now: int) -> tuple[int, list[int]]:
        """Return the whole seconds to wait, or 0, and when each allowance is whole again.

        ``before`` is what this returned last for the same key, if anything. All
        times are whole nanoseconds: sums of fractions would be off by a request.
        """
        after = [
            max(now, before[index] if before else 0) + cost
            for index, (cost, _) in enumerate(self._limits)
        ]
        excess = max(
            moment - now - whole for moment, (_, whole) in zip(after, self._limits, strict=True)
        )
        return (math.ceil(excess / _NANOSECONDS) if excess > 0 else 0), after


class RateLimiter:
    """Counts requests by key, against several limits at once."""

    def __init__(
        self,
        limits: Sequence[RateLimit],
        now: Callable[[], float],
        *,
        max_keys: int = _MAX_KEYS,
    ) -> None:
        """Hold every key to all of ``limits``; ``now`` returns seconds.

        Of more than ``max_keys`` keys those are forgotten that were not seen
        for longest, so memory is bounded whoever knocks.
        """
        self._rates = _Rates(limits)
        self._now = now
        self._max_keys = max_keys
        self._whole_again: OrderedDict[str, list[int]] = OrderedDict()

    def forget(self) -> None:
        """Give every key its whole allowance again."""
        self._whole_again.clear()

    def wait(self, key: str) -> int:
        """Count a request of ``key`` and return 0, or the whole seconds to wait, at least 1.

        A request that must wait counts against none of the limits.
        """
        now = int(self._now() * _NANOSECONDS)
        wait, after = self._rates.count(self._whole_again.get(key, ()), now)
        if not wait:
            self._whole_again[key] = after
            self._whole_again.move_to_end(key)
            if len(self._whole_again) > self._max_keys:
                self._whole_again.popitem(last=False)
        return wait


class SharedRateLimiter:
    """The same, with all processes that share the state and have the same limits."""

    def __init__(self, limits: Sequence[RateLimit], store: Store) -> None:
        """Keep the counts in ``store``."""
        self._rates = _Rates(limits)
        self._name = repr(limits)
        self._store = store
        self._until_pruned = 0

    def forget(self) -> None:
        """Do nothing: what clears the store clears the counts in it as well."""

    def wait(self, key: str) -> int:
        """Count a request of ``key``, as `RateLimiter.wait` does."""
        now = int(self._store.clock.seconds() * _NANOSECONDS)
        # Hashed, it is as long as any other, and nobody's address is stored.
        name = hashlib.sha256(f"{self._name} {key}".encode()).hexdigest()
        if not self._until_pruned:
            # On its own: within a count, two processes could wait for each other.
            with self._store.write() as records:
                records.forget_allowances(now)
            self._until_pruned = _PRUNE_EVERY
        self._until_pruned -= 1
        with self._store.write() as records:
            wait, after = self._rates.count(records.hold_allowance(name), now)
            if not wait:
                records.set_allowance(name, after)
        return wait
