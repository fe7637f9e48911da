"""The output of a run: its progress, the findings, and the parts that were not tested."""

from __future__ import annotations

import math
import textwrap
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import click

from siteassist_contract import plan
from siteassist_contract.description import all_operations, takes_key
from siteassist_contract.findings import LAYERS, Violation
from siteassist_contract.http.preflight import Target
from siteassist_contract.report import references, tested_rules
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.ordering import Finding
from siteassist_contract.report.reproduction import needed_variables
from siteassist_contract.report.summary import Report
from siteassist_contract.report.wrapping import WIDTH, wrapped
from siteassist_contract.run import NOT_BEGUN, Options, Outcome
from siteassist_spec.output import StatusLine, Style, Styled, one_line, printable, show

_IN_FULL = 10
"""The number of findings that are printed in full."""
_LISTED = 20
"""The number of findings in the list at the end."""
_MILLISECONDS = 0.1
"""Shorter times, in seconds, are printed in milliseconds."""
_WORDS = 45
"""The width of the column with the description of a step."""


@dataclass
class _Layer:
    """The progress of a layer, whose steps may run side by side."""

    begun: float = field(default_factory=time.monotonic)
    running: int = 0
    """Number of steps that have begun and not ended."""
    steps: int = 0
    """Number of steps that have ended."""
    requests: int = 0

    def summary(self, layer: str) -> str:
        """Return the line of the layer."""
        steps = f"{self.steps} {'step' if self.steps == 1 else 'steps'}"
        seconds = time.monotonic() - self.begun
        return f"  {layer:<9} {steps:>9} {self.requests:6} requests {seconds:6.1f} s"


class Terminal:
    """The output on standard output."""

    def __init__(self) -> None:
        self._announced: set[tuple[str, str]] = set()
        self._status = StatusLine()
        self._layers: dict[str, _Layer] = {}
        self._is_in_full = False

    def begin(
        self, target: Target, options: Options, started: datetime, versions: dict[str, str]
    ) -> None:
        """Print the target, the versions, and the limits of a run without a key."""
        profile, selection = options.profile, options.selection
        click.echo(f"Testing {one_line(target.base_url)}")
        _wrapped(f"Profile {profile.name}: {profile.words}")
        known = ", ".join(f"{name} {version}" for name, version in versions.items())
        _wrapped(f"{started:%Y-%m-%d %H:%M} UTC, with {known}")
        keyed = any(takes_key(all_operations()[name]) for name in selection.tested)
        if target.api_key is None and keyed:
            click.echo("Without --api-key, requests that take an API key cannot succeed.")
        isolated = any(selection.selects("isolation", name) for name in selection.tested)
        if not target.has_two_visitors and isolated:
            click.echo("There is only one visitor: isolation between visitors is not tested.")

    def announce(self, options: Options, durations: list[float]) -> None:
        """Print the requests of a run and its duration, from the ``durations`` of some answers."""
        if options.selection.options:
            _wrapped("The run is narrowed: it sends only the requests that its tests need.")
        else:
            self._announce_whole(options, durations)
        if options.max_messages is not None:
            _wrapped(
                f"The assistant answers at most {options.max_messages} messages and completions."
            )

    def _announce_whole(self, options: Options, durations: list[float]) -> None:
        examples = options.examples or options.profile.examples
        first, rest = plan.expected(options.profile, examples)
        _wrapped(
            f"About {first.requests} requests test every rule once, and up to {rest.requests} more"
            f"{' in each round' if options.profile.rounds else ''} test further."
        )
        _wrapped(
            f"The assistant answers {first.answers} of the former and {rest.answers} of the latter,"
            " each of which may cost money."
        )
        ends = f"he run ends after {_minutes(options.limit)}."
        if not durations:
            _wrapped(f"T{ends}")
            return
        pace = sum(durations) / len(durations)
        seconds = first.requests * pace / options.workers
        _wrapped(
            f"At {_shown_pace(pace)} a request, the former take about {_minutes(seconds)}; t{ends}"
        )

    def begun(self, layer: str, words: str) -> None:
        """Show the step that begins, in the line of its layer."""
        if not self._status.is_possible:
            return
        for other in [name for name, each in self._layers.items() if not each.running]:
            if other != layer:
                self._close(other)
        progress = self._layers.setdefault(layer, _Layer())
        progress.running += 1
        self._status.set(f"{progress.summary(layer)}  {words} ...")

    def step(self, layer: str, words: str, requests: int, seconds: float) -> None:
        """Print the result of a step, or add it to the line of its layer."""
        progress = self._layers.get(layer)
        if progress is None:
            if words.endswith(plan.IN_FULL) and not self._is_in_full:
                self._is_in_full = True
                click.echo(
                    "Each rule of the plan was tested once. The steps in full, with more values:"
                )
            shown = words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
            click.echo(f"  {layer:<9} {shown:<{_WORDS}} {requests:5} requests {seconds:5.1f} s")
            return
        progress.steps += 1
        progress.requests += requests
        # Generated requests have several results.
        progress.running = max(0, progress.running - 1)
        self._status.set(f"{progress.summary(layer)}  {words}")

    def close(self) -> None:
        """Leave a line for each layer that is not over yet."""
        for layer in list(self._layers):
            self._close(layer)

    def _close(self, layer: str) -> None:
        self._status.clear()
        click.echo(self._layers.pop(layer).summary(layer))

    def found(self, found: Violation) -> None:
        """Print a new violation, if it is the first one of its finding."""
        finding = (found.operation, found.rule)
        if finding in self._announced:
            return
        self._announced.add(finding)
        known = " (known)" if found.known else ""
        place = f" ({one_line(found.place)})" if found.place else ""
        self._status.clear()
        lines = textwrap.wrap(
            f"✗ {found.operation}: {found.words}{place}{known}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_on_hyphens=False,
        )
        show(Styled("\n".join(lines), Style.YELLOW if found.known else Style.RED))

    def end(self, report: Report) -> None:
        """Print the findings, the requests by layer, and the parts that were not tested."""
        self.close()
        report = report.redacted
        for finding in report.findings:
            in_full = finding.number <= _IN_FULL
            _print_finding(finding, in_full=in_full, starts=bool(report.start))
        if len(report.findings) > _IN_FULL:
            click.echo("  The HTML report has all of them in full.")
        _print_requests(report)
        _print_remarks(report)
        if len(report.findings) > 1:
            _print_list(report.findings)
        click.echo()


