"""The verdict of a run, from its plan, its results and its findings."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from siteassist_spec.output import Style

ALLOWED = "Exit status 0 because of --allow-incomplete."
_MOST_NAMED = 6
"""Maximum number of rules or steps that the verdict names."""
_LONGEST_ERROR = 200
"""Maximum length of the text of an internal error, in characters."""


class ExitStatus(IntEnum):
    """The exit status of ``siteassist-contract``."""

    KEPT = 0
    """The server kept the contract in every test that was planned and possible."""
    BROKEN = 1
    """The server violated the contract at least once."""
    INCOMPLETE = 2
    """The tests could not start, or were cut short, and found no violation."""
    INTERNAL_ERROR = 3
    """The tests failed because of an error of their own."""
    INTERRUPTED = 130
    """Ctrl-C or SIGTERM ended the tests."""

    @property
    def words(self) -> str:
        """The status as words, such as ``internal error``."""
        return self.name.replace("_", " ").lower()

    @property
    def style(self) -> Style | None:
        """The style of the last line of the output."""
        if self is ExitStatus.KEPT:
            return Style.GREEN
        if self is ExitStatus.BROKEN:
            return Style.RED
        return None if self is ExitStatus.INTERRUPTED else Style.YELLOW


class CannotRunError(Exception):
    """A condition that prevents the tests or ends them; the message is the reason, in one line."""

    def __init__(self, reason: str, details: str = "") -> None:
        super().__init__(reason)
        self.details = details
        """Text to print before the reason, in several lines; may be empty."""


class ContractBrokenError(Exception):
    """A violation of the contract that ends the tests; the message is one line."""


class InternalError(BaseException):
    """An unexpected error in the code of the tests, for which the server is not to blame.

    Not an `Exception`: hypothesis would treat it as a failure and try to minimise it.
    """

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details
        """The traceback; may be empty."""

    @classmethod
    def of(cls, error: BaseException) -> InternalError:
        """Return an internal error for an unexpected exception."""
        if isinstance(error, InternalError):
            return error
        text = " ".join(str(error).split())[:_LONGEST_ERROR]
        name = type(error).__name__
        return cls(f"{name}: {text}" if text else name, "".join(traceback.format_exception(error)))


@dataclass(frozen=True)
class Gap:
    """A rule that was not tested on an operation, or not often enough."""

    rule: str
    operation: str
    reason: str
    excused: bool
    """Whether the server and the credentials of the run do not allow the test."""


@dataclass(frozen=True)
class Evidence:
    """All facts that decide the verdict of a run."""

    requests: int
    findings: int = 0
    """Number of findings that are not in the baseline."""
    violations: int = 0
    """Number of violations in these findings, each at another place."""
    accepted: int = 0
    """Number of findings that the baseline accepts."""
    gaps: Sequence[Gap] = ()
    unfinished: Sequence[str] = ()
    """The planned steps that did not come to their end."""
    problem: str = ""
    """Why the run ended early; empty if it did not."""
    advice: str = ""
    """How to complete the tests; may be empty."""
    error: str = ""
    """The internal error, in one line; empty if there was none."""
    interrupted: bool = False
    selection: str = ""
    """The options that narrow the run; empty if it is whole."""
    allow_incomplete: bool = False


@dataclass(frozen=True)
class Verdict:
    """The result of a run."""

    status: ExitStatus
    line: str
    """The verdict as one line."""
    allowed: bool = False
    """Whether an incomplete run is allowed."""

    @property
    def exit_status(self) -> int:
        """The exit status of the command."""
        return 0 if self.allowed else int(self.status)


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict of a run. No other code decides on it."""
    asked = f"{evidence.requests} {'request' if evidence.requests == 1 else 'requests'}"
    if evidence.accepted:
        noun = "finding" if evidence.accepted == 1 else "findings"
        asked += f", {evidence.accepted} known {noun} accepted"
    narrowed = f" in the tests selected by {evidence.selection}" if evidence.selection else ""
    if evidence.error:
        return Verdict(
            ExitStatus.INTERNAL_ERROR,
            f"Internal error: {evidence.error}. Please report it; --debug shows the traceback"
            f" ({asked}).",
        )
    if evidence.interrupted:
        return Verdict(ExitStatus.INTERRUPTED, "The tests were interrupted; there is no verdict.")
    if evidence.findings:
        count = "1 finding" if evidence.findings == 1 else f"{evidence.findings} findings"
        if evidence.violations > evidence.findings:
            asked = f"{evidence.violations} violations, {asked}"
        return Verdict(
            ExitStatus.BROKEN, f"The server violates the contract: {count}{narrowed} ({asked})."
        )
    missing = [gap for gap in evidence.gaps if not gap.excused]
    if evidence.problem or evidence.unfinished or missing:
        line = f"Incomplete{narrowed}: {_reason(evidence, missing)} ({asked})."
        if evidence.advice:
            line += f" {evidence.advice}"
        if evidence.allow_incomplete:
            line += f" {ALLOWED}"
            return Verdict(ExitStatus.INCOMPLETE, line, allowed=True)
        return Verdict(ExitStatus.INCOMPLETE, line)
    line = f"The server keeps the contract{narrowed} ({asked})."
    untested = _by_reason(gap for gap in evidence.gaps if gap.excused)
    if untested:
        line += f" Not tested: {untested}."
    return Verdict(ExitStatus.KEPT, line)


def _reason(evidence: Evidence, missing: Sequence[Gap]) -> str:
    parts = [evidence.problem] if evidence.problem else []
    if evidence.unfinished:
        parts.append(f"not finished: {_few(evidence.unfinished)}")
    elif missing:
        parts.append(f"not tested: {_by_reason(missing)}")
    return "; ".join(parts)


def _by_reason(gaps: Iterable[Gap]) -> str:
    """Return the rules of ``gaps`` with the reason of each, as text."""
    reasons: dict[str, dict[str, None]] = {}
    for gap in gaps:
        reasons.setdefault(gap.reason, {})[gap.rule] = None
    return "; ".join(f"{_few(list(rules))} ({reason})" for reason, rules in reasons.items())


def _few(names: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(names))
    more = len(distinct) - _MOST_NAMED
    shown = ", ".join(distinct[:_MOST_NAMED])
    return f"{shown} and {more} more" if more > 0 else shown
