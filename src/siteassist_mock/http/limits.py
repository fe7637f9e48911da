"""Rate limits and the quota of messages.

Rates are limited by the generic cell rate algorithm (GCRA, ITU-T I.371). It
stores one time for each key and limit: when the key has its whole allowance
again. The whole allowance may be spent at once, and comes back evenly.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from starlette.types import Scope

from siteassist_mock.http.errors import ApiError
from siteassist_mock.storage.store import Store
from siteassist_mock.storage.tables import VisitorRow

TOO_MANY = 429
"""The status of a request beyond a limit."""

_RATE = re.compile(r"([1-9][0-9]{0,6})/([smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_NANOSECONDS = 10**9
# The only operation whose requests count towards the quota.
_COUNTED = "sendMessage"
# Number of requests between two removals of allowances that are whole again.
_PRUNE_EVERY = 1000


@dataclass(frozen=True, slots=True)
class RateLimit:
    """The number of requests that a key may make in a number of seconds."""

    count: int
    seconds: int


def parse_rate(text: str) -> RateLimit:
    """Return the limit that ``text`` spells, such as ``60/m``.

    Raises `ValueError` with a sentence.
    """
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"invalid rate limit {text[:40]!r}: expected a number per s, m or h, such as 60/m"
        )
    return RateLimit(int(match[1]), _SECONDS[match[2]])


class RateLimiter:
    """A counter of requests by key, against several limits at once.

    The counts are in the store. Processes that share it and have the same limits
    count together, and clearing the store clears the counts.
    """

    def __init__(self, limits: Sequence[RateLimit], store: Store) -> None:
        """Hold every key to all of ``limits``."""
        # The cost of one request and the whole allowance. All times are whole
        # nanoseconds: sums of fractions would be off by a request.
        self._limits = [
            (limit.seconds * _NANOSECONDS // limit.count, limit.seconds * _NANOSECONDS)
            for limit in limits
        ]
        self._name = repr(limits)
        self._store = store
        self._until_pruned = 0

    def wait(self, key: str) -> int:
        """Count a request of ``key`` and return 0, or the whole seconds to wait, at least 1.

        A request that must wait counts against none of the limits.
        """
        now = int(self._store.steady.seconds() * _NANOSECONDS)
        # A hash has a fixed length, and keeps addresses out of the database.
        name = hashlib.sha256(f"{self._name} {key}".encode()).hexdigest()
        if not self._until_pruned:
            # In a transaction of its own: within a count, two processes could deadlock.
            with self._store.write() as records:
                records.forget_allowances(now)
            self._until_pruned = _PRUNE_EVERY
        self._until_pruned -= 1
        with self._store.write() as records:
            stored = records.hold_allowance(name) or [0] * len(self._limits)
            # A time beyond any allowance was stored with a wrong clock, and counts as now.
            # Clocks of processes may differ by less than an allowance.
            before = [
                whole_again if whole_again <= now + 2 * allowance else now
                for whole_again, (_, allowance) in zip(stored, self._limits, strict=True)
            ]
            after = [
                max(now, whole_again) + cost
                for whole_again, (cost, _) in zip(before, self._limits, strict=True)
            ]
            excess = max(
                whole_again - now - allowance
                for whole_again, (_, allowance) in zip(after, self._limits, strict=True)
            )
            if excess > 0:
                return math.ceil(excess / _NANOSECONDS)
            records.set_allowance(name, after)
        return 0


class Limits:
    """The rate limits and the quota of one server."""

    def __init__(
        self,
        store: Store,
        rates: Sequence[RateLimit],
        quota: int | None,
        exempt: Collection[str] = (),
    ) -> None:
        """Hold every visitor to ``rates``, and the project to ``quota`` messages.

        ``exempt`` are the operations without rate limits: those that do not
        document a 429.
        """
        self._exempt = frozenset(exempt)
        self._limiter = RateLimiter(rates, store) if rates else None
        self._quota = quota
        self._store = store

    def check(self, operation_id: str, scope: Scope, visitor: VisitorRow | None = None) -> None:
        """Count a request; raise `ApiError` 429 if it is beyond a limit.

        Requests with a valid credential count for the visitor, all others for the
        address that they come from: a made-up token has no allowance of its own.
        Nor has a publishable key, which is the same in every browser: one visitor
        could use up the allowance of all.
        """
        if self._limiter is not None and operation_id not in self._exempt:
            wait = self._limiter.wait(
                f"visitor {visitor.id}" if visitor else f"address {_address(scope)}"
            )
            if wait:
                raise ApiError(
                    TOO_MANY, details={"retryAfter": wait}, headers={"Retry-After": str(wait)}
                )
        if self._quota is not None and operation_id == _COUNTED and visitor is not None:
            with self._store.read() as records:
                used = records.count_questions(visitor.id, at_most=self._quota)
            if used >= self._quota:
                raise ApiError(
                    TOO_MANY,
                    code="USAGE_QUOTA_EXCEEDED",
                    message=f"The project has used up its quota of {self._quota} messages.",
                    details={"quota": self._quota},
                )


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
