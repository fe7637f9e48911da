"""The output of a run: a line per step, the findings, and the parts that were not tested."""

from __future__ import annotations

import math
import textwrap

import click

from siteassist_contract import plan
from siteassist_contract.description import all_operations
from siteassist_contract.findings import LAYERS, Violation, grouped
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import Profile
from siteassist_contract.report import tested_rules
from siteassist_contract.report.summary import Report
from siteassist_contract.run import Options
from siteassist_spec.output import one_line, printable

_IN_FULL = 10
"""The number of findings that are printed in full."""
_WIDTH = 80


class Terminal:
    """The output on standard output."""

    def __init__(self) -> None:
        self._announced: set[tuple[str, str]] = set()

    def begin(self, target: Target, profile: Profile) -> None:
        """Print the target, and the limits of a run without a key."""
        click.echo(f"Testing {one_line(target.base_url)} ({profile.name}: {profile.words})")
        if target.api_key is None:
            click.echo("Without --api-key, requests that take an API key cannot succeed.")
        if not target.has_two_visitors:
            click.echo("There is only one visitor: isolation between visitors is not tested.")

    def announce(self, options: Options, durations: list[float]) -> None:
        """Print the requests of a run and its duration, from the ``durations`` of some answers."""
        if options.selection.options:
            click.echo("The run is narrowed: it sends only what its tests need.")
        else:
            self._announce_whole(options, durations)
        if options.max_messages is not None:
            click.echo(
                f"The assistant answers at most {options.max_messages} messages and completions."
            )

    def _announce_whole(self, options: Options, durations: list[float]) -> None:
        examples = options.examples or options.profile.examples
        first, rest = plan.expected(options.profile, examples)
        pace = sum(durations) / len(durations) if durations else 0.0
        click.echo(
            f"About {first.requests} requests test every rule once, and up to {rest.requests} more"
            f"{' in each round' if options.profile.rounds else ''} test further."
        )
        click.echo(
            f"The assistant answers {first.answers} of the former and {rest.answers} of the latter,"
            " each of which may cost money."
        )
        seconds = first.requests * pace / options.workers
        click.echo(
            f"At {pace:.2f} s a request, the former take about {_minutes(seconds)};"
            f" the run ends after {_minutes(options.limit)}."
        )

    def step(self, layer: str, words: str, requests: int, seconds: float) -> None:
        """Print the result of a step."""
        click.echo(f"  {layer:<9} {words:<44} {requests:5} requests {seconds:5.1f} s")

    def found(self, found: Violation) -> None:
        """Print a new violation, if it is the first one of its finding."""
        finding = (found.operation, found.rule)
        if finding in self._announced:
            return
        self._announced.add(finding)
        known = " (known)" if found.known else ""
        place = f" ({one_line(found.place)})" if found.place else ""
        click.echo(f"  ✗ {found.operation}: {found.words}{place}{known}")

    def end(self, report: Report) -> None:
        """Print the findings, the requests by layer, and the parts that were not tested."""
        findings = grouped(report.outcome.findings.violations.values())
        for number, finding in enumerate(findings, 1):
            click.echo(full(number, finding) if number <= _IN_FULL else _short(number, finding))
        if len(findings) > _IN_FULL:
            click.echo("  The HTML report has all of them in full.")
        click.echo("\nRequests by operation and layer:")
        click.echo(f"  {'':<24}" + "".join(f"{layer:>12}" for layer in LAYERS))
        for name, cells in report.matrix():
            shown = (f"{n} ({b}✗)" if b else str(n) for n, b in cells)
            click.echo(f"  {name:<24}" + "".join(f"{cell:>12}" for cell in shown))
        tested = sum(not row.reason for row in report.rows)
        click.echo(
            f"\nTested: {tested} of {len(report.rows)} pairs of operation and status or rule."
            " Not tested:"
        )
        for reason, count in tested_rules.gaps(report.rows).most_common():
            lead = f"  {count:4}  "
            click.echo(
                textwrap.fill(
                    one_line(reason), _WIDTH, initial_indent=lead, subsequent_indent=" " * 8
                )
            )
        click.echo(f"Spent: {report.outcome.spending.words}.")
        if report.outcome.problem:
            click.echo(f"The run did not finish: {one_line(report.outcome.problem)}")
        if report.outcome.unfinished:
            click.echo("Planned, but not finished:")
            for step, reason in report.outcome.unfinished.items():
                click.echo(f"  {step:<48} {one_line(reason)}")
        for note in report.outcome.notes:
            click.echo(f"Note: {one_line(note)}")
        click.echo()


def full(number: int, finding: list[Violation]) -> str:
    """Return a finding as text, with its first violation in full."""
    return f"\nFinding {number}: {details(finding)}"


def details(finding: list[Violation]) -> str:
    """Return a finding without its number as text."""
    found = finding[0]
    lines = [
        f"{_label(found.operation)}{' (known)' if found.known else ''}",
        f"  rule:     {found.words}",
        f"  source:   {found.document}",
        f"  expected: {one_line(found.expected)}",
        f"  actual:   {one_line(found.actual)}",
    ]
    if len(finding) > 1:
        places = one_line(", ".join(other.place for other in finding[1:]))
        lines.append(f"  also at:  {_clipped(places)}")
    if found.answer:
        lines += ["  answer:", textwrap.indent(printable(found.answer), "    ")]
    if found.commands:
        lines += ["  reproduce:", textwrap.indent(_clipped(printable(found.commands)), "    ")]
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} min" if seconds >= 120 else f"{math.ceil(seconds)} s"


def _short(number: int, finding: list[Violation]) -> str:
    first = finding[0]
    return f"\nFinding {number}: {_label(first.operation)}\n  rule:     {first.words}"


def _label(operation: str) -> str:
    known = all_operations().get(operation)
    return operation if known is None else known.label


def _clipped(commands: str) -> str:
    """Shorten lines that are too long for a terminal."""
    most = 600
    return "\n".join(
        line if len(line) <= most else f"{line[:most]}… (in full in the report)"
        for line in commands.splitlines()
    )
