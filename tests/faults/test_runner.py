"""The commands that serve mutants and run the contract tests on them.

A fake of the contract tests, which knows one fault, replaces the real command.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from siteassist_mock.testing import serving
from tests.faults import server, trial
from tests.faults.__main__ import main
from tests.faults.catalogue import MUTANTS, UNASKED
from tests.faults.combinations import combinations, combined, is_visible
from tests.faults.results import Result as Judged
from tests.faults.results import enough, summary, table, written_table
from tests.faults.trial import BROKEN, KEPT, Trial, Violation, running
from tests.values import API_KEY, ROOT

# Finds one fault: getMe without a token.
FAKE = """
import json, pathlib, sys, urllib.error, urllib.request
arguments = sys.argv[1:]
reports = pathlib.Path(arguments[arguments.index("--reports") + 1])
pathlib.Path({log!r}).open("a").write(json.dumps(arguments) + "\\n")
try:
    urllib.request.urlopen(arguments[0] + "/identity/me")
except urllib.error.HTTPError as error:
    broken = error.code != 401
else:
    broken = True
found = {{"rule": "token_needed", "operation": "getMe", "layer": "model"}}
(reports / "summary.json").write_text(json.dumps(
    {{"first_violation_seconds": 0.25 if broken else None, "violations": [found] * broken}}
))
sys.exit(int(broken))
"""


@pytest.fixture
def _served_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the mutants in this process: the start of a process for each takes a second.

    Without this fixture, a test also covers the processes of the servers.
    """

    @contextmanager
    def serve(*names: str, variant: bool = False) -> Iterator[str]:
        with serving(combined(names) if variant else MUTANTS[names[0]].app()) as url:
            yield url

    monkeypatch.setattr(trial, "running", serve)


served_here = pytest.mark.usefixtures("_served_here")


def fake(folder: Path, text: str = FAKE) -> str:
    """Write a fake of the contract tests, which logs its arguments, and return its command."""
    program = folder / "fake.py"
    program.write_text(text.format(log=str(folder / "log")) if text == FAKE else text)
    return shlex.join([sys.executable, str(program)])


def invoke(folder: Path, *arguments: str, text: str = FAKE) -> Result:
    """Invoke the command with a fake of the contract tests."""
    more = ["--contract", fake(folder, text), "--report", str(folder / "new" / "mutants.json")]
    return CliRunner().invoke(main, [*arguments, *more])


def report(folder: Path) -> Any:
    """Return the content of the report."""
    return json.loads((folder / "new" / "mutants.json").read_text(encoding="utf-8"))


@served_here
def test_output_and_report_list_killed_and_surviving_mutants(tmp_path: Path) -> None:
    """The output and the report have the result of each mutant, and describe the survivors."""
    done = invoke(tmp_path, "no-token-me", "done-twice")
    assert 1 == done.exit_code, done.output
    assert "auth          no-token-me: killed by token_needed in getMe (model)" in done.output
    assert "stream        done-twice: SURVIVED: found nothing" in done.output
    assert "total           1 of   2 killed   50.0%" in done.output
    assert "first violation: median 0.2 s, 90th percentile 0.2 s" in done.output
    assert MUTANTS["done-twice"].description in done.output.partition("survivors:")[2]
    written = report(tmp_path)
    assert {"auth": 1.0, "stream": 0.0} == written["kill_rates"]
    killed, survived = written["mutants"]
    assert ("no-token-me", True, 0.25) == (
        killed["id"],
        killed["killed"],
        killed["first_break_seconds"],
    )
    assert [{"rule": "token_needed", "operation": "getMe", "layer": "model"}] == killed[
        "violations"
    ]
    assert ("done-twice", "found nothing", []) == (
        survived["id"],
        survived["reason"],
        survived["violations"],
    )


@served_here
def test_thresholds_are_options(tmp_path: Path) -> None:
    """The exit status is 0 if the kill rates reach ``--total`` and ``--each``."""
    done = invoke(tmp_path, "no-token-me", "done-twice", "--total", "50", "--each", "0")
    assert 0 == done.exit_code, done.output


def test_contract_tests_get_their_arguments(tmp_path: Path) -> None:
    """The contract tests get the URL of the server, its key, its operator, the seed and a folder.

    The exit status is 0, since they find the only fault.
    """
    assert 0 == invoke(tmp_path, "no-token-me", "--seed", "7").exit_code
    (line,) = (tmp_path / "log").read_text().splitlines()
    url, *options = json.loads(line)
    assert url.startswith("http://127.0.0.1:")
    assert url.endswith("/v2")
    folder = options.pop()
    assert folder
    operator = f"{url.removesuffix('/v2')}/_mock"
    expected = f"--api-key {API_KEY} --profile default --operator {operator} --seed 7"
    assert [*shlex.split(expected), "--stop-at-first", "--reports"] == options


