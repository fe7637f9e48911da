"""``summary.json``: the whole run, for programs. ``summary.schema.json`` describes it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from siteassist_contract.description import all_operations
from siteassist_contract.findings import LAYERS
from siteassist_contract.profiles import Profile
from siteassist_contract.report import files, ordering, references
from siteassist_contract.report.impact import IMPACT
from siteassist_contract.report.ordering import Finding
from siteassist_contract.report.tested_rules import Row, untested
from siteassist_contract.run import Outcome
from siteassist_contract.verdict import InternalError, Verdict

VERSION = 2
"""The version of the format of ``summary.json``, which changes if a key is removed or changed."""


@dataclass(frozen=True)
class Report:
    """The content of all reports."""

    base_url: str
    profile: Profile
    seed: int | None
    """The seed of the run; None for a recording."""
    repeat: str
    """The command that repeats the run, or another one that `repeat_words` introduce."""
    variables: Sequence[str]
    """The environment variables with the credentials that it needs."""
    started: datetime
    """The time at which the run began, in UTC."""
    versions: dict[str, str]
    time_limit: float | None
    """Maximum duration of the run, in seconds; None for a recording."""
    outcome: Outcome
    verdict: Verdict
    rows: list[Row]
    seconds: float
    selection: str = ""
    """The options that narrowed the run; empty for a whole run."""
    repeat_words: str = "Repeat with"
    start: str = ""
    """The command that starts the server again, if it stops after the run."""

    @cached_property
    def redacted(self) -> Report:
        """The report without secrets.

        Its texts are redacted before they are written, since a finished report has a structure
        in which a secret may be spelled otherwise, or be a word. Names of rules, operations and
        steps are not secrets.
        """
        outcome = self.outcome
        secrets = outcome.findings.secrets
        tidy = secrets.text
        findings = replace(
            outcome.findings,
            violations={
                key: found.redacted(secrets) for key, found in outcome.findings.violations.items()
            },
            notes={tidy(note): None for note in outcome.findings.notes},
        )
        error = outcome.error
        return replace(
            self,
            base_url=secrets.values(self.base_url),
            repeat=secrets.values(self.repeat),
            start=secrets.values(self.start),
            outcome=replace(
                outcome,
                findings=findings,
                unfinished={step: tidy(reason) for step, reason in outcome.unfinished.items()},
                notes=[tidy(note) for note in outcome.notes],
                problem=tidy(outcome.problem),
                error=error and InternalError(tidy(str(error)), tidy(error.details)),
            ),
            verdict=replace(self.verdict, line=tidy(self.verdict.line)),
            rows=[replace(row, reason=tidy(row.reason)) for row in self.rows],
        )

    @property
    def first_violation_seconds(self) -> float | None:
        """Time from the start of the run to the first violation that is not in the baseline."""
        return min((each.seconds for each in self.outcome.findings.unknown), default=None)

    @cached_property
    def findings(self) -> list[Finding]:
        """The findings, in the order in which to read them."""
        return ordering.findings(self.outcome.findings.violations.values())

    @property
    def notes(self) -> list[str]:
        """The remarks on the run, and those on behaviour that the documents leave open."""
        return [*self.outcome.notes, *self.outcome.findings.notes]

    @property
    def facts(self) -> dict[str, str]:
        """The circumstances of the run, as words, by their names."""
        outcome = self.outcome
        known = {
            "Server": self.base_url,
            "Date": f"{self.started:%Y-%m-%d %H:%M:%S} UTC",
            "Versions": ", ".join(f"{name} {each}" for name, each in self.versions.items()),
            "Profile": f"{self.profile.name} ({self.profile.words})",
        }
        duration = {"Duration": f"{self.seconds:.0f} s"}
        if self.seed is None or self.time_limit is None:
            return known | duration | {"Requests": f"{outcome.requests} in the recording"}
        limit = outcome.spending.limit
        plan = f"{len(outcome.done)} of {len(outcome.planned)} steps finished"
        plan += f", time limit {self.time_limit:g} s"
        plan += "" if limit is None else f", at most {limit} answers of the assistant"
        chosen = {
            "Seed": str(self.seed),
            "Selection": self.selection or "all tests",
            "Plan": plan,
        }
        cost = {"Cost": f"{outcome.requests} requests, {outcome.spending.words}"}
        return known | chosen | duration | cost

    @property
    def references(self) -> dict[str, str]:
        """An explanation of each reference in the report, by its id."""
        documents = (each.first.document for each in self.findings)
        return references.explained(*documents, *(row.reason for row in self.rows))

    @property
    def unlisted(self) -> int:
        """The number of requests that `matrix` does not have: their answers were not judged."""
        return max(0, self.outcome.requests - self._listed.total())

    @property
    def _listed(self) -> Counter[str]:
        """The number of requests that were judged, by operation."""
        listed = Counter[str]()
        for (_, name), count in self.outcome.findings.requests.items():
            listed[name] += count
        return listed

    def matrix(self) -> list[tuple[str, list[tuple[int, int]]]]:
        """Return the requests and the violations of each operation in each layer."""
        findings = self.outcome.findings
        requested = [name for name in all_operations() if self._listed[name]]
        names = list(dict.fromkeys([*(row.operation for row in self.rows), *requested]))
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
        "notes": report.notes,
        "base_url": report.base_url,
        "profile": report.profile.name,
        "seed": report.seed,
        "repeat": report.repeat,
        "variables": list(report.variables),
        "start": report.start or None,
        "date": report.started.isoformat(timespec="seconds"),
        "versions": report.versions,
        "time_limit": report.time_limit,
        "references": report.references,
        "requests": outcome.requests,
        "spent": {
            "answers": dict(outcome.spending.answers),
            "max_messages": outcome.spending.limit,
            "withheld": outcome.spending.withheld,
        },
        "seconds": round(report.seconds, 2),
        "first_violation_seconds": None if first is None else round(first, 2),
        "findings": len(report.findings),
        "violations": _violations(report),
        "coverage": [dataclasses.asdict(row) for row in report.rows],
    }


def _violations(report: Report) -> list[dict[str, Any]]:
    """Return the violations, in the order in which they were found."""
    by_key = {each.key: finding for finding in report.findings for each in finding.violations}
    return [
        dataclasses.asdict(each)
        | {
            "key": each.key,
            "impact": IMPACT.get(each.rule, ""),
            "finding": by_key[each.key].number,
            "related_finding": by_key[each.key].related,
        }
        for each in report.outcome.findings.violations.values()
    ]


def write(report: Report, path: Path) -> None:
    """Write ``summary.json`` to ``path``."""
    files.write(path, files.json_text(document(report.redacted)))
