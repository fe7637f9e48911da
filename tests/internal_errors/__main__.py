"""Errors of the contract tests themselves, in functions that a seed draws.

``python -m tests.internal_errors`` records the functions that a quick run enters, and repeats
the run with an exception in one of them at a time. Each run must end as an internal error.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

import click

from siteassist_mock.testing import mock_server
from tests.internal_errors.trial import ERRORS, Place, Run, Trial, attempt, run

_LINE = "{:8}{:2}{:19}{:>6} {:>7} {:>7}  {}"


@click.command(context_settings={"max_content_width": 100})
@click.option("--places", type=click.IntRange(1), default=50, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="By default a random one, which is printed.")
@click.option(
    "--only",
    default="*",
    metavar="PATTERN",
    help="Draw from these places only, such as 'engine/*' or '*:Recorder.*'.",
)
@click.option("--error", type=click.Choice(ERRORS), help="Raise only this exception.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True)
@click.option("--list", "listed", is_flag=True, help="List the places, and exit.")
def main(
    *, places: int, seed: int | None, only: str, error: str | None, workers: int, listed: bool
) -> None:
    """Run the contract tests with an error of their own at each of some places.

    Exit status 1 means that a run did not end as an internal error with all of its reports.
    """
    seed = random.randrange(2**32) if seed is None else seed
    with mock_server() as url:
        with tempfile.TemporaryDirectory(prefix="internal-errors-") as folder:
            recorded = run(url, Path(folder), {}, seed=seed)
        if recorded.status != 0:
            click.echo(recorded.output)
            raise click.ClickException(f"the run without an error ends with {recorded.status}")
        found, excluded = _places(recorded)
        chosen = [place for place in found if fnmatchcase(str(place), only)]
        click.echo(f"{len(found)} places, {len(chosen)} of them match {only}; --seed {seed}")
        if excluded:
            click.echo("Not drawn, since they run only before the command can report an error:")
            click.echo("".join(f"  {place}\n" for place in excluded), nl=False)
        click.echo("Not drawn, since they have no statement: lambdas and comprehensions.")
        if listed:
            click.echo("\n".join(map(str, chosen)))
            return
        cells = _drawn(chosen, places, seed, error)
        trials = []
        click.echo(_LINE.format("", "", "exception", "status", "reports", "seconds", "place"))
        for number, trial in enumerate(_tried(url, cells, seed, workers), 1):
            trials.append(trial)
            click.echo(_row(f"{number}/{len(cells)}", trial))
    wrong = [trial for trial in trials if trial.problems()]
    unreached = sum(not trial.reached for trial in trials)
    click.echo(f"{len(wrong)} of {len(trials)} runs have problems; {unreached} say nothing (-)")
    sys.exit(bool(wrong))


def _places(recorded: Run) -> tuple[list[Place], list[Place]]:
    """Return the places that run under the guard of the command, and the others."""
    guarded: dict[Place, None] = {}
    others: dict[Place, None] = {}
    for line in recorded.record:
        (guarded if line["guarded"] else others)[Place(line["process"], line["place"])] = None
    return list(guarded), [place for place in others if place not in guarded]


def _drawn(
    places: Sequence[Place], most: int, seed: int, error: str | None
) -> list[tuple[Place, str]]:
    drawing = random.Random(seed)
    sample = drawing.sample(places, min(most, len(places)))
    return [(place, error or drawing.choice(ERRORS)) for place in sample]


def _tried(
    url: str, cells: Sequence[tuple[Place, str]], seed: int, workers: int
) -> Iterator[Trial]:
    def tried(cell: tuple[Place, str]) -> Trial:
        with tempfile.TemporaryDirectory(prefix="internal-errors-") as folder:
            return attempt(url, Path(folder), *cell, seed=seed)

    with ThreadPoolExecutor(workers) as pool:
        yield from pool.map(tried, cells)


def _row(number: str, trial: Trial) -> str:
    problems = trial.problems()
    mark = "!" if problems else "" if trial.reached else "-"
    done = trial.run
    cells = (trial.error, done.status, f"{len(done.reports)}/3", f"{done.seconds:.0f}")
    row = _LINE.format(number, mark, *map(str, cells), trial.place)
    if problems:
        row += f"\n{'':10}{'; '.join(problems)}\n{'':10}{trial.last_line}"
    return row


if __name__ == "__main__":
    main(prog_name="python -m tests.internal_errors")
