"""The results of the visitors of one process, which can be sent to another process."""

from __future__ import annotations

import dataclasses
import traceback
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from siteassist_contract.findings import Findings, Violation, key_of
from siteassist_contract.http.redaction import Filter

_COUNTERS = (
    *("counts", "throttled", "refused", "unavailable", "unanswered", "abandoned"),
    *("steps", "samples"),
)


@dataclass(frozen=True)
class Failure:
    """An unexpected error in the code of the load test."""

    type: str
    text: str
    traceback: str = field(repr=False)

    @classmethod
    def of(cls, error: BaseException, secrets: Filter) -> Failure:
        """Describe an exception without the ``secrets``."""
        lines = traceback.format_exception(error)
        text = secrets.text(str(error))
        return cls(type(error).__name__, text, secrets.text("".join(lines)))


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
    unavailable: Counter[str] = field(default_factory=Counter)
    """Number of answers of 502 and 503 by operation."""
    unanswered: Counter[str] = field(default_factory=Counter)
    """Number of requests without an answer by operation."""
    abandoned: Counter[str] = field(default_factory=Counter)
    """Number of requests by operation that the end of the load cut off after a long wait."""
    steps: Counter[str] = field(default_factory=Counter)
    """Number of steps of visits, by name, that came to their end."""
    samples: Counter[str] = field(default_factory=Counter)
    """Number of tests of each rule for each operation, by the key of its violation."""
    unmet: dict[str, str] = field(default_factory=dict)
    """The reason why a step was impossible, by its name."""
    visits: int = 0
    """Number of complete visits."""
    visitors: int = 0
    """Number of visitors who completed a visit."""
    problem: str = ""
    """Why the visitors stopped early; empty if they did not."""
    failure: Failure | None = None
    """The first internal error."""
    final: bool = False
    """Whether the results are complete."""

    def take(self, findings: Findings) -> None:
        """Add the findings of one visit."""
        for key, found in findings.violations.items():
            self.violations.setdefault(key, found)
            self.counts[key] += 1
        for (rule, operation), count in findings.tested.items():
            self.samples[key_of(operation, rule)] += count

    def fail(self, error: BaseException, secrets: Filter) -> None:
        """Record an internal error; the first one counts."""
        self.failure = self.failure or Failure.of(error, secrets)

    def document(self) -> dict[str, Any]:
        """Return the results as JSON."""
        return {
            **vars(self),
            "violations": {
                key: dataclasses.asdict(found) for key, found in self.violations.items()
            },
            **{name: dict(getattr(self, name)) for name in _COUNTERS},
            "failure": None if self.failure is None else vars(self.failure),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> LoadResults:
        """Create results from the return value of `document`."""
        values = dict(document)
        values["violations"] = {
            key: Violation(
                **{**found, "steps": tuple(found["steps"]), "failed": tuple(found["failed"])}
            )
            for key, found in values["violations"].items()
        }
        for name in _COUNTERS:
            values[name] = Counter(values[name])
        values["failure"] = None if values["failure"] is None else Failure(**values["failure"])
        return cls(**values)

    @classmethod
    def merged(cls, parts: Iterable[LoadResults]) -> LoadResults:
        """Return the merged results of several processes."""
        whole = cls()
        for results in parts:
            for key, found in results.violations.items():
                whole.violations.setdefault(key, found)
            for name in _COUNTERS:
                getattr(whole, name).update(getattr(results, name))
            whole.unmet.update(results.unmet)
            whole.visits += results.visits
            whole.visitors += results.visitors
            whole.problem = whole.problem or results.problem
            whole.failure = whole.failure or results.failure
        return whole
