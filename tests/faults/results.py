"""What the runs on many mutants come to."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.mutant import CLASSES, Mutant
from tests.faults.trial import BROKEN, KEPT, Trial

__all__ = ["Result", "alarms", "enough", "line", "rate", "summary", "table"]


@dataclass(frozen=True, slots=True)
class Result:
    """A mutant, and how the contract tests did on it."""

    mutant: Mutant
    trial: Trial

    @property
    def killed(self) -> bool:
        """Whether they found the fault."""
        return self.trial.status == BROKEN

    @property
    def reason(self) -> str:
        """Why they did not."""
        return self.trial.reason or "found nothing"

    @property
    def seconds(self) -> float:
        """How long it took to the first break, or else in all."""
        first = self.trial.first_break_seconds
        return self.trial.seconds if first is None else first


def rate(results: Iterable[Result]) -> float:
    """Return the share that was killed, from 0 to 1; 1 of none at all."""
    results = list(results)
    return sum(result.killed for result in results) / len(results) if results else 1.0


def enough(results: Sequence[Result], *, total: float, each: float) -> bool:
    """Return whether the share of all is at least ``total``, and of each class ``each``."""
    return rate(results) >= total and all(
        rate(of_class) >= each for _, of_class in _by_class(results)
    )


def line(result: Result) -> str:
    """Return what is printed when a run has ended."""
    trial = result.trial
    by = f"by {trial.violations[0]}" if trial.violations else "without a summary"
    verdict = f"killed {by}" if result.killed else f"SURVIVED: {result.reason}"
    return f"{result.seconds:6.1f} s  {result.mutant.kind:10}  {result.mutant.id}: {verdict}"


def table(results: Sequence[Result]) -> str:
    """Return the shares, the times and the survivors, in words."""
    lines = [_share(name, of_class) for name, of_class in [*_by_class(results), ("total", results)]]
    rare = [result for result in results if result.mutant.rare]
    if rare:
        lines.append(_share("rare", rare))
    times = sorted(result.seconds for result in results if result.killed)
    if times:
        lines.append(
            f"first break: median {statistics.median(times):.1f} s,"
            f" 90th percentile {_percentile(times, 0.9):.1f} s"
        )
    survivors = [result for result in results if not result.killed]
    if survivors:
        lines.append("survivors:")
    lines += [
        f"  {result.mutant.id} ({result.mutant.kind}): {result.mutant.says}"
        f" [{result.mutant.evidence}] - {result.reason}"
        for result in survivors
    ]
    return "\n".join(lines)


def summary(results: Sequence[Result], *, seed: int) -> dict[str, Any]:
    """Return all of it, for ``reports/mutants.json``."""
    times = sorted(result.seconds for result in results if result.killed)
    return {
        "seed": seed,
        "kill_rate": rate(results),
        "kill_rates": {name: rate(of_class) for name, of_class in _by_class(results)},
        "median_seconds": statistics.median(times) if times else None,
        "p90_seconds": _percentile(times, 0.9) if times else None,
        "mutants": [
            {
                "id": result.mutant.id,
                "class": result.mutant.kind,
                "rare": result.mutant.rare,
                "says": result.mutant.says,
                "evidence": result.mutant.evidence,
                "killed": result.killed,
                "reason": None if result.killed else result.reason,
                "seconds": round(result.trial.seconds, 3),
                "first_break_seconds": result.trial.first_break_seconds,
                "violations": [
                    {"rule": found.rule, "operation": found.operation, "layer": found.layer}
                    for found in result.trial.violations
                ],
            }
            for result in results
        ],
    }


def alarms(trial: Trial) -> list[str]:
    """Return what the contract tests say against a server that is in order."""
    if trial.status == KEPT:
        return []
    if trial.reason:
        return [trial.reason]
    return [str(found) for found in trial.violations] or ["broken, without a summary"]


def _by_class(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    for name in CLASSES:
        of_class = [result for result in results if result.mutant.kind == name]
        if of_class:
            yield name, of_class


def _share(name: str, results: Sequence[Result]) -> str:
    killed = sum(result.killed for result in results)
    return f"{name:10}  {killed:3} of {len(results):3} killed  {rate(results):6.1%}"


def _percentile(times: Sequence[float], share: float) -> float:
    # The smallest time that so many did not exceed.
    return times[max(int(-(-share * len(times) // 1)) - 1, 0)]
