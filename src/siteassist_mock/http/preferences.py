"""Parser of preferences in headers (RFC 7240, section 2).

``Prefer: code=404, example=notFound`` is the same as two headers with one
preference each. Parameters of a preference (after a semicolon) are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# No expression looks at a character twice: clients could make the server busy for long.
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_QUOTED = r'"(?:[^"\\]|\\.)*+"'
_UNQUOTED = re.compile(r'[^,"]++')
_QUOTE = re.compile(_QUOTED, re.DOTALL)
_PREFERENCE = re.compile(
    rf"[ \t]*+({_WORD})(?:[ \t]*+=[ \t]*+({_WORD}|{_QUOTED}))?[ \t]*+(?:;.*)?", re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def header_values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Return the values of all headers ``name``, which must be in lower case as in ASGI."""
    return [value.decode("latin-1") for key, value in headers if key == name]


def parse_preferences(values: Iterable[str]) -> dict[str, str]:
    """Return the preferences of the header ``values``, with names in lower case.

    A missing value is the empty text, which means the same. As the RFC says, only
    the first of repeated preferences counts, and malformed ones are ignored.
    """
    found: dict[str, str] = {}
    for value in values:
        for name, word in _preferences(value):
            found.setdefault(name.lower(), word)
    return found


def _preferences(value: str) -> Iterator[tuple[str, str]]:
    for element in _elements(value):
        match = _PREFERENCE.fullmatch(element)
        if match is not None:
            word = match[2] or ""
            yield match[1], _ESCAPED.sub(r"\1", word[1:-1]) if word.startswith('"') else word


def _elements(value: str) -> Iterator[str]:
    """Yield the parts of ``value`` between commas outside quotes.

    An unclosed quote ends at the next comma, so that later preferences are found.
    After it no other quote is closed either.
    """
    begin = at = 0
    closed = True
    while at < len(value):
        if value[at] == ",":
            yield value[begin:at]
            begin = at = at + 1
        elif value[at] == '"':
            quote = _QUOTE.match(value, at) if closed else None
            closed = quote is not None
            comma = value.find(",", at)
            at = quote.end() if quote else comma if comma >= 0 else len(value)
        else:
            text = _UNQUOTED.match(value, at)
            at = text.end() if text else len(value)
    yield value[begin:]
