"""Scripted answers of the assistant, from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft202012Validator

from siteassist_mock.content.answer import Item, answer_events
from siteassist_mock.content.streamed_message import StreamedMessage
from siteassist_mock.content.yaml_file import YamlFile, closed_schema
from siteassist_mock.http.request_validation import compile_schema
from siteassist_spec import Document, Json, read_union

_TEXT = {"type": "string", "minLength": 1}
_SECONDS = {"type": "number", "minimum": 0, "maximum": 3600}
_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "when": _TEXT,
            "answer": _TEXT,
            "events": {"type": "array", "minItems": 1, "items": {"type": "object"}},
            "delay": _SECONDS,
            "metadata": {"type": "object"},
            "error": _TEXT,
        },
        "required": ["when"],
        "additionalProperties": False,
    },
}
# The items that stand for several events, by their first key.
_ITEMS: dict[str, dict[str, Any]] = {
    "text": {"text": _TEXT},
    "reasoning": {"reasoning": _TEXT},
    "tool": {
        "tool": _TEXT,
        "title": _TEXT,
        "dynamic": {"type": "boolean"},
        "input": True,
        "output": True,
        "error": _TEXT,
    },
}


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """A pattern and its answer, which begins after ``delay`` seconds.

    ``items`` are those of `siteassist_mock.content.answer`; ``metadata`` is the message's.
    """

    pattern: re.Pattern[str]
    items: tuple[Item, ...]
    delay: float = 0.0
    metadata: Any = None


def read_script(path: Path, document: Document, payload: Json) -> tuple[ScriptRule, ...]:
    """Return the rules of a file, in their order.

    ``payload`` is the schema in ``document`` of the events of a stream. Raises
    `siteassist_mock.content.yaml_file.FileError` if the file cannot be used.
    """
    return tuple(_ScriptFile(path, document, payload).rules())


def find_rule(rules: Sequence[ScriptRule], message: str) -> ScriptRule | None:
    """Return the first rule that matches ``message``, or None."""
    return next((rule for rule in rules if rule.pattern.search(message)), None)


class _ScriptFile:
    def __init__(self, path: Path, document: Document, payload: Json) -> None:
        self._file = YamlFile(path)
        self._document = document
        self._events = read_union(document, payload)
        self._validators: dict[str, Draft202012Validator] = {}
        self._file.check(compile_schema("--script", _SCHEMA, {}), self._file.value)

    def rules(self) -> Iterator[ScriptRule]:
        for index, node in enumerate(self._file.value):
            items = self._items(index, node)
            yield ScriptRule(
                self._pattern(index, node["when"]),
                items,
                float(node.get("delay", 0)),
                node.get("metadata"),
            )

    def _pattern(self, index: int, when: str) -> re.Pattern[str]:
        """Return the pattern of ``when``: a text, or a regular expression between slashes."""
        expression = len(when) > 2 and when[0] == when[-1] == "/"
        try:
            return re.compile(when[1:-1] if expression else re.escape(when), re.IGNORECASE)
        except re.error as error:
            problem = f"is not a regular expression: {error.msg}"
            raise self._file.error([index, "when"], problem) from None

    def _items(self, index: int, node: Mapping[str, Any]) -> tuple[Item, ...]:
        if "events" in node:
            if "answer" in node:
                raise self._file.error([index, "answer"], "is not allowed beside events")
            for position, item in enumerate(node["events"]):
                self._check_item(item, [index, "events", position])
            items = list(node["events"])
        elif "answer" in node:
            items = [{"text": node["answer"]}]
        elif "error" in node:
            items = []
        else:
            raise self._file.error([index, "answer"], "is required unless there is an error")
        places: list[list[str | int]] = [
            [index, "events", position] for position in range(len(items))
        ]
        if "error" in node:
            items.append({"type": "error", "errorText": node["error"]})
            places.append([index, "error"])
        self._check_order(items, places)
        return tuple(items)

    def _check_item(self, item: Mapping[str, Any], place: list[str | int]) -> None:
        kinds = [kind for kind in (*_ITEMS, "type") if kind in item]
        if len(kinds) != 1:
            names = ", ".join(_ITEMS)
            raise self._file.error(place, f"must have exactly one of the keys {names} and type")
        (kind,) = kinds
        if kind == "type":
            kind = str(item["type"])
            name = self._events.member(kind)
            if name == self._events.other:
                raise self._file.error([*place, "type"], f"is an unknown type: {kind!r}")
            if kind == "start":
                raise self._file.error([*place, "type"], "is sent by the server: `start`")
            schema = closed_schema(self._document.raw, name, pause=_SECONDS)
        else:
            schema = {
                "properties": {**_ITEMS[kind], "pause": _SECONDS},
                "additionalProperties": False,
            }
            if kind == "tool" and {"output", "error"} <= item.keys():
                raise self._file.error([*place, "error"], "is not allowed beside output")
        if kind not in self._validators:
            self._validators[kind] = compile_schema("--script", schema, self._document.raw)
        self._file.check(self._validators[kind], item, place)

    def _check_order(self, items: Sequence[Item], places: Sequence[list[str | int]]) -> None:
        """Refuse an event that the protocol does not allow after those before it."""
        place: list[str | int] = []

        def noted() -> Iterator[Item]:
            nonlocal place
            for item, place in zip(items, places, strict=True):  # noqa: B007 - used below
                yield item

        message = StreamedMessage()
        for event in answer_events(noted(), "id"):
            try:
                message.add(event.payload)
            except ValueError as error:
                kind = event.payload["type"]
                raise self._file.error(place, f"cannot be sent: `{kind}` {error}") from None
