"""Compiled validators for schemas of the description, with readable error messages."""

from __future__ import annotations

from collections.abc import Iterator

import jsonschema_rs

from siteassist_spec.document import Document, Json

Validator = jsonschema_rs.Draft202012Validator

_SHOWN = 200
"""The maximum number of characters of an error message."""


def compile_schema(document: Document, schema: Json, *, formats: bool = True) -> Validator:
    """Compile a schema whose references point into the document, by default with its formats."""
    # `components` must not stand beside a `$ref`: some validators ignore such keywords.
    whole = {"allOf": [schema], "components": document.raw.get("components", {})}
    return Validator(whole, validate_formats=formats)


def accepts(validator: Validator, value: object) -> bool:
    """Whether a value follows the schema; one that cannot be validated does not."""
    return next(complaints(validator, value), None) is None


def complaints(validator: Validator, value: object) -> Iterator[str]:
    """Yield an error message for each violation of the schema by ``value``."""
    try:
        errors = [(error.instance_path, error.message) for error in validator.iter_errors(value)]
    except (RecursionError, UnicodeError, ValueError) as error:
        yield f"cannot be validated: {error}"
        return
    for path, message in errors:
        place = "/".join(str(step) for step in path)
        half = _SHOWN // 2
        short = message if len(message) <= _SHOWN else f"{message[:half]} … {message[-half:]}"
        yield f"`{place}`: {short}" if place else short
