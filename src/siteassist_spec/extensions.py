"""The extensions of the description: its keys that begin with ``x-``, and their places.

Except for ``x-credential``, the readers of the extensions check the values. See
docs/reference/extensions.md.
"""

from __future__ import annotations

from siteassist_spec.document import Document, Pointer, walk

EXTENSIONS = {
    "x-credential": "schema",
    "x-event-stream": "response",
    "x-page": "response",
    "x-websocket": "response",
}
"""The kind of object that each extension belongs to."""

CREDENTIALS = ("publishableKey", "deviceId", "sessionToken", "secret")
"""The values of ``x-credential``; all but ``deviceId`` are secrets."""

_NAMES = {"properties", "headers", "examples", "schemas", "responses", "parameters", "links"}
"""Keywords whose children have names chosen by the author of the description."""
_VALUES = {"value", "example", "default", "const", "enum"}
"""Keywords whose values are data of the API and not part of the OpenAPI document."""


def check_extensions(document: Document) -> None:
    """Raise `SpecError` for an extension that is unknown, misplaced or has an unknown role.

    Roles are the values of ``x-credential``.
    """
    for pointer, value in walk(document.raw):
        if not pointer or not str(pointer[-1]).startswith("x-"):
            continue
        *parents, key = pointer
        named = bool(parents) and parents[-1] in _NAMES and not _is_name(tuple(parents))
        if named or any(_is_value(tuple(parents[: end + 1])) for end in range(len(parents))):
            continue
        if key not in EXTENSIONS:
            raise document.error(f"unknown extension `{key}`", pointer)
        if not _ON[EXTENSIONS[key]](tuple(parents)):
            raise document.error(f"`{key}` is allowed only on a {EXTENSIONS[key]}", pointer)
        if key == "x-credential" and value not in CREDENTIALS:
            raise document.error(
                f"x-credential must be one of {', '.join(CREDENTIALS)}, got `{value}`", pointer
            )


def _is_name(pointer: Pointer) -> bool:
    """Return whether the last step is a name chosen by the author, and not a keyword."""
    return len(pointer) > 1 and pointer[-2] in _NAMES and not _is_name(pointer[:-1])


def _is_value(pointer: Pointer) -> bool:
    return pointer[-1] in _VALUES and not _is_name(pointer)


def _is_response(pointer: Pointer) -> bool:
    return len(pointer) > 1 and pointer[-2] == "responses" and _is_name(pointer)


def _is_schema(pointer: Pointer) -> bool:
    return "schema" in pointer or pointer[:2] == ("components", "schemas")


_ON = {"response": _is_response, "schema": _is_schema}
