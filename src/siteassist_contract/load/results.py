"""The results of the visitors of one process, which can be sent to another process."""

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
    """Violations and counts of many visits."""

    violations: dict[str, Violation] = field(default_factory=dict)
    """The first violation with each key."""
    counts: Counter[str] = field(default_factory=Counter)
    """Number of visits with each key."""
    throttled: Counter[str] = field(default_factory=Counter)
    """Number of answers of 429 by operation; not violations."""
    refused: Counter[str] = field(default_factory=Counter)
    """Number of answers of 402 by operation; not violations."""
    visits: int = 0
    """Number of complete visits."""
    problem: str = ""
    """Why the visitors stopped early; empty if they did not."""
    final: bool = False
    """Whether the results are complete."""

    def take(self, findings: Findings) -> None:
        """Add the findings of one visit."""
        for key, found in findings.violations.items():
            self.violations.setdefault(key, found)
            self.counts[key] += 1

    def document(self) -> dict[str, Any]:
        """Return the results as JSON."""
        return {
            **vars(self),
            "violations": {
                key: dataclasses.asdict(found) for key, found in self.violations.items()
            },
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> LoadResults:
        """Create results from the return value of `document`."""
        values = dict(document)
        values["violations"] = {
            key: Violation(**found) for key, found in values["violations"].items()
        }
        for name in _COUNTERS:
            values[name] = Counter(values[name])
        return cls(**values)

    @classmethod
    def merged(cls, parts: Iterable[LoadResults]) -> LoadResults:
        """Return the merged results of several processes."""
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
