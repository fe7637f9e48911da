"""Errors of the tests themselves: each ends with status 3, all reports, and what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import Result
from hypothesis.errors import Flaky, FlakyFailure, StopTest

from siteassist_contract import cli, selection
from siteassist_contract.checks.behaviour import random_steps
from siteassist_contract.checks.behaviour.random_steps import RandomSteps, run_random_steps
from siteassist_contract.findings import Findings, ViolationError
from siteassist_contract.http import preflight
from siteassist_contract.http.redaction import Filter
from siteassist_contract.report import baseline
from siteassist_contract.run import Outcome
from siteassist_contract.verdict import ContractBrokenError, InternalError
from siteassist_spec import output
from tests.values import API_KEY as KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Command, InProcess, MakeContext

URL = "http://127.0.0.1:1/v2"
REPORTS = ("html/index.html", "junit.xml", "summary.json")
LINE = "Internal error: ZeroDivisionError: injected."

FailOnce = Callable[[object, str], None]


@pytest.fixture
def fail_once(monkeypatch: pytest.MonkeyPatch) -> FailOnce:
    """Return a function that makes the first call of a function fail."""

    def choose(owner: object, name: str) -> None:
        called = getattr(owner, name)
        errors = [ZeroDivisionError("injected")]

        def fails(*args: Any, **kwargs: Any) -> Any:
            if errors:
                raise errors.pop()
            return called(*args, **kwargs)

        monkeypatch.setattr(owner, name, fails)

    return choose


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the run by one that finds a violation at once."""
    findings = Findings(Filter([]), lambda _: ("", ""))
    findings.judge(
        kept=False,
        rule="read-back",
        operation="getConversation",
        expected="1",
        actual="2",
        exchanges=[],
    )
    outcome = Outcome(findings, requests=7)
    monkeypatch.setattr(preflight, "check", lambda _, **__: ())
    monkeypatch.setattr(cli, "Run", lambda *_: SimpleNamespace(run=lambda: outcome))


def failed(result: Result, folder: str = "reports") -> dict[str, Any]:
    """Check the end of a command with an error of its own, and return its summary."""
    assert 3 == result.exit_code, result.output
    assert result.stderr.splitlines()[-1].startswith(LINE)
    assert "Traceback" not in result.output
    texts = {name: Path(folder, name).read_text() for name in REPORTS}
    assert [] == [name for name, text in texts.items() if LINE not in text]
    summary: dict[str, Any] = json.loads(texts["summary.json"])
    assert "internal error" == summary["verdict"]
    return summary


def test_error_before_the_folders_exist(command: Command, fail_once: FailOnce) -> None:
    """An error in the first line of the command is in the reports."""
    fail_once(selection, "read")
    failed(command(URL, "--api-key", KEY))


def test_error_with_an_unusable_folder(command: Command, fail_once: FailOnce) -> None:
    """Reports that cannot be written are named, and the error is still the last line."""
    fail_once(selection, "read")
    Path("reports").mkdir()
    Path("reports", "html").write_text("a file, where a folder belongs")
    result = command(URL, "--api-key", KEY)
    assert 3 == result.exit_code
    assert "Reports that could not be written: " in result.stderr
    assert result.stderr.splitlines()[-1].startswith(LINE)


@pytest.mark.parametrize("words", [["--reports", "mine"], ["--reports=mine"]])
def test_error_in_the_options(words: list[str], command: Command, fail_once: FailOnce) -> None:
    """The reports of an error in the options go to the folder that the options name."""
    fail_once(cli.Duration, "convert")
    failed(command(URL, *words, "--time", "60s"), "mine")


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize(
    ("owner", "name"), [(output, "last_line"), (baseline, "write"), (cli, "_update")]
)
def test_error_after_the_reports(
    owner: object, name: str, command: Command, fail_once: FailOnce
) -> None:
    """An error after the reports were written is in the reports, with all that was found."""
    fail_once(owner, name)
    summary = failed(
        command(URL, "--api-key", KEY, "--baseline", "accepted.json", "--update-baseline")
    )
    assert ["getConversation read-back"] == [each["key"] for each in summary["violations"]]
    assert 7 == summary["requests"]


def test_error_in_a_random_step_ends_the_run(
    shared: InProcess,
    make_context: MakeContext,
    fail_once: FailOnce,
) -> None:
    """An error that hypothesis cannot repeat is no flaky violation."""
    shared.fault = None
    fail_once(RandomSteps, "mine")
    until = time.monotonic() + 60
    with pytest.raises(InternalError, match="ZeroDivisionError: injected") as raised:
        run_random_steps(make_context(shared), seed_=1, until=until, database=None)
    assert "in fails" in raised.value.details


def test_flaky_violation_is_no_error() -> None:
    """Groups of violations, and of test cases that hypothesis cut short, are expected."""
    group = FlakyFailure(
        "flaky", [ViolationError("key"), ContractBrokenError("line"), Flaky(), StopTest(1)]
    )
    assert random_steps._unexpected(group) is None
    error = KeyError("ours")
    assert error is random_steps._unexpected(ExceptionGroup("two", [group, error]))
