"""The tables, as text and as JSON."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from tests.hostile.trial import Trial

QuietMib = Mapping[str, float | None]
"""The memory of a quiet run, by profile."""

_LINE = "{:16}  {:8}  {:7}  {:14}  {:>7}  {:>6}  {}"
_BAD = "!"
_UNREACHED = "-"


def heading() -> str:
    """Return the names of the columns."""
    return _LINE.format("mode", "place", "profile", "verdict", "seconds", "MiB", "").rstrip()


def line(trial: Trial, quiet: QuietMib) -> str:
    """Return the row of a run, at most 80 characters long."""
    cell = trial.cell
    base = quiet.get(cell.profile)
    mark = _BAD if trial.problems(base) else "" if trial.hits else _UNREACHED
    more = "" if trial.mib is None or base is None else f"{trial.mib - base:+.0f}"
    time = f"{trial.seconds:.0f}/{cell.promised}"
    return _LINE.format(
        cell.mode, cell.place, cell.profile, trial.verdict, time, more, mark
    ).rstrip()


def table(trials: Sequence[Trial], quiet: QuietMib) -> str:
    """Return all rows, then each problem in words, then the counts."""
    wrong = {trial: trial.problems(quiet.get(trial.cell.profile)) for trial in trials}
    lines = [heading(), *(line(trial, quiet) for trial in trials), ""]
    lines += [f"{trial.cell}: {'; '.join(found)}" for trial, found in wrong.items() if found]
    unreached = sum(not trial.hits for trial in trials)
    lines.append(f"{sum(map(bool, wrong.values()))} of {len(trials)} cells have problems")
    if unreached:
        lines.append(f"{unreached} cells say nothing ({_UNREACHED}): no request reached the mode")
    return "\n".join(lines)


def summary(trials: Sequence[Trial], quiet: QuietMib, *, seed: int) -> dict[str, Any]:
    """Return the content of ``reports/hostile.json``."""
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "seed": seed,
        "quiet_mib": dict(quiet),
        "cells": [
            {
                "mode": trial.cell.mode,
                "place": trial.cell.place,
                "profile": trial.cell.profile,
                "verdict": trial.verdict,
                "status": trial.status,
                "seconds": round(trial.seconds, 1),
                "promised_seconds": trial.cell.promised,
                "mib": None if trial.mib is None else round(trial.mib, 1),
                "hits": trial.hits,
                "last_line": trial.note,
                "problems": trial.problems(quiet.get(trial.cell.profile)),
            }
            for trial in trials
        ],
    }
