"""Runs of the contract tests on tolerated variants, which must raise no alarm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.combinations import combinations
from tests.faults.results import alarms
from tests.faults.trial import CONTRACT, LIMIT_SECONDS, Trial, run

__all__ = ["Judgement", "Sweep", "VariantRun"]


_MORE_TIME = ("--time", "3m")
"""The time of a second run on a server that is too slow for the time of the profile."""


@dataclass(frozen=True, slots=True)
class VariantRun:
    """A run on a server with several variants."""

    names: tuple[str, ...]
    profile: str
    seed: int

    def alone(self) -> Iterator[VariantRun]:
        """Return the same run on each of the variants."""
        return (VariantRun((name,), self.profile, self.seed) for name in self.names)

    def __str__(self) -> str:
        """Return the variants and how they are run."""
        return f"{', '.join(self.names)} ({self.profile}, seed {self.seed})"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A run and its outcome."""

    run: VariantRun
    trial: Trial
    more: Sequence[str] = ()
    """Further options of the contract tests, with which the run was repeated."""

    @property
    def found(self) -> Sequence[str]:
        """The alarms."""
        return alarms(self.trial)

    def __str__(self) -> str:
        """Return the line that is printed at the end of the run."""
        verdict = f"ALARM: {'; '.join(self.found)}" if self.found else "no alarm"
        repeated = f", with {' '.join(self.more)}" if self.more else ""
        return f"{self.trial.seconds:6.1f} s  {self.run}: {verdict}{repeated}"


@dataclass(frozen=True, slots=True)
class Sweep:
    """How the contract tests are run on variants."""

    contract: Sequence[str] = CONTRACT
    limit: float = LIMIT_SECONDS
    together: int = 1
    """Maximum number of variants on one server."""

    def plan(self, names: Sequence[str], profile: str, seeds: Iterable[int]) -> list[VariantRun]:
        """Return the runs that cover all variants with each seed, which also combines them."""
        return [
            VariantRun(company, profile, seed)
            for seed in seeds
            for company in combinations(names, self.together, seed=seed)
        ]

    def judge(self, planned: VariantRun) -> list[Judgement]:
        """Run the contract tests; if several variants raise an alarm, also on each alone."""
        judged = [self._judge(planned)]
        if judged[0].found and not judged[0].trial.stopped and len(planned.names) > 1:
            judged += map(self._judge, planned.alone())
        return judged

    def _judge(self, planned: VariantRun) -> Judgement:
        """Run the contract tests, and once more with more time if a slow server needs it."""
        judged = self._run(planned)
        return self._run(planned, _MORE_TIME) if judged.trial.lacked_time else judged

    def _run(self, planned: VariantRun, more: Sequence[str] = ()) -> Judgement:
        with tempfile.TemporaryDirectory(prefix="variant-") as folder:
            trial = run(
                *planned.names,
                reports=Path(folder),
                seed=planned.seed,
                variant=True,
                contract=self.contract,
                limit=self.limit,
                profile=planned.profile,
                more=more,
            )
        return Judgement(planned, trial, more)
