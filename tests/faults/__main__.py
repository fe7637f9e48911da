"""A command that measures which faults of the mock the contract tests find."""

from __future__ import annotations

import json
import random
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

import click

from tests.faults.catalogue import chosen
from tests.faults.mutant import CLASSES, Mutant
from tests.faults.results import Result, alarms, enough, line, summary, table, written_table
from tests.faults.trial import CONTRACT, LIMIT_SECONDS, Trial, run, stop
from tests.faults.variants import VARIANTS
from tests.values import ROOT

__all__ = ["main"]

_T = TypeVar("_T")
_R = TypeVar("_R")


@click.command(context_settings={"max_content_width": 100})
@click.argument("patterns", metavar="[ID]...", nargs=-1)
@click.option(
    "--class",
    "kinds",
    multiple=True,
    type=click.Choice(CLASSES),
    help="Run only mutants of this class.",
)
@click.option(
    "--sample", type=click.IntRange(1), help="Number of mutants to run, chosen by the seed."
)
@click.option("--seed", default=1, show_default=True, help="Seed of the sample and of the runs.")
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=2,
    show_default=True,
    help="Number of parallel runs.",
)
@click.option("--variants", is_flag=True, help="Run on the tolerated variants instead.")
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of seeds to run each variant with.",
)
@click.option(
    "--total",
    type=click.FloatRange(0, 100),
    default=95,
    show_default=True,
    help="Required percentage of killed mutants.",
)
@click.option(
    "--each",
    type=click.FloatRange(0, 100),
    default=90,
    show_default=True,
    help="Required percentage in each class.",
)
@click.option(
    "--limit",
    type=click.FloatRange(0, min_open=True),
    default=LIMIT_SECONDS,
    show_default=True,
    help="Seconds after which a run is stopped and counts as hanging.",
)
@click.option(
    "--contract",
    envvar="SITEASSIST_CONTRACT_COMMAND",
    help="Command that runs the contract tests, in a temporary folder."
    "  [default: this Python's siteassist_contract]",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / "reports" / "mutants.json",
    help="File to write the results to.  [default: reports/mutants.json]",
)
@click.option(
    "--page",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Markdown page in which to replace the measured table, such as"
    " docs/explanation/mutants.md.",
)
@click.option(
    "--profile",
    type=click.Choice(["quick", "default"]),
    default="default",
    show_default=True,
    help="Profile of the runs on variants.",
)
def main(
    *,
    patterns: tuple[str, ...],
    kinds: tuple[str, ...],
    sample: int | None,
    seed: int,
    workers: int,
    variants: bool,
    runs: int,
    total: float,
    each: float,
    limit: float,
    contract: str | None,
    report: Path,
    page: Path | None,
    profile: str,
) -> None:
    """Run the contract tests on each mutant of the mock.

    ID is a name or a pattern such as `'close-*'`; without it all mutants are run. The
    exit status is 0 if enough faults were found, or if no variant raised an alarm.
    """
    command = tuple(shlex.split(contract)) if contract else CONTRACT
    if variants:
        sys.exit(_run_variants(patterns, command, seed, runs, workers, limit, profile))
    try:
        mutants = chosen(patterns, kinds)
    except LookupError as error:
        raise click.UsageError(str(error)) from None
    if sample is not None:
        # Keep the order of the catalogue; the same seed selects the same mutants.
        kept = set(random.Random(seed).sample(range(len(mutants)), min(sample, len(mutants))))
        mutants = [mutant for index, mutant in enumerate(mutants) if index in kept]

    def judge(mutant: Mutant) -> Result:
        with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
            trial = run(mutant.id, Path(folder), seed=seed, contract=command, limit=limit)
        return Result(mutant, trial)

    results: list[Result] = []
    for result in _each(judge, mutants, workers):
        results.append(result)
        click.echo(f"{len(results):3}/{len(mutants)}  {line(result)}")
    order = [mutant.id for mutant in mutants]
    results.sort(key=lambda result: order.index(result.mutant.id))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(summary(results, seed=seed), indent=2, ensure_ascii=False))
    if page is not None:
        today = datetime.now(UTC).date().isoformat()
        text = page.read_text(encoding="utf-8")
        page.write_text(written_table(text, results, seed=seed, date=today), encoding="utf-8")
    click.echo(table(results))
    sys.exit(0 if enough(results, total=total / 100, each=each / 100) else 1)


def _run_variants(
    patterns: Sequence[str],
    contract: Sequence[str],
    seed: int,
    runs: int,
    workers: int,
    limit: float,
    profile: str,
) -> int:
    """Run the variants and return the exit status, 0 if there was no alarm."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in VARIANTS):
            raise click.UsageError(f"unknown variant: {pattern}")
    planned = [
        (name, seed + number)
        for name in VARIANTS
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
        for number in range(runs)
    ]

    def judge(item: tuple[str, int]) -> tuple[str, int, Trial]:
        name, run_seed = item
        with tempfile.TemporaryDirectory(prefix="variant-") as folder:
            trial = run(
                name,
                Path(folder),
                seed=run_seed,
                variant=True,
                contract=contract,
                limit=limit,
                profile=profile,
            )
        return name, run_seed, trial

    alarmed = 0
    for name, run_seed, trial in _each(judge, planned, workers):
        found = alarms(trial)
        alarmed += bool(found)
        verdict = f"ALARM: {'; '.join(found)}" if found else "no alarm"
        click.echo(f"{trial.seconds:6.1f} s  {name}, seed {run_seed}: {verdict}")
    click.echo(f"{alarmed} of {len(planned)} runs on tolerated variants raised an alarm")
    return 1 if alarmed else 0


def _each(work: Callable[[_T], _R], items: Iterable[_T], workers: int) -> Iterator[_R]:
    """Yield the result of ``work`` for each item, in order of completion."""
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            # An interrupt cancels the remaining runs as well.
            pool.shutdown(wait=False, cancel_futures=True)
            stop()
            raise


if __name__ == "__main__":
    main(prog_name="python -m tests.faults")
