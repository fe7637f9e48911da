"""The parts of the contract that a run tested, and the reasons for the untested parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from siteassist_contract.description import all_operations
from siteassist_contract.findings import Findings
from siteassist_contract.http.preflight import Target
from siteassist_contract.rules import (
    ACCEPTED,
    GAPS,
    HUMAN,
    KEY,
    LIMIT,
    RULES,
    SOCKET,
    TWO_VISITORS,
    Rule,
)
from siteassist_contract.verdict import Gap

_SUCCESS_ENDS = 300
_STATUS_REASONS = {
    101: GAPS[SOCKET],
    201: "no new device or conversation was accepted",
    202: GAPS[HUMAN],
    400: "the server refuses with another status: O-2",
    401: "the operation takes no credential",
    402: "needs a project whose plan is too small: cannot be provoked from outside",
    403: "the server hides other visitors' objects as not found (O-1), or allows every website",
    404: "the server answers 403 instead (O-1), or the operation names no object",
    409: "no document defines a conflict: C-22, O-3",
    422: "the server refuses with another status: O-2",
    429: "the tests stay below the limits of the server",
    500: "never expected: a 500 is itself a violation",
    502: "needs a failure of the backend: cannot be provoked from outside",
    503: "needs an overloaded server: cannot be provoked from outside",
}
_NOT_REACHED = "was not reached in this run"
_NOT_RECORDED = "the recording has no such answer"
_NOT_SHOWN = "the recording does not show it"


@dataclass(frozen=True)
class Row:
    """An operation with one of its statuses, or with one of its rules."""

    operation: str
    kind: str
    """``status`` or ``rule``."""
    what: str
    """The status, or the id of the rule."""
    count: int
    """Number of answers with the status, or of tests of the rule."""
    reason: str
    """The reason why it was not tested, or not often enough; empty if it was."""
    excused: bool = True
    """Whether the reason excuses the missing tests. Statuses are always excused."""


def rows(
    findings: Findings,
    target: Target,
    human: str | None,
    left_out: str = "",
    selects: Callable[[str, str], bool] = lambda *_: True,
    layers: Iterable[str] = (),
) -> list[Row]:
    """Return a row for every operation with each of its selected rules.

    If the run is not narrowed, each of its statuses has a row as well. A status that a narrowed
    run does not see says nothing about the server.

    ``left_out`` is the reason why the run skipped tests, or an empty string. ``selects`` is
    whether the run tests a rule on an operation. ``layers`` are the only ones of the run, if it
    is narrowed to some, which excuses the rules that others test.
    """
    excuse = f"not tested by {' and '.join(layers)}" if layers else ""
    found = []
    narrowed = bool(excuse) or not all(
        selects(rule, name) for rule, known in RULES.items() for name in known.operations
    )
    for name, operation in all_operations().items():
        for status in () if narrowed else operation.responses:
            count = findings.answered[name, status]
            reason = "" if count else _status_reason(status, target) or left_out or _NOT_REACHED
            found.append(Row(name, "status", str(status), count, reason))
        for rule, known in RULES.items():
            if name in known.operations and selects(rule, name):
                row = _rule_row(findings, rule, known, name, target, human, left_out or excuse)
                excused = row.excused or (bool(excuse) and row.reason.endswith(excuse))
                found.append(replace(row, excused=excused))
    return found


def recorded_rows(findings: Findings) -> list[Row]:
    """Return the rows of a recording; rules and statuses that it does not show are excused."""
    found = []
    for name, operation in all_operations().items():
        for status in operation.responses:
            count = findings.answered[name, status]
            found.append(Row(name, "status", str(status), count, "" if count else _NOT_RECORDED))
        for rule, known in RULES.items():
            if name in known.operations:
                count = findings.tested[rule, name]
                reason = findings.prevented.get((rule, name), _NOT_SHOWN)
                found.append(Row(name, "rule", rule, count, "" if count else reason))
    return found


def gaps(found: Iterable[Row]) -> Counter[str]:
    """Count the untested rows by their reason."""
    return Counter(row.reason for row in found if row.reason)


def counted(found: Sequence[Row]) -> str:
    """Return the number of rules and of statuses that were tested, as sentences."""
    tested = Counter(row.kind for row in found if not row.reason)
    whole = Counter(row.kind for row in found)
    text = f"{tested['rule']} of {whole['rule']} pairs of operation and rule."
    if whole["status"]:
        text += f" Seen: {tested['status']} of {whole['status']} pairs of operation and status."
    return text


def untested(found: Iterable[Row]) -> list[Gap]:
    """Return the rules that were not tested, or not often enough."""
    return [
        Gap(row.what, row.operation, row.reason, row.excused)
        for row in found
        if row.kind == "rule" and row.reason
    ]


def _rule_row(
    findings: Findings,
    rule: str,
    known: Rule,
    operation: str,
    target: Target,
    human: str | None,
    left_out: str,
) -> Row:
    count = findings.tested[rule, operation]
    if count >= known.samples:
        return Row(operation, "rule", rule, count, "")
    excuse, other = _rule_reason(findings, rule, operation, target, human)
    if excuse:
        return Row(operation, "rule", rule, count, GAPS[excuse])
    if not other and left_out == GAPS[LIMIT]:
        return Row(operation, "rule", rule, count, left_out)
    reason = other or left_out
    if not reason and any(
        each.known and each.operation == operation for each in findings.violations.values()
    ):
        return Row(operation, "rule", rule, count, GAPS[ACCEPTED])
    reason = reason or _NOT_REACHED
    if count:
        reason = f"tested {count} of {known.samples} times: {reason}"
    return Row(operation, "rule", rule, count, reason, excused=False)


def _status_reason(status: int, target: Target) -> str:
    if status < _SUCCESS_ENDS and target.api_key is None:
        return GAPS[KEY] if status != 202 else GAPS[HUMAN]
    return _STATUS_REASONS.get(status, "")


def _rule_reason(
    findings: Findings, rule: str, operation: str, target: Target, human: str | None
) -> tuple[str, str]:
    """Return the missing requirement of a rule (a key of `GAPS`), or else another reason."""
    reason = findings.prevented.get((rule, operation), "")
    if reason in GAPS:
        return reason, ""
    needs = RULES[rule].needs
    if needs == KEY and target.api_key is None:
        return KEY, ""
    if needs == TWO_VISITORS and not target.has_two_visitors:
        return TWO_VISITORS, ""
    if needs == HUMAN and human is None:
        return HUMAN, ""
    if not all_operations()[operation].needs_token and not target.api_key:
        return KEY, ""
    return "", reason
