"""Rules on the bodies of errors beyond their schema: words, a fitting code, a time to wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from siteassist_contract.description import operations
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import Exchange
from siteassist_spec import JSON

_ALIKE = ((400, 409, 422), (502, 503, 504))
"""Statuses that a server may choose between, so that their codes are interchangeable: O-2, C-15."""
_NO_WORDS = frozenset({"[object Object]", "undefined", "null", "None", "nil"})
"""Texts that languages make of values that were not meant to be shown."""
_FIRST_ERROR = 400


def faults(exchange: Exchange) -> list[str]:
    """Return the faults in the body of an error; a body of another form has none."""
    error = exchange.document.get("error")
    return list(_faults(exchange.status, error)) if isinstance(error, Mapping) else []


def _faults(status: int, error: Mapping[str, Any]) -> Iterator[str]:
    message, code, details = (error.get(name) for name in ("message", "code", "details"))
    if isinstance(message, str) and not message.strip():
        yield "`message` is blank"
    if isinstance(message, str) and message in _NO_WORDS:
        yield f"`message` is {message}"
    if isinstance(code, str) and not code.strip():
        yield "`code` is blank"
    due = _statuses().get(code, frozenset()) if isinstance(code, str) else frozenset[int]()
    if due and not any(_is_alike(status, each) for each in due):
        yield f"`code` is {code}, which is that of {' or '.join(map(str, sorted(due)))}"
    if isinstance(details, Mapping):
        wait = details.get("retryAfter")
        number = isinstance(wait, int | float) and not isinstance(wait, bool) and wait >= 0
        if wait is not None and not number:
            yield f"`details.retryAfter` is {shown_value(wait)}, not a number of seconds"


def _is_alike(one: int, other: int) -> bool:
    return one == other or any(one in group and other in group for group in _ALIKE)


@cache
def _statuses() -> Mapping[str, frozenset[int]]:
    """Return the statuses of each code: those of the examples, and the names of HTTP."""
    found: dict[str, set[int]] = {
        status.name: {status.value} for status in HTTPStatus if status >= _FIRST_ERROR
    }
    for operation in operations().values():
        for status, response in operation.responses.items():
            examples = response.media[JSON].examples.values() if JSON in response.media else ()
            for example in examples:
                code = example.get("error", {}).get("code") if status >= _FIRST_ERROR else None
                if code is not None:
                    found.setdefault(code, set()).add(status)
    return {code: frozenset(statuses) for code, statuses in found.items()}
