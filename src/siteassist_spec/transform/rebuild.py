"""Rebuilding of a description, node by node, with the kind of each node known.

A search for keys alone would confuse the ``content`` of an example with that of a
response. Therefore, a table lists the keys of each kind, and any other key is an error.
If ``openapi.yaml`` uses a new construct, it cannot be published until each converter
supports it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from siteassist_spec.document import Document, Pointer, SpecError
from siteassist_spec.operations import METHODS

Change: TypeAlias = Callable[[str, dict[str, Any], Pointer], Any]
"""A function of the kind of a node, the node with rebuilt children, and its pointer.

It returns the new node.
"""

# The kind of each value: unchanged (`_AS_IS`), a node of a kind, a list of such nodes
# in brackets, or a map of such nodes in braces.
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
    "License": {"name": _AS_IS, "identifier": _AS_IS, "url": _AS_IS},
    "Server": {"url": _AS_IS, "description": _AS_IS},
    "Tag": {"name": _AS_IS, "description": _AS_IS},
    "PathItem": {
        "summary": _AS_IS,
        "description": _AS_IS,
        "parameters": "[Parameter]",
        **dict.fromkeys(METHODS, "Operation"),
    },
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
        "deprecated": _AS_IS,
        "schema": "Schema",
        "examples": "{Example}",
    },
    "RequestBody": {"description": _AS_IS, "required": _AS_IS, "content": "{MediaType}"},
    "Response": {
        "description": _AS_IS,
        "headers": "{Header}",
        "content": "{MediaType}",
        "links": "{Link}",
        # They contain neither schemas nor references: see docs/reference/extensions.md.
        "x-event-stream": _AS_IS,
        "x-page": _AS_IS,
        "x-websocket": "WebSocket",
    },
    "WebSocket": {
        "messages": "Schema",
        "ping": "Schema",
        "pong": "Schema",
        **dict.fromkeys(("pingInterval", "idleLimit", "firstDelay", "longestDelay"), _AS_IS),
        "missed": _AS_IS,
    },
    "Header": {
        "description": _AS_IS,
        "required": _AS_IS,
        "schema": "Schema",
        "examples": "{Example}",
    },
    "MediaType": {"schema": "Schema", "examples": "{Example}"},
    "Example": {"summary": _AS_IS, "description": _AS_IS, "value": _AS_IS},
    "Link": {"operationId": _AS_IS, "parameters": _AS_IS, "description": _AS_IS},
    "Components": {
        "securitySchemes": "{SecurityScheme}",
        "parameters": "{Parameter}",
        "headers": "{Header}",
        "requestBodies": "{RequestBody}",
        "links": "{Link}",
        "responses": "{Response}",
        "schemas": "{Schema}",
        "examples": "{Example}",
    },
    "SecurityScheme": {"type": _AS_IS, "scheme": _AS_IS, "description": _AS_IS},
    "Schema": {
        **dict.fromkeys(
            (
                *("type", "enum", "const", "default", "required", "format", "pattern"),
                *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
                *("title", "description", "deprecated", "contentMediaType"),
            ),
            _AS_IS,
        ),
        "x-credential": _AS_IS,
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
_ONLY_IN_3_0: Mapping[str, Mapping[str, str]] = {"Schema": {"nullable": _AS_IS}}


class UnknownConstructError(SpecError):
    """The description uses an unsupported construct. The message states it and its place."""

    @classmethod
    def at(cls, document: Document, problem: str, pointer: Pointer) -> UnknownConstructError:
        """Return the error for the node at ``pointer``."""
        return cls(f"{document.place(pointer)}: {problem}")


def rebuild(
    document: Document, change: Change | None = None, *, follow: bool = False
) -> dict[str, Any]:
    """Return a copy of the description in which ``change`` has replaced every node.

    Children are replaced before their parents. A node with a ``$ref`` has the kind
    ``Reference`` everywhere; with ``follow``, it is replaced by its target first.

    Raises `UnknownConstructError` for a key that is not in the table of kinds and, with
    ``follow``, for a reference to a node that contains it.
    """
    return _Rebuilding(document, change, follow=follow).whole()


class _Rebuilding:
    def __init__(self, document: Document, change: Change | None, *, follow: bool) -> None:
        self._document = document
        self._change = change
        self._follow = follow
        self._passed: list[str] = []
        """The references that enclose the current node, outermost first."""
        older = str(document.raw.get("openapi", "")).startswith("3.0")
        self._more = _ONLY_IN_3_0 if older else {}

    def whole(self) -> dict[str, Any]:
        rebuilt: dict[str, Any] = self._node("OpenAPI", self._document.raw, ())
        return rebuilt

    def _node(self, kind: str, node: Any, path: Pointer) -> Any:
        if kind == "Schema" and isinstance(node, bool):
            return node
        if not isinstance(node, Mapping):
            raise UnknownConstructError.at(self._document, f"a {kind} must be a mapping", path)
        if "$ref" in node:
            if self._follow:
                return self._target(kind, node, path)
            kind = "Reference"
        known = {**_KINDS[kind], **self._more.get(kind, {})}
        rebuilt = {}
        for key, value in node.items():
            if key not in known:
                problem = f"`{key}` is not supported in a {kind}"
                raise UnknownConstructError.at(self._document, problem, (*path, key))
            rebuilt[key] = self._value(known[key], value, (*path, key))
        return self._change(kind, rebuilt, path) if self._change else rebuilt

    def _value(self, kind: str, value: Any, path: Pointer) -> Any:
        inner = kind[1:-1]
        if kind == _AS_IS:
            return value
        if kind.startswith("["):
            return [self._node(inner, item, (*path, index)) for index, item in enumerate(value)]
        if kind.startswith("{"):
            return {key: self._node(inner, item, (*path, key)) for key, item in value.items()}
        return self._node(kind, value, path)

    def _target(self, kind: str, node: Mapping[str, Any], path: Pointer) -> Any:
        reference = str(node["$ref"])
        if reference in self._passed:
            problem = f"{reference} contains itself"
            raise UnknownConstructError.at(self._document, problem, path)
        self._passed.append(reference)
        target = self._node(kind, self._document.resolve(node), path)
        self._passed.pop()
        return target
