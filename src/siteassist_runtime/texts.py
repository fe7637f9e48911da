"""Texts of a server in messages and log lines."""

from __future__ import annotations

import re

_LONGEST = 200  # Characters of a text that a message quotes.
# Control characters, line separators, characters that reverse the direction of a text, and
# lone surrogates, which cannot be printed.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """Return ``text`` with escapes in place of control and other unprintable characters."""
    return _UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")


def shorten(text: str) -> str:
    """Return the beginning of ``text`` on one line."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
