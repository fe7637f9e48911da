"""The end of a run: whatever fails, the verdict is printed and the other reports are written."""

from __future__ import annotations

import errno
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from siteassist_contract import selection
from siteassist_contract.ending import (
    REPEAT_WITH,
    REPORTS,
    START_WITH,
    Ending,
    report_early_error,
)
from siteassist_contract.findings import Findings
from siteassist_contract.http.network import Network
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import files, junit, page, summary, tested_rules
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.run import Options, Outcome
from siteassist_contract.verdict import ExitStatus, InternalError
from tests.contract.report.sample_reports import BROKEN
from tests.values import API_KEY as KEY

WRITERS = {"index.html": page, "junit.xml": junit, "summary.json": summary}
MISTAKE = "Internal error: RuntimeError: a mistake. Please report it; --debug shows the traceback ("


def fail(*_: object, **__: object) -> Any:
    """Fail like code with a mistake."""
    raise RuntimeError("a\nmistake")


@pytest.fixture
def end(tmp_path: Path) -> Ending:
    """Return the end of a run that found a violation."""
    files.prepare(tmp_path, REPORTS)
    made = Ending(Target("http://127.0.0.1/v2", api_key=KEY), tmp_path)
    made.outcome.findings.violations[BROKEN.key] = BROKEN
    return made


def written(folder: Path) -> set[str]:
    """Return the names of the reports."""
    return {path.name for path in folder.rglob("*") if path.is_file()}


