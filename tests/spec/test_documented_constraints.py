"""``openapi.yaml`` states exactly the documented constraints.

The tables in ``data/`` are a second reading of the documents, written by hand.
The tests put ``openapi.yaml`` into the tables' notation and compare.
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

# A keyword that is missing here states something that the notation cannot say.
SPOKEN = {
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
    "oneOf",
    "pattern",
    "type",
    # No document has it: it names what the value is for, docs/extensions.md.
    "x-credential",
}


def name_of(node: dict[str, Any]) -> str:
    """Take the component's name from a reference."""
    assert set(node) == {"$ref"}
    return str(node["$ref"]).rpartition("/")[2]


def bounds(schema: dict[str, Any], least: str, most: str, unit: str) -> list[str]:
    """Say ``1..10`` if the schema has either bound."""
    if least not in schema and most not in schema:
        return []
    return [f"{schema.get(least, '')}..{schema.get(most, '')}{unit}"]


def what(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> list[str]:
    """Say which types or values a schema allows, one by one."""
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
        return [f"array of {say(schema['items'], resolve)}", *types[1:]]
    if "format" in schema:
        first = f"{first} ({schema['format']})"
    return [first, *types[1:]]


def say(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> str:
    """Put a schema into the notation of the tables."""
    if "$ref" in schema:
        named = resolve(schema)
        if named.get("type") == "object" or "oneOf" in named:
            return name_of(schema)
        return say(named, resolve)
    assert set(schema) - SPOKEN == set()
    if "oneOf" in schema:
        assert set(schema) == {"description", "oneOf"}
        return "one of " + ", ".join(name_of(branch) for branch in schema["oneOf"])
    if "anyOf" in schema:
        assert set(schema) == {"description", "anyOf"}
        return " | ".join(say(branch, resolve) for branch in schema["anyOf"])
    said = [" | ".join(what(schema, resolve))]
    said += bounds(schema, "minimum", "maximum", "")
    said += bounds(schema, "minLength", "maxLength", " characters")
    if "pattern" in schema:
        said.append(f"matching {schema['pattern']}")
    if "not" in schema:
        said.append(f"none of {' | '.join(excluded(schema['not']))}")
    if "contentMediaType" in schema:
        said.append(f"{schema['contentMediaType']} of {name_of(schema['contentSchema'])}")
    if "default" in schema:
        default = schema["default"]
        said.append(f"default {str(default).lower() if default is False else default}")
    return ", ".join(said)


def excluded(schema: dict[str, Any]) -> list[str]:
    """Say which values a ``not`` excludes."""
    if "anyOf" in schema:
        return [value for branch in schema["anyOf"] for value in excluded(branch)]
    (value,) = schema.values()
    return [str(entry) for entry in value] if isinstance(value, list) else [str(value)]


def stated_schema(schema: dict[str, Any], resolve: Callable[[Any], Any]) -> Any:
    """Put a component schema into the notation of the tables."""
    if schema.get("type") != "object":
        return say(schema, resolve)
    keywords = {"type", "description", "required", "properties", "additionalProperties"}
    assert set(schema) - keywords == set()
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    assert set(required) <= set(properties)
    stated: dict[str, Any] = {
        "required": {
            name: say(value, resolve) for name, value in properties.items() if name in required
        },
        "optional": {
            name: say(value, resolve) for name, value in properties.items() if name not in required
        },
    }
    if "additionalProperties" in schema:
        assert schema["additionalProperties"] is True
        stated["others"] = "anything"
    return {key: value for key, value in stated.items() if value}


def stated_parameter(parameter: dict[str, Any], resolve: Callable[[Any], Any]) -> str:
    """Put a parameter into the notation of the tables."""
    known = {"name", "in", "required", "description", "schema", "examples"}
    assert set(parameter) - known == set()
    need = "required" if parameter.get("required", False) else "optional"
    return f"{parameter['in']}, {need}, {say(parameter['schema'], resolve)}"


def stated_operation(operation: dict[str, Any], resolve: Callable[[Any], Any]) -> dict[str, Any]:
    """Put an operation into the notation of the tables."""
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
            if status.startswith("2")
        },
        "errors": [status for status in responses if not status.startswith("2")],
    }


def test_every_operation_is_documented(operations: dict[str, dict[str, Any]]) -> None:
    """The documents and ``openapi.yaml`` have the same operations."""
    assert sorted(operations) == sorted(OPERATIONS["operations"])


def test_every_schema_is_documented(spec: dict[str, Any]) -> None:
    """The table and ``openapi.yaml`` have the same schemas."""
    assert sorted(spec["components"]["schemas"]) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", OPERATIONS["operations"])
def test_an_operation_is_as_documented(
    name: str,
    operations: dict[str, dict[str, Any]],
    resolve: Callable[[Any], Any],
) -> None:
    """Request, credential, parameters, body, answers and errors are the documented ones."""
    documented = dict(OPERATIONS["operations"][name])
    if documented["errors"] == "all":
        documented["errors"] = OPERATIONS["all"]
    assert stated_operation(operations[name], resolve) == documented


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_as_documented(
    name: str,
    spec: dict[str, Any],
    resolve: Callable[[Any], Any],
) -> None:
    """Required fields, types, nullability, bounds, values and defaults are the documented ones."""
    assert stated_schema(spec["components"]["schemas"][name], resolve) == SCHEMAS[name]


def test_every_error_is_the_same_error(spec: dict[str, Any]) -> None:
    """The shared responses are the errors, as JSON, with the one error schema."""
    for response in spec["components"]["responses"].values():
        assert list(response["content"]) == ["application/json"]
        assert name_of(response["content"]["application/json"]["schema"]) == "Error"


def test_the_server_is_as_documented(spec: dict[str, Any]) -> None:
    """The base URL is the documented one, and the bearer token goes where it says."""
    scheme = spec["components"]["securitySchemes"]["bearerAuth"]
    assert [server["url"] for server in spec["servers"]] == ["https://api.siteassist.io/v2"]
    assert {key: scheme[key] for key in scheme if key != "description"} == {
        "type": "http",
        "scheme": "bearer",
    }
