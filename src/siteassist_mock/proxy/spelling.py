"""The spellings of a text: percent-encoded, with the escapes of JSON, or both."""

from __future__ import annotations

import re
from functools import lru_cache

_ESCAPE = re.compile(
    r"(?:%(?:25)*[0-9a-fA-F]{2})+"
    r"|\\+u[dD][89abAB][0-9a-fA-F]{2}\\+u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|\\+u[0-9a-fA-F]{4}"
    r"|\\+[\"/\\bfnrt]"
)
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_LETTERS = {character: letter for letter, character in _ESCAPED.items()}


def plain(text: str) -> str:
    """Return a text without the escapes of URLs and of JSON, even repeated ones."""
    return _ESCAPE.sub(_character, text) if "%" in text or "\\" in text else text


def _character(match: re.Match[str]) -> str:
    found = match[0]
    if found.startswith("%"):
        # Encoded again, a percent sign is %25.
        units = re.findall(r"%(?:25)*([0-9a-fA-F]{2})", found)
        return bytes.fromhex("".join(units)).decode(errors="replace")
    units = re.findall(r"u([0-9a-fA-F]{4})", found)
    if units:
        pair = b"".join(bytes.fromhex(unit) for unit in units)
        return pair.decode("utf-16-be", "replace")
    return _ESCAPED.get(found[-1], found[-1])


@lru_cache(maxsize=1024)
def pattern(text: str) -> re.Pattern[str]:
    """Return what matches each spelling of a text."""
    return re.compile("".join(map(_spellings, text)))


@lru_cache(maxsize=1024)
def _spellings(character: str) -> str:
    data = character.encode(errors="replace")
    percent = "".join(f"%(?:25)*(?i:{byte:02x})" for byte in data)
    pair = character.encode("utf-16-be", "surrogatepass").hex()
    units = "".join(rf"\\+u(?i:{pair[start : start + 4]})" for start in range(0, len(pair), 4))
    found = [re.escape(character), percent, units]
    if character == " ":
        found.append(r"\+")
    if character in '"/\\':
        found.insert(0, rf"\\+{re.escape(character)}")
    if character in _LETTERS:
        found.append(rf"\\+{_LETTERS[character]}")
    return f"(?:{'|'.join(found)})"