def test_end_without_a_mistake_has_all_reports(
    end: Ending, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All reports are written and named, and the verdict is that of the evidence."""
    verdict = end.report()
    assert ExitStatus.BROKEN == verdict.status
    assert set(WRITERS) == written(tmp_path)
    assert verdict.line == json.loads((tmp_path / "summary.json").read_text())["line"]
    printed = capsys.readouterr()
    assert 1 == printed.out.count("Reports: ")
    assert "" == printed.err


@pytest.mark.parametrize("name", WRITERS)
def test_full_disk_loses_one_report(
    name: str,
    end: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A report that cannot be written loses itself, and does not change the verdict."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(WRITERS[name], "write", full)
    assert ExitStatus.BROKEN == end.report().status
    assert set(WRITERS) - {name} == written(tmp_path)
    assert f"{name} (No space left on device)\n" in capsys.readouterr().err


@pytest.mark.parametrize("name", WRITERS)
def test_mistake_in_a_writer_loses_one_report(
    name: str,
    end: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake in a writer is an internal error, which the other reports have as well."""
    monkeypatch.setattr(WRITERS[name], "write", fail)
    verdict = end.report()
    assert (ExitStatus.INTERNAL_ERROR, 3) == (verdict.status, verdict.exit_status)
    assert verdict.line.startswith(MISTAKE)
    assert set(WRITERS) - {name} == written(tmp_path)
    for other in {"junit.xml", "summary.json"} - {name}:
        assert "RuntimeError: a mistake" in (tmp_path / other).read_text()
    assert f"{name} (internal error)\n" in capsys.readouterr().err


@pytest.mark.parametrize("debug", [False, True])
def test_mistake_in_the_output_keeps_the_reports(
    debug: bool,
    end: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A mistake in the terminal's output is an internal error; its traceback needs an option."""
    made = Ending(end.target, tmp_path, debug=debug)
    monkeypatch.setattr(Terminal, "end", fail)
    verdict = made.report()
    assert verdict.line.startswith(MISTAKE)
    assert set(WRITERS) == written(tmp_path)
    assert "internal error" == json.loads((tmp_path / "summary.json").read_text())["verdict"]
    assert debug == ("Traceback" in capsys.readouterr().err)


def test_mistake_in_the_rows_is_reported(
    end: Ending, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the rows of what was tested there is still a verdict."""
    monkeypatch.setattr(tested_rules, "rows", fail)
    assert end.report().line.startswith(MISTAKE)
    assert "Traceback" not in capsys.readouterr().err


def test_details_without_reports_have_no_secrets(
    end: Ending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Credentials are filtered from the traceback also if there is no report."""
    made = Ending(end.target, tmp_path, debug=True)
    made.outcome.error = InternalError("early", f"Traceback {KEY}")
    monkeypatch.setattr(tested_rules, "rows", fail)
    assert made.report().line.startswith("Internal error: early. ")
    assert "Traceback [Filtered]\n" == capsys.readouterr().err


def test_first_error_is_kept(end: Ending, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in a report does not hide the error of the run."""
    end.outcome.error = InternalError("the first")
    monkeypatch.setattr(junit, "write", fail)
    assert end.report().line.startswith("Internal error: the first. ")


def test_error_has_no_secrets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Credentials are filtered from the error and its traceback."""
    files.prepare(tmp_path, REPORTS)
    made = Ending(Target("http://127.0.0.1/v2", api_key=KEY), tmp_path, debug=True)
    made.outcome.error = InternalError(f"bad {KEY}", f"Traceback {KEY}")
    line = made.report().line
    assert line.startswith("Internal error: bad [Filtered]. ")
    assert "Traceback [Filtered]" in capsys.readouterr().err
    assert [] == [path for path in tmp_path.rglob("*.*") if KEY in path.read_text()]


@pytest.mark.parametrize("given", [[], ["url", "--reports", "elsewhere"]])
def test_early_error_has_reports(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error before the options are known is reported in the folder of the arguments."""
    monkeypatch.chdir(tmp_path)
    report_early_error(given, InternalError("early"))
    folder = tmp_path / ("elsewhere" if given else "reports")
    assert set(WRITERS) == written(folder)
    assert "early" == json.loads((folder / "summary.json").read_text())["error"]


def _outcome(**facts: Any) -> Outcome:
    return Outcome(Findings(Filter(), lambda _: ("", "")), **facts)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, ""),
        ({"time_is_up": True}, "the time ran out"),
        ({"stopped": True, "time_is_up": True}, "the run stopped at its first violation"),
        ({"problem": "gone", "stopped": True}, "the run did not finish"),
        ({"interrupted": True, "problem": "gone"}, "the run was interrupted"),
        ({"error": InternalError("x"), "interrupted": True}, "the tests failed"),
    ],
)
def test_reason_for_missing_tests(facts: dict[str, Any], reason: str) -> None:
    """The reason of an outcome is the first one of those that apply."""
    assert reason == _outcome(**facts).left_out


@pytest.mark.parametrize(
    ("command", "repeat", "variables"),
    [
        (
            None,
            (
                "siteassist-contract http://127.0.0.1/v2 --profile quick --seed 7 --origin"
                " https://shop.example --ca 'my ca.pem' --time 90s --examples 5 --workers 2"
                " --max-messages 9 --stop-at-first --human-conversation x"
            ),
            ["SITEASSIST_API_KEY", "SITEASSIST_SECOND_TOKEN", "SITEASSIST_HEADERS"],
        ),
        (
            "make contract",
            (
                "make contract 'ARGS=--profile quick --seed 7 --origin https://shop.example"
                " --ca '\"'\"'my ca.pem'\"'\"' --time 90s --examples 5 --workers 2 --max-messages 9"
                " --stop-at-first'"
            ),
            [],
        ),
        (
            'make contract MOCK_ARGS="$MOCK_ARGS"',
            (
                'make contract MOCK_ARGS="$MOCK_ARGS" \'ARGS=--profile quick --seed 7 --origin'
                " https://shop.example --ca '\"'\"'my ca.pem'\"'\"' --time 90s --examples 5"
                " --workers 2 --max-messages 9 --stop-at-first'"
            ),
            ["MOCK_ARGS"],
        ),
    ],
)
def test_run_can_be_repeated(
    command: str | None,
    repeat: str,
    variables: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The command has all options that choose requests, and the variables of credentials."""
    if command:
        monkeypatch.setenv(REPEAT_WITH, command)
    network = Network((("x-gateway", "secret"),), ca="my ca.pem")
    base = "http://127.0.0.1/v2"
    target = Target(
        base, KEY, network=network, second_token="t" * 20, origin="https://shop.example"
    )
    end = Ending(target, tmp_path)
    options: dict[str, Any] = {"workers": 2, "max_messages": 9, "stop_at_first": True}
    end.options = Options(
        PROFILES["quick"], 7, examples=5, seconds=90, human_conversation="x", **options
    )
    end.report()
    found = json.loads((tmp_path / "summary.json").read_text())
    assert (repeat, variables) == (found["repeat"], found["variables"])
    needs = f" (set {' and '.join(variables)} first)" if variables else ""
    assert f"Repeat with{needs}:\n  {repeat}\n" in capsys.readouterr().out


@pytest.mark.parametrize("fails", [True, False])
def test_command_that_starts_the_server_again_is_printed(
    fails: bool,
    end: Ending,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Findings on a server that stops with the run say how to start it; other runs do not."""
    command = "siteassist-mock --port 4321"
    monkeypatch.setenv(START_WITH, command)
    if not fails:
        end.outcome.findings.violations.clear()
    end.report()
    printed = capsys.readouterr().out
    page = (tmp_path / "html" / "index.html").read_text()
    assert command == json.loads((tmp_path / "summary.json").read_text())["start"]
    told = f"To reproduce a finding, start it again (it prints\nits keys):\n  {command}\n"
    assert fails == (told in printed)
    assert fails == ("  reproduce: start the server again, see below" in printed)
    assert fails == (f"Start it again:</p><pre>{command}</pre>" in page)


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize("elsewhere", [True, False])
def test_repeated_failures_can_be_repeated(
    fails: bool, elsewhere: bool, end: Ending, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command after a run of failures works, although the run may replace their report."""
    if not fails:
        end.outcome.findings.violations.clear()
    last = tmp_path / ("their reports" if elsewhere else "html/..") / "summary.json"
    last.parent.mkdir(exist_ok=True, parents=True)
    last.write_text('{"violations": [{"rule": "me", "operation": "getMe"}]}')
    selected = selection.read(["me"], (), last)
    end.options = Options(PROFILES["quick"], 7, selection=selected)
    end.report()
    lead, _, command = capsys.readouterr().out.partition("(set SITEASSIST_API_KEY first):\n  ")
    words = shlex.split(command.splitlines()[0])
    start = ["siteassist-contract", "http://127.0.0.1/v2", "--profile", "quick", "--seed", "7"]
    again = ["--last-failed", str(last)] if fails or elsewhere else []
    assert [*start, "--only", "me", *again] == words
    meaning = {
        (True, True): "Repeat with",
        (True, False): "Repeat with",
        (False, True): "Repeat the failures of this run with",
        (False, False): "Repeat without --last-failed, whose report was replaced, with",
    }[elsewhere, fails]
    assert meaning == lead.splitlines()[-1].strip()


def test_time_that_is_up_is_the_problem(end: Ending) -> None:
    """A run whose time was up has that reason in its verdict."""
    end.outcome = _outcome(time_is_up=True, planned=["a"], unfinished={"a": "x"}, advice="Wait.")
    verdict = end.report()
    assert verdict.line.startswith("Incomplete: the time ran out; not finished: a (0 requests)")
    assert verdict.line.endswith(" Wait.")
