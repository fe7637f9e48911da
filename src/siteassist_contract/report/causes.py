"""The findings of a report in the order in which to read them: likely causes before consequences.

One fault of a server often violates several rules. Whether one finding follows from another cannot
be known from outside, so that reports say "likely".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siteassist_contract.findings import Violation, grouped

_WHOLE_ANSWER = ("answered", "no-server-error", "accepted", "described")
"""Rules on an answer as a whole, the most basic one first: without them others cannot hold."""
_EFFECTS = frozenset(
    {
        *_WHOLE_ANSWER,
        "closes",
        "created",
        "device-visitor",
        "feedback",
        "new-id",
        "same-object",
        "started-open",
        "stored-answer",
        "stored-message",
        "texts-kept",
    }
)
"""Rules on the effects of a request, which later requests show."""


@dataclass(frozen=True)
class Finding:
    """Violations of one rule by one operation."""

    number: int
    violations: Sequence[Violation]
    cause: int | None = None
    """The number of the finding from which this one likely follows, or None."""
    why: str = ""
    """Why it likely follows."""

    @property
    def first(self) -> Violation:
        """The first violation."""
        return self.violations[0]


def findings(violations: Iterable[Violation]) -> list[Finding]:
    """Return the findings of a run: independent ones, likely consequences, accepted ones."""
    groups = grouped(violations)
    causes: dict[int, tuple[int, str]] = {}
    for number, group in enumerate(groups):
        for other, another in enumerate(groups):
            why = "" if other == number else _why(group[0], another[0], is_later=other < number)
            if why and not _leads_to(causes, other, number):
                causes[number] = other, why
                break
    order = sorted(
        range(len(groups)), key=lambda each: (groups[each][0].known, each in causes, each)
    )
    numbers = {each: number for number, each in enumerate(order, 1)}
    return [
        Finding(numbers[each], groups[each])
        if each not in causes
        else Finding(numbers[each], groups[each], numbers[causes[each][0]], causes[each][1])
        for each in order
    ]


def _leads_to(causes: dict[int, tuple[int, str]], start: int, wanted: int) -> bool:
    """Whether the chain of causes from ``start`` contains ``wanted``."""
    while start in causes:
        start = causes[start][0]
        if start == wanted:
            return True
    return False


def _why(found: Violation, other: Violation, *, is_later: bool) -> str:
    """Return why ``found`` likely follows from ``other``, or an empty string."""
    if found.known != other.known:
        return ""
    if found.operation == other.operation:
        basic = _rank(other) < _rank(found)
        return "the answer of the same request already fails" if basic else ""
    if other.rule in _EFFECTS and other.operation in found.steps[:-1]:
        return f"its reproduction contains {other.operation}"
    if found.rule == other.rule and is_later:
        return "the same rule is violated"
    return ""


def _rank(violation: Violation) -> int:
    rule = violation.rule
    return _WHOLE_ANSWER.index(rule) if rule in _WHOLE_ANSWER else len(_WHOLE_ANSWER)
