"""The runner of the hostile tables: its cells, its measurements and its judgements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.hostile.__main__ import main
from tests.hostile.cells import (
    LONG,
    Cell,
    all_cells,
    correct_cells,
    quick_cells,
    selected,
)
from tests.hostile.correct import CORRECT
from tests.hostile.memory import measurable, peak_mib
from tests.hostile.modes import HOSTILE
from tests.hostile.places import PLACES
from tests.hostile.table import line, summary, table
from tests.hostile.trial import Trial, run, running

HANG = Cell("hang", "first", "quick")
LIMIT = Cell("limit-60", "first", "default")
NEEDS_PROC = pytest.mark.skipif(not measurable(), reason="needs /proc")
FAKE = """
import sys, urllib.request
url = sys.argv[1] + "/projects/current?apiKey=sa_pk_1234567890abcdef"
print(urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url).status)
print("options:", *sys.argv[4:])
sys.exit(1)
"""


def trial(cell: Cell = HANG, status: int | None = 1, **fields: object) -> Trial:
    """Return a run without a problem, but for the given fields."""
    given = {"seconds": 1.0, "mib": 100.0, "output": "fine\n", "hits": 1, **fields}
    return Trial(cell, status, **given)  # type: ignore[arg-type]  # fields of any type


# Cells


def test_cells_cover_every_mode_and_place() -> None:
    """Each mode is run at each place, and once with `default`; five with the long profiles."""
    profiles = [cell.profile for cell in all_cells()]
    expected = [len(HOSTILE) * len(PLACES), len(HOSTILE), len(LONG), len(LONG)]
    assert expected == [profiles.count(one) for one in ("quick", "default", "deep", "live")]
    assert 5 == len(LONG)
    assert len(set(all_cells())) == len(all_cells())


def test_promised_time_of_all_cells() -> None:
    """All runs together take at most 95 minutes; most end long before their time."""
    assert sum(cell.promised for cell in all_cells()) <= 95 * 60


def test_quick_cells() -> None:
    """CI has ten cells, at each place."""
    cells = quick_cells()
    assert 10 == len(cells)
    assert set(PLACES) == {cell.place for cell in cells}


def test_correct_cells() -> None:
    """Each correct server is run with `quick` and `default`."""
    assert 2 * len(CORRECT) == len(correct_cells())
    assert [False] * 2 * len(CORRECT) == [cell.is_hostile for cell in correct_cells()]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["hang/first/quick"], ["hang/first/quick"]),
        (["hang/*/live", "reset/first/*"], ["reset/first/quick", "hang/later/live"]),
    ],
)
def test_selection(patterns: list[str], expected: list[str]) -> None:
    """Patterns select cells in the order of the table."""
    found = [str(cell) for cell in selected(all_cells(), patterns)]
    assert sorted(expected) == sorted(found)
    assert [str(one) for one in all_cells() if str(one) in expected] == found


def test_selection_by_mode() -> None:
    """A mode selects all of its cells."""
    found = list(selected(all_cells(), ["hang"]))
    assert [cell for cell in all_cells() if cell.mode == "hang"] == found


def test_long_profiles_have_a_time() -> None:
    """`deep` and `live` would take longer than a minute."""
    expected = ["--profile", "live", "--time", "60s", "--yes"]
    assert expected == Cell("hang", "later", "live").options
    assert ["--profile", "quick"] == HANG.options


# Judgements


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (trial(), []),
        (trial(status=2), []),
        (trial(status=0), ["a broken server kept the contract"]),
        (trial(status=0, hits=0), []),
        (trial(status=3), ["internal error"]),
        (trial(status=-9), ["exit status -9"]),
        (trial(status=None, seconds=90.0), ["no end after 90 s"]),
        (trial(LIMIT, 0), []),
        (trial(LIMIT, 2), []),
        (trial(LIMIT, 1), ["a correct server broke the contract"]),
        (trial(output="Traceback (most recent call last):\n"), ["a traceback"]),
        (
            trial(output="\x1b[31m\t\u202e\x9b\r\n"),
            ["control characters in the output: U+000D U+001B U+009B U+202E"],
        ),
        (trial(seconds=36.0), []),
        (trial(seconds=36.1), ["36 s instead of 30 s"]),
        (trial(mib=400.0), []),
        (trial(mib=401.0), ["301 MiB more than a quiet run"]),
        (trial(mib=None), []),
    ],
)
def test_problems(given: Trial, expected: list[str]) -> None:
    """Each limit of the table is a problem when it is exceeded, and not before."""
    assert expected == given.problems(100.0)


def test_memory_needs_a_quiet_run() -> None:
    """Without a quiet run nothing is said about memory."""
    assert [] == trial(mib=5_000.0).problems(None)


def test_verdicts_in_words() -> None:
    """The table has words for the documented statuses, and the number of others."""
    expected = ["kept", "broken", "incomplete", "internal error", "no end", "status 130"]
    assert expected == [trial(status=one).verdict for one in (0, 1, 2, 3, None, 130)]


def test_note_is_the_last_line() -> None:
    """The note is the last line, and empty without one."""
    assert ["two", ""] == [trial(output=one).note for one in ("one\ntwo\n\n", "")]


@pytest.mark.parametrize("cell", [*all_cells(), *correct_cells()], ids=str)
def test_rows_have_80_columns(cell: Cell) -> None:
    """Progress has a column more than the table, and fits as well."""
    row = line(trial(cell, 3, seconds=270.0, mib=10_000.0), {cell.profile: 100.0})
    assert row.endswith("  !")
    assert len("100/130 " + row) <= 80


def test_table() -> None:
    """The table has a row for each run, each problem in words, and the counts."""
    trials = [trial(), trial(LIMIT, 1, seconds=200.0), trial(status=0, hits=0, mib=None)]
    lines = table(trials, {"quick": 90.0, "default": None}).splitlines()
    assert [
        "mode              place     profile  verdict         seconds     MiB",
        "hang              first     quick    broken             1/30     +10",
        "limit-60          first     default  broken           200/90          !",
        "hang              first     quick    kept               1/30          -",
        "",
        "limit-60/first/default: a correct server broke the contract; 200 s instead of 90 s",
        "1 of 3 cells have problems",
        "1 cells say nothing (-): no request reached the mode",
    ] == lines


def test_summary() -> None:
    """The JSON has all of a run."""
    content = summary([trial(output="one\ntwo\n")], {"quick": 90.0}, seed=7)
    assert 10 == len(content.pop("date"))
    assert {
        "seed": 7,
        "quiet_mib": {"quick": 90.0},
        "cells": [
            {
                "mode": "hang",
                "place": "first",
                "profile": "quick",
                "verdict": "broken",
                "status": 1,
                "seconds": 1.0,
                "promised_seconds": 30,
                "mib": 100.0,
                "hits": 1,
                "last_line": "two",
                "problems": [],
            }
        ],
    } == content


# Measurements


@NEEDS_PROC
def test_memory_of_a_command_includes_its_children() -> None:
    """A peak counts after it is over, in a child with a session of its own as well."""
    child = "x = b'x' * (200 << 20); del x; print('ready', flush=True); input()"
    command = (
        "import subprocess, sys;"
        f"subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert "ready\n" == process.stdout.readline()
        found = peak_mib(process.pid)
        process.communicate("\n")
    assert 200 < found < 300


@NEEDS_PROC
def test_memory_of_an_ended_command() -> None:
    """A session without processes has no memory."""
    done = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    done.wait()
    assert 0 == peak_mib(done.pid)


def fake(tmp_path: Path, source: str) -> list[str]:
    """Return a command that is run in place of the contract tests."""
    (tmp_path / "fake.py").write_text(source)
    return [sys.executable, str(tmp_path / "fake.py")]


def test_run(tmp_path: Path) -> None:
    """A run has the status, the output and the count of the requests that the mode answered."""
    cell = Cell("login-page", "first", "deep")
    done = run(cell, tmp_path, seed=7, contract=fake(tmp_path, FAKE))
    reports = tmp_path / "reports"
    options = f"--profile deep --time 60s --yes --seed 7 --reports {reports}"
    assert (1, f"200\noptions: {options}\n", 1) == (done.status, done.output, done.hits)
    assert (done.mib is None) != measurable()


def test_run_keeps_control_characters(tmp_path: Path) -> None:
    """The output arrives as it is, with bytes that are not UTF-8 in words."""
    source = r"import sys; sys.stdout.buffer.write(b'a\rb\x1b\xff\n')"
    done = run(HANG, tmp_path, seed=1, contract=fake(tmp_path, source))
    assert "a\rb\x1b\\xff\n" == done.output


def test_run_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that does not end is stopped, with its children."""
    monkeypatch.setattr("tests.hostile.trial._STOPPED_AFTER", 0)
    source = "import subprocess; subprocess.run(['sleep', '1000'])"
    done = run(HANG, tmp_path, seed=1, contract=fake(tmp_path, source))
    assert None is done.status


