"""The times in answers, compared with the clock of the server that sent them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

from siteassist_contract.checks.behaviour.model import moment
from siteassist_contract.description import forms, is_time, operations
from siteassist_contract.http.recorder import Exchange
from siteassist_spec import JSON, Json, Operation

TOLERANCE = timedelta(minutes=1)
"""The most by which the clocks of the parts of a server may differ."""


def faults(exchange: Exchange) -> list[str] | None:
    """Return the times in an answer that are ahead of its ``Date``.

    Returns None if there is nothing to compare: no date, or no time with an offset.
    """
    date = date_of(exchange)
    times = [(name, time, moment_of(time)) for name, time in times_of(exchange)]
    known = [(name, time, read) for name, time, read in times if read is not None]
    if date is None or not known:
        return None
    return [
        f"`{name}` {time} at {exchange.headers['date']}"
        for name, time, read in known
        if read - date > TOLERANCE
    ]


def is_now(time: object, exchange: Exchange) -> bool | None:
    """Whether a time is that of an exchange; None if they cannot be compared."""
    date, read = date_of(exchange), moment_of(time)
    if date is None or read is None:
        return None
    earliest = -TOLERANCE - timedelta(seconds=exchange.seconds)
    return earliest <= read - date <= TOLERANCE


def date_of(exchange: Exchange) -> datetime | None:
    """Return the time of an answer by the server's clock, or None."""
    try:
        date = parsedate_to_datetime(exchange.headers.get("date", ""))
    except (OverflowError, ValueError):
        return None
    return date if date.tzinfo else None


def moment_of(time: object) -> datetime | None:
    """Parse a time; return None if it is not ISO 8601 or has no offset: O-7."""
    text = str(time)
    has_offset = text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]
    return moment(time) if has_offset else None


def times_of(exchange: Exchange) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each described time in the JSON of an answer."""
    response = operations()[exchange.operation].responses.get(exchange.status)
    media = None if response is None else response.media.get(JSON)
    if media is not None:
        yield from _times(media.schema, exchange.json)


@cache
def shows_times(name: str) -> bool:
    """Whether an answer of an operation has a time."""
    operation = operations()[name]
    media = [response.media.get(JSON) for response in operation.successes]
    return any(_has_time(each.schema, frozenset()) for each in media if each is not None)


def has_times(operation: Operation) -> bool:
    """Whether an answer of ``operation`` has a time."""
    return shows_times(operation.operation_id)


def _times(schema: Json, value: Any) -> Iterator[tuple[str, str]]:
    for form in forms(schema):
        if isinstance(value, list) and "items" in form:
            for item in value:
                yield from _times(form["items"], item)
        if isinstance(value, Mapping):
            for name, described in form.get("properties", {}).items():
                inner = value.get(name)
                if is_time(name) and isinstance(inner, str):
                    yield name, inner
                elif isinstance(inner, list | Mapping):
                    yield from _times(described, inner)


def _has_time(schema: Json, above: frozenset[str]) -> bool:
    reference = str(schema.get("$ref", ""))
    if reference in above:
        return False
    above = above | {reference} if reference else above
    return any(
        any(
            is_time(name) or _has_time(each, above)
            for name, each in form.get("properties", {}).items()
        )
        or ("items" in form and _has_time(form["items"], above))
        for form in forms(schema)
    )
