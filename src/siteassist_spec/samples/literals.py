"""JSON values as literals of a programming language."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 60
"""The number of characters in a line of a sample, on a page that is 1400 pixels wide."""

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def _double_quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Style:
    """The style of a language's literals. ``text`` writes strings other than keys."""

    words: Mapping[Any, str]
    indent: str
    bare_keys: bool
    # The padding inside the braces of an object on one line.
    space: str
    text: Callable[[str], str] = _double_quoted


PYTHON = Style({None: "None", True: "True", False: "False"}, "    ", bare_keys=False, space="")
SCRIPT = Style({None: "null", True: "true", False: "false"}, "  ", bare_keys=True, space=" ")


def literal(value: Any, style: Style, depth: int = 0) -> str:
    """Return ``value`` as a literal, on one line if it is short.

    ``depth`` is the indentation level of its first line.
    """
    if value is None or isinstance(value, bool):
        return style.words[value]
    if isinstance(value, str):
        return style.text(value)
    if not isinstance(value, (dict, list)):
        return json.dumps(value)
    rows = _rows(value, style, depth + 1)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    space = style.space if isinstance(value, dict) else ""
    line = f"{opening}{space}{', '.join(rows)}{space}{closing}"
    if not rows:
        return f"{opening}{closing}"
    # Leave room for the name before the literal.
    if "\n" not in line and len(line) + len(style.indent) * depth <= WIDTH - 12:
        return line
    inner = style.indent * (depth + 1)
    return "".join(
        [f"{opening}\n", *(f"{inner}{row},\n" for row in rows), style.indent * depth, closing]
    )


def _rows(value: dict[str, Any] | list[Any], style: Style, depth: int) -> list[str]:
    if isinstance(value, list):
        return [literal(item, style, depth) for item in value]
    return [f"{_key(name, style)}: {literal(item, style, depth)}" for name, item in value.items()]


def _key(name: str, style: Style) -> str:
    return name if style.bare_keys and _IDENTIFIER.fullmatch(name) else _double_quoted(name)
