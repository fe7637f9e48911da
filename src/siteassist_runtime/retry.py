"""The rules for retries: which calls are retried, and after how long.

The rules and their reasons are in docs/how-to/client.md, "Retries".
"""

from __future__ import annotations

import random
import re
from datetime import MAXYEAR, UTC, datetime
from email.utils import parsedate_tz
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from siteassist_runtime.operation import OperationInfo

FIRST_WAIT = 0.5
"""The maximum first back-off in seconds; it doubles with every attempt."""
LONGEST_BACKOFF = 8.0
"""The maximum back-off in seconds, if the service states no wait."""
LONGEST_STATED = 10.0**9
"""The stated wait in seconds from which on an error is raised whatever the settings."""

_TOO_MANY_REQUESTS = 429
_UNAVAILABLE = 503
_RETRIED = frozenset({408, _TOO_MANY_REQUESTS})
_SERVER_ERRORS = range(500, 600)
_DAY = 24 * 60 * 60  # Seconds.
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def backoff(attempt: int, first: float = FIRST_WAIT, longest: float = LONGEST_BACKOFF) -> float:
    """Return the seconds to wait after an attempt, counted from 0.

    The limit is ``first`` at first, doubles with every attempt, and is at most ``longest``.

    The wait is random between half of the limit and the limit, so that clients
    that failed together do not retry together.
    """
    # Limit the exponent: with many attempts, a float would overflow.
    limit = min(first * 2.0 ** min(attempt, 16), longest)
    return random.uniform(limit / 2, limit)  # noqa: S311  # not for cryptography


def may_repeat(operation: OperationInfo, status: int, stated: float | None) -> bool:
    """Return whether a call that failed with ``status`` can be retried.

    A call that changes something is retried only if the service reports that it
    did not process it: 429, or 503 with a stated wait.
    """
    if operation.safe:
        return is_temporary(status)
    return status == _TOO_MANY_REQUESTS or (status == _UNAVAILABLE and stated is not None)


def is_temporary(status: int) -> bool:
    """Return whether the same request may succeed later."""
    return status in _RETRIED or status in _SERVER_ERRORS


def stated_wait(headers: Mapping[str, str], details: Mapping[str, Any] | None) -> float | None:
    """Return the wait that the service states, in seconds, or None.

    Both ``error.details.retryAfter`` and the ``Retry-After`` header (seconds or
    a date, which is compared with the ``Date`` of the response) count; the longer
    wait is returned.
    """
    waits = [
        wait
        for wait in (
            _seconds((details or {}).get("retryAfter")),
            _header(headers.get("retry-after"), headers.get("date")),
        )
        if wait is not None
    ]
    return max(waits, default=None)


def _seconds(value: object) -> float | None:
    if isinstance(value, str):
        # `float` would also read 1_0, 1e3 and infinity.
        if not _NUMBER.fullmatch(value.strip(" \t")):
            return None
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        return None  # NaN and negative waits are ignored.
    try:
        return float(value)
    except OverflowError:
        return inf


def _header(value: str | None, date: str | None) -> float | None:
    if value is None:
        return None
    seconds = _seconds(value)
    if seconds is not None:
        return seconds
    until = _moment(value)
    if until is None:
        return None
    # The clock of the service may differ from ours.
    now = None if date is None else _moment(date)
    return max(0.0, until - (datetime.now(UTC).timestamp() if now is None else now))


def _moment(value: str) -> float | None:
    """Return an HTTP date in seconds since 1970, or None."""
    parts = parsedate_tz(value)
    if parts is None:
        return None
    if parts[0] > MAXYEAR:
        return inf
    try:
        moment = datetime(*parts[:6], tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    offset = parts[9] or 0
    return moment - offset if abs(offset) < _DAY else None
