"""A strict JSON parser, without the extensions of Python (RFC 8259)."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 100
"""The greatest depth of nested objects and arrays.

Documented bodies need at most three levels. The limit protects recursive functions
from hostile values.
"""


def parse_json(raw: bytes, *, halves: bool = False) -> Any:
    """Parse ``raw`` and return its value.

    ``halves`` allows unpaired surrogates, which are valid in JSON (RFC 8259, 8.2).

    Raises `ValueError` with a reason for the client: not UTF-8, not JSON, a
    duplicated name in an object, a number beyond a double, an unpaired surrogate,
    or nesting deeper than `MAX_DEPTH`.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 at byte {error.start}") from None
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    # Both checks visit the whole value, so they are skipped where the text shows
    # that they cannot fail.
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError(_TOO_DEEP)
    if not halves and b"\\u" in raw:
        _refuse_surrogates(value)
    return value


_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("has a name twice in one object")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"is not JSON: it has no {name}")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("has a number that is out of range")
    return value


def _whole(text: str) -> int:
    # First check the range: Python refuses to convert very long integers.
    _finite(text)
    return int(text)


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [
            child for item in level for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def _refuse_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("has half of a surrogate pair") from None


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_float=_finite,
    parse_int=_whole,
)
