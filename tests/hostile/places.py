"""The places: which requests of a run a mode answers.

The contract tests are seen from outside only. Their first requests look whether there is a
server, and open a session; `AFTER` leaves room for them. Made-up requests come from
schemathesis, which names itself in ``User-Agent`` and in headers of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.hostile.exchange import Request

AFTER = 25
"""The number of requests that are answered correctly at the place ``later``."""


@dataclass(frozen=True, slots=True)
class Place:
    """A choice of requests."""

    name: str
    sentence: str
    includes: Callable[[Request], bool]


PLACES = {
    place.name: place
    for place in (
        Place("first", "From the first request.", lambda _: True),
        Place(
            "later",
            f"After the preflight: from request {AFTER + 1}.",
            lambda request: request.number > AFTER,
        ),
        Place("messages", "Only messages to the assistant.", lambda request: request.is_message),
        Place("made-up", "Only made-up requests.", lambda request: request.is_made_up),
        Place("streams", "Only event streams.", lambda request: request.is_stream),
    )
}
