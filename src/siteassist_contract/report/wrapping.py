"""Texts in lines of 80 columns."""

from __future__ import annotations

import textwrap

WIDTH = 80


def wrapped(text: str, first: str = "", later: str = "", *, exact: bool = False) -> str:
    """Return a text in as many lines as it needs; words are not broken.

    The first line begins with ``first`` and the others with ``later``. An ``exact`` text keeps
    all its spaces, at the ends of lines as well: each may be a part of a difference.
    """
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=later,
        drop_whitespace=not exact,
        break_long_words=False,
        break_on_hyphens=False,
    )