def test_server_that_does_not_start() -> None:
    """An unknown mode is an error of the runner."""
    with (
        pytest.raises(RuntimeError, match="the hostile server did not start"),
        running("unknown", "first"),
    ):
        pass


# The command


def test_command(tmp_path: Path) -> None:
    """The command runs the cells after a quiet run, and writes the report."""
    report = tmp_path / "reports" / "hostile.json"
    contract = " ".join(fake(tmp_path, FAKE))
    words = ["login-page/first/quick", "--contract", contract, "--report", str(report)]
    done = CliRunner().invoke(main, words)
    assert 0 == done.exit_code
    assert "quiet run, quick: broken" in done.output
    assert done.output.endswith("0 of 1 cells have problems\n")
    (cell,) = json.loads(report.read_text())["cells"]
    assert "broken" == cell["verdict"]


def test_command_fails_with_a_problem(tmp_path: Path) -> None:
    """A hostile server that keeps the contract makes the exit status 1."""
    contract = " ".join(fake(tmp_path, FAKE.replace("exit(1)", "exit(0)")))
    report = str(tmp_path / "hostile.json")
    words = ["login-page/first/quick", "--contract", contract, "--report", report]
    done = CliRunner().invoke(main, words)
    assert 1 == done.exit_code
    assert "login-page/first/quick: a broken server kept the contract\n" in done.output


@pytest.mark.parametrize(
    ("words", "cells"),
    [([], all_cells()), (["--quick"], quick_cells()), (["--correct"], correct_cells())],
)
def test_list(words: list[str], cells: list[Cell]) -> None:
    """The list has the sentences of the modes and places, and the cells."""
    done = CliRunner().invoke(main, ["--list", *words])
    lines = done.output.splitlines()
    assert 0 == done.exit_code
    assert [str(cell) for cell in cells] == lines[-len(cells) :]
    assert [] == [one for one in lines if len(one) > 100]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no cell matches 'nothing'; --list shows all of them"),
        (["--quick", "--correct"], "--quick and --correct exclude each other"),
    ],
)
def test_usage_errors(words: list[str], message: str) -> None:
    """An error is one sentence, and the exit status 2."""
    done = CliRunner().invoke(main, words)
    assert 2 == done.exit_code
    assert message in done.output
