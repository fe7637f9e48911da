"""The description in OpenAPI 3.2.0, which supports event streams.

3.2 is a superset of 3.1. Only the media type ``text/event-stream`` changes. Its schema
allows an event, which becomes ``itemSchema``, or the whole text. Its examples are whole
streams: ``dataValue`` is the list of events, ``serializedValue`` is the text that is sent.
"""

from __future__ import annotations

import re
from typing import Any

from siteassist_spec.document import Document, Pointer
from siteassist_spec.operations import EVENT_STREAM, event_schema
from siteassist_spec.transform.rebuild import UnknownConstructError, rebuild


def to_openapi_3_2(document: Document) -> dict[str, Any]:
    """Return a copy of the description in OpenAPI 3.2.0.

    Raises `UnknownConstructError` for an example of a stream whose events have other fields
    than one line of data, or that is used for another media type as well.
    """
    streamed, others = _examples(document)
    for name in sorted(streamed & others):
        place = ("components", "examples", name)
        problem = "the example is also used for a media type other than event streams"
        raise UnknownConstructError.at(document, problem, place)

    def change(kind: str, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        if kind == "OpenAPI":
            return {**node, "openapi": "3.2.0"}
        if kind == "MediaType" and path[-1] == EVENT_STREAM:
            item = event_schema(document, node["schema"])
            return {"itemSchema": item} | {key: node[key] for key in node if key != "schema"}
        if kind == "Example" and (
            EVENT_STREAM in path or (path[:2] == ("components", "examples") and path[2] in streamed)
        ):
            return _stream(document, node, path)
        return node

    return rebuild(document, change)


def _examples(document: Document) -> tuple[set[str], set[str]]:
    """Return the names of the examples of event streams, and of other media types."""
    streamed: set[str] = set()
    others: set[str] = set()

    def look(kind: str, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
        name = document.component(node)
        if kind == "Reference" and "examples" in path and name:
            (streamed if EVENT_STREAM in path else others).add(name)
        return node

    rebuild(document, look)
    return streamed, others


def _stream(document: Document, node: dict[str, Any], path: Pointer) -> dict[str, Any]:
    text = node.pop("value")
    if not re.fullmatch(r"(data: [^\r\n]+\n\n)+", text):
        problem = "only events with a single line of data are supported"
        raise UnknownConstructError.at(document, problem, path)
    events = [{"data": data} for data in re.findall(r"^data: (.+)$", text, re.MULTILINE)]
    return {**node, "dataValue": events, "serializedValue": text}
