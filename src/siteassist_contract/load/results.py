"""What the visitors of one process have found, in a form that can be sent to another one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract.findings import Findings, Violation

_COUNTERS = ("counts", "throttled", "refused")


@dataclass
class LoadResults:
    """Breaks and counts of many visits."""

    violations: dict[str, Violation] = field(default_factory=dict)
    """The first of each kind, by its key."""
    counts: Counter[str] = field(default_factory=Counter)
    """In how many visits each kind was seen."""
    throttled: Counter[str] = field(default_factory=Counter)
    """How many answers of 429 there were, by operation: no break, but told."""
    refused: Counter[str] = field(default_factory=Counter)
    """How many answers of 402 there were, by operation: no break, but told."""
    visits: int = 0
    """How many visits were made to their end."""
    problem: str = ""
    """Why the visitors had to stop, if they had to."""
    final: bool = False
    """Whether nothing will be added any more."""

    def take(self, findings: Findings) -> None:
        """Add what one visit has found."""
        for key, found in findings.violations.items():
            self.violations.setdefault(key, found)
            self.counts[key] += 1

    def document(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            **vars(self),
            "violations": {
                key: dataclasses.asdict(found) for key, found in self.violations.items()
            },
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> LoadResults:
        """Read what `document` returns."""
        values = dict(document)
        values["violations"] = {
            key: Violation(**found) for key, found in values["violations"].items()
        }
        for name in _COUNTERS:
            values[name] = Counter(values[name])
        return cls(**values)

    @classmethod
    def merged(cls, parts: Iterable[LoadResults]) -> LoadResults:
        """Return what several processes have found together."""
        whole = cls()
        for results in parts:
            for key, found in results.violations.items():
                whole.violations.setdefault(key, found)
            whole.counts += results.counts
            whole.throttled += results.throttled
            whole.refused += results.refused
            whole.visits += results.visits
            whole.problem = whole.problem or results.problem
        return whole
