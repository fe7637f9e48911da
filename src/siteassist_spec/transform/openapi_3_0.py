"""The description in OpenAPI 3.0.3, for tools that support no later version.

A keyword that 3.0 lacks is replaced by another keyword with the same meaning. An annotation,
which no payload can violate, becomes a sentence in the description:

=============================  ==================================================
3.1                            3.0.3
=============================  ==================================================
``type: [string, 'null']``     ``nullable: true`` beside the type
``type: 'null'``               a nullable object whose only value is null
``anyOf`` of an object, null   ``nullable: true`` beside ``allOf`` of the object
``anyOf`` of an enum, null     ``nullable: true`` beside the type of the enum, inlined
no ``type`` at all             ``nullable: true``
``const``                      ``enum`` with one value
``contentSchema``              a sentence in the description
``info.summary``               the first paragraph of ``info.description``
``license.identifier``         the URL of the licence in the SPDX list
=============================  ==================================================

By the letter of 3.0.3, ``nullable`` counts only beside a ``type`` in the same schema, and null
must be listed in an ``enum``. Nearly all tools take ``nullable: true`` for "or null" wherever
it stands. Some need it even without a type, Prism fails at null in an ``enum``, and most fail
at a union with a schema for null alone. The exception is ``openapi-schema-validator``, and
so openapi-core, which goes by the letter: it can read 3.1.

One difference to 3.1 remains: in 3.0, ``1.0`` is not an integer, because it is written with
a decimal point. In 3.1, it equals ``1``.
"""

from __future__ import annotations

from typing import Any

from siteassist_spec.document import Document, Pointer
from siteassist_spec.operations import JSON
from siteassist_spec.transform.rebuild import UnknownConstructError, rebuild

NULL_IN_3_0 = {"type": "object", "nullable": True, "enum": [None]}
"""The schema that accepts only null, in OpenAPI 3.0."""

_NULL = "null"
_ANNOTATIONS = {"title", "description", "deprecated", "default"}


def to_openapi_3_0(document: Document) -> dict[str, Any]:
    """Return a copy of the description in OpenAPI 3.0.3.

    Every schema of its components accepts and rejects the same payloads, except for
    integers that are written with a decimal point.

    Raises `UnknownConstructError` for a construct that 3.0.3 cannot express or that this
    module does not support.
    """
    return rebuild(document, _Converter(document))


class _Converter:
    def __init__(self, document: Document) -> None:
        self._document = document

    def __call__(self, kind: str, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        match kind:
            case "OpenAPI":
                return {**node, "openapi": "3.0.3"}
            case "Info":
                texts = [node.pop("summary", ""), node.get("description", "")]
                return {**node, "description": "\n\n".join(text for text in texts if text)}
            case "License" if "identifier" in node:
                identifier = node.pop("identifier")
                return {**node, "url": f"https://spdx.org/licenses/{identifier}.html"}
            case "Schema":
                return self._schema(node, path)
            case _:
                return node

    def _schema(self, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        types = node.get("type", [])
        names = [types] if isinstance(types, str) else types
        others = [name for name in names if name != _NULL]
        if len(others) > 1:
            raise self._error("OpenAPI 3.0 allows only one type", (*path, "type"))
        if others:
            node["type"] = others[0]
            if _NULL in names:
                node = _after(node, "type", {"nullable": True})
        elif names:
            node = {**node, **NULL_IN_3_0}
        if "const" in node:
            node = {("enum" if key == "const" else key): value for key, value in node.items()}
            if not isinstance(node["enum"], (str, int, float)):
                # Null would need a type beside it, and validators differ in how they
                # compare lists and objects in an enum.
                problem = "only a string, number or boolean is supported"
                raise self._error(problem, (*path, "const"))
            node["enum"] = [node["enum"]]
        if "contentMediaType" in node or "contentSchema" in node:
            node = self._content(node, path)
        if NULL_IN_3_0 in node.get("anyOf", ()):
            node = self._nullable(node)
        if not set(node) - _ANNOTATIONS:
            node = {**node, "nullable": True}
        return node

    def _nullable(self, node: dict[str, Any]) -> dict[str, Any]:
        """Replace a union with null by the other members, and ``nullable``."""
        others = [choice for choice in node["anyOf"] if choice != NULL_IN_3_0]
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        if not others:
            return {**rest, **NULL_IN_3_0}
        target = self._document.resolve(others[0])
        if len(others) == 1 and "enum" in target:
            return _after({**target, **rest}, "type", {"nullable": True})
        return {**rest, "nullable": True, "allOf" if len(others) == 1 else "anyOf": others}

    def _content(self, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        """Replace the keywords for the content of a string by a sentence."""
        media_type = node.pop("contentMediaType", None)
        name = self._document.component(node.pop("contentSchema", {}))
        if media_type != JSON or not name:
            raise self._error("only JSON with a named schema is supported", path)
        texts = [node.get("description", ""), f"A `{name}`, written as JSON."]
        return {**node, "description": " ".join(text.strip() for text in texts if text)}

    def _error(self, problem: str, path: Pointer) -> UnknownConstructError:
        return UnknownConstructError.at(self._document, problem, path)


def _after(node: dict[str, Any], key: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return ``node`` with the items of ``more`` inserted after ``key``."""
    rows: dict[str, Any] = {}
    for name, value in node.items():
        rows[name] = value
        if name == key:
            rows.update(more)
    return rows
