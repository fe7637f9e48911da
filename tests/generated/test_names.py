"""One name per operation: the client's modules are called what the description calls them."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

import siteassist.models
from siteassist_spec import METHODS, load_spec

OPERATIONS = [
    operation
    for item in load_spec()["paths"].values()
    for method, operation in item.items()
    if method in METHODS
]
SCHEMAS = load_spec()["components"]["schemas"]


def snake(name: str) -> str:
    """Spell ``someName`` as ``some_name``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_operation_has_a_module_of_its_name(operation: dict[str, Any]) -> None:
    """Each operation can be called in four ways, under its own name and tag."""
    tag = operation["tags"][0].lower()
    module = importlib.import_module(f"siteassist.api.{tag}.{snake(operation['operationId'])}")
    functions = {name for name, _ in inspect.getmembers(module, inspect.isfunction)}
    assert {"sync", "sync_detailed", "asyncio", "asyncio_detailed"} <= functions
    assert operation["summary"] in inspect.getdoc(module.sync_detailed).splitlines()[0]  # type: ignore[union-attr]  # it has one


def test_models_are_the_named_schemas() -> None:
    """No class has a made-up name such as ``Type2Type1``."""
    renamed = {"ErrorResponse": "Error"}
    expected = {
        name
        for name, schema in SCHEMAS.items()
        if "enum" in schema or schema.get("type") == "object"
    }
    assert expected == {renamed.get(name, name) for name in siteassist.models.__all__}
