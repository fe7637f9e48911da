"""Write a TypeScript program that touches every operation and every field.

    python -m scripts.languages.every_field PROGRAM

It imports what openapi-typescript makes of the same `openapi.yaml` from `./types`, beside it. It
compiles only if each operation, parameter, answer, schema and field is there, has exactly the type
that the description gives it, and has no neighbour that the description does not know. The
examples must have the types, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.languages.descriptions import METHODS
from siteassist_spec import load_spec

HEAD = """\
// Written by scripts/languages/every_field.py from openapi.yaml.
import type { components, operations, paths } from "./types";

type Schemas = components["schemas"];
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(is: Same<A, B>): void;
"""
SCALARS = {
    "string": "string",
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "null": "null",
}


def program(description: dict[str, Any]) -> str:
    """Return the program for ``description``."""
    lines = [HEAD]
    for name, schema in description["components"]["schemas"].items():
        lines += _schema(name, schema)
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                lines += _operation(path, method, item[method], description)
    return "\n".join(lines) + "\n"


def type_of(schema: dict[str, Any]) -> str:
    """Return the TypeScript type of what ``schema`` describes."""
    kind = schema.get("type")
    if "$ref" in schema:
        types = [f"Schemas[{_text(schema['$ref'].rpartition('/')[2])}]"]
    elif "const" in schema or "enum" in schema:
        types = [_text(value) for value in schema.get("enum", [schema.get("const")])]
    elif "anyOf" in schema or "oneOf" in schema:
        choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        types = [type_of(choice) for choice in choices]
    elif kind == "array":
        types = [f"({type_of(schema['items'])})[]"]
    elif kind == "object":
        types = ["{ [key: string]: unknown }"]
    else:
        kinds = kind if isinstance(kind, list) else [kind]
        types = [SCALARS[name] if name else "unknown" for name in kinds]
    return " | ".join(types)


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield what is to be said of a named schema."""
    own = f"Schemas[{_text(name)}]"
    properties = schema.get("properties")
    if properties is None:
        yield f"same<{own}, {type_of(schema)}>(true);"
        return
    yield f"same<keyof {own}, {' | '.join(map(_text, properties))}>(true);"
    yield f"export function touch{name}(value: {own}): void {{"
    for field, described in properties.items():
        absent = "" if field in schema.get("required", []) else " | undefined"
        yield f"  same<typeof value.{field}, {type_of(described)}{absent}>(true);"
    yield "}"


def _operation(
    path: str, method: str, operation: dict[str, Any], description: dict[str, Any]
) -> Iterator[str]:
    """Yield what is to be said of an operation."""
    own = f"operations[{_text(operation['operationId'])}]"
    yield f"same<paths[{_text(path)}][{_text(method)}], {own}>(true);"
    for reference in operation.get("parameters", []):
        parameter = _resolved(reference, description)
        absent = "" if parameter.get("required") else " | undefined"
        place = f'NonNullable<{own}["parameters"][{_text(parameter["in"])}]>'
        held = f"{place}[{_text(parameter['name'])}]"
        yield f"same<{held}, {type_of(parameter['schema'])}{absent}>(true);"
    body = operation.get("requestBody")
    if body:
        yield from _content(f'NonNullable<{own}["requestBody"]>', body, description)
    statuses = " | ".join(operation["responses"])
    yield f'same<keyof {own}["responses"], {statuses}>(true);'
    for status, reference in operation["responses"].items():
        response = _resolved(reference, description)
        yield from _content(f'{own}["responses"][{status}]', response, description)


def _content(own: str, holder: dict[str, Any], description: dict[str, Any]) -> Iterator[str]:
    """Yield what is to be said of a request's or an answer's media types, and their examples."""
    for media, content in holder["content"].items():
        held = f'{own}["content"][{_text(media)}]'
        yield f"same<{held}, {type_of(content['schema'])}>(true);"
        for reference in content.get("examples", {}).values():
            value = _resolved(reference, description)["value"]
            yield f"({_text(value)}) satisfies {held};"


def _resolved(node: dict[str, Any], description: dict[str, Any]) -> dict[str, Any]:
    """Return what ``node`` refers to, if it refers to anything."""
    if "$ref" not in node:
        return node
    found: Any = description
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    return dict(found)


def _text(value: Any) -> str:
    """Return ``value`` as TypeScript writes it."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(program(load_spec()), encoding="utf-8")
