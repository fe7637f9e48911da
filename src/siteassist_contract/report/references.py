"""Explanations of the references in reports, such as ``O-2``, from ``docs/evidence.md``."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_PACKAGED = Path(__file__).with_name("evidence.md")
_CHECKOUT = Path(__file__).resolve().parents[3] / "docs" / "evidence.md"
_REFERENCE = re.compile(r"\b(?:C-\d\d|[RO]-\d+|P\d|F-[a-z]+)\b")
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
_CONTRADICTION = re.compile(
    r"^### (C-\d\d) ([^\n]+)\n.*?\*\*Decision:\*\* (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL
)
_SENTENCE = re.compile(r".+?[.;](?= |$)")


def explained(*texts: str) -> dict[str, str]:
    """Return a sentence for each reference in ``texts``, by its id, in their order."""
    known = _entries()
    found = dict.fromkeys(each for text in texts for each in _REFERENCE.findall(text))
    return {each: known[each] for each in found if each in known}


@cache
def _entries() -> dict[str, str]:
    """Read the page: documents, contradictions, readings and open questions."""
    path = _PACKAGED if _PACKAGED.exists() else _CHECKOUT
    pieces = _HEADING.split(path.read_text(encoding="utf-8"))
    sections = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    found = {}
    for name, page, *_ in _rows(sections["Documents"]):
        found[name] = f"The page {page}." if page.startswith('"') else f"{page}."
    for name, title, decision in _CONTRADICTION.findall(sections["Contradictions"]):
        found[name] = f"Contradiction: {title}. Decision: {_first(' '.join(decision.split()))}"
    for name, reading, *_ in _rows(sections["Readings"]):
        found[name] = f"Reading: {_first(reading)}"
    for name, question, _, held in _rows(sections["Open questions"]):
        found[name] = f"Open question: {question} {_first(held)}"
    return found


def _rows(section: str) -> list[list[str]]:
    """Return the cells of a table, without its header."""
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def _first(text: str) -> str:
    """Return the first sentence of a text."""
    match = _SENTENCE.match(text)
    return f"{match[0][:-1]}." if match else text
