"""Serialization of Python values to path segments, queries and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from urllib.parse import quote

from siteassist_runtime.unset import UNSET

if TYPE_CHECKING:
    import httpx


@runtime_checkable
class _Model(Protocol):
    def to_dict(self) -> dict[str, Any]: ...


def segment(value: object, name: str) -> str:
    """Return ``value`` as one segment of a path.

    Raises `ValueError` for a value that would address another resource: empty,
    ``.`` or ``..``.
    """
    text = "" if value is None or value is UNSET else str(value)
    if text in {"", ".", ".."}:
        raise ValueError(f"{name} must not be empty, '.' or '..', got {text!r}")
    return quote(text, safe="")


def text_of(response: httpx.Response) -> str:
    """Return the body as text, as UTF-8 if its charset is unknown."""
    try:
        return response.text
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError):
        return response.content.decode("utf-8", "replace")


def jsonable(value: Any) -> Any:
    """Return ``value`` with models, enums, identifiers and times as plain JSON values."""
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {key: jsonable(item) for key, item in value.items() if item is not UNSET}
    if isinstance(value, (list, tuple)):
        return [jsonable(item) for item in value]
    return value.to_dict() if isinstance(value, _Model) else _text_of(value)


def _text_of(value: Any) -> Any:
    if hasattr(value, "isoformat"):
        return value.isoformat()
    # json.dumps rejects all other values.
    return str(value) if type(value).__name__ == "UUID" else value


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are set, as plain JSON values."""
    return {name: jsonable(value) for name, value in fields.items() if value is not UNSET}


def texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return query or header parameters as text, without those that are unset or None."""
    return {
        name: _text(value)
        for name, value in fields.items()
        if value is not UNSET and value is not None
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        # `limit` and `offset` are numbers, and many parsers reject 10.0.
        return str(int(value))
    return str(jsonable(value))
