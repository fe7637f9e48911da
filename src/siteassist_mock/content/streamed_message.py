"""The message that the events of a stream make up.

The events are those of the UI message stream protocol. The reader of the AI SDK makes
the same parts of them, except that here steps are lists instead of ``step-start``, and
texts have nothing but their text, like the documented ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias

Event: TypeAlias = Mapping[str, Any]
Part: TypeAlias = dict[str, Any]

ENDS = frozenset({"finish", "error", "abort"})
"""The types of the events after which a stream has no others."""

# The fields of a tool's part that an event sets, and those that the next one removes.
_KEPT = ("title", "toolMetadata", "providerExecuted")
_REPLACED = ("inputEncoding", "output", "errorText", "preliminary")
# The fields of a request for approval, with their names in the part.
_APPROVAL = {
    "approvalId": "id",
    "approvalDescriptor": "descriptor",
    "inputSchemaInput": "inputSchemaInput",
    "reason": "requestReason",
    "isAutomatic": "isAutomatic",
    "signature": "signature",
}


class StreamedMessage:
    """A message in parts, grouped by steps, with its metadata and the error that ended it."""

    def __init__(self, events: Iterable[Event] = ()) -> None:
        """Add ``events``; raises `ValueError` like `add`."""
        self.metadata: Any = None
        self.error: str | None = None
        self.steps: list[list[Part]] = []
        self._in_step = False
        self._ended = ""
        # The open texts and reasonings by kind and id, and the tools of the message.
        self._open: dict[tuple[str, str], Part] = {}
        self._tools: dict[str, Part] = {}
        for event in events:
            self.add(event)

    @property
    def parts(self) -> list[Part]:
        """The parts of all steps, in order."""
        return [part for step in self.steps for part in step]

    @property
    def text(self) -> str:
        """All texts of the message."""
        return "".join(part["text"] for part in self.parts if part["type"] == "text")

    def add(self, event: Event) -> None:
        """Add an event that is valid for its schema.

        Raises `ValueError` with a sentence if it may not come here.
        """
        kind = event["type"]
        if self._ended:
            raise ValueError(f"comes after `{self._ended}`")
        if kind in self._HANDLERS:
            self._HANDLERS[kind](self, event)
        elif kind.startswith("data-"):
            self._data(event)
        else:
            self._append(dict(event))
        if event.get("messageMetadata") is not None:
            self.metadata = _merged(self.metadata, event["messageMetadata"])

    def _append(self, part: Part) -> None:
        if not self.steps:
            self.steps.append([])
        self.steps[-1].append(part)

    def _in_last_step(self, part: Part) -> bool:
        return any(part is one for step in self.steps[-1:] for one in step)

    def _start(self, event: Event) -> None:
        """Begin the message, which has no part of its own."""

    def _start_step(self, event: Event) -> None:
        if self._in_step:
            raise ValueError("comes within a step")
        self._in_step = True
        self.steps.append([])

    def _finish_step(self, event: Event) -> None:
        if not self._in_step:
            raise ValueError("comes without `start-step`")
        self._check_closed()
        self._in_step = False

    def _reset_step(self, event: Event) -> None:
        if not self._in_step:
            raise ValueError("comes without `start-step`")
        self._tools = {
            call: part for call, part in self._tools.items() if not self._in_last_step(part)
        }
        self.steps[-1].clear()
        self._open.clear()

    def _end(self, event: Event) -> None:
        if event["type"] == "finish":
            self._check_closed()
            if self._in_step:
                raise ValueError("comes before `finish-step`")
        elif event["type"] == "error":
            self.error = event["errorText"]
        else:
            self.error = event.get("reason", "The answer was aborted")
        self._ended = event["type"]

    def _check_closed(self) -> None:
        for kind, name in self._open:
            raise ValueError(f"comes before the `{kind}-end` of {name!r}")

    def _begin_text(self, event: Event) -> None:
        kind = _text_kind(event)
        if not self._in_step:
            raise ValueError("comes without `start-step`")
        if (kind, event["id"]) in self._open:
            raise ValueError(f"repeats the id {event['id']!r}")
        part = {"type": kind, "text": ""}
        self._open[kind, event["id"]] = part
        self._append(part)

    def _continue_text(self, event: Event) -> None:
        self._opened(event)["text"] += event["delta"]

    def _end_text(self, event: Event) -> None:
        self._opened(event)
        del self._open[_text_kind(event), event["id"]]

    def _opened(self, event: Event) -> Part:
        kind = _text_kind(event)
        try:
            return self._open[kind, event["id"]]
        except KeyError:
            raise ValueError(f"comes without a `{kind}-start` of {event['id']!r}") from None

    def _begin_input(self, event: Event) -> None:
        self._use_tool(event, "input-streaming")

    def _continue_input(self, event: Event) -> None:
        # The part has no input before it is complete.
        if self._tool(event)["state"] != "input-streaming":
            raise ValueError("comes without `tool-input-start`")

    def _end_input(self, event: Event) -> None:
        failed = event["type"] == "tool-input-error"
        self._use_tool(event, "output-error" if failed else "input-available")

    def _use_tool(self, event: Event, state: str) -> None:
        """Set the state of a tool, whose part is added by its first event in a step."""
        part = self._tools.get(event["toolCallId"])
        if part is None or not self._in_last_step(part):
            part = {"type": f"tool-{event['toolName']}", "toolCallId": event["toolCallId"]}
            if event.get("dynamic"):
                part |= {"type": "dynamic-tool", "toolName": event["toolName"]}
            self._tools[event["toolCallId"]] = part
            self._append(part)
        part.pop("input", None)
        self._update(part, event, state, ("input",), "callProviderMetadata")

    def _end_output(self, event: Event) -> None:
        failed = event["type"] == "tool-output-error"
        state = "output-error" if failed else "output-available"
        self._update(self._tool(event), event, state, (), "resultProviderMetadata")

    def _update(
        self, part: Part, event: Event, state: str, names: tuple[str, ...], metadata: str
    ) -> None:
        for name in _REPLACED:
            part.pop(name, None)
        part["state"] = state
        part.update({name: event[name] for name in (*names, *_KEPT, *_REPLACED) if name in event})
        if "providerMetadata" in event:
            part[metadata] = event["providerMetadata"]

    def _deny(self, event: Event) -> None:
        self._tool(event)["state"] = "output-denied"

    def _ask(self, event: Event) -> None:
        part = self._tool(event)
        part["state"] = "approval-requested"
        part["approval"] = {own: event[name] for name, own in _APPROVAL.items() if name in event}

    def _approve(self, event: Event) -> None:
        key = event["approvalId"]
        for part in self._tools.values():
            if part.get("approval", {}).get("id") == key:
                break
        else:
            raise ValueError(f"comes without an approval request {key!r}")
        part["state"] = "approval-responded"
        part["approval"] |= {name: event[name] for name in ("approved", "reason") if name in event}
        if "providerExecuted" in event:
            part["providerExecuted"] = event["providerExecuted"]
        if "providerMetadata" in event:
            part["callProviderMetadata"] = event["providerMetadata"]

    def _tool(self, event: Event) -> Part:
        try:
            return self._tools[event["toolCallId"]]
        except KeyError:
            raise ValueError(f"comes without the tool call {event['toolCallId']!r}") from None

    def _data(self, event: Event) -> None:
        """Add data, or replace earlier ones of the same type and id."""
        if event.get("transient"):
            return
        for part in self.parts:
            if "id" in event and (part["type"], part.get("id")) == (event["type"], event["id"]):
                part["data"] = event["data"]
                return
        self._append(dict(event))

    def _skip(self, event: Event) -> None:
        """Ignore an event that adds no part."""

    _HANDLERS: ClassVar[Mapping[str, Callable[..., None]]] = {
        "start": _start,
        "start-step": _start_step,
        "finish-step": _finish_step,
        "reset-step": _reset_step,
        **dict.fromkeys(ENDS, _end),
        "message-metadata": _skip,
        "text-start": _begin_text,
        "text-delta": _continue_text,
        "text-end": _end_text,
        "reasoning-start": _begin_text,
        "reasoning-delta": _continue_text,
        "reasoning-end": _end_text,
        "tool-input-start": _begin_input,
        "tool-input-delta": _continue_input,
        "tool-input-available": _end_input,
        "tool-input-error": _end_input,
        "tool-output-available": _end_output,
        "tool-output-error": _end_output,
        "tool-output-denied": _deny,
        "tool-approval-request": _ask,
        "tool-approval-response": _approve,
    }


def _text_kind(event: Event) -> str:
    return str(event["type"]).rpartition("-")[0]


def _merged(old: Any, new: Any) -> Any:
    """Return ``old`` updated with ``new``: objects field by field, other values as a whole."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
