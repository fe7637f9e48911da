"""``summary.json``: the whole run, for programs. ``summary.schema.json`` describes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from siteassist_contract.findings import LAYERS
from siteassist_contract.report import files
from siteassist_contract.report.tested_rules import Row, untested
from siteassist_contract.run import Outcome
from siteassist_contract.verdict import Verdict

VERSION = 1
"""The version of the format of ``summary.json``, which changes if a key is removed or changed."""


@dataclass(frozen=True)
class Report:
    """The content of all reports."""

    base_url: str
    profile: str
    seed: int
    repeat: str
    """The command that repeats the run."""
    outcome: Outcome
    verdict: Verdict
    rows: list[Row]
    seconds: float
    selection: str = ""
    """The options that narrowed the run; empty for a whole run."""

    @property
    def first_violation_seconds(self) -> float | None:
        """Time from the start of the run to the first violation that is not in the baseline."""
        return min((each.seconds for each in self.outcome.findings.unknown), default=None)

    def matrix(self) -> list[tuple[str, list[tuple[int, int]]]]:
        """Return the requests and the violations of each operation in each layer."""
        findings = self.outcome.findings
        names = list(dict.fromkeys(row.operation for row in self.rows))
        return [
            (
                name,
                [
                    (
                        findings.requests[layer, name],
                        sum(
                            each.operation == name and each.layer == layer
                            for each in findings.violations.values()
                        ),
                    )
                    for layer in LAYERS
                ],
            )
            for name in names
        ]


def document(report: Report) -> dict[str, Any]:
    """Return the content of ``summary.json``."""
    outcome, verdict = report.outcome, report.verdict
    violations = outcome.findings.violations.values()
    first = report.first_violation_seconds
    return {
        "version": VERSION,
        "verdict": verdict.status.words,
        "exit_status": verdict.exit_status,
        "line": verdict.line,
        "selection": report.selection or None,
        "planned": outcome.planned,
        "done": outcome.done,
        "unfinished": outcome.unfinished,
        "not_tested": [dataclasses.asdict(gap) for gap in untested(report.rows)],
        "problem": outcome.problem or None,
        "error": None if outcome.error is None else str(outcome.error),
        "notes": outcome.notes,
        "base_url": report.base_url,
        "profile": report.profile,
        "seed": report.seed,
        "repeat": report.repeat,
        "requests": outcome.requests,
        "spent": {
            "answers": dict(outcome.spending.answers),
            "max_messages": outcome.spending.limit,
            "withheld": outcome.spending.withheld,
        },
        "seconds": round(report.seconds, 2),
        "first_violation_seconds": None if first is None else round(first, 2),
        "violations": [dataclasses.asdict(each) | {"key": each.key} for each in violations],
        "coverage": [dataclasses.asdict(row) for row in report.rows],
    }


def write(report: Report, path: Path) -> None:
    """Write ``summary.json`` to ``path``."""
    text = files.json_text(document(report))
    files.write(path, report.outcome.findings.secrets.text(text))
