"""The description, as the tests of the generated client compare with it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from siteassist_spec import read_operations
from tests.description import DOCUMENT, SPEC

SCHEMAS = SPEC["components"]["schemas"]
OPERATIONS = tuple(read_operations(DOCUMENT).values())
CLASS_NAMES = {"Error": "ErrorResponse"}
"""The schemas whose class has another name."""

each_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.operation_id)


def snake_case(name: str) -> str:
    """Spell ``someName`` as ``some_name``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def schema_name(schema: Any) -> str:
    """Return the name of the schema that a ``$ref`` refers to."""
    return str(schema["$ref"].rpartition("/")[2])


STREAM_PAYLOADS = [schema_name(schema) for schema in SCHEMAS["StreamPayload"]["anyOf"]]


PROTOCOL = {"finishReason": "stop", "inputEncoding": "json", "sourceType": "url"}
"""Values of the fields for which the protocol lists values."""


def value_of(schema: Any) -> Any:
    """Return a value that a schema allows, with every property."""
    named = DOCUMENT.resolve(schema)
    if "const" in named:
        return named["const"]
    if "anyOf" in named:
        return value_of(named["anyOf"][0])
    match named.get("type"):
        case "object":
            found = {
                name: PROTOCOL.get(name) or value_of(field)
                for name, field in named.get("properties", {}).items()
            }
            return found | ({"some": {"key": ["value"]}} if "additionalProperties" in named else {})
        case "array":
            return [value_of(named["items"])]
        case "string":
            return named.get("pattern", "^words").removeprefix("^") + "x"
        case "boolean":
            return True
        case "integer":
            return 1
        case None:
            return {"any": ["thing", None]}
        case kind:
            raise AssertionError(kind)


*_KNOWN, OTHER_EVENT = STREAM_PAYLOADS
EVENTS = {name: value_of(SCHEMAS[name]) for name in _KNOWN}
"""An event of each type, with every field."""
