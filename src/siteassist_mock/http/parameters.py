"""Parser of query strings, and conversion of parameters to their declared types.

The notation of null in a query is not documented. Where the schema allows null,
both common notations are accepted: the word ``null`` and the empty value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Set as AbstractSet
from urllib.parse import parse_qsl

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def parse_query(raw: bytes) -> dict[str, list[str]]:
    """Return all values of the query string ``raw``, by name.

    Raises `ValueError` if it is not UTF-8.
    """
    values: dict[str, list[str]] = {}
    if raw:
        pairs = parse_qsl(raw.decode("utf-8"), keep_blank_values=True, errors="strict")
        for name, value in pairs:
            values.setdefault(name, []).append(value)
    return values


def coerce(text: str, types: AbstractSet[str]) -> str | float | bool | None:
    """Convert ``text`` to one of the JSON ``types``.

    If it matches none of them it is returned unchanged, and the schema refuses it.
    A number must fit a double, beyond which JSON numbers are not portable
    (RFC 8259, 6). Raises `ValueError` with a reason for any other number.
    """
    if "null" in types and text in {"null", ""}:
        return None
    if "boolean" in types and text in _BOOLEANS:
        return _BOOLEANS[text]
    if types & {"integer", "number"} and _NUMBER.fullmatch(text):
        return _number(text)
    return text


def _number(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("is out of range")
    if not value.is_integer():
        return value
    # A double loses digits of a long integer, so convert the text directly.
    return int(text) if text.lstrip("-").isdecimal() else int(value)
