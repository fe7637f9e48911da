"""The findings of a report in the order in which to read them: the most severe ones first.

Whether one fault of a server is behind several findings cannot be known from outside. Reports
only name the facts that suggest it: two findings about one request, or a request that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from siteassist_contract.findings import Violation, grouped
from siteassist_contract.report.impact import ACCESS_RULES, severity

_WHOLE_ANSWER = ("answered", "no-server-error", "accepted", "described")
"""Rules on an answer as a whole, the most basic one first."""
_FAILURES = frozenset({"answered", "no-server-error"})
"""Rules whose violation is a request that fails."""


@dataclass(frozen=True)
class Finding:
    """Violations of one rule by one operation."""

    number: int
    violations: Sequence[Violation]
    related: int | None = None
    """The number of a finding about the same request, or about one that fails likewise."""
    relation: str = ""
    """The relation to that finding, in words that its number follows."""

    @property
    def first(self) -> Violation:
        """The first violation."""
        return self.violations[0]


def findings(violations: Iterable[Violation]) -> list[Finding]:
    """Return the findings of a run: by their severity, with related and accepted ones last."""
    groups = grouped(violations)
    related = _related(groups)
    order = sorted(
        range(len(groups)),
        key=lambda each: (
            groups[each][0].known,
            each in related,
            severity(groups[each][0].rule, is_refused=all(map(_is_refused, groups[each]))),
            each,
        ),
    )
    numbers = {each: number for number, each in enumerate(order, 1)}
    found = []
    for each in order:
        other, relation = related.get(each, (None, ""))
        number = None if other is None else numbers[other]
        found.append(Finding(numbers[each], groups[each], number, relation))
    return found


def _related(groups: Sequence[Sequence[Violation]]) -> Mapping[int, tuple[int, str]]:
    """Return the relation of each dependent finding to an independent one."""
    related: dict[int, tuple[int, str]] = {}
    for number in sorted(range(len(groups)), key=lambda each: _rank(groups[each][0])):
        for other in range(len(groups)):
            if other in related or other == number:
                continue
            if relation := _relation(groups[number], groups[other]):
                related[number] = other, relation
                break
    return related


def _relation(found: Sequence[Violation], other: Sequence[Violation]) -> str:
    """Return the relation of each violation of ``found`` to ``other``, or an empty string.

    A finding about access is always independent, and so is one with a violation of its own.
    """
    first, basic = found[0], other[0]
    if first.known != basic.known or first.rule in ACCESS_RULES:
        return ""
    if _rank(basic) >= _rank(first):
        return ""
    shared = {each.exchange for each in other} - {""}
    if all(each.exchange in shared for each in found):
        return "shares a request with"
    if basic.rule in _FAILURES and all(basic.operation in each.failed for each in found):
        return "contains a request that fails as in"
    return ""


def _is_refused(violation: Violation) -> bool:
    """Whether the last request of a violation was answered with a status of 400 or above."""
    return violation.answer[:3].isdecimal() and int(violation.answer[:3]) >= 400


def _rank(violation: Violation) -> int:
    rule = violation.rule
    return _WHOLE_ANSWER.index(rule) if rule in _WHOLE_ANSWER else len(_WHOLE_ANSWER)
