"""Walk through an OpenAPI 3.1 description and rebuild it, knowing what every node is.

A walk that only looks for keys takes the ``content`` of an example for that of a
response. This one has a table of what is where, and raises on what is not in it:
a construct that ``openapi.yaml`` begins to use has to be thought about, in each
of the transformations, before it can be published.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

__all__ = ["Change", "UnknownConstructError", "place", "rebuild"]

Change: TypeAlias = Callable[[str, dict[str, Any], tuple[str, ...]], Any]
"""Takes the kind of a node, the node with its children rebuilt, and where it was."""

# How a value is rebuilt: as it is, as a node of one kind, or as a list or a map
# of such nodes.
_AS_IS = ""
_KINDS: Mapping[str, Mapping[str, str]] = {
    "OpenAPI": {
        "openapi": _AS_IS,
        "info": "Info",
        "servers": "[Server]",
        "security": _AS_IS,
        "tags": "[Tag]",
        "paths": "{PathItem}",
        "components": "Components",
    },
    "Info": {
        "title": _AS_IS,
        "version": _AS_IS,
        "summary": _AS_IS,
        "description": _AS_IS,
        "contact": _AS_IS,
        "license": "License",
    },
    "License": {"name": _AS_IS, "identifier": _AS_IS},
    "Server": {"url": _AS_IS, "description": _AS_IS},
    "Tag": {"name": _AS_IS, "description": _AS_IS},
    "PathItem": dict.fromkeys(("get", "put", "post", "delete", "patch"), "Operation"),
    "Operation": {
        "operationId": _AS_IS,
        "tags": _AS_IS,
        "summary": _AS_IS,
        "description": _AS_IS,
        "security": _AS_IS,
        "deprecated": _AS_IS,
        "parameters": "[Parameter]",
        "requestBody": "RequestBody",
        "responses": "{Response}",
    },
    "Parameter": {
        "name": _AS_IS,
        "in": _AS_IS,
        "description": _AS_IS,
        "required": _AS_IS,
        "schema": "Schema",
        "examples": "{Example}",
    },
    "RequestBody": {"description": _AS_IS, "required": _AS_IS, "content": "{MediaType}"},
    "Response": {
        "description": _AS_IS,
        "content": "{MediaType}",
        "links": "{Link}",
        # Within it there is no schema and no reference: docs/extensions.md.
        "x-event-stream": _AS_IS,
        "x-page": _AS_IS,
    },
    "MediaType": {"schema": "Schema", "examples": "{Example}"},
    "Example": {"summary": _AS_IS, "description": _AS_IS, "value": _AS_IS},
    "Link": {"operationId": _AS_IS, "parameters": _AS_IS, "description": _AS_IS},
    "Components": {
        "securitySchemes": "{SecurityScheme}",
        "parameters": "{Parameter}",
        "links": "{Link}",
        "responses": "{Response}",
        "schemas": "{Schema}",
        "examples": "{Example}",
    },
    "SecurityScheme": {"type": _AS_IS, "scheme": _AS_IS, "description": _AS_IS},
    "Schema": {
        "x-credential": _AS_IS,
        **dict.fromkeys(
            (
                *("type", "enum", "const", "default", "required", "format", "pattern"),
                *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
                *("title", "description", "deprecated", "contentMediaType"),
            ),
            _AS_IS,
        ),
        "properties": "{Schema}",
        "items": "Schema",
        "additionalProperties": "Schema",
        "anyOf": "[Schema]",
        "oneOf": "[Schema]",
        "allOf": "[Schema]",
        "not": "Schema",
        "contentSchema": "Schema",
    },
    "Reference": {"$ref": _AS_IS},
}


class UnknownConstructError(Exception):
    """The description uses what no transformation knows; the message says what and where."""


def place(path: tuple[str, ...]) -> str:
    """Return ``path`` as a JSON pointer in a fragment, such as ``#/paths/~1search``."""
    return "#" + "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in path)


def rebuild(spec: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """Return a copy of ``spec`` in which every node is what ``change`` made of it.

    Nodes are visited from the leaves up. A ``$ref`` is a node of the kind
    ``Reference``, wherever it stands, and is not followed.

    Raises `UnknownConstructError` for a key that is not in the table above.
    """
    rebuilt: dict[str, Any] = _node("OpenAPI", spec, (), change)
    return rebuilt


def _node(kind: str, node: Any, path: tuple[str, ...], change: Change) -> Any:
    if kind == "Schema" and isinstance(node, bool):
        return node
    if not isinstance(node, Mapping):
        raise UnknownConstructError(f"{place(path)}: a {kind} is a mapping")
    if "$ref" in node:
        kind = "Reference"
    known = _KINDS[kind]
    rebuilt = {}
    for key, value in node.items():
        if key not in known:
            raise UnknownConstructError(f"{place((*path, key))}: no transformation knows {key}")
        rebuilt[key] = _value(known[key], value, (*path, key), change)
    return change(kind, rebuilt, path)


def _value(kind: str, value: Any, path: tuple[str, ...], change: Change) -> Any:
    inner = kind[1:-1]
    if kind == _AS_IS:
        return value
    if kind.startswith("["):
        return [_node(inner, item, (*path, str(index)), change) for index, item in enumerate(value)]
    if kind.startswith("{"):
        return {key: _node(inner, item, (*path, key), change) for key, item in value.items()}
    return _node(kind, value, path, change)
