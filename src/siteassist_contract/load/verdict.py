"""The verdict of a load test, which is made of its plan and its results and of nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from siteassist_contract.load.plan import LEFT_OUT, Plan
from siteassist_contract.load.results import Failure, LoadResults
from siteassist_contract.verdict import ExitStatus

ALLOWED = " (exit status 0 because of --allow-incomplete)"
_LONGER = "use a longer --time or fewer --users"


@dataclass(frozen=True)
class NotTested:
    """A part of the contract, or of the plan, that was not tested."""

    kind: str
    """``visits``, ``visitors``, ``step``, ``rule``, ``requests`` or ``end``."""
    name: str
    """The name of a step, the operation and the id of a rule, or an empty string."""
    planned: int
    """The least number that was planned; 0 if the part was not planned."""
    done: int
    reason: str

    @property
    def is_missing(self) -> bool:
        """Whether the load is incomplete without it."""
        return self.planned > self.done


@dataclass(frozen=True)
class Conclusion:
    """The verdict of a load test."""

    verdict: ExitStatus
    line: str
    """The last line of the output."""
    not_tested: tuple[NotTested, ...]
    allowed: bool = False
    """Whether an incomplete load ends with exit status 0."""

    @property
    def status(self) -> ExitStatus:
        """The exit status."""
        return ExitStatus.KEPT if self.allowed else self.verdict

    @property
    def name(self) -> str:
        """The name of the verdict."""
        return self.verdict.words


def conclude(
    plan: Plan,
    results: LoadResults,
    requests: int,
    *,
    interrupted: bool = False,
    allow_incomplete: bool = False,
) -> Conclusion:
    """Decide the verdict from the plan and the results; ``requests`` is the number answered."""
    reason = _reason(results, interrupted=interrupted)
    parts = _not_tested(plan, results, reason)
    missing = [part for part in parts if part.is_missing]
    asked = f"{_count(results.visits, 'visit')}, {_count(requests, 'request')}"
    if results.failure is not None:
        line = internal_error(results.failure)
        return Conclusion(ExitStatus.INTERNAL_ERROR, line, parts)
    if results.violations:
        found = _count(len(results.violations), "violation")
        ended = f"; the load did not finish: {reason}" if interrupted or results.problem else ""
        line = f"The server violates the contract: {found} ({asked}{ended})."
        return Conclusion(ExitStatus.BROKEN, line, parts)
    if not missing:
        line = f"The server keeps the contract under load ({asked})."
        return Conclusion(ExitStatus.KEPT, line, parts)
    advice = _advice(results, interrupted=interrupted)
    line = f"Incomplete: {_summary(missing)}: {reason} ({asked}); {advice}"
    if interrupted:
        return Conclusion(ExitStatus.INTERRUPTED, f"{line}.", parts)
    line += f"{ALLOWED if allow_incomplete else ''}."
    return Conclusion(ExitStatus.INCOMPLETE, line, parts, allow_incomplete)


def internal_error(failure: Failure) -> str:
    """Return the last line after an internal error."""
    what = f"{failure.type}: {failure.text}" if failure.text else failure.type
    return f"Internal error: {what}; please report it. --debug shows the traceback."


def not_started(reason: str, *, allow_incomplete: bool) -> str:
    """Return the last line of a load that could not start."""
    allowed = ALLOWED if allow_incomplete else ""
    return f"Incomplete: nothing was tested: {reason}; run it again when this is solved{allowed}."


def _not_tested(plan: Plan, results: LoadResults, reason: str) -> tuple[NotTested, ...]:
    parts = [
        NotTested("visits", "", plan.visits, results.visits, reason),
        NotTested("visitors", "", plan.visitors, results.visitors, reason),
    ]
    for name, least in plan.steps.items():
        done, unmet = results.steps[name], results.unmet.get(name)
        # A step that was impossible was not planned, unless it was possible at another time.
        planned = 0 if unmet and not done else least
        parts.append(NotTested("step", name, planned, done, unmet or reason))
    for key, sample in plan.samples.items():
        done = results.samples[key]
        unmet = None if sample.step is None else results.unmet.get(sample.step.name)
        planned = 0 if unmet and not done else sample.least
        parts.append(NotTested("rule", key, planned, done, unmet or reason))
    parts += [NotTested("rule", rule, 0, 0, why) for rule, why in LEFT_OUT.items()]
    for operation, count in results.abandoned.items():
        why = "the load ended before they were answered"
        parts.append(NotTested("requests", operation, count, 0, why))
    if results.problem or reason == _INTERRUPTED:
        parts.append(NotTested("end", "", 1, 0, reason))
    return tuple(part for part in parts if part.is_missing or not part.done)


_INTERRUPTED = "the load was interrupted"


def _reason(results: LoadResults, *, interrupted: bool) -> str:
    """Return why a part of the plan may not have been done."""
    if interrupted:
        return _INTERRUPTED
    if results.problem:
        return results.problem
    refused = [
        f"{counted.total()} x {words}"
        for words, counted in (
            ("429", results.throttled),
            ("402", results.refused),
            ("502 or 503", results.unavailable),
            ("no answer", results.unanswered),
        )
        if counted
    ]
    return f"the server answered {', '.join(refused)}" if refused else "the time was over"


def _summary(missing: list[NotTested]) -> str:
    """Return the missing parts in a few words."""
    words = []
    kinds = Counter(part.kind for part in missing)
    for part in missing:
        if part.kind == "visits":
            done = "no visit" if not part.done else f"only {_count(part.done, 'visit')}"
            words.append(f"{done} of at least {part.planned} came to an end")
        elif part.kind == "visitors" and part.done:
            words.append(f"{part.done} of {part.planned} visitors completed a visit")
        elif part.kind == "requests":
            words.append(f"{_count(part.planned, 'request')} of {part.name} had no answer")
    has_visits = not any(part.kind == "visits" and not part.done for part in missing)
    for kind in ("step", "rule"):
        names = [part.name for part in missing if part.kind == kind]
        # Without a visit, most of them are missing.
        if names and has_visits:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            words.append(f"too few samples of the {kind} '{names[0]}'{more}")
    if set(kinds) == {"end"}:
        words.append("the load did not come to its end")
    return ", ".join(words)


def _advice(results: LoadResults, *, interrupted: bool) -> str:
    """Return advice on completing the load."""
    if interrupted:
        return "run it again to its end"
    if results.problem:
        return "run it again when this is solved, or with fewer --users"
    if results.refused:
        return "use a project whose plan has messages left"
    if results.throttled:
        return f"raise the rate limits of the server, or {_LONGER}"
    if results.unavailable or results.unanswered or results.abandoned:
        return f"find the reason in the log of the server, or {_LONGER}"
    return _LONGER


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
