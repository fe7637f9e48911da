"""What a load test prints and writes of breaks; times and throughput are Locust's to report."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import Violation
from siteassist_contract.load.results import LoadResults
from siteassist_contract.verdict import ExitStatus


def status_of(results: LoadResults, *, interrupted: bool) -> ExitStatus:
    """Return the exit status: a break counts most, whatever else went wrong."""
    if results.violations:
        return ExitStatus.BROKEN
    # Ctrl-C ends a server that was started in the same terminal, too.
    if interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.NOT_RUN if results.problem else ExitStatus.KEPT


def verdict(results: LoadResults, requests: int, *, interrupted: bool) -> str:
    """Say in one line what came of a load test."""
    asked = f"{requests} answers in {results.visits} visits"
    ended = f" The load did not last to its end: {results.problem}." if results.problem else ""
    if interrupted:
        ended = " The load was interrupted."
    if results.violations:
        count = len(results.violations)
        ways = "1 way" if count == 1 else f"{count} ways"
        return f"The server breaks the contract under load in {ways} ({asked}).{ended}"
    if ended:
        return f"{ended.strip()} No break until then ({asked})."
    return f"The server keeps the contract under load ({asked})."


def brief(found: Violation) -> str:
    """Say that something is broken, as soon as it is found."""
    return f"  ✗ {found.operation}: {found.words}"


def tell(results: LoadResults) -> None:
    """Print each break, and what was refused."""
    for number, (key, found) in enumerate(results.violations.items(), 1):
        click.echo(_full(number, found, results.counts[key]))
    for status, words, counted in (
        (429, "waited for, as the server asked", results.throttled),
        (402, "no break", results.refused),
    ):
        if counted:
            each = ", ".join(f"{name} {count}" for name, count in counted.most_common())
            click.echo(f"\n{counted.total()} answers of {status} ({words}): {each}")
    click.echo()


def write(results: LoadResults, told: str, stats: list[dict[str, Any]], folder: Path) -> None:
    """Write ``load.json``: breaks, counts, and Locust's figures as ``stats``."""
    document = {"verdict": told, **results.document(), "stats": stats}
    del document["final"]
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (folder / "load.json").write_text(text, encoding="utf-8")


def _full(number: int, found: Violation, count: int) -> str:
    lines = [
        f"\nBreak {number}: {operations()[found.operation].label}",
        f"  rule:     {found.words}",
        f"  rests on: {found.document}",
        f"  expected: {found.expected}",
        f"  actual:   {found.actual}",
        f"  seen in:  {count} {'visit' if count == 1 else 'visits'}",
    ]
    if found.commands:
        # Under load it may take more than these: they say what was done.
        lines += ["  seen with:", textwrap.indent(found.commands, "    ")]
    return "\n".join(lines)
