"""The events of an answer, made of the items of a script.

An item is an event of the UI message stream protocol, with its ``type``, or stands for
several events: ``text``, ``reasoning`` or ``tool``. Each may have a ``pause``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

from siteassist_mock.content.streamed_message import ENDS, Event

Item: TypeAlias = Mapping[str, Any]

_PIECE = re.compile(r"\s*\S+\s*")


class TimedEvent(NamedTuple):
    """An event, and the seconds to wait after it; None for those of the server."""

    payload: Event
    pause: float | None = None


def pieces(text: str) -> list[str]:
    """Return the words of ``text``, with the whitespace between them."""
    return _PIECE.findall(text) or [text]


def answer_events(items: Iterable[Item], answer_id: str) -> Iterator[TimedEvent]:
    """Yield the events after ``start``.

    Steps are opened and closed, and ``finish`` is added, unless ``items`` do so. The ids
    of texts and tools begin with ``answer_id``.
    """
    ended = in_step = False
    for index, item in enumerate(items):
        if not index and item.get("type") != "start-step":
            in_step = True
            yield TimedEvent({"type": "start-step"})
        for event in _item_events(item, f"{answer_id}-{index + 1}"):
            kind = event["type"]
            if in_step and kind in {"start-step", "finish"}:
                yield TimedEvent({"type": "finish-step"})
            in_step = kind == "start-step" or (in_step and kind not in {"finish-step", "finish"})
            ended = kind in ENDS
            yield TimedEvent(event, item.get("pause"))
    if not ended:
        if in_step:
            yield TimedEvent({"type": "finish-step"})
        yield TimedEvent({"type": "finish", "finishReason": "stop"})


def _item_events(item: Item, item_id: str) -> Iterable[Event]:
    if "tool" in item:
        return _tool_events(item, item_id)
    for kind in ("text", "reasoning"):
        if kind in item:
            return _text_events(kind, item[kind], item_id)
    return [{name: value for name, value in item.items() if name != "pause"}]


def _text_events(kind: str, text: str, item_id: str) -> Iterator[Event]:
    metadata = {"mock": {"itemId": item_id}}
    yield {"type": f"{kind}-start", "id": item_id, "providerMetadata": metadata}
    for piece in pieces(text):
        yield {"type": f"{kind}-delta", "id": item_id, "delta": piece}
    yield {"type": f"{kind}-end", "id": item_id}


def _tool_events(item: Item, item_id: str) -> Iterator[Event]:
    call = {"toolCallId": item_id}
    tool = {**call, "toolName": item["tool"]}
    tool |= {name: item[name] for name in ("dynamic", "title") if name in item}
    # Version 5 of the AI SDK looks for dynamic tools only if the output has `dynamic`.
    output = {**call, **({"dynamic": item["dynamic"]} if "dynamic" in item else {})}
    value = item.get("input", {})
    yield {"type": "tool-input-start", **tool}
    for piece in pieces(json.dumps(value, ensure_ascii=False)):
        yield {"type": "tool-input-delta", **call, "inputTextDelta": piece}
    yield {"type": "tool-input-available", **tool, "input": value}
    if "error" in item:
        yield {"type": "tool-output-error", **output, "errorText": item["error"]}
    elif "output" in item:
        yield {"type": "tool-output-available", **output, "output": item["output"]}
