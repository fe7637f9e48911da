"""What schemathesis cannot check by itself: that a stream was asked for, and ends.

Pure functions; each returns the fault in words, or ``None``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from siteassist_spec import EVENT_STREAM, EventStream

_END_OF_LINE = re.compile(r"\r\n|\r|\n")


def wrong_form(stream: EventStream, body: object, content_type: str) -> str | None:
    """Find an answer that is streamed though JSON was asked for, or the other way round.

    A request that leaves the flag out may get either: docs/evidence.md, O-10.
    """
    flag = stream.request_flag
    asked = body.get(flag) if isinstance(body, Mapping) else None
    streamed = content_type.partition(";")[0].strip().lower() == EVENT_STREAM
    if asked is True and not streamed:
        return f"`{flag}: true` asks for {EVENT_STREAM}, the answer is {content_type or 'untyped'}"
    if asked is False and streamed:
        return f"`{flag}: false` asks for application/json, the answer is {EVENT_STREAM}"
    return None


def wrong_end(stream: EventStream, text: str) -> str | None:
    """Find a stream that has no event, or does not end with the terminator.

    One that reports an error may end as it likes: docs/evidence.md, O-15.
    """
    lines = [line for line in _END_OF_LINE.split(text) if line.startswith("data")]
    data = [line.partition(":")[2].removeprefix(" ") for line in lines]
    terminator = stream.terminator
    if any(_type(payload) == stream.error_type for payload in data):
        return None
    if len(data) <= 1:
        return "a stream carries at least one event before its end"
    if data[-1] != terminator:
        return f"a stream ends with `data: {terminator}`, this one with `data: {data[-1][:80]}`"
    if terminator in data[:-1]:
        return f"nothing follows `data: {terminator}`, here {data[data.index(terminator) + 1][:80]}"
    return None


def _type(payload: str) -> object:
    """Return the type that ``payload`` names, if it is a JSON object that does."""
    try:
        document = json.loads(payload)
    except ValueError:
        return None
    return document.get("type") if isinstance(document, Mapping) else None
