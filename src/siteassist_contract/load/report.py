"""The findings of a load test as text and JSON. Locust reports times and throughput."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from siteassist_contract.description import operations
from siteassist_contract.findings import Violation
from siteassist_contract.load.plan import Plan
from siteassist_contract.load.results import LoadResults
from siteassist_contract.load.verdict import Conclusion
from siteassist_contract.report import files
from siteassist_spec.output import one_line, printable

HTML, JSON = "load.html", "load.json"
"""The names of the reports."""
VERSION = 1
"""The version of the JSON report, which changes with the meaning of a key."""
_FOUND = (
    *("violations", "counts"),
    *("throttled", "refused", "unavailable", "unanswered", "abandoned"),
)


def brief(found: Violation) -> str:
    """Return a violation as one line, which is printed when it is found."""
    return f"  ✗ {found.operation}: {found.words}"


def show(results: LoadResults) -> None:
    """Print the findings, and the counts of refusals."""
    for number, (key, found) in enumerate(results.violations.items(), 1):
        click.echo(_full(number, found, results.counts[key]))
    for status, words, counted in (
        (429, "visitors waited as requested", results.throttled),
        (402, "not a violation", results.refused),
        ("502 or 503", "violations of a server that completes visits", results.unavailable),
    ):
        if counted:
            each = ", ".join(f"{name} {count}" for name, count in counted.most_common())
            click.echo(f"\n{counted.total()} answers of {status} ({words}): {each}")
    click.echo()


def document(
    plan: Plan,
    results: LoadResults,
    requests: int,
    conclusion: Conclusion,
    stats: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return the JSON report; docs/load.md describes it."""
    found = results.document()
    failure = results.failure
    return {
        "version": VERSION,
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
