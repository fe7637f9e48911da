"""Lists of preferences in a header, as RFC 7240 (section 2) writes them.

``Prefer: code=404, example=notFound`` and two headers with one preference each
say the same. Parameters of a preference (after a semicolon) mean nothing here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["header_values", "parse_preferences"]

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
# Up to the next comma that is not within quotes. The second form takes what is
# no preference, so that it hides nothing of what follows it.
_ELEMENT = re.compile(rf"(?:{_QUOTED}|[^,\"])+|\"[^,]*")
_PREFERENCE = re.compile(
    rf"[ \t]*({_WORD})(?:[ \t]*=[ \t]*({_WORD}|{_QUOTED}))?[ \t]*(?:;.*)?", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def header_values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Return the values of all headers ``name``, which is in lower case, as ASGI has them."""
    return [value.decode("latin-1") for key, value in headers if key == name]


def parse_preferences(values: Iterable[str]) -> dict[str, str]:
    """Return the preferences of all headers of a request, names in lower case.

    One without a value has the empty text, which means the same. Of one that is
    given more than once only the first counts, and what is malformed is left
    out, both by the RFC.
    """
    found: dict[str, str] = {}
    for value in values:
        for name, word in _preferences(value):
            found.setdefault(name.lower(), word)
    return found


def _preferences(value: str) -> Iterator[tuple[str, str]]:
    for element in _ELEMENT.findall(value):
        match = _PREFERENCE.fullmatch(element)
        if match is not None:
            word = match[2] or ""
            yield match[1], _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word
