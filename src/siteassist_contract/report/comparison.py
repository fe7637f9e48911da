"""The comparison of two reports ``summary.json``: violations, and rules that were tested."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema_rs

from siteassist_contract.findings import key_of
from siteassist_contract.report import files
from siteassist_contract.report.wrapping import wrapped
from siteassist_contract.verdict import CannotRunError, ExitStatus
from siteassist_spec import Json
from siteassist_spec.output import one_line
from siteassist_spec.schemas import complaints

_NOT_IN_REPORT = "not in the later report"
WORSE = "with new violations"
"""The name of the findings that both runs have, at more places in the later one."""
_MOST_STEPS = 6
"""Maximum number of unfinished steps that the last line names."""
_FENCES = re.compile("`+")
_JUDGED = {ExitStatus.KEPT.words, ExitStatus.BROKEN.words, ExitStatus.INCOMPLETE.words}


@dataclass(frozen=True)
class Lost:
    """A rule that the earlier run tested on an operation and the later one did not."""

    rule: str
    operation: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """The differences between the report of an earlier run and that of a later one."""

    before: Json
    after: Json
    new: tuple[Json, ...]
    """The violations that only the later run found."""
    gone: tuple[Json, ...]
    """The violations that the later run tested again and did not find."""
    unchanged: tuple[Json, ...]
    """The violations that both runs found, as the later one reports them."""
    findings: Mapping[str, int]
    """The number of findings that are new, worse, gone and unchanged."""
    lost: tuple[Lost, ...]
    """The rules that are not tested any more."""
    gained: int
    """The number of rules that only the later run tested, counted for each operation."""

    @property
    def status(self) -> ExitStatus:
        """The exit status: whether something became worse."""
        if any(not found["known"] for found in self.new):
            return ExitStatus.BROKEN
        if self.lost or self.shortfall:
            return ExitStatus.INCOMPLETE
        return ExitStatus.KEPT

    @property
    def shortfall(self) -> str:
        """Why the later run shows less than the earlier one, besides its lost rules; or nothing.

        A run that was allowed to be incomplete has nothing to show, nor has one that came as
        far as an earlier incomplete one.
        """
        verdict, unfinished = self.after["verdict"], self.after["unfinished"]
        if verdict not in _JUDGED:
            return f"The later run has no verdict: {verdict}."
        incomplete = ExitStatus.INCOMPLETE.words
        if verdict == incomplete and self.after["exit_status"] == ExitStatus.KEPT:
            return ""
        if verdict == incomplete and self.before["verdict"] != incomplete:
            return "The later run is incomplete, and the earlier one was not."
        steps = [step for step in self.before["done"] if step in unfinished]
        named = [one_line(step) for step in steps[:_MOST_STEPS]]
        named += [f"{len(steps) - _MOST_STEPS} others"] if len(steps) > _MOST_STEPS else []
        return f"Not finished any more: {', '.join(named)}." if steps else ""

    @property
    def line(self) -> str:
        """The comparison as one line."""
        counts = ", ".join(
            f"{number} {name}" for name, number in self.findings.items() if number or name != WORSE
        )
        line = f"Findings: {counts}."
        if self.lost:
            line += f" Not tested any more: {len(self.lost)} pairs of rule and operation."
        if self.gained:
            line += f" Newly tested: {self.gained}."
        if self.shortfall:
            line += f" {self.shortfall}"
        return line


def read(path: Path) -> Json:
    """Return the content of a report ``summary.json``.

    Raises `CannotRunError` if it cannot be read, or is not such a report.
    """
    document = files.read_json(path, "the report")
    complaint = next(complaints(_schema(), document), None)
    if complaint is not None:
        raise CannotRunError(f"the report {path} is not the summary.json of a run: {complaint}")
    report: Json = document
    return report


def compare(before: Json, after: Json) -> Comparison:
    """Compare two reports, of which ``before`` is that of the earlier run."""
    earlier, later = _violations(before), _violations(after)
    was_tested, is_tested = _tested(before), _tested(after)
    reasons = _reasons(after)
    lost = [pair for pair in was_tested if pair not in is_tested]
    return Comparison(
        before=before,
        after=after,
        new=tuple(found for key, found in later.items() if key not in earlier),
        gone=tuple(
            found
            for key, found in earlier.items()
            if key not in later and (found["rule"], found["operation"]) in is_tested
        ),
        unchanged=tuple(found for key, found in later.items() if key in earlier),
        findings=_findings(earlier, later, is_tested),
        lost=tuple(Lost(*pair, reasons.get(pair, _NOT_IN_REPORT)) for pair in lost),
        gained=sum(pair not in was_tested for pair in is_tested),
    )


def _findings(
    earlier: Mapping[str, Json], later: Mapping[str, Json], tested: Collection[tuple[str, str]]
) -> dict[str, int]:
    """Count findings, which are those of the reports: violations of one rule by one operation.

    One that both runs have is worse if the later run has a violation at another place.
    """
    before = {_finding(each)[1:] for each in earlier.values()}
    after: dict[tuple[bool, str, str], bool] = {}
    for key, each in later.items():
        after[_finding(each)] = after.get(_finding(each), False) or key not in earlier
    kept = {finding: more for finding, more in after.items() if finding[1:] in before}
    gone = {_finding(each) for each in earlier.values()}
    gone = {each for each in gone if each[1:] not in {found[1:] for found in after}}
    return {
        "new": len(after) - len(kept),
        WORSE: sum(kept.values()),
        "gone": sum((rule, operation) in tested for _, rule, operation in gone),
        "unchanged": len(kept) - sum(kept.values()),
    }


def _finding(violation: Json) -> tuple[bool, str, str]:
    return violation["known"], violation["rule"], violation["operation"]


def text(comparison: Comparison) -> str:
    """Return a comparison as text for a terminal, without its last line."""
    lines = [
        f"{name}: {report['line']}"
        for name, report in (("before", comparison.before), ("after", comparison.after))
    ]
    for heading, violations in _sections(comparison):
        if violations:
            lines += ["", f"{heading} ({_counted(violations)}):"]
        for found in violations:
            place = f" ({one_line(found['place'])})" if found["place"] else ""
            known = " (accepted by the baseline)" if found["known"] else ""
            lines.append(f"  {found['operation']}: {found['words']}{place}{known}")
            if found in comparison.new:
                for name in ("expected", "actual"):
                    lead = f"    {f'{name}:':<10}"
                    words = one_line(found[name])
                    lines.append(wrapped(words, lead, " " * len(lead), exact=True))
    if comparison.lost:
        lines += ["", "Not tested any more:"]
        lines += [
            f"  {rule} on {', '.join(names)}: {one_line(reason)}"
            for (rule, reason), names in _grouped(comparison.lost).items()
        ]
    return "\n".join([*lines, ""])


def markdown(comparison: Comparison) -> str:
    """Return a comparison as Markdown, for a comment on a pull request."""
    lines = [
        f"### Contract tests: {comparison.line}",
        "",
        f"- before: {_code(comparison.before['line'])}",
        f"- after: {_code(comparison.after['line'])}",
    ]
    for heading, violations in _sections(comparison):
        if violations:
            lines += ["", f"#### {heading} ({_counted(violations)})", ""]
        for found in violations:
            place = f" at {_code(found['place'])}" if found["place"] else ""
            known = " (accepted by the baseline)" if found["known"] else ""
            lines.append(f"- **{found['operation']}**: {found['words']}{place}{known}")
            if found in comparison.new:
                lines.append(f"  - expected: {_code(found['expected'])}")
                lines.append(f"  - actual: {_code(found['actual'])}")
    if comparison.lost:
        lines += ["", "#### Not tested any more", ""]
        lines += [
            f"- {_code(rule)} on {', '.join(names)}: {_code(reason)}"
            for (rule, reason), names in _grouped(comparison.lost).items()
        ]
    return "\n".join(lines)


def _counted(violations: tuple[Json, ...]) -> str:
    return "1 violation" if len(violations) == 1 else f"{len(violations)} violations"


def _sections(comparison: Comparison) -> Iterator[tuple[str, tuple[Json, ...]]]:
    yield "New", comparison.new
    yield "Gone", comparison.gone
    yield "Unchanged", comparison.unchanged


def _grouped(lost: tuple[Lost, ...]) -> Mapping[tuple[str, str], list[str]]:
    """Return the operations of each rule and reason."""
    groups: dict[tuple[str, str], list[str]] = {}
    for each in lost:
        groups.setdefault((each.rule, each.reason), []).append(each.operation)
    return groups


def _violations(report: Json) -> dict[str, Json]:
    found = report["violations"]
    return {key_of(each["operation"], each["rule"], each["place"]): each for each in found}


def _tested(report: Json) -> list[tuple[str, str]]:
    """Return the pairs of rule and operation that a run has tested."""
    violated = [(each["rule"], each["operation"]) for each in report["violations"]]
    kept = [(row["what"], row["operation"]) for row in _rules(report) if not row["reason"]]
    return list(dict.fromkeys([*kept, *violated]))


def _reasons(report: Json) -> dict[tuple[str, str], str]:
    return {(row["what"], row["operation"]): row["reason"] for row in _rules(report)}


def _rules(report: Json) -> list[Json]:
    return [row for row in report["coverage"] if row["kind"] == "rule"]


def _code(words: str) -> str:
    """Return any text as code in one line of Markdown."""
    shown = one_line(words)
    fence = "`" * (1 + max(map(len, _FENCES.findall(shown)), default=0))
    space = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{space}{shown}{space}{fence}" if shown else ""


@cache
def _schema() -> jsonschema_rs.Draft202012Validator:
    folder = resources.files("siteassist_contract.report")
    source: Any = folder.joinpath("summary.schema.json").read_text("utf-8")
    return jsonschema_rs.Draft202012Validator(source)
