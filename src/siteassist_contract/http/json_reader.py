"""A reader of untrusted JSON, which raises `ValueError` for every fault."""

from __future__ import annotations

import json
import math
from typing import Any

LAST_INTERACTION = "lastInteractionAt"
MISSPELLED = "lastInterationAt"
"""The older spelling, which a server may still use: C-01."""


def read_json(content: bytes | str) -> Any:
    """Return the value in the documented spelling.

    Raises `ValueError` if it is not JSON (`NaN` is not), nested too deeply, or has a number that
    is too large, such as 1e999.
    """
    try:
        read = json.loads(content, parse_constant=_no_number, parse_float=_finite)
        return spelled(read)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def spelled(value: Any) -> Any:
    """Return an answer's JSON with the documented spelling of `LAST_INTERACTION` throughout."""
    if isinstance(value, dict):
        found = {name: spelled(item) for name, item in value.items()}
        if MISSPELLED in found:
            found.setdefault(LAST_INTERACTION, found[MISSPELLED])
        return found
    return [spelled(item) for item in value] if isinstance(value, list) else value


def shown_value(value: object) -> str:
    """Return a value as JSON, so that the number 0 and the text "0" look different."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return repr(value)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
