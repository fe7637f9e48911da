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


STREAM_PAYLOADS = [schema_name(schema) for schema in SCHEMAS["StreamPayload"]["oneOf"]]
