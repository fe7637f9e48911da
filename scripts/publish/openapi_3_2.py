"""The description in OpenAPI 3.2.0, which knows what an event stream is.

3.2 contains 3.1. What changes is the media type ``text/event-stream``: its schema
is that of one event, which 3.2 calls ``itemSchema``, and its examples are whole
streams, as a list of events and as they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scripts.publish.rebuild import UnknownConstructError, place, rebuild

__all__ = ["to_openapi_3_2"]

_STREAM = "text/event-stream"


def to_openapi_3_2(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``spec`` in OpenAPI 3.2.0.

    Raises `UnknownConstructError` for an example of an event that is more than
    its data, or that other media types use as well.
    """
    streamed, others = _examples(spec)
    for name in streamed & others:
        raise UnknownConstructError(f"#/components/examples/{name}: no event alone")

    def change(kind: str, node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        if kind == "OpenAPI":
            return {**node, "openapi": "3.2.0"}
        if kind == "MediaType" and path[-1] == _STREAM:
            return {("itemSchema" if key == "schema" else key): node[key] for key in node}
        if kind == "Example" and (
            _STREAM in path or (path[:2] == ("components", "examples") and path[2] in streamed)
        ):
            return _stream(node, path)
        return node

    return rebuild(spec, change)


def _examples(spec: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the names of examples that event streams refer to, and that others do."""
    streamed: set[str] = set()
    others: set[str] = set()

    def look(kind: str, node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        if kind == "Reference" and "examples" in path:
            (streamed if _STREAM in path else others).add(node["$ref"].rpartition("/")[2])
        return node

    rebuild(spec, look)
    return streamed, others


def _stream(node: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    event = node.pop("value")
    if set(event) != {"data"} or "\n" in event["data"]:
        raise UnknownConstructError(f"{place(path)}: only events with one line of data are known")
    return {**node, "dataValue": [event], "serializedValue": f"data: {event['data']}\n\n"}
