"""The evaluation of runs on many mutants."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.catalogue import UNASKED
from tests.faults.mutant import CLASSES, Mutant
from tests.faults.trial import BROKEN, KEPT, Trial

__all__ = ["Result", "alarms", "enough", "line", "rate", "summary", "table", "written_table"]

_WIDTH = max(map(len, CLASSES))
_BEGIN, _END = "<!-- measured -->\n", "<!-- end -->\n"
"""The marks around the table in the documentation."""


@dataclass(frozen=True, slots=True)
class Result:
    """A mutant, and the run of the contract tests on it."""

    mutant: Mutant
    trial: Trial

    @property
    def killed(self) -> bool:
        """Whether the run found the fault."""
        return self.trial.status == BROKEN

    @property
    def reason(self) -> str:
        """The reason why the run did not find the fault."""
        return self.trial.reason or "found nothing"

    @property
    def seconds(self) -> float:
        """The time to the first violation, or of the whole run if there is none."""
        first = self.trial.first_break_seconds
        return self.trial.seconds if first is None else first


def rate(results: Iterable[Result]) -> float:
    """Return the share of killed mutants, from 0 to 1; 1 if there are no results."""
    results = list(results)
    return sum(result.killed for result in results) / len(results) if results else 1.0


def enough(results: Sequence[Result], *, total: float, each: float) -> bool:
    """Return whether the kill rate is at least ``total`` overall and ``each`` in each class."""
    return rate(results) >= total and all(
        rate(of_class) >= each for _, of_class in _by_class(results)
    )


def line(result: Result) -> str:
    """Return the line that is printed at the end of a run."""
    trial = result.trial
    by = f"by {trial.violations[0]}" if trial.violations else "without a summary"
    verdict = f"killed {by}" if result.killed else f"SURVIVED: {result.reason}"
    return f"{result.seconds:6.1f} s  {result.mutant.kind:{_WIDTH}}  {result.mutant.id}: {verdict}"


def table(results: Sequence[Result]) -> str:
    """Return the kill rates, the times and the survivors as text."""
    lines = [_share(name, of_class) for name, of_class in [*_by_class(results), ("total", results)]]
    rare = [result for result in results if result.mutant.rare]
    if rare:
        lines.append(_share("rare", rare))
    times = sorted(result.seconds for result in results if result.killed)
    if times:
        lines.append(
            f"first violation: median {statistics.median(times):.1f} s,"
            f" 90th percentile {_percentile(times, 0.9):.1f} s"
        )
    survivors = [result for result in results if not result.killed]
    if survivors:
        lines.append("survivors:")
    lines += [
        f"  {result.mutant.id} ({result.mutant.kind}): {result.mutant.description}"
        f" [{result.mutant.evidence}] - {result.reason}"
        for result in survivors
    ]
    return "\n".join(lines)


def written_table(page: str, results: Sequence[Result], *, seed: int, date: str) -> str:
    """Return a Markdown page with the kill rates between its marks.

    Raises `ValueError` if the page has no marks.
    """
    head, begin, rest = page.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"the page lacks {_BEGIN.strip()} or {_END.strip()}")
    times = [result.seconds for result in results if result.killed]
    median = f", first violation after {statistics.median(times):.1f} s (median)" if times else ""
    lines = [
        f"Measured on {date} with the profile `default` and the seed {seed}{median}:",
        "",
        "| class | killed | of |",
        "|---|---|---|",
    ]
    for name, of_class in [*_by_class(results), ("all", results)]:
        lines.append(f"| {name} | {sum(each.killed for each in of_class)} | {len(of_class)} |")
    survivors = [result for result in results if not result.killed]
    lines += ["", "Survivors:" if survivors else "No mutant survived.", ""]
    lines += [_survivor(each.mutant) for each in survivors]
    return head + begin + "\n".join(lines).rstrip("\n") + "\n" + end + tail


def _survivor(mutant: Mutant) -> str:
    """Return the line of a mutant that was not found, with the reason if it is known."""
    reason = UNASKED.get(mutant.id)
    line = f"- `{mutant.id}`: {mutant.description}"
    return line if reason is None else f"{line} Not found: {reason}"


def summary(results: Sequence[Result], *, seed: int) -> dict[str, Any]:
    """Return the content of ``reports/mutants.json``."""
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
                "description": result.mutant.description,
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
    """Return the false alarms of a run on a server without a fault."""
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
    return f"{name:{_WIDTH}}  {killed:3} of {len(results):3} killed  {rate(results):6.1%}"


def _percentile(times: Sequence[float], share: float) -> float:
    # The smallest time that at least this share of the times does not exceed.
    return times[max(int(-(-share * len(times) // 1)) - 1, 0)]
