"""Where the documents leave a server free, so do the tests: all of it is here.

Each freedom names its entry in ``docs/evidence.md``. Statuses that a server may
choose between are in ``schemathesis.toml``, beside the checks they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.openapi.checks import RejectedPositiveData

PAGING = ("limit", "offset", "size")
NULLABLE = ("offset",)
REFUSALS = (400, 422)


def is_tolerated(failure: Failure, url: str, status: int, altered: frozenset[str] | None) -> bool:
    """Whether the documents leave open what ``failure`` finds fault with.

    ``url`` is what was requested, ``status`` what came, and ``altered`` the
    query parameters that were made invalid on purpose (``None``: something
    other than a query parameter was, or that is not known).
    """
    free = set(_free_parameters(url))
    if isinstance(failure, RejectedPositiveData):
        return bool(free) and status in REFUSALS
    if isinstance(failure, AcceptedNegativeData):
        return altered is not None and bool(altered) and altered <= free
    return False


def _free_parameters(url: str) -> Iterator[str]:
    """Yield the query parameters whose values a server may take or refuse."""
    for name, texts in parse_qs(urlsplit(url).query, keep_blank_values=True).items():
        # O-6: a null offset has no documented spelling on the wire.
        null = name in NULLABLE and texts in (["null"], [""])
        # O-5: a paging value is a "number"; whether 1.5 is one is not stated.
        fraction = name in PAGING and len(texts) == 1 and _is_not_whole(texts[0])
        if null or fraction:
            yield name


def _is_not_whole(text: str) -> bool:
    """Whether ``text`` is a number, but not one in plain digits."""
    try:
        number = float(text)
    except ValueError:
        return False
    return math.isfinite(number) and not (text.isascii() and text.isdigit())


def altered_query(case: Any) -> frozenset[str] | None:
    """Return the query parameters that a generated request got wrong on purpose.

    ``None`` if another part of it is wrong as well, or nothing is known.
    """
    data = None if case.meta is None else case.meta.phase.data
    # Coverage gets one place wrong at a time, fuzzing any number of them.
    places = getattr(data, "mutations", None) or ([data] if data is not None else [])
    if any(place.parameter_location != "query" or not place.parameter for place in places):
        return None
    return frozenset(place.parameter for place in places)
