"""What the visitors of one process have found, in a form that can be sent to another one."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract.findings import Break, Findings

_COUNTERS = ("counts", "throttled", "refused")


@dataclass
class Ledger:
    """Breaks and counts of many visits."""

    breaks: dict[str, Break] = field(default_factory=dict)
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
        for key, found in findings.breaks.items():
            self.breaks.setdefault(key, found)
            self.counts[key] += 1

    def document(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            **vars(self),
            "breaks": {key: dataclasses.asdict(found) for key, found in self.breaks.items()},
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Ledger:
        """Read what `document` returns."""
        values = dict(document)
        values["breaks"] = {key: Break(**found) for key, found in values["breaks"].items()}
        for name in _COUNTERS:
            values[name] = Counter(values[name])
        return cls(**values)

    @classmethod
    def merged(cls, ledgers: Iterable[Ledger]) -> Ledger:
        """Return what several processes have found together."""
        whole = cls()
        for ledger in ledgers:
            for key, found in ledger.breaks.items():
                whole.breaks.setdefault(key, found)
            whole.counts += ledger.counts
            whole.throttled += ledger.throttled
            whole.refused += ledger.refused
            whole.visits += ledger.visits
            whole.problem = whole.problem or ledger.problem
        return whole