def _print_list(findings: Sequence[Finding]) -> None:
    """Print a line for each finding, after all that follows the findings in full."""
    show(Styled("\nAll findings:", Style.BOLD))
    for finding in findings[:_LISTED]:
        found = finding.first
        known = " (known)" if found.known else ""
        line = f"{finding.number:4}  {found.operation} {found.rule}{known}: {found.words}"
        click.echo(line if len(line) <= WIDTH else f"{line[: WIDTH - 1].rstrip()}…")
    if len(findings) > _LISTED:
        click.echo(f"      and {len(findings) - _LISTED} more, which the reports have")


def _print_requests(report: Report) -> None:
    """Print the requests by layer, the reasons for missing tests, and the facts of the run."""
    show(Styled("\nRequests by operation and layer:", Style.BOLD))
    click.echo(f"  {'':<24}" + "".join(f"{layer:>10}" for layer in LAYERS))
    for name, cells in report.matrix():
        shown = (f"{n} ({b}✗)" if b else str(n) for n, b in cells)
        click.echo(f"  {name:<24}" + "".join(f"{cell:>10}" for cell in shown))
    if report.unlisted:
        _wrapped(f"In addition: {unlisted(report)}", first="  ", later="  ")
    reasons = tested_rules.gaps(report.rows)
    click.echo()
    _wrapped(f"Tested: {tested_rules.counted(report.rows)}{' Not tested:' if reasons else ''}")
    for reason, count in reasons.most_common():
        _wrapped(one_line(reason), first=f"  {count:4}  ", later=" " * 8)
    for name, text in references.explained(*reasons).items():
        _wrapped(f"{name}: {text}", first=" " * 8, later=" " * 10)
    show(Styled("\nThis run:", Style.BOLD))
    for name, text in report.facts.items():
        _wrapped(one_line(text), first=f"  {f'{name}:':<11}", later=" " * 13)


