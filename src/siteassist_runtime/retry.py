"""Whether a call that failed is made again, and after how long.

What is made again, and why it is safe: docs/client.md, "Retries".
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
"""The longest first back-off, in seconds; it doubles with every attempt."""
LONGEST_BACKOFF = 8.0
"""The longest back-off where the service states no wait, in seconds."""

_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_SAFE_TO_ASK_AGAIN = frozenset({408, _TOO_MANY_REQUESTS})
_SERVER_ERRORS = range(500, 600)


def backoff(attempt: int) -> float:
    """Return the seconds to wait after the attempt with this number, the first being 0.

    The wait is random between half of the limit and the limit, so that clients
    that failed together do not come back together.
    """
    # No exponent that a float cannot hold: there may be any number of attempts.
    limit = min(FIRST_WAIT * 2.0 ** min(attempt, 16), LONGEST_BACKOFF)
    return random.uniform(limit / 2, limit)  # noqa: S311  # it spreads load, it hides nothing


def may_repeat(operation: OperationInfo, status: int, stated: float | None) -> bool:
    """Tell whether a call that was answered with ``status`` can be made again.

    A call that changes something is made again only if the service says that it
    did not take it: 429, or 503 with a stated wait.
    """
    if operation.safe:
        return status in _SAFE_TO_ASK_AGAIN or status in _SERVER_ERRORS
    return status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and stated is not None)


def stated_wait(headers: Mapping[str, str], details: Mapping[str, Any] | None) -> float | None:
    """Return the seconds that the service asks to wait; None if it does not.

    Both ``error.details.retryAfter`` and the ``Retry-After`` header (seconds or
    a date) count; the longer wait wins.
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
    # Not a number, infinite and negative waits say nothing.
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
