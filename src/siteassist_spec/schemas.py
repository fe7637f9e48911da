"""Compiled validators for schemas of the description, and complaints that can be read."""

from __future__ import annotations

from collections.abc import Iterator

import jsonschema_rs

from siteassist_spec.document import Document, Json

__all__ = ["Validator", "compile_schema", "complaints"]

Validator = jsonschema_rs.Draft202012Validator

_SHOWN = 200
"""Number of characters of a complaint that are shown."""


def compile_schema(document: Document, schema: Json) -> Validator:
    """Compile a schema whose references lead into the document; formats are checked."""
    # The keyword beside a reference would not do: some validators stop at one.
    whole = {"allOf": [schema], "components": document.raw.get("components", {})}
    return Validator(whole, validate_formats=True)


def complaints(validator: Validator, value: object) -> Iterator[str]:
    """Yield a sentence for each place of ``value`` that does not fit."""
    try:
        errors = [(error.instance_path, error.message) for error in validator.iter_errors(value)]
    except (RecursionError, UnicodeError, ValueError) as error:
        yield f"cannot be compared with its schema: {error}"
        return
    for path, message in errors:
        place = "/".join(str(step) for step in path)
        half = _SHOWN // 2
        short = message if len(message) <= _SHOWN else f"{message[:half]} … {message[-half:]}"
        yield f"`{place}`: {short}" if place else short