@served_here
def test_failed_run_counts_as_survivor(tmp_path: Path) -> None:
    """A run with another exit status does not kill the mutant, and its last line is reported."""
    text = "import sys; print('out of order', file=sys.stderr); sys.exit(2)"
    done = invoke(tmp_path, "no-token-me", text=text)
    assert 1 == done.exit_code
    assert "SURVIVED: not run: exit status 2, out of order" in done.output
    assert "not run: exit status 2, out of order" == report(tmp_path)["mutants"][0]["reason"]


def test_hanging_run_is_stopped(tmp_path: Path) -> None:
    """A run beyond the time limit is stopped with its children, and kills no mutant."""
    text = (
        "import signal, subprocess, sys\n"
        "subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()'])\n"
        "signal.pause()\n"
    )
    done = invoke(tmp_path, "no-token-me", "--limit", "0.5", text=text)
    assert 1 == done.exit_code
    assert "SURVIVED: hangs: no end after" in done.output


def test_interrupt_stops_running_and_waiting_runs(tmp_path: Path) -> None:
    """Ctrl-C stops the current runs and cancels the waiting ones."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    text = f"import signal; open({str(begun)!r}, 'w').close(); signal.pause()"
    command = [sys.executable, "-m", "tests.faults", "no-token-me", "done-twice"]
    command += ["--workers", "1", "--contract", fake(tmp_path, text)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        begun.open().close()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (1, "Aborted!") == (process.returncode, said.strip())


@served_here
def test_incomplete_summary_is_ignored(tmp_path: Path) -> None:
    """The exit status alone decides if the summary cannot be read."""
    text = (
        "import pathlib, sys\n"
        "(pathlib.Path(sys.argv[-1]) / 'summary.json').write_text('{')\n"
        "sys.exit(1)\n"
    )
    done = invoke(tmp_path, "no-token-me", text=text)
    assert 0 == done.exit_code
    assert "no-token-me: killed without a summary" in done.output


def calls(folder: Path) -> list[tuple[str, str]]:
    """Return the profile and the seed of each run, in order."""
    lines = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
    assert not any("--stop-at-first" in line for line in lines)
    return sorted(
        tuple(line[line.index(f"--{name}") + 1] for name in ("profile", "seed")) for line in lines
    )


@served_here
def test_variants_are_run_with_several_seeds(tmp_path: Path) -> None:
    """All variants are run with each seed of each profile; without an alarm the status is 0."""
    done = invoke(
        tmp_path,
        *("--variants", "charset", "refuse-422", "foreign-403", "cookies", "--seed", "4"),
        *("--runs", "quick:2", "--runs", "default:1", "--closely", "cookies", "--together", "2"),
    )
    assert 0 == done.exit_code, done.output
    assert "10 runs, about " in done.output
    assert "0 of 10 runs on tolerated variants raised an alarm" in done.output
    runs = [*[("quick", "4"), ("quick", "5"), ("default", "4")] * 2]
    assert sorted([*runs, *[("default", str(seed)) for seed in range(5, 9)]]) == calls(tmp_path)
    for profile, seed in {*runs}:
        of_all = re.findall(
            rf" s  (.+) \({profile}, seed {seed}\): no alarm$", done.output, re.MULTILINE
        )
        assert 2 == len(of_all)
        assert 4 == len({name for names in of_all for name in names.split(", ")})


@served_here
def test_violation_on_variant_is_an_alarm(tmp_path: Path) -> None:
    """A violation, and a failed run, are alarms; an unknown variant is a usage error."""
    options = ("--runs", "default:1")
    for status, words in ((1, "ALARM: broken, without a summary"), (3, "ALARM: not run")):
        text = f"raise SystemExit({status})"
        done = invoke(tmp_path, "--variants", "charset", *options, text=text)
        assert 1 == done.exit_code
        assert words in done.output
    assert 2 == invoke(tmp_path, "--variants", "nothing").exit_code
    assert 2 == invoke(tmp_path, "--variants", "--closely", "nothing").exit_code
    for runs in ("quick", "quick:0", "fast:1", "quick:x"):
        done = invoke(tmp_path, "--variants", "--runs", runs)
        assert f"'{runs}' is not a profile with a number" in done.output


@served_here
def test_slow_variant_gets_more_time(tmp_path: Path) -> None:
    """A run whose time ran out is repeated with more time; one that lacks more is an alarm."""
    ended = "print('Incomplete: the time ran out; not finished: errors: getMe.'); sys.exit(2)"
    text = f"import sys\nif '--time' not in sys.argv: {ended}"
    options = ("--variants", "charset", "--runs", "quick:1")
    done = invoke(tmp_path, *options, text=text)
    assert 0 == done.exit_code, done.output
    assert "charset (quick, seed 1): no alarm, with --time 3m\n" in done.output
    done = invoke(tmp_path, *options, text=f"import sys; {ended}")
    assert 1 == done.exit_code
    assert "ALARM: not run: exit status 2, Incomplete: the time ran out" in done.output


@served_here
def test_alarm_of_several_variants_is_looked_for_in_each(tmp_path: Path) -> None:
    """The variant that raises the alarm is named, or the output says that none does alone."""
    names = ("--variants", "charset", "errors-terse", "--runs", "quick:1")
    # Finds what is not an object in the bodies of errors: the first run, and that of one variant.
    text = (
        "import sys, urllib.error, urllib.request\n"
        "try:\n    urllib.request.urlopen(sys.argv[1] + '/identity/me')\n"
        "except urllib.error.HTTPError as error:\n    sys.exit(b'Nope' in error.read())\n"
    )
    done = invoke(tmp_path, *names, text=text)
    assert 1 == done.exit_code
    lines = [line for line in done.output.splitlines() if " (quick, seed 1)" in line]
    assert 3 == len(lines)
    assert "ALARM" in lines[0]
    assert ["ALARM" in line for line in lines[1:]] == ["errors-terse" in line for line in lines[1:]]
    once = (
        f"import pathlib, sys; log = pathlib.Path({str(tmp_path / 'once')!r})\n"
        "seen = log.exists(); log.touch(); sys.exit(not seen)"
    )
    done = invoke(tmp_path, *names, text=once)
    assert 1 == done.exit_code
    assert "None of them raises an alarm alone." in done.output
    assert "1 of 1 runs on tolerated variants raised an alarm" in done.output


def test_combinations_show_each_difference() -> None:
    """Each variant is in one combination, in which no other hides its difference."""
    names = ["refuse-422", "refuse-400", "charset", "foreign-403", "foreign-404"]
    found = combinations(names, 3, seed=1)
    assert sorted(names) == sorted(name for company in found for name in company)
    assert all(len(company) <= 3 for company in found)
    assert all(is_visible(company) for company in found)
    assert not is_visible(["refuse-422", "refuse-400"])
    assert not any({"refuse-422", "refuse-400"} <= {*company} for company in found)
    assert [(name,) for name in sorted(names)] == sorted(combinations(names, 1, seed=1))


@served_here
def test_sample_depends_on_the_seed(tmp_path: Path) -> None:
    """The same seed selects the same mutants."""

    def sampled(seed: str) -> list[str]:
        invoke(tmp_path, "--class", "status", "--sample", "1", "--seed", seed)
        return [mutant["id"] for mutant in report(tmp_path)["mutants"]]

    first = sampled("1")
    assert 1 == len(first)
    assert {"status"} == {MUTANTS[name].kind for name in first}
    assert first == sampled("1")


def test_unknown_mutant_is_a_usage_error(tmp_path: Path) -> None:
    """An id without a match is reported as a usage error."""
    done = invoke(tmp_path, "nothing")
    assert 2 == done.exit_code
    assert "no mutant matches 'nothing'" in done.output


def judged(name: str, status: int | None, first: float | None = None) -> Judged:
    """Return the result of a run on the mutant ``name``."""
    violations = [Violation("rule", "getMe", "model")] if status == 1 else []
    return Judged(MUTANTS[name], Trial(status, 9.0, first, violations))


def test_kill_rate_is_required_of_each_class() -> None:
    """A high total does not compensate for a class with a low kill rate."""
    names = [name for name, mutant in MUTANTS.items() if mutant.kind == "shape"][:19]
    results = [judged(name, 1, float(at)) for at, name in enumerate(names)]
    results.append(judged("done-twice", 0))
    assert enough(results, total=0.95, each=0)
    assert not enough(results, total=0.96, each=0)
    assert not enough(results, total=0.95, each=0.9)
    assert enough([], total=1, each=1)
    written = summary(results, seed=1)
    assert (0.95, 9.0, 17.0) == (
        written["kill_rate"],
        written["median_seconds"],
        written["p90_seconds"],
    )


def test_times_are_omitted_without_kills() -> None:
    """Without a killed mutant there are no times; the reasons are listed."""
    results = [judged("done-twice", None), judged("no-done", 130)]
    assert "first violation" not in table(results)
    assert "hangs: no end after 9 s" in table(results)
    assert "not run: exit status 130" in table(results)
    assert summary(results, seed=1)["median_seconds"] is None


@pytest.mark.parametrize(
    ("names", "variant", "expected"),
    [(["no-token-me"], False, 200), (["errors-terse", "charset"], True, 401)],
)
def test_server_serves_mutant_or_variants(names: list[str], variant: bool, expected: int) -> None:
    """A separate process serves the mutant, or the variants, over HTTP."""
    with running(*names, variant=variant) as url:
        response = httpx.get(f"{url}/identity/me", trust_env=False)
    assert expected == response.status_code
    assert variant == (response.json() == {"error": {"message": "Nope"}})


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "give the ID of a mutant; --list shows all of them"),
        (("--variant",), "give the ID of a variant"),
        (("charset",), "unknown mutant 'charset'"),
        (("done-twice", "no-done"), "a server has one mutant; only variants can be combined"),
        (("--variant", "charset", "no-done"), "unknown variant 'no-done'"),
    ],
)
def test_server_needs_one_mutant_or_variants(words: tuple[str, ...], problem: str) -> None:
    """Anything else is a usage error in one sentence."""
    done = CliRunner().invoke(server.main, words)
    assert (2, "") == (done.exit_code, done.stdout)
    assert problem in done.stderr


def test_server_stops_cleanly() -> None:
    """The server prints its URL like the mock, and a signal stops it with exit status 0."""
    command = [sys.executable, "-m", "tests.faults.server", "done-twice", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
    assert line.startswith("SiteAssist mock on http://127.0.0.1:")
    assert line.endswith("/v2 (mutant done-twice)\n")
    assert 0 == process.returncode


def test_server_that_does_not_start_is_an_error() -> None:
    """A server that prints no URL raises an error with its name."""
    with pytest.raises(RuntimeError, match="the server nothing did not start"), running("nothing"):
        pass


def test_server_lists_all() -> None:
    """``--list`` prints one line for each mutant, or variant, with its description."""
    mutants = CliRunner().invoke(server.main, ["--list"]).output.splitlines()
    assert len(MUTANTS) == len(mutants)
    (line,) = [line for line in mutants if " done-twice " in line]
    assert line.startswith("stream ")
    assert MUTANTS["done-twice"].description in line
    variants = CliRunner().invoke(server.main, ["--list", "--variant"]).output
    assert "charset " in variants
    assert "done-twice" not in variants


def test_page_gets_the_measured_table(tmp_path: Path) -> None:
    """The table between the marks of a page is replaced, and the rest of the page is kept."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- measured -->\nold\n<!-- end -->\n\nThe end.\n")
    found, missed = MUTANTS["no-token-me"], MUTANTS["no-done"]
    text = written_table(
        page.read_text(),
        [
            Judged(found, Trial(BROKEN, 3.0, 1.2)),
            Judged(missed, Trial(KEPT, 9.0)),
        ],
        seed=7,
        date="2026-01-02",
    )
    head, table, tail = re.split("<!-- .* -->\n", text)
    assert ("# Title\n\n", "\nThe end.\n") == (head, tail)
    assert table.startswith(
        "Measured on 2026-01-02 with the profile `default` and the seed 7, first violation"
        " after 1.2 s (median):\n"
    )
    assert "| auth | 1 | 1 |\n| stream | 0 | 1 |\n| all | 1 | 2 |\n" in table
    assert table.endswith(f"Survivors:\n\n- `no-done`: {missed.description}\n")
    assert text == written_table(
        text,
        [Judged(found, Trial(BROKEN, 3.0, 1.2)), Judged(missed, Trial(KEPT, 9.0))],
        seed=7,
        date="2026-01-02",
    )
    name, reason = next(iter(UNASKED.items()))
    text = written_table(text, [Judged(MUTANTS[name], Trial(KEPT, 9.0))], seed=7, date="2026-01-02")
    assert f"- `{name}`: {MUTANTS[name].description} Not found: {reason}\n" in text
    with pytest.raises(ValueError, match="lacks <!-- measured -->"):
        written_table("# Title", [], seed=7, date="2026-01-02")
