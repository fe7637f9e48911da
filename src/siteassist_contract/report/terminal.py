"""What a run prints: a line per step while it goes on, each break, and what was not tested."""

from __future__ import annotations

import textwrap

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import LAYERS, Violation, grouped
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.report import tested_rules
from siteassist_contract.report.summary import Report
from siteassist_contract.verdict import ExitStatus

_IN_FULL = 10
"""How many breaks are printed with everything that is known of them."""
_WIDTH = 100


class Terminal:
    """Prints to standard output."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def begin(self, target: Target, profile: Profile) -> None:
        """Say what is tested, and what cannot be."""
        click.echo(f"Testing {target.base_url} ({profile.name}: {profile.words})")
        if target.api_key is None:
            click.echo("Without --api-key, nothing that takes an API key can succeed, and only")
            click.echo(
                "one visitor takes part: whether others can read what is theirs stays untested."
            )

    def step(self, layer: str, words: str, requests: int, violations: int, seconds: float) -> None:
        """Say that a step is done."""
        noun = "violation" if violations == 1 else "violations"
        counted = f"{requests:5} requests, {violations} {noun} so far"
        click.echo(f"  {layer:<9} {words:<42} {counted} ({seconds:.1f} s)")

    def found(self, found: Violation) -> None:
        """Say at once that something is broken; of many places, the first."""
        way = (found.operation, found.rule)
        if way in self._told:
            return
        self._told.add(way)
        known = " (known)" if found.known else ""
        place = f" ({found.place})" if found.place else ""
        click.echo(f"  ✗ {found.operation}: {found.words}{place}{known}")

    def end(self, report: Report) -> None:
        """Print the breaks, the table of what was tested, and what was not."""
        ways = grouped(report.outcome.findings.violations.values())
        for number, way in enumerate(ways, 1):
            click.echo(full(number, way) if number <= _IN_FULL else _short(number, way))
        if len(ways) > _IN_FULL:
            click.echo("  The report has all of them in full.")
        click.echo("\nRequests by operation and layer:")
        click.echo(f"  {'':<24}" + "".join(f"{layer:>12}" for layer in LAYERS))
        for name, cells in report.matrix():
            shown = (f"{n} ({b}✗)" if b else str(n) for n, b in cells)
            click.echo(f"  {name:<24}" + "".join(f"{cell:>12}" for cell in shown))
        tested = sum(bool(row.count) for row in report.rows)
        click.echo(
            f"\nTested: {tested} of {len(report.rows)} pairs of operation and status or rule."
            " Not tested:"
        )
        for reason, count in tested_rules.gaps(report.rows).most_common():
            lead = f"  {count:4}  "
            click.echo(
                textwrap.fill(reason, _WIDTH, initial_indent=lead, subsequent_indent=" " * 8)
            )
        if report.outcome.problem and report.outcome.status is ExitStatus.BROKEN:
            click.echo(f"The run did not get to its end: {report.outcome.problem}")
        for note in report.outcome.notes:
            click.echo(f"Note: {note}")
        click.echo()


def full(number: int, way: list[Violation]) -> str:
    """Return breaks of one rule by one operation as text, the first one in full."""
    found = way[0]
    lines = [
        f"\nBreak {number}: {_label(found.operation)}{' (known)' if found.known else ''}",
        f"  rule:     {found.words}",
        f"  rests on: {found.document}",
        f"  expected: {found.expected}",
        f"  actual:   {found.actual}",
    ]
    if len(way) > 1:
        lines.append(f"  also at:  {_clipped(', '.join(other.place for other in way[1:]))}")
    if found.answer:
        lines += ["  answer:", textwrap.indent(found.answer, "    ")]
    if found.commands:
        lines += ["  repeat with:", textwrap.indent(_clipped(found.commands), "    ")]
    return "\n".join(lines)


def _short(number: int, way: list[Violation]) -> str:
    return f"\nBreak {number}: {_label(way[0].operation)}\n  rule:     {way[0].words}"


def _label(operation: str) -> str:
    known = operations().get(operation)
    return operation if known is None else known.label


def _clipped(commands: str) -> str:
    """Shorten what no terminal can show; the report has it in full."""
    most = 600
    return "\n".join(
        line if len(line) <= most else f"{line[:most]}… (in full in the report)"
        for line in commands.splitlines()
    )
