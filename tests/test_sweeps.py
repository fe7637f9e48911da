"""Sweeps: tests of which the daily run has some cases, spread over all."""

from __future__ import annotations

import re
import sys
from functools import cache

import pytest

from tests.commands import run
from tests.values import ROOT

SWEEP = "tests/mock/http/test_hostile_texts.py"
NAME = "test_a_hostile_text_costs_in_proportion_to_its_length"

pytestmark = pytest.mark.one_interpreter


@cache
def collected(*options: str) -> list[str]:
    """Return the ids of the cases that pytest would run."""
    command = (sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-cov", *options, SWEEP)
    done = run([*command, "-p", "no:cacheprovider"], cwd=ROOT)
    assert 0 == done.returncode, done.stdout
    return re.findall(rf"::{NAME}\[(.*)\]", done.stdout)


def test_some_cases_are_spread_over_all() -> None:
    """The first case is always among them, and --exhaustive runs all."""
    some, every = collected(), collected("--exhaustive")
    assert len(every) > len(some) >= 2
    assert every[0] == some[0]
    assert set(some) <= set(every)
    assert some != every[: len(some)]


def test_chosen_cases_are_all_run() -> None:
    """A selection by -k that has no more cases than the daily run has is run as it is."""
    last = collected("--exhaustive")[-1]
    assert last not in collected()
    assert last in collected("-k", last.split()[-1])
