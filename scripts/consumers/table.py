"""The table of results in Markdown, and its place on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence

from scripts.consumers.catalogue import Flaw
from scripts.consumers.trial import STAGES, Outcome, Result

HEAD = ("tool", "version", "form", *STAGES, "last run", "with")
BEGIN = "<!-- Written by `make consumers ARGS=--page`. -->"
END = "<!-- End of the table. -->"
FORMS = re.compile(r"^\| (?P<tool>[^|]+?) +\| [^|]+\| `(?P<form>[^`]+)`")


def rows(outcomes: Sequence[Outcome], day: str, earlier: str) -> list[str]:
    """Return a row for each outcome; a row of ``earlier``, a table, replaces one without results.

    So the row of a tool that was not tried says when and where it was last tried.
    """
    kept = {
        (found["tool"], found["form"]): line
        for line in earlier.splitlines()
        if (found := FORMS.match(line))
    }
    return [
        _row(outcome, day)
        if outcome.results
        else kept.get((outcome.label, outcome.form), _row(outcome, ""))
        for outcome in outcomes
    ]


def report(outcomes: Sequence[Outcome], day: str, earlier: str) -> str:
    """Return the table and its footnotes; see `rows`."""
    written = table(rows(outcomes, day, earlier))
    notes = footnotes(outcomes)
    return "\n".join([written, "", *notes]) if notes else written


def table(lines: Sequence[str]) -> str:
    """Return the table with these rows."""
    head = f"| {' | '.join(HEAD)} |"
    return "\n".join([head, f"|{'---|' * len(HEAD)}", *lines])


def _row(outcome: Outcome, day: str) -> str:
    cells = [
        ""
        if stage not in outcome.stages
        else "not tried"
        if not outcome.results
        else _cell(outcome.results, stage)
        for stage in STAGES
    ]
    fields = [outcome.label, outcome.version, f"`{outcome.form}`", *cells, day, outcome.tools]
    return f"| {' | '.join(fields)} |"


def _cell(results: dict[str, Result], stage: str) -> str:
    result = results.get(stage)
    if result is None:
        return "not reached"
    if result.ours:
        return "**no**"
    wrong = len(result.theirs)
    if result.tried:
        return f"{result.tried - wrong} of {result.tried}" if wrong else f"all {result.tried}"
    return "tool" if wrong else "yes"


def footnotes(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the flaws of the tools: the smallest input, and advice to their users."""
    flawed: dict[Flaw, list[str]] = {}
    for outcome in outcomes:
        for flaw in outcome.flaws:
            flawed.setdefault(flaw, []).append(f"{outcome.label} on `{outcome.form}`")
    return [
        f"- {flaw.stage}: `{flaw.input}`. {flaw.advice} ({', '.join(names)})"
        for flaw, names in flawed.items()
    ]


def on_page(page: str, text: str) -> str:
    """Return ``page`` with ``text`` between the marks. Raises `LookupError` without marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise LookupError(f"the page has no {BEGIN!r} before {END!r}")
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{after}"


def from_page(page: str) -> str:
    """Return the text between the marks."""
    return page.partition(BEGIN)[2].partition(END)[0]
