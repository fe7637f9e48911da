"""The generated modules and models have the names that the description gives them."""

from __future__ import annotations

import importlib
import inspect

import siteassist.models
from siteassist_spec import Operation
from tests.generated.description import CLASS_NAMES, SCHEMAS, each_operation, snake_case


@each_operation
def test_operation_has_a_module_of_its_name(operation: Operation) -> None:
    """The module of each operation, in the package of its tag, has the four functions."""
    name = f"siteassist.api.{operation.tag.lower()}.{snake_case(operation.operation_id)}"
    module = importlib.import_module(name)
    functions = {name for name, _ in inspect.getmembers(module, inspect.isfunction)}
    assert {"sync", "sync_detailed", "asyncio", "asyncio_detailed"} <= functions
    assert operation.summary
    assert operation.summary in (inspect.getdoc(module.sync_detailed) or "").splitlines()[0]


def test_models_are_the_named_schemas() -> None:
    """Each model is a named schema, so no class has a made-up name such as ``Type2Type1``."""
    expected = {
        CLASS_NAMES.get(name, name)
        for name, schema in SCHEMAS.items()
        if "enum" in schema or schema.get("type") == "object"
    }
    assert expected == set(siteassist.models.__all__)
