"""Reads JSON that may be anything: every fault of it is a `ValueError`."""

from __future__ import annotations

import json
from typing import Any

from siteassist_contract.tolerance import spelled


def read_json(content: bytes | str) -> Any:
    """Return the value in the documented spelling.

    Raises `ValueError` if it is no JSON, such as `NaN`, or nested too deeply to
    be looked at.
    """
    try:
        return spelled(json.loads(content, parse_constant=_no_number))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
