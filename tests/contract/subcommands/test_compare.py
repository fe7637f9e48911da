"""`siteassist-contract compare` says what changed between two runs, and what was not looked at."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from siteassist_contract import __main__
from siteassist_contract.report import summary
from siteassist_contract.report.summary import Report
from siteassist_contract.subcommands import compare
from siteassist_contract.verdict import ExitStatus
from tests.contract.report.sample_reports import BROKEN, ELSEWHERE, KNOWN, report, violation

OTHER = violation("getConversations", "list-total", expected="5\n|`x`", actual="`4`")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Report, Report], None]:
    """Return a function that writes ``before.json`` and ``after.json``."""
    monkeypatch.chdir(tmp_path)

    def write(before: Report, after: Report) -> None:
        summary.write(before, tmp_path / "before.json")
        summary.write(after, tmp_path / "after.json")

    return write


def invoke(*options: str) -> Result:
    """Compare the two files."""
    return CliRunner().invoke(compare.main, ["before.json", "after.json", *options])


def retested(*others: Any, **rest: Any) -> Report:
    """Return a report in which the rules of all sample violations were tested."""
    whole = report(BROKEN, ELSEWHERE, OTHER, KNOWN)
    chosen = report(*others, **rest)
    chosen.rows[:] = whole.rows
    return chosen


def test_equal_reports_are_no_worse(files: Callable[..., None]) -> None:
    """The same violation in both runs is unchanged, and the status is 0."""
    files(report(BROKEN), report(BROKEN))
    result = invoke()
    assert (0, "") == (result.exit_code, result.stderr)
    assert "Findings: 0 new, 0 gone, 1 unchanged." == result.stdout.splitlines()[-1]
    assert "Unchanged (1 violation):\n  getMe: " in result.stdout


def test_new_violation_is_worse(files: Callable[..., None]) -> None:
    """A new violation is shown with what was expected and found, and the status is 1."""
    files(retested(BROKEN), retested(BROKEN, OTHER))
    result = invoke()
    assert 1 == result.exit_code
    assert "New (1 violation):\n  getConversations: " in result.stdout
    assert "    actual:   `4`" in result.stdout
    assert "Findings: 1 new, 0 gone, 1 unchanged." == result.stdout.splitlines()[-1]


def test_findings_are_counted_as_in_the_verdict(files: Callable[..., None]) -> None:
    """Violations of one rule by one operation are one finding, which may get a new violation."""
    there = [violation("search", "bounds", place=place) for place in ("size", "from", "query")]
    files(retested(BROKEN), retested(*there, OTHER))
    last = "Findings: 2 new, 1 gone, 0 unchanged."
    assert last == invoke().stdout.splitlines()[-1]
    assert "New (4 violations):\n" in invoke().stdout
    files(retested(there[0], BROKEN), retested(*there, BROKEN))
    result = invoke()
    last = "Findings: 0 new, 1 with new violations, 0 gone, 1 unchanged."
    assert (1, last) == (result.exit_code, result.stdout.splitlines()[-1])
    files(retested(*there), retested(there[0]))
    assert "Findings: 0 new, 0 gone, 1 unchanged." == invoke().stdout.splitlines()[-1]


def test_new_violation_that_the_baseline_accepts_is_not_worse(files: Callable[..., None]) -> None:
    """It is listed as new, but does not count."""
    files(retested(), retested(KNOWN))
    result = invoke()
    assert 0 == result.exit_code
    assert "(known) (accepted by the baseline)" in result.stdout


def test_violation_is_gone_only_if_it_was_tested_again(files: Callable[..., None]) -> None:
    """A violation whose rule the later run left out is not gone, and the status is 2."""
    files(report(BROKEN, ELSEWHERE), report())
    result = invoke()
    assert 2 == result.exit_code
    assert "Gone (1 violation):\n  getMe: " in result.stdout
    assert "Not tested any more:\n  bounds on getQnas: was not reached in this run" in result.stdout
    assert result.stdout.splitlines()[-1].startswith(
        "Findings: 0 new, 1 gone, 0 unchanged. Not tested any more: 1 pair"
    )


def test_lost_tests_can_be_allowed(files: Callable[..., None]) -> None:
    """With --allow-incomplete, the status is 0 and the last line says why."""
    files(report(ELSEWHERE), report(rows=[]))
    assert "bounds on getQnas: not in the later report" in invoke().stdout
    result = invoke("--allow-incomplete")
    assert 0 == result.exit_code
    assert result.stdout.splitlines()[-1].endswith("Exit status 0 because of --allow-incomplete.")


def test_new_violation_is_worse_than_lost_tests(files: Callable[..., None]) -> None:
    """--allow-incomplete does not allow a new violation."""
    files(report(ELSEWHERE), report(OTHER))
    assert 1 == invoke("--allow-incomplete").exit_code


def test_newly_tested_rules_are_counted(files: Callable[..., None]) -> None:
    """A run that tests more is no worse."""
    files(report(), retested())
    result = invoke()
    assert 0 == result.exit_code
    assert result.stdout.splitlines()[-1].endswith("Newly tested: 3.")


@pytest.mark.parametrize("status", [ExitStatus.INTERNAL_ERROR, ExitStatus.INTERRUPTED])
def test_run_without_a_verdict_is_not_green(status: ExitStatus, files: Callable[..., None]) -> None:
    """An interrupted run shows nothing, even if all of its rules had been tested."""
    files(report(), report(status=status))
    assert 2 == invoke().exit_code


CUT: dict[str, Any] = {
    "planned": ["errors: getMe"],
    "unfinished": {"errors: getMe": "the time ran out"},
}
DONE: dict[str, Any] = {"planned": ["errors: getMe"], "unfinished": {}}
SHORT = "The later run is incomplete, and the earlier one was not."
STEP = "Not finished any more: errors: getMe."


@pytest.mark.parametrize(
    ("before", "after", "status", "words"),
    [
        (report(**DONE), report(status=ExitStatus.INCOMPLETE, **CUT), 2, SHORT),
        (report(), report(status=ExitStatus.INCOMPLETE), 2, SHORT),
        (report(BROKEN, **DONE), report(BROKEN, **CUT), 2, STEP),
        (
            report(status=ExitStatus.INCOMPLETE, **DONE),
            report(status=ExitStatus.INCOMPLETE, **CUT),
            2,
            STEP,
        ),
        (
            report(status=ExitStatus.INCOMPLETE, **CUT),
            report(status=ExitStatus.INCOMPLETE, **CUT),
            0,
            "0 unchanged.",
        ),
        (
            report(**DONE),
            report(status=ExitStatus.INCOMPLETE, allowed=True, **CUT),
            0,
            "0 unchanged.",
        ),
        (report(status=ExitStatus.INCOMPLETE, **CUT), report(**DONE), 0, "0 unchanged."),
        (report(BROKEN, **CUT), report(BROKEN, **CUT), 0, "1 unchanged."),
    ],
)
def test_later_run_must_come_as_far_as_the_earlier_one(
    before: Report, after: Report, status: int, words: str, files: Callable[..., None]
) -> None:
    """The last line says that it did not; a run that may be incomplete need not."""
    files(before, after)
    result = invoke()
    assert status == result.exit_code
    assert result.stdout.splitlines()[-1].endswith(words)
    assert 0 == invoke("--allow-incomplete").exit_code
    assert words in invoke("--format", "markdown").stdout.splitlines()[0]


def test_markdown_is_for_a_pull_request(files: Callable[..., None]) -> None:
    """Each text of a server is code in one line, whatever it contains."""
    files(retested(BROKEN, ELSEWHERE), retested(BROKEN, OTHER))
    result = invoke("--format", "markdown")
    assert 1 == result.exit_code
    lines = result.stdout.splitlines()
    assert "### Contract tests: Findings: 1 new, 1 gone, 1 unchanged." == lines[0]
    assert "- before: `The server keeps the contract.`" in lines
    assert "  - expected: `` 5\\n|`x` ``" in lines
    assert "  - actual: `` `4` ``" in lines
    assert [line for line in lines if line.startswith("- **getQnas**") and "at `limit`" in line]


def test_markdown_names_lost_rules(files: Callable[..., None]) -> None:
    """The operations of a rule that have the same reason are in one line."""
    files(report(ELSEWHERE, violation("search", "bounds", known=True)), report())
    result = invoke("--format", "markdown")
    assert "- `bounds` on getQnas, search: `was not reached in this run`" in result.stdout


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "the report after.json: No such file or directory"),
        ("{", "the report after.json is not JSON: "),
        ("[]", "the report after.json is not the summary.json of a run: "),
        ('{"version": 1}', "the report after.json is not the summary.json of a run: "),
    ],
)
def test_file_that_is_no_report_is_one_sentence(
    content: str | None, problem: str, files: Callable[..., None]
) -> None:
    """The sentence names the file, and the status is 2."""
    files(report(), report())
    path = Path("after.json")
    path.unlink() if content is None else path.write_text(content)
    result = invoke("--allow-incomplete")
    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr.startswith(f"The reports cannot be compared: {problem}")
    assert 1 == result.stderr.count("\n")


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["compare", "a", "b"], "siteassist_contract.subcommands.compare"),
        (["http://compare/v2"], "siteassist_contract.cli"),
        ([], "siteassist_contract.cli"),
    ],
)
def test_subcommand_is_recognised_by_its_name(
    words: list[str], module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any other first argument is the URL of a server, or an option."""
    started: list[tuple[str, ...]] = []

    def start(*given: str) -> None:
        started.append(given)
        raise SystemExit

    monkeypatch.setattr(__main__, "start", start)
    monkeypatch.setattr(sys, "argv", ["siteassist-contract", *words])
    with pytest.raises(SystemExit):
        __main__.main()
    name = "siteassist-contract compare" if words[:1] == ["compare"] else "siteassist-contract"
    assert [(name, "contract", module)] == started
    assert words[module != "siteassist_contract.cli" :] == sys.argv[1:]
