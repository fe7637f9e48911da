"""Checks of event streams that schemathesis lacks: the requested form and the end.

They are pure functions. Each returns a description of the fault, or None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from siteassist_contract.http.json_reader import read_json
from siteassist_spec import EVENT_STREAM, EventStream

_END_OF_LINE = re.compile(r"\r\n|\r|\n")


def wrong_form(stream: EventStream, body: object, content_type: str) -> str | None:
    """Return the fault of an answer that is streamed although JSON was requested, or vice versa.

    A request that leaves the flag out may get either: docs/evidence.md, O-10.
    """
    flag = stream.request_flag
    asked = body.get(flag) if isinstance(body, Mapping) else None
    streamed = content_type.partition(";")[0].strip().lower() == EVENT_STREAM
    if asked is True and not streamed:
        return f"`{flag}: true` requires {EVENT_STREAM}, got {content_type or 'no media type'}"
    if asked is False and streamed:
        return f"`{flag}: false` requires application/json, got {EVENT_STREAM}"
    return None


def wrong_end(stream: EventStream, text: str) -> str | None:
    """Return the fault of a stream without an event or without the terminator at its end.

    A stream that reports an error may end in any way: docs/evidence.md, O-15.
    """
    lines = [line for line in _END_OF_LINE.split(text) if line.startswith("data")]
    data = [line.partition(":")[2].removeprefix(" ") for line in lines]
    terminator = stream.terminator
    if any(_type(payload) == stream.error_type for payload in data):
        return None
    if len(data) <= 1:
        return "a stream must contain at least one event before its end"
    if data[-1] != terminator:
        return f"a stream must end with `data: {terminator}`, got `data: {data[-1][:80]}`"
    if terminator in data[:-1]:
        return (
            f"nothing may follow `data: {terminator}`, got {data[data.index(terminator) + 1][:80]}"
        )
    return None


def _type(payload: str) -> object:
    """Return the ``type`` of ``payload``, or None if it is not a JSON object with a type."""
    try:
        document = read_json(payload)
    except ValueError:
        return None
    return document.get("type") if isinstance(document, Mapping) else None
