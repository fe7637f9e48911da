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

from siteassist_contract.profiles import PROFILES
from tests.faults.catalogue import chosen
from tests.faults.mutant import CLASSES, Mutant
from tests.faults.results import Result, enough, line, summary, table, written_table
from tests.faults.sweep import Sweep, VariantRun
from tests.faults.trial import CONTRACT, LIMIT_SECONDS, run, stop
from tests.faults.variants import VARIANTS
from tests.values import ROOT

__all__ = ["main"]

RUNS = ("quick:3", "default:1")
"""The runs on all variants: profiles, each with a number of seeds."""
CLOSE_PROFILE, CLOSE_SEEDS = "default", 5
"""The runs on chosen variants."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def _runs(
    _context: click.Context, _option: click.Parameter, given: Sequence[str]
) -> dict[str, int]:
    """Return the number of seeds by profile."""
    runs = {}
    for text in given:
        profile, _, seeds = text.partition(":")
        if profile not in PROFILES or not seeds.isdecimal() or not int(seeds):
            raise click.BadParameter(f"{text!r} is not a profile with a number, such as quick:3")
        runs[profile] = int(seeds)
    return runs


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
    multiple=True,
    metavar="PROFILE:SEEDS",
    default=RUNS,
    show_default=True,
    callback=_runs,
    help="Profile of the runs on variants, and the number of seeds; can be repeated.",
)
@click.option(
    "--closely",
    multiple=True,
    metavar="ID",
    help="Variants to run with five seeds of the default profile, such as those that a new rule"
    " can touch; can be repeated.",
)
@click.option(
    "--together",
    type=click.IntRange(1),
    default=3,
    show_default=True,
    help="Maximum number of variants on one server. Those that hide each other are kept apart,"
    " and each is run alone if a run of several raises an alarm.",
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
def main(
    *,
    patterns: tuple[str, ...],
    kinds: tuple[str, ...],
    sample: int | None,
    seed: int,
    workers: int,
    variants: bool,
    runs: dict[str, int],
    closely: tuple[str, ...],
    together: int,
    total: float,
    each: float,
    limit: float,
    contract: str | None,
    report: Path,
    page: Path | None,
) -> None:
    """Run the contract tests on each mutant of the mock.

    ID is a name or a pattern such as `'close-*'`; without it all mutants are run. The
    exit status is 0 if enough faults were found, or if no variant raised an alarm.
    """
    command = tuple(shlex.split(contract)) if contract else CONTRACT
    if variants:
        sweep, names = Sweep(command, limit, together), _variants(patterns)
        further = range(seed + runs.get(CLOSE_PROFILE, 0), seed + CLOSE_SEEDS)
        plans = [(names, profile, range(seed, seed + seeds)) for profile, seeds in runs.items()]
        if closely:
            plans.append((_variants(closely), CLOSE_PROFILE, further))
        planned = [each for plan in plans for each in sweep.plan(*plan)]
        sys.exit(1 if _alarms(sweep, planned, workers) else 0)
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
            trial = run(mutant.id, reports=Path(folder), seed=seed, contract=command, limit=limit)
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


def _variants(patterns: Sequence[str]) -> list[str]:
    """Return the names of the variants that a pattern fits, or of all without a pattern."""
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in VARIANTS):
            raise click.UsageError(f"unknown variant: {pattern}")
    return [
        name
        for name in VARIANTS
        if not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
    ]


def _alarms(sweep: Sweep, planned: Sequence[VariantRun], workers: int) -> int:
    """Run the contract tests on variants, and return the number of alarms."""
    seconds = sum(PROFILES[each.profile].limit for each in planned) / workers
    click.echo(f"{len(planned)} runs, about {seconds / 60:.0f} minutes")
    alarmed = 0
    for done, judged in enumerate(_each(sweep.judge, planned, workers), 1):
        alarmed += bool(judged[0].found)
        for each in judged:
            click.echo(f"{done:3}/{len(planned)}  {each}")
        if judged[0].found and len(judged) > 1 and not any(each.found for each in judged[1:]):
            click.echo("None of them raises an alarm alone.")
    click.echo(f"{alarmed} of {len(planned)} runs on tolerated variants raised an alarm")
    return alarmed


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
