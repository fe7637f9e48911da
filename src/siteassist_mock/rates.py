"""Rate limits by the generic cell rate algorithm (GCRA, ITU-T I.371).

It needs one number for each key: the time at which the key's allowance is whole
again. The whole allowance may be spent at once, and comes back evenly.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["RateLimit", "RateLimiter", "parse_rate"]

_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NANOSECONDS = 10**9
_MAX_KEYS = 10_000


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
        self._limits = [
            (limit.seconds * _NANOSECONDS // limit.count, limit.seconds * _NANOSECONDS)
            for limit in limits
        ]
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
        # Whole nanoseconds: sums of fractions of seconds would be off by a request.
        now = int(self._now() * _NANOSECONDS)
        before = self._whole_again.get(key)
        after = [
            max(now, before[index] if before else 0) + cost
            for index, (cost, _) in enumerate(self._limits)
        ]
        excess = max(
            moment - now - whole for moment, (_, whole) in zip(after, self._limits, strict=True)
        )
        if excess > 0:
            return math.ceil(excess / _NANOSECONDS)
        self._whole_again[key] = after
        self._whole_again.move_to_end(key)
        if len(self._whole_again) > self._max_keys:
            self._whole_again.popitem(last=False)
        return 0
