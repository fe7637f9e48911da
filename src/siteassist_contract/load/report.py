"""The findings of a load test as text and JSON. Locust reports times and throughput."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import Violation
from siteassist_contract.load.results import LoadResults
from siteassist_contract.report import files
from siteassist_contract.verdict import ExitStatus
from siteassist_spec.output import one_line, printable

HTML, JSON = "load.html", "load.json"
"""The names of the reports."""


def status_of(results: LoadResults, *, interrupted: bool) -> ExitStatus:
    """Return the exit status: violations take precedence over other problems."""
    if results.violations:
        return ExitStatus.BROKEN
    # Ctrl-C ends a server that was started in the same terminal, too.
    if interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.NOT_RUN if results.problem else ExitStatus.KEPT


def verdict(results: LoadResults, requests: int, *, interrupted: bool) -> str:
    """Return the verdict of a load test as one line."""
    asked = f"{requests} answers in {results.visits} visits"
    ended = f" The load did not finish: {results.problem}." if results.problem else ""
    if interrupted:
        ended = " The load was interrupted."
    if results.violations:
        count = len(results.violations)
        ways = "1 way" if count == 1 else f"{count} ways"
        return f"The server breaks the contract under load in {ways} ({asked}).{ended}"
    if ended:
        return f"{ended.strip()} No violation was found ({asked})."
    return f"The server keeps the contract under load ({asked})."


def brief(found: Violation) -> str:
    """Return a violation as one line, which is printed when it is found."""
    return f"  ✗ {found.operation}: {found.words}"


def show(results: LoadResults) -> None:
    """Print the findings, and the counts of 429 and 402."""
    for number, (key, found) in enumerate(results.violations.items(), 1):
        click.echo(_full(number, found, results.counts[key]))
    for status, words, counted in (
        (429, "visitors waited as requested", results.throttled),
        (402, "not a violation", results.refused),
    ):
        if counted:
            each = ", ".join(f"{name} {count}" for name, count in counted.most_common())
            click.echo(f"\n{counted.total()} answers of {status} ({words}): {each}")
    click.echo()


def write(results: LoadResults, line: str, stats: list[dict[str, Any]], path: Path) -> None:
    """Write the JSON report: the verdict ``line``, violations, counts and Locust's ``stats``."""
    document = {"verdict": line, **results.document(), "stats": stats}
    del document["final"]
    files.write(path, files.json_text(document))


def _full(number: int, found: Violation, count: int) -> str:
    lines = [
        f"\nFinding {number}: {operations()[found.operation].label}",
        f"  rule:     {found.words}",
        f"  source:   {found.document}",
        f"  expected: {one_line(found.expected)}",
        f"  actual:   {one_line(found.actual)}",
        f"  seen in:  {count} {'visit' if count == 1 else 'visits'}",
    ]
    if found.commands:
        # These requests may not be enough to reproduce a fault that needs load.
        lines += ["  seen with:", textwrap.indent(printable(found.commands), "    ")]
    return "\n".join(lines)
