"""The findings of a load test as text and JSON. Locust reports times and throughput."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import Violation
from siteassist_contract.load.plan import Plan
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.verdict import Conclusion
from siteassist_contract.report import files, references
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.versions import versions
from siteassist_spec import output
from siteassist_spec.output import Style, Styled, one_line, printable

HTML, JSON = "load.html", "load.json"
"""The names of the reports."""
VERSION = 1
"""The version of the JSON report, which changes with the meaning of a key."""
_FOUND = (
    *("violations", "counts"),
    *("throttled", "refused", "unavailable", "unanswered", "abandoned"),
)
STREAM = "STREAM"
"""The method of entries with the times of deltas, in place of that of requests."""
_LIBRARIES = ("locust",)
_WIDTH = 80
"""Number of columns of the output."""


def announce(started: datetime) -> None:
    """Print the date and the versions."""
    known = ", ".join(f"{name} {version}" for name, version in versions(*_LIBRARIES).items())
    click.echo(textwrap.fill(f"{started:%Y-%m-%d %H:%M} UTC, with {known}", _WIDTH))


def brief(found: Violation) -> str:
    """Return a violation in a few words, which are printed when it is found."""
    text = f"✗ {found.operation}: {found.words}"
    return textwrap.fill(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def circumstances(base_url: str, started: datetime) -> dict[str, Any]:
    """Return the circumstances of the run for a report: the server, the date, the versions."""
    return {
        "base_url": base_url,
        "date": started.isoformat(timespec="seconds"),
        "versions": versions(*_LIBRARIES),
    }


def times(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return Locust's figures as a table, with times in milliseconds."""
    head = ("number", "median", "95 %", "longest", "per s")
    lines = [f"  {'':<36} " + " ".join(f"{name:>7}" for name in head)]
    for entry in entries:
        cells = [
            str(entry["num_requests"]),
            *(
                "" if entry[name] is None else f"{entry[name]:.0f}"
                for name in (
                    "median_response_time",
                    "response_time_percentile_0.95",
                    "max_response_time",
                )
            ),
            "" if entry["method"] == STREAM else f"{entry['total_rps']:.1f}",
        ]
        name = entry["name"] if entry["method"] else "all requests"
        lines.append((f"  {name:<36} " + " ".join(f"{cell:>7}" for cell in cells)).rstrip())
    return "\n".join(lines)


def show(results: LoadResults) -> None:
    """Print the findings, and the counts of refusals."""
    for number, (key, found) in enumerate(results.violations.items(), 1):
        label = operations()[found.operation].label
        output.show(Styled(f"\nFinding {number}: {label}", Style.BOLD))
        click.echo(_full(found, results.counts[key]))
    for status, words, counted in (
        (429, "visitors waited as requested", results.throttled),
        (402, "not a violation", results.refused),
        ("502 or 503", "violations of a server that completes visits", results.unavailable),
    ):
        if counted:
            each = ", ".join(f"{name} {count}" for name, count in counted.most_common())
            text = f"{counted.total()} answers of {status} ({words}): {each}"
            click.echo("\n" + textwrap.fill(text, _WIDTH, subsequent_indent="  "))
    click.echo()


def document(
    plan: Plan,
    results: LoadResults,
    requests: int,
    conclusion: Conclusion,
    stats: list[dict[str, Any]],
    run: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the JSON report; docs/how-to/load.md describes it."""
    found = results.document()
    failure = results.failure
    return {
        "version": VERSION,
        **run,
        "verdict": conclusion.name,
        "exit_status": int(conclusion.status),
        "line": conclusion.line,
        "allowed_incomplete": conclusion.allowed,
        "problem": results.problem,
        "internal_error": failure and {"type": failure.type, "text": failure.text},
        "planned": {
            "seconds": plan.seconds,
            "visitors": plan.visitors,
            "visits": plan.visits,
            "steps": plan.steps,
            "rules": {key: sample.least for key, sample in plan.samples.items()},
        },
        "done": {
            "visitors": results.visitors,
            "visits": results.visits,
            "requests": requests,
            "steps": found["steps"],
            "rules": found["samples"],
        },
        "not_tested": [dataclasses.asdict(part) for part in conclusion.not_tested],
        **{name: found[name] for name in _FOUND},
        "stats": stats,
    }


def write(document: Mapping[str, Any], path: Path) -> None:
    """Write the JSON report."""
    files.write(path, files.json_text(document))


def _full(found: Violation, count: int) -> str:
    lines = [
        _row("rule", found.words),
        _row("impact", IMPACT.get(found.rule, "")),
        _row("source", found.document),
        *(
            _row("", f"{name}: {text}")
            for name, text in references.explained(found.document).items()
        ),
        f"  expected: {one_line(found.expected)}",
        f"  actual:   {one_line(found.actual)}",
        f"  seen in:  {count} {'visit' if count == 1 else 'visits'}",
    ]
    if found.commands:
        # These requests may not be enough to reproduce a fault that needs load.
        lines += ["  seen with:", textwrap.indent(printable(found.commands), "    ")]
    return "\n".join(lines)


def _row(name: str, text: str) -> str:
    lead = f"  {f'{name}:' if name else '':<10}"
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=lead,
        subsequent_indent=" " * len(lead),
        break_long_words=False,
        break_on_hyphens=False,
    )