def unlisted(report: Report) -> str:
    """Return how many requests the table of a report does not have, with the reason."""
    noun = "request" if report.unlisted == 1 else "requests"
    return f"{report.unlisted} {noun} that set up tests, or were lost, refused or repeated."


def _print_remarks(report: Report) -> None:
    if report.outcome.problem:
        _wrapped(f"The run did not finish: {one_line(report.outcome.problem)}")
    if report.outcome.unfinished:
        click.echo("Planned, but not finished:")
        for step, reason in _unfinished(report.outcome):
            _wrapped(f"{step}: {one_line(reason)}", first="  ", later="    ")
    for note in report.outcome.notes:
        _wrapped(f"Note: {one_line(note)}", later="  ")


def _unfinished(outcome: Outcome) -> Iterator[tuple[str, str]]:
    """Yield the unfinished steps with the reasons; those that a stop leaves out as one."""
    left = [step for step, reason in outcome.unfinished.items() if reason == NOT_BEGUN]
    together = outcome.stopped and len(left) > 1
    for step, reason in outcome.unfinished.items():
        if not (together and step in left):
            yield step, reason
    if together:
        yield f"{len(left)} other steps", NOT_BEGUN


def _print_finding(finding: Finding, *, in_full: bool, starts: bool) -> None:
    known = " (known)" if finding.first.known else ""
    show(Styled(f"\nFinding {finding.number}: {label(finding.first.operation)}{known}", Style.BOLD))
    click.echo(full(finding, starts=starts) if in_full else "\n".join(_name(finding)))


def _name(finding: Finding) -> list[str]:
    """Return the rule of a finding, and its key, whose words ``--only`` takes."""
    return [_row("rule", finding.first.words), _row("key", one_line(finding.first.key))]


def full(finding: Finding, *, starts: bool = False) -> str:
    """Return a finding as text, without its heading and with its first violation in full.

    Its server has to be started again if a command ``starts`` it.
    """
    found = finding.first
    lines = [*_name(finding), _row("impact", IMPACT.get(found.rule, ""))]
    if finding.related is not None:
        lines.append(_row("related", f"{finding.relation} finding {finding.related}"))
    lines.append(_row("source", found.document))
    lines += [
        _row("", f"{name}: {text}") for name, text in references.explained(found.document).items()
    ]
    for name, text in (("expected", found.expected), ("actual", found.actual)):
        lead = f"  {f'{name}:':<10}"
        lines.append(wrapped(one_line(text), lead, " " * len(lead), exact=True))
    if len(finding.violations) > 1:
        places = one_line(", ".join(other.place for other in finding.violations[1:]))
        lines.append(f"  also at:  {_clipped(places)}")
    if found.answer:
        lines += ["  answer:", textwrap.indent(printable(found.answer), "    ")]
    if found.commands:
        needs = ["start the server again, see below"] if starts else []
        if variables := needed_variables(found.commands):
            needs.append(f"set {' and '.join(variables)}")
        lines += [
            f"  reproduce: {', '.join([*needs, 'then run']) if needs else ''}".rstrip(),
            textwrap.indent(_clipped(printable(found.commands)), "    "),
        ]
    return "\n".join(line for line in lines if line)


def _row(name: str, text: str) -> str:
    """Return a part of a finding, or an empty string if there is none."""
    lead = f"  {f'{name}:' if name else '':<10}"
    return wrapped(text, lead, " " * len(lead)) if text else ""


def _wrapped(text: str, first: str = "", later: str = "") -> None:
    """Print a text in as many lines as it needs."""
    click.echo(wrapped(text, first, later))


def _shown_pace(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= _MILLISECONDS else f"{max(1, round(seconds * 1000))} ms"


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)} min" if seconds >= 120 else f"{math.ceil(seconds)} s"


def label(operation: str) -> str:
    """Return an operation with its method and path, such as ``GET /search (search)``."""
    known = all_operations().get(operation)
    return operation if known is None else known.label


def _clipped(commands: str) -> str:
    """Shorten lines that are too long for a terminal."""
    most = 600
    return "\n".join(
        line if len(line) <= most else f"{line[:most]}… (in full in the report)"
        for line in commands.splitlines()
    )
