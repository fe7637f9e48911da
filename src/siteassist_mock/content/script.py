"""Scripted answers of the assistant, from a YAML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from siteassist_mock.content.yaml_file import YamlFile
from siteassist_mock.http.request_validation import compile_schema

_TEXT = {"type": "string", "minLength": 1}
_SCHEMA = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "when": _TEXT,
            "answer": _TEXT,
            "delay": {"type": "number", "minimum": 0, "maximum": 3600},
            "error": _TEXT,
        },
        "required": ["when"],
        "additionalProperties": False,
    },
}


@dataclass(frozen=True, slots=True)
class ScriptRule:
    """A pattern and its answer: ``text`` in Markdown after ``delay`` seconds, then ``error``."""

    pattern: re.Pattern[str]
    text: str
    delay: float = 0.0
    error: str | None = None


def read_script(path: Path) -> tuple[ScriptRule, ...]:
    """Return the rules of a file, in their order.

    Raises `siteassist_mock.content.yaml_file.FileError` if the file cannot be used.
    """
    file = YamlFile(path)
    file.check(compile_schema("--script", _SCHEMA, {}), file.value)
    rules = []
    for index, node in enumerate(file.value):
        if "answer" not in node and "error" not in node:
            raise file.error([index, "answer"], "is required unless there is an error")
        try:
            pattern = _pattern(node["when"])
        except re.error as error:
            raise file.error([index, "when"], f"is not a regular expression: {error.msg}") from None
        rules.append(
            ScriptRule(
                pattern, node.get("answer", ""), float(node.get("delay", 0)), node.get("error")
            )
        )
    return tuple(rules)


def find_rule(rules: Sequence[ScriptRule], message: str) -> ScriptRule | None:
    """Return the first rule that matches ``message``, or None."""
    return next((rule for rule in rules if rule.pattern.search(message)), None)


def _pattern(when: str) -> re.Pattern[str]:
    """Return the pattern of ``when``: a text, or a regular expression between slashes."""
    if len(when) > 2 and when[0] == when[-1] == "/":
        return re.compile(when[1:-1], re.IGNORECASE)
    return re.compile(re.escape(when), re.IGNORECASE)
