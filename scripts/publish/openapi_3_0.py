"""The description in OpenAPI 3.0.3, for tools that know no later version.

What 3.0 has no words for is said in other words, or, where it is no rule that a
payload could break, in the description:

=============================  ==================================================
3.1                            3.0.3
=============================  ==================================================
``type: [string, 'null']``     ``nullable: true`` beside the type
``type: 'null'``               a nullable object, of which only null is allowed
``const``                      ``enum`` with one value
``contentSchema``              a sentence in the description
``info.summary``               the first paragraph of ``info.description``
``license.identifier``         the address of that licence in the SPDX list
=============================  ==================================================

``nullable`` stands beside a ``type`` only: without one it means nothing, as 3.0.3
says. So "an agent or null" stays an ``anyOf``, of the agent and null.

One difference cannot be helped: to 3.0, ``1.0`` is no integer, since it is written
with a point; to 3.1 it is the same as ``1``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from scripts.publish.rebuild import UnknownConstructError, place, rebuild

__all__ = ["to_openapi_3_0"]

_NULL = "null"
_JSON = "application/json"


def to_openapi_3_0(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``spec`` in OpenAPI 3.0.3.

    Every schema of its components accepts and refuses the same payloads, but for
    integers that are written with a point.

    Raises `UnknownConstructError` for what cannot be said in 3.0.3, or what this
    module does not know how to say.
    """
    return rebuild(spec, _change)


def _change(kind: str, node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    change = _CHANGES.get(kind)
    return change(node, path) if change else node


def _openapi(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    del path
    return {**node, "openapi": "3.0.3"}


def _info(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    del path
    said = [node.pop("summary", ""), node.get("description", "")]
    return {**node, "description": "\n\n".join(text for text in said if text)}


def _license(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    del path
    identifier = node.pop("identifier")
    return {**node, "url": f"https://spdx.org/licenses/{identifier}.html"}


def _schema(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    types = node.get("type", [])
    names = [types] if isinstance(types, str) else types
    others = [name for name in names if name != _NULL]
    if len(others) > 1:
        raise UnknownConstructError(f"{place((*path, 'type'))}: 3.0 has one type")
    if others:
        node["type"] = others[0]
        if _NULL in names:
            node = _after(node, "type", {"nullable": True})
    elif names:
        node = {**node, "type": "object", "nullable": True, "enum": [None]}
    if "const" in node:
        node = {("enum" if key == "const" else key): value for key, value in node.items()}
        if not isinstance(node["enum"], str):
            raise UnknownConstructError(f"{place((*path, 'const'))}: only texts are known")
        node["enum"] = [node["enum"]]
    if "contentMediaType" in node or "contentSchema" in node:
        node = _content(node, path)
    return node


def _after(node: dict[str, Any], key: str, more: dict[str, Any]) -> dict[str, Any]:
    """Return ``node`` with ``more`` behind ``key``."""
    rows: dict[str, Any] = {}
    for name, value in node.items():
        rows[name] = value
        if name == key:
            rows.update(more)
    return rows


def _content(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """Say in words what a text contains."""
    media_type = node.pop("contentMediaType", None)
    name = node.pop("contentSchema", {}).get("$ref", "").rpartition("/")[2]
    if media_type != _JSON or not name:
        raise UnknownConstructError(f"{place(path)}: only JSON of a named schema is known")
    said = [node.get("description", ""), f"A `{name}`, written as JSON."]
    return {**node, "description": " ".join(text.strip() for text in said if text)}


_CHANGES: Mapping[str, Callable[[dict[str, Any], tuple[str, ...]], dict[str, Any]]] = {
    "OpenAPI": _openapi,
    "Info": _info,
    "License": _license,
    "Schema": _schema,
}
