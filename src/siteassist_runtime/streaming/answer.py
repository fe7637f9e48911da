"""The assembly of an answer from the events of a stream."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_STEPS = {
    *("start", "start-step", "reset-step", "finish-step", "finish"),
    *("abort", "error", "message-metadata"),
}
_WHOLE_PARTS = {
    *("source-url", "source-document", "file", "reasoning-file", "custom", "steering-message"),
}
_MANY = 1000  # Pieces of a text that are kept before they are joined.
_has_surrogate = re.compile("[\ud800-\udfff]").search


def join_surrogates(text: str) -> tuple[str, str]:
    """Join the halves of characters, as JavaScript does; return the text and a half at its end.

    A character beyond the basic plane has two halves in UTF-16, which may arrive in
    different deltas.
    """
    if text.isascii() or not _has_surrogate(text):
        return text, ""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
    return (text[:-1], text[-1]) if "\ud800" <= text[-1] <= "\udbff" else (text, "")


class _TextBuffer:
    """A text in pieces, which are joined when there are many, or when it is read."""

    __slots__ = ("_blocks", "_half", "_text", "pieces")

    def __init__(self) -> None:
        self._text = ""
        self._blocks: list[str] = []
        self._half = ""
        self.pieces: list[str] = []

    def _join_pieces(self) -> None:
        if self.pieces:
            block, self._half = join_surrogates(self._half + "".join(self.pieces))
            self._blocks.append(block)
            self.pieces.clear()

    def compact(self) -> None:
        if len(self.pieces) > _MANY:
            self._join_pieces()

    def text(self) -> str:
        # Kept, so that a text that is read after each piece is not joined again each time.
        self._join_pieces()
        if self._blocks:
            self._text = "".join((self._text, *self._blocks))
            self._blocks.clear()
        return self._text

    def finish(self) -> None:
        """Take a half without another as it is."""
        self._join_pieces()
        if self._half:
            self._blocks.append(self._half)
            self._half = ""


class Answer:
    """The part of an answer that has arrived so far.

    Pieces of a text are joined when there are many, so that a long answer takes
    no more memory than its text.
    """

    def __init__(self) -> None:
        """Create an empty answer."""
        # In the order of their first event.
        self._parts: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, _TextBuffer] = {}
        # The current part of each id: an id may be reused in another step.
        self._open: dict[tuple[str, str], str] = {}
        self._step = 0  # The number of parts before the current step.
        self._usage: dict[str, Any] | None = None
        self.metadata: Any = None
        """The message's metadata, as last sent."""
        self.message_id: str | None = None
        """The identifier of the message, if it was sent."""
        self.finish_reason: str | None = None
        """The reason why the answer ended, if it was sent."""
        self.aborted = False
        """Whether the service aborted the answer."""

    @property
    def text(self) -> str:
        """All texts, joined in order."""
        return "".join(
            self._texts[key].text() for key, part in self._parts.items() if part["type"] == "text"
        )

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The parts of the message, in order, as they would be stored."""
        return [
            part | {"text": self._texts[key].text()} if key in self._texts else dict(part)
            for key, part in self._parts.items()
        ]

    @property
    def usage(self) -> dict[str, Any] | None:
        """The tokens that the answer used, or None if not reported."""
        if isinstance(self.metadata, Mapping) and isinstance(self.metadata.get("usage"), Mapping):
            return dict(self.metadata["usage"])
        return self._usage

    def writer(self, kind: str, id_: str) -> Callable[[str], object]:
        """Return the function that appends to the text or the reasoning with this id.

        Raises `TypeError` if the id is not a string.
        """
        if not isinstance(id_, str):
            raise TypeError(f"an id must be a string, got {id_!r}")
        key = self._open.get((kind, id_))
        if key is None:
            key = self._open[kind, id_] = f"{kind}:{id_}:{len(self._parts)}"
            self._parts[key] = {"type": kind}
            self._texts[key] = _TextBuffer()
        return self._texts[key].pieces.append

    def compact(self) -> None:
        """Join the pieces of each text that has many."""
        for buffer in self._texts.values():
            buffer.compact()

    def finish(self) -> None:
        """Complete the texts: nothing follows."""
        for buffer in self._texts.values():
            buffer.finish()

    def take(self, event: Mapping[str, Any]) -> None:
        """Add an event, other than a delta of a text."""
        kind: str = event["type"]
        if kind == "text-start" or (kind == "reasoning-start" and "id" in event):
            self._open.pop((kind.removesuffix("-start"), event["id"]), None)
            self.writer(kind.removesuffix("-start"), event["id"])
        elif kind == "reasoning-delta":
            if "id" in event and "delta" in event:
                self.writer("reasoning", str(event["id"]))(str(event["delta"]))
        elif kind.startswith("tool-") and "toolCallId" in event:
            self._take_tool(kind, event)
        elif kind.startswith("data-"):
            if not event.get("transient"):
                id_ = event.get("id")
                key = f"{kind}:{len(self._parts)}" if id_ is None else f"{kind}={id_}"
                self._parts[key] = _without(event, "transient")
        elif kind in _WHOLE_PARTS:
            self._parts[f"{kind}:{len(self._parts)}"] = dict(event)
        elif kind in _STEPS:
            self._take_step(kind, event)

    def _reset_step(self) -> None:
        """Discard the parts of the current step."""
        for key in list(self._parts)[self._step :]:
            del self._parts[key]
            self._texts.pop(key, None)
        self._open.clear()

    def _take_tool(self, kind: str, event: Mapping[str, Any]) -> None:
        key = f"tool:{event['toolCallId']}"
        part = self._parts.setdefault(
            key, {"type": "tool-", "toolCallId": event["toolCallId"], "state": ""}
        )
        if "toolName" in event:
            part["type"] = f"tool-{event['toolName']}"
        state = _TOOL_STATES.get(kind)
        if state:
            part["state"] = state
        part.update(
            {name: event[name] for name in ("input", "output", "errorText") if name in event}
        )

    def _take_step(self, kind: str, event: Mapping[str, Any]) -> None:
        if kind == "start" and isinstance(event.get("messageId"), str):
            self.message_id = event["messageId"]
        elif kind == "start-step":
            self._step = len(self._parts)
        elif kind == "reset-step":
            self._reset_step()
        elif kind == "finish" and isinstance(event.get("finishReason"), str):
            self.finish_reason = event["finishReason"]
        elif kind == "abort":
            self.aborted = True
        if event.get("messageMetadata") is not None:
            self.metadata = _merged(self.metadata, event["messageMetadata"])
        usage = event.get("usage")
        if not isinstance(usage, Mapping):
            return
        if kind == "finish" or self._usage is None:
            self._usage = dict(usage)
        else:
            self._usage = _sum(self._usage, usage)


_TOOL_STATES = {
    "tool-input-start": "input-streaming",
    "tool-input-available": "input-available",
    "tool-input-error": "output-error",
    "tool-approval-request": "approval-requested",
    "tool-output-available": "output-available",
    "tool-output-error": "output-error",
    "tool-output-denied": "output-denied",
}


def _merged(first: Any, second: Any) -> Any:
    """Merge ``second`` into ``first``, nested objects as well."""
    if not isinstance(first, Mapping) or not isinstance(second, Mapping):
        return second
    return {**first, **{key: _merged(first.get(key), value) for key, value in second.items()}}


def _without(event: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key != name}


def _sum(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    total = dict(first)
    for name, value in second.items():
        before = total.get(name, 0)
        if isinstance(before, (int, float)) and isinstance(value, (int, float)):
            total[name] = before + value
        else:
            total[name] = value
    return total
