"""A reader of untrusted JSON, which raises `ValueError` for every fault."""

from __future__ import annotations

import json
from typing import Any

LAST_INTERACTION = "lastInteractionAt"
MISSPELLED = "lastInterationAt"
"""The older spelling, which a server may still use: C-01."""


def read_json(content: bytes | str) -> Any:
    """Return the value in the documented spelling.

    Raises `ValueError` if it is not JSON (`NaN` is not) or nested too deeply.
    """
    try:
        return spelled(json.loads(content, parse_constant=_no_number))
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
