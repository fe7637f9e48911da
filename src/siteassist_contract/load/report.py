"""What a load test prints and writes of breaks; times and throughput are Locust's to report."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import Break
from siteassist_contract.load.results import Ledger
from siteassist_contract.verdict import ExitStatus


def status_of(ledger: Ledger, *, interrupted: bool) -> ExitStatus:
    """Return the exit status: a break counts most, whatever else went wrong."""
    if ledger.breaks:
        return ExitStatus.BROKEN
    # Ctrl-C ends a server that was started in the same terminal, too.
    if interrupted:
        return ExitStatus.INTERRUPTED
    return ExitStatus.NOT_RUN if ledger.problem else ExitStatus.KEPT


def verdict(ledger: Ledger, requests: int, *, interrupted: bool) -> str:
    """Say in one line what came of a load test."""
    asked = f"{requests} answers in {ledger.visits} visits"
    ended = f" The load did not last to its end: {ledger.problem}." if ledger.problem else ""
    if interrupted:
        ended = " The load was interrupted."
    if ledger.breaks:
        count = len(ledger.breaks)
        ways = "1 way" if count == 1 else f"{count} ways"
        return f"The server breaks the contract under load in {ways} ({asked}).{ended}"
    if ended:
        return f"{ended.strip()} No break until then ({asked})."
    return f"The server keeps the contract under load ({asked})."


def brief(found: Break) -> str:
    """Say that something is broken, as soon as it is found."""
    return f"  ✗ {found.operation}: {found.words}"


def tell(ledger: Ledger) -> None:
    """Print each break, and what was refused."""
    for number, (key, found) in enumerate(ledger.breaks.items(), 1):
        click.echo(_full(number, found, ledger.counts[key]))
    for status, words, counted in (
        (429, "waited for, as the server asked", ledger.throttled),
        (402, "no break", ledger.refused),
    ):
        if counted:
            each = ", ".join(f"{name} {count}" for name, count in counted.most_common())
            click.echo(f"\n{counted.total()} answers of {status} ({words}): {each}")
    click.echo()


def write(ledger: Ledger, told: str, stats: list[dict[str, Any]], folder: Path) -> None:
    """Write ``load.json``: breaks, counts, and Locust's figures as ``stats``."""
    document = {"verdict": told, **ledger.document(), "stats": stats}
    del document["final"]
    text = json.dumps(document, ensure_ascii=False, indent=1)
    (folder / "load.json").write_text(text, encoding="utf-8")


def _full(number: int, found: Break, count: int) -> str:
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
