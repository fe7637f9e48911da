"""What was measured, from the process that measured it to the table that people read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
HEADINGS = ("what", "subject", "ratio", "goal", "met")


class Row(NamedTuple):
    """One measurement."""

    what: str
    """What was done, over what."""
    subject: str
    """Who did it."""
    value: float
    """The ratio; bytes per event if `unit` says so."""
    goal: float | None = None
    """The largest value that we want; None for what is only told."""
    unit: str = ""
    """Empty for a ratio."""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None without a goal."""
        return None if self.goal is None else self.value <= self.goal


def apart(module: str, *words: str) -> list[Row]:
    """Run a module of this package in a process of its own and return its rows.

    What one subject imports, keeps and patches must not be there when the next
    is measured.
    """
    command = [sys.executable, "-m", f"bench.{module}", *words]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return [Row(*fields) for fields in json.loads(done.stdout)]


def hand_over(rows: Iterable[Row]) -> None:
    """Print the rows for the process that called `apart`."""
    print(json.dumps(list(rows)))


def tell(words: str) -> None:
    """Say how far we are."""
    print(words, file=sys.stderr, flush=True)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as people read them, with a line between sections."""
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
    # Plus zero, lest noise about nothing be shown as -0.00.
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
