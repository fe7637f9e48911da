"""``openapi.yaml`` states exactly the documented constraints.

The tables in ``data/`` are written by hand from the documents, independently of
``openapi.yaml``. The tests convert ``openapi.yaml`` to the notation of the tables and compare.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = Path(__file__).with_name("data")
OPERATIONS = YAML(typ="safe", pure=True).load(DATA / "documented_operations.yaml")
SCHEMAS = YAML(typ="safe", pure=True).load(DATA / "documented_schemas.yaml")

# The keywords that the notation can express; any other keyword is an error.
EXPRESSIBLE = {
    "$ref",
    "anyOf",
    "const",
    "contentMediaType",
    "contentSchema",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxLength",
    "maximum",
    "minLength",
    "minimum",
    "not",
    "pattern",
    "type",
    # An extension of this description, which no document states: docs/reference/extensions.md.
    "x-credential",
}


def name_of(node: dict[str, Any]) -> str:
    """Return the name of the component that a reference names."""
    assert set(node) == {"$ref"}
    return str(node["$ref"]).rpartition("/")[2]


def bounds(schema: dict[str, Any], least: str, most: str, unit: str) -> list[str]:
    """Return bounds such as ``1..10``, or nothing if the schema has neither."""
    if least not in schema and most not in schema:
        return []
    return [f"{schema.get(least, '')}..{schema.get(most, '')}{unit}"]


def types_or_values(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> list[str]:
    """List the types or values that a schema allows."""
    if "enum" in schema:
        assert schema["type"] == "string"
        return [str(value) for value in schema["enum"]]
    if "const" in schema:
        assert schema["type"] == "string"
        return [f"always {schema['const']}"]
    if "type" not in schema:
        return ["anything"]
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    first = types[0]
    if first == "array":
        return [f"array of {notation(schema['items'], resolve)}", *types[1:]]
    if "format" in schema:
        first = f"{first} ({schema['format']})"
    return [first, *types[1:]]


def is_union(schema: dict[str, Any]) -> bool:
    """Return whether a schema is a union of components, and of nothing else."""
    return "anyOf" in schema and all("$ref" in branch for branch in schema["anyOf"])


def notation(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> str:
    """Convert a schema to the notation of the tables."""
    if "$ref" in schema:
        named = resolve(schema)
        if named.get("type") == "object" or is_union(named):
            return name_of(schema)
        return notation(named, resolve)
    assert set(schema) - EXPRESSIBLE == set()
    if is_union(schema):
        assert set(schema) == {"description", "anyOf"}
        return "one of " + ", ".join(name_of(branch) for branch in schema["anyOf"])
    if "anyOf" in schema:
        assert set(schema) == {"description", "anyOf"}
        return " | ".join(notation(branch, resolve) for branch in schema["anyOf"])
    parts = [" | ".join(types_or_values(schema, resolve))]
    parts += bounds(schema, "minimum", "maximum", "")
    parts += bounds(schema, "minLength", "maxLength", " characters")
    if "pattern" in schema:
        parts.append(f"matching {schema['pattern']}")
    if "not" in schema:
        parts.append(f"none of {' | '.join(excluded(schema['not']))}")
    if "contentMediaType" in schema:
        parts.append(f"{schema['contentMediaType']} of {name_of(schema['contentSchema'])}")
    if "default" in schema:
        default = schema["default"]
        parts.append(f"default {str(default).lower() if default is False else default}")
    return ", ".join(parts)


def excluded(schema: dict[str, Any]) -> list[str]:
    """List the values that a ``not`` excludes."""
    if "anyOf" in schema:
        return [value for branch in schema["anyOf"] for value in excluded(branch)]
    (value,) = schema.values()
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def stated_schema(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> Any:
    """Convert a component schema to the notation of the tables."""
    if schema.get("type") != "object":
        return notation(schema, resolve)
    keywords = {"type", "description", "required", "properties", "additionalProperties"}
    assert set(schema) - keywords == set()
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    assert set(required) <= set(properties)
    stated: dict[str, Any] = {
        "required": {
            name: notation(value, resolve) for name, value in properties.items() if name in required
        },
        "optional": {
            name: notation(value, resolve)
            for name, value in properties.items()
            if name not in required
        },
    }
    if "additionalProperties" in schema:
        assert schema["additionalProperties"] is True
        stated["others"] = "anything"
    return {key: value for key, value in stated.items() if value}


def stated_parameter(parameter: dict[str, Any], resolve: Callable[[Any], Any]) -> str:
    """Convert a parameter to the notation of the tables."""
    known = {"name", "in", "required", "description", "schema", "examples"}
    assert set(parameter) - known == set()
    need = "required" if parameter.get("required", False) else "optional"
    return f"{parameter['in']}, {need}, {notation(parameter['schema'], resolve)}"


def stated_operation(operation: dict[str, Any], resolve: Callable[[Any], Any]) -> dict[str, Any]:
    """Convert an operation to the notation of the tables."""
    parameters = [resolve(parameter) for parameter in operation.get("parameters", [])]
    body = None
    if "requestBody" in operation:
        request = operation["requestBody"]
        assert list(request["content"]) == ["application/json"]
        need = "required" if request.get("required", False) else "optional"
        body = f"{need} {name_of(request['content']['application/json']['schema'])}"
    responses = {status: resolve(value) for status, value in operation["responses"].items()}
    return {
        "request": f"{operation['method'].upper()} {operation['path']}",
        "bearer": operation["security"] != [],
        "parameters": {entry["name"]: stated_parameter(entry, resolve) for entry in parameters},
        "body": body,
        "success": {
            status: {
                media_type: name_of(content["schema"])
                for media_type, content in response.get("content", {}).items()
            }
            for status, response in responses.items()
            if status.startswith(("1", "2"))
        },
        "errors": [status for status in responses if not status.startswith(("1", "2"))],
    }


def test_every_operation_is_documented(operations: dict[str, dict[str, Any]]) -> None:
    """The table and ``openapi.yaml`` have the same operations."""
    assert sorted(operations) == sorted(OPERATIONS["operations"])


def test_every_schema_is_documented(spec: dict[str, Any]) -> None:
    """The table and ``openapi.yaml`` have the same schemas."""
    assert sorted(spec["components"]["schemas"]) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", OPERATIONS["operations"])
def test_operation_is_as_documented(
    name: str,
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
) -> None:
    """The request, credential, parameters, body, responses and errors are as documented."""
    documented = dict(OPERATIONS["operations"][name])
    if documented["errors"] == "all":
        documented["errors"] = OPERATIONS["all"]
    assert stated_operation(operations[name], resolve) == documented


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_is_as_documented(
    name: str,
    spec: dict[str, Any],
    resolve: Callable[[Any], Any],
) -> None:
    """Required fields, types, nullability, bounds, values and defaults are as documented."""
    assert stated_schema(spec["components"]["schemas"][name], resolve) == SCHEMAS[name]


def test_shared_responses_use_the_error_schema(spec: dict[str, Any]) -> None:
    """Each shared response is JSON with the schema ``Error``."""
    for response in spec["components"]["responses"].values():
        assert list(response["content"]) == ["application/json"]
        assert name_of(response["content"]["application/json"]["schema"]) == "Error"


def test_server_and_credential_are_as_documented(spec: dict[str, Any]) -> None:
    """The base URL is the documented one, and the credential is a bearer token."""
    scheme = spec["components"]["securitySchemes"]["bearerAuth"]
    assert [server["url"] for server in spec["servers"]] == ["https://api.siteassist.io/v2"]
    assert {key: scheme[key] for key in scheme if key != "description"} == {
        "type": "http",
        "scheme": "bearer",
    }
