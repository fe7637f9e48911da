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


def take(fields: dict[str, Any], name: str) -> Any:
    """Remove and return an optional field of a response; `UNSET` if it is absent or null.

    A null stays in ``fields``.
    """
    return fields.pop(name) if fields.get(name) is not None else UNSET


def segment(value: object, name: str) -> str:
    """Return ``value`` as one segment of a path.

    Raises `ValueError` for a value that would address another resource: empty,
    ``.`` or ``..``; and `TypeError` for an object that is not an identifier.
    """
    if value is not None and value is not UNSET and not _is_plain(value):
        raise TypeError(f"{name} must be a string or a UUID, got {type(value).__name__}")
    text = "" if value is None or value is UNSET else str(value)
    if text in {"", ".", ".."}:
        raise ValueError(f"{name} must not be empty, '.' or '..', got {value!r}")
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
    return str(value) if _is_uuid(value) else value


def _is_uuid(value: object) -> bool:
    # Without importing the module, which few programs need.
    return type(value).__name__ == "UUID"


def _is_plain(value: object) -> bool:
    """Return whether the text of a value is the value, and not a description of an object."""
    return isinstance(value, (str, int, float)) or _is_uuid(value)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that are set, as plain JSON values."""
    return {name: jsonable(value) for name, value in fields.items() if value is not UNSET}


def texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Return query or header parameters as text, without those that are unset or None.

    Raises `TypeError` for an object.
    """
    return {
        name: _text(name, value)
        for name, value in fields.items()
        if value is not UNSET and value is not None
    }


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        # `limit` and `offset` are numbers, and many parsers reject 10.0.
        return str(int(value))
    plain = jsonable(value)
    if not _is_plain(plain):
        raise TypeError(f"{name} must be a string or a number, got {type(value).__name__}")
    return str(plain)
