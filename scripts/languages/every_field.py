"""Write a TypeScript program that uses every operation and every field.

    python -m scripts.languages.every_field PROGRAM

The program imports the types that openapi-typescript generates from the same `openapi.yaml` into
`./types`. It compiles only if each operation, parameter, response, schema and field exists and has
exactly the type of the description, and if there are no additional fields or statuses. The examples
must match the types as well.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from siteassist_spec import (
    JSON,
    Body,
    Document,
    Json,
    Media,
    Operation,
    read_operations,
    read_websockets,
)

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


def program(document: Document) -> str:
    """Return the program for a description."""
    lines = [HEAD]
    for name, schema in document.raw["components"]["schemas"].items():
        lines += _schema(name, schema, document)
    operations = read_operations(document) | read_websockets(document)
    for operation in operations.values():
        lines += _operation(operation, document)
    return "\n".join(lines) + "\n"


def type_of(schema: Json, document: Document) -> str:
    """Return the TypeScript type of the values that ``schema`` describes."""
    kind = schema.get("type")
    name = document.component(schema)
    if name:
        types = [f"Schemas[{_text(name)}]"]
    elif "const" in schema or "enum" in schema:
        types = [_text(value) for value in schema.get("enum", [schema.get("const")])]
    elif "anyOf" in schema or "oneOf" in schema:
        choices = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        types = [type_of(choice, document) for choice in choices]
    elif kind == "array":
        types = [f"({type_of(schema['items'], document)})[]"]
    elif kind == "object":
        types = ["{ [key: string]: unknown }"]
    else:
        kinds = kind if isinstance(kind, list) else [kind]
        types = [SCALARS[name] if name else "unknown" for name in kinds]
    return " | ".join(types)


def _schema(name: str, schema: Json, document: Document) -> Iterator[str]:
    """Yield the statements about a named schema."""
    own = f"Schemas[{_text(name)}]"
    properties = schema.get("properties")
    if properties is None:
        yield f"same<{own}, {type_of(schema, document)}>(true);"
        return
    yield f"same<keyof {own}, {' | '.join(map(_text, properties))}>(true);"
    yield f"export function touch{name}(value: {own}): void {{"
    for field, described in properties.items():
        absent = "" if field in schema.get("required", []) else " | undefined"
        yield f"  same<typeof value.{field}, {type_of(described, document)}{absent}>(true);"
    yield "}"


def _operation(operation: Operation, document: Document) -> Iterator[str]:
    """Yield the statements about an operation."""
    own = f"operations[{_text(operation.operation_id)}]"
    method = _text(operation.method.lower())
    yield f"same<paths[{_text(operation.path)}][{method}], {own}>(true);"
    for parameter in operation.parameters:
        absent = "" if parameter.required else " | undefined"
        place = f'NonNullable<{own}["parameters"][{_text(parameter.place)}]>'
        held = f"{place}[{_text(parameter.name)}]"
        yield f"same<{held}, {type_of(parameter.schema, document)}{absent}>(true);"
    sent = f'{own}["requestBody"]'
    if operation.body:
        yield from _content(f"NonNullable<{sent}>", {JSON: operation.body}, document)
    else:
        yield f"same<{sent}, undefined>(true);"
    statuses = " | ".join(str(status) for status in operation.responses)
    yield f'same<keyof {own}["responses"], {statuses}>(true);'
    for status, response in operation.responses.items():
        yield from _content(f'{own}["responses"][{status}]', response.media, document)


def _content(own: str, media: Mapping[str, Body | Media], document: Document) -> Iterator[str]:
    """Yield the statements about the content of a request or a response and its examples."""
    if not media:
        yield f'same<{own}["content"], undefined>(true);'
    for name, content in media.items():
        held = f'{own}["content"][{_text(name)}]'
        yield f"same<{held}, {type_of(content.schema, document)}>(true);"
        for value in content.examples.values():
            yield f"({_text(value)}) satisfies {held};"


def _text(value: Any) -> str:
    """Format ``value`` as a TypeScript literal."""
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(program(Document.load()), encoding="utf-8")
