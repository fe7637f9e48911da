"""The decision whether a request is sent again, the same for all layers.

A server may refuse any request for reasons outside the request, such as a rate limit or an
overloaded model. Such a refusal is waited for and the request is sent again, within reason.
So is a request that was lost with its connection.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from siteassist_contract.http.json_reader import read_json

LONGEST_ANSWER = 90.0
"""Maximum duration of an answer, in seconds: a language model may stream for a minute."""
TRIES = 3
"""Number of times in a row that a request may be lost before it counts as unanswered."""
RESTART = (0.5, 1.0, 2.0)
"""Waits, in seconds, before new attempts to connect to a server that may be restarting."""
LONGEST_WAIT = 60.0
"""Maximum total time, in seconds, to wait for one request."""
TOO_MANY_REQUESTS = 429
UNCERTAIN = (502, 503)
"""Statuses of refusals after which the server may have carried out the request or a part of it,
such as storing a message before its model turned out to be overloaded."""
PASSING = (TOO_MANY_REQUESTS, *UNCERTAIN)
"""Statuses of refusals that are waited for. The payment that a 402 asks for is not."""


@dataclass
class Patience:
    """The waits for refused requests, and the operations for which waiting did not help."""

    statuses: tuple[int, ...] = PASSING
    """The statuses of refusals that are waited for."""
    _hopeless: set[tuple[str, int]] = field(default_factory=set)

    def wait(self, operation: str, earlier: Waits, refusal: Refusal) -> float | None:
        """Return the seconds to wait before a request is sent again, or None if it is not.

        An operation that is still refused after the longest wait is not waited for again until
        it is answered.
        """
        if refusal.status not in self.statuses:
            self._hopeless -= {(operation, status) for status in self.statuses}
            return None
        key = operation, refusal.status
        if key in self._hopeless:
            return None
        seconds = requested_wait(refusal)
        if seconds is None or earlier.count:
            # A server that refuses again has not named a sufficient time.
            seconds = max(seconds or 0.0, 2.0**earlier.count)
        if earlier.seconds + seconds > LONGEST_WAIT:
            self._hopeless.add(key)
            return None
        earlier.count += 1
        earlier.seconds += seconds
        return seconds


@dataclass
class Waits:
    """The waits for one request so far."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """The parts of an answer that the decision depends on."""

    status: int
    headers: Mapping[str, str]
    """The headers, with names in lower case."""
    content: bytes


def requested_wait(refusal: Refusal) -> float | None:
    """Return the seconds that the server asks to wait, or None.

    The documented property ``retryAfter`` precedes the header ``Retry-After``.
    """
    wait = _documented_wait(refusal.content)
    if wait is None:
        wait = _header_wait(refusal.headers.get("retry-after", "").strip())
    # Avoid overflow: the caller gives up on far shorter waits.
    return None if wait is None else float(min(max(wait, 0), 10**6))


def _documented_wait(content: bytes) -> float | None:
    try:
        document = read_json(content)
    except ValueError:
        return None
    error = document.get("error") if isinstance(document, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    wait = details.get("retryAfter") if isinstance(details, dict) else None
    return wait if isinstance(wait, int | float) and not isinstance(wait, bool) else None


def _header_wait(text: str) -> float | None:
    if text.isascii() and text.isdigit():
        # A longer number is longer than any wait, and may be too long to convert.
        return int(text) if len(text) < 10 else math.inf
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return (moment - datetime.now(UTC)).total_seconds()
    except (OverflowError, ValueError):
        return None
