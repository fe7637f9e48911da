"""The measurements: their transfer between processes, and the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = ("measurement", "subject", "value", "goal", "met")


class Row(NamedTuple):
    """One measurement."""

    what: str
    """The quantity measured, with the baseline of a ratio."""
    subject: str
    """The library measured."""
    value: float
    """The ratio, or the value in `unit`."""
    goal: float | None = None
    """The highest acceptable value; None if there is no goal."""
    unit: str = ""
    """The unit of the value, such as bytes; empty for a ratio."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.value <= self.goal


def apart(module: str, *words: str) -> list[Row]:
    """Run a module of this package in a separate process and return its rows.

    The imports, caches and patches of one subject must not affect the next.
    """
    command = [sys.executable, "-m", f"bench.{module}", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [Row(*fields) for fields in json.loads(done.stdout)]


def hand_over(rows: Iterable[Row]) -> None:
    """Print the rows for the process that called `apart`."""
    print(json.dumps(list(rows)))


def show_progress(text: str) -> None:
    """Print a progress line to stderr."""
    print(text, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Format the rows as a table, with a rule between sections."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [_line(line, widths) for line in cells]
    rule = "  ".join("-" * width for width in widths)
    shown = [lines[0]]
    before = None
    for row, line in zip(rows, lines[1:], strict=True):
        if row.what != before:
            shown.append(rule)
        shown.append(line if row.what != before else " " * widths[0] + line[widths[0] :])
        before = row.what
    return "\n".join(shown)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    goal = "" if row.goal is None else f"<= {row.goal:g}{row.unit}"
    # Adding zero turns -0.0 into 0.0, so that noise is not shown as -0.00.
    shown = round(row.value, 2) + 0.0
    met = {True: "yes", False: "NO", None: ""}[row.met]
    return row.what, row.subject, f"{shown:.2f}{row.unit}", goal, met


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    what, subject, ratio, goal, met = cells
    return "  ".join(
        (
            what.ljust(widths[0]),
            subject.ljust(widths[1]),
            ratio.rjust(widths[2]),
            goal.rjust(widths[3]),
            met.ljust(widths[4]),
        )
    ).rstrip()
