"""A command that runs the contract tests on hostile servers: ``python -m tests.hostile``."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from tests.hostile import table
from tests.hostile.cells import Cell, all_cells, correct_cells, quick_cells, selected
from tests.hostile.places import PLACES
from tests.hostile.server import MODES, QUIET
from tests.hostile.trial import CONTRACT, KEPT, Trial, run
from tests.values import ROOT

_REPORT = ROOT / "reports" / "hostile.json"


@click.command(context_settings={"max_content_width": 100})
@click.argument("patterns", metavar="[CELL]...", nargs=-1)
@click.option("--quick", is_flag=True, help="Run the ten cells of CI only.")
@click.option(
    "--correct",
    is_flag=True,
    help="Run the correct servers that are slow or restrictive, in place of the hostile ones.",
)
@click.option("--list", "listed", is_flag=True, help="List the modes, places and cells, and exit.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option(
    "--contract",
    default=shlex.join(CONTRACT),
    help="The command of the contract tests.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    default=_REPORT,
    help="Where the JSON goes; reports/hostile.json by default.",
)
def main(
    *,
    patterns: Sequence[str],
    quick: bool,
    correct: bool,
    listed: bool,
    seed: int,
    contract: str,
    report: Path,
) -> None:
    """Run the contract tests on servers that misbehave, and check how each run ends.

    CELL is a mode, such as hang, or a cell, such as hang/first/quick; both may have the
    wildcards of a shell. Exit status 1 means that a cell has a problem: a hostile server kept
    the contract, a correct one broke it, an internal error, control characters in the output,
    more than 1.2 times the promised time, or 300 MiB more than a quiet run.
    """
    if quick and correct:
        raise click.UsageError("--quick and --correct exclude each other")
    cells = quick_cells() if quick else correct_cells() if correct else all_cells()
    try:
        cells = list(selected(cells, patterns or ["*"]))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if listed:
        click.echo(_listing(cells))
        return
    sys.exit(_run(cells, report, seed=seed, contract=shlex.split(contract)))


def _run(cells: Sequence[Cell], report: Path, *, seed: int, contract: Sequence[str]) -> int:
    quiet: dict[str, float | None] = {}
    for profile in dict.fromkeys(cell.profile for cell in cells):
        trial = _tried(Cell(QUIET.name, "first", profile), seed, contract)
        quiet[profile] = trial.mib
        _progress(f"quiet run, {profile}: {trial.verdict}, {trial.seconds:.0f} s, {_mib(trial)}")
        if trial.status != KEPT:
            _progress(f"  {trial.note!r}")
    trials: list[Trial] = []
    _progress(f"{'':8}{table.heading()}")
    try:
        for number, cell in enumerate(cells, 1):
            trials.append(_tried(cell, seed, contract))
            _progress(f"{f'{number}/{len(cells)}':8}{table.line(trials[-1], quiet)}")
    finally:
        # An interrupt keeps what was done.
        report.parent.mkdir(parents=True, exist_ok=True)
        content = table.summary(trials, quiet, seed=seed)
        report.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        click.echo(table.table(trials, quiet))
    return int(any(trial.problems(quiet[trial.cell.profile]) for trial in trials))


def _tried(cell: Cell, seed: int, contract: Sequence[str]) -> Trial:
    with tempfile.TemporaryDirectory(prefix="hostile-", ignore_cleanup_errors=True) as folder:
        return run(cell, Path(folder), seed=seed, contract=contract)


def _mib(trial: Trial) -> str:
    return "memory not measurable here" if trial.mib is None else f"{trial.mib:.0f} MiB"


def _progress(text: str) -> None:
    click.echo(text, err=True)


def _listing(cells: Sequence[Cell]) -> str:
    used = dict.fromkeys(cell.mode for cell in cells)
    width = max(map(len, MODES))
    return "\n".join(
        [
            *(f"{name:{width}}  {MODES[name].sentence}" for name in used),
            "",
            *(f"{place.name:{width}}  {place.sentence}" for place in PLACES.values()),
            "",
            *map(str, cells),
        ]
    )


if __name__ == "__main__":
    main(prog_name="python -m tests.hostile")
