"""The rules for retries: which calls are retried, and after how long.

The rules and their reasons are in docs/client.md, "Retries".
"""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from siteassist_runtime.operation import OperationInfo

FIRST_WAIT = 0.5
"""The maximum first back-off in seconds; it doubles with every attempt."""
LONGEST_BACKOFF = 8.0
"""The maximum back-off in seconds, if the service states no wait."""

_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_RETRIED = frozenset({408, _TOO_MANY_REQUESTS})
_SERVER_ERRORS = range(500, 600)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after an attempt, counted from 0.

    The wait is random between half of the limit and the limit, so that clients
    that failed together do not retry together.
    """
    # Limit the exponent: with many attempts, a float would overflow.
    limit = min(FIRST_WAIT * 2.0 ** min(attempt, 16), LONGEST_BACKOFF)
    return random.uniform(limit / 2, limit)  # noqa: S311  # not for cryptography


def may_repeat(operation: OperationInfo, status: int, stated: float | None) -> bool:
    """Return whether a call that failed with ``status`` can be retried.

    A call that changes something is retried only if the service reports that it
    did not process it: 429, or 503 with a stated wait.
    """
    if operation.safe:
        return status in _RETRIED or status in _SERVER_ERRORS
    return status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and stated is not None)


def stated_wait(headers: Mapping[str, str], details: Mapping[str, Any] | None) -> float | None:
    """Return the wait that the service states, in seconds, or None.

    Both ``error.details.retryAfter`` and the ``Retry-After`` header (seconds or
    a date) count; the longer wait is returned.
    """
    waits = [
        wait
        for wait in (
            _seconds((details or {}).get("retryAfter")),
            _header(headers.get("retry-after")),
        )
        if wait is not None
    ]
    return max(waits, default=None)


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        seconds = float(value)
    except (ValueError, OverflowError):
        return None
    # NaN, infinite and negative waits are ignored.
    return seconds if 0 <= seconds < float("inf") else None


def _header(value: str | None) -> float | None:
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
