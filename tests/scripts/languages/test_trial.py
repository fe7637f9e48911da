"""A trial skips, fails or passes a language, and the table names the reason."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.languages import __main__ as command
from scripts.languages import trial
from scripts.languages.catalogue import Language
from scripts.languages.table import footnotes, table
from scripts.languages.trial import Outcome, StepFailedError, first_error, try_language
from siteassist_spec import Document

URL = "http://127.0.0.1:1/v2"
DESCRIPTION = Document({"openapi": "3.1.0"})
WITH_EXTRA_STEP = """\
visitor 1
started 2
answered **In bold**

closed now, a second line of the answer
listed 2
closed true
missing CONVERSATION_NOT_FOUND
"""
COMPLETE = WITH_EXTRA_STEP.replace("\nclosed now, a second line of the answer", "")


def python(program: str) -> str:
    """Return the command that runs ``program``."""
    return shlex.join([sys.executable, "-c", program])


def printing(text: str) -> str:
    """Return the command that prints ``text``."""
    return python(f"print({text!r}, end='')")


@pytest.fixture
def language(tmp_path: Path) -> Language:
    """Return a language whose example passes every stage."""
    (tmp_path / "examples" / "fake").mkdir(parents=True)
    (tmp_path / "examples" / "fake" / "main.fake").write_text("program")
    (tmp_path / "reports").mkdir()
    return Language(
        name="fake",
        title="Fake",
        generator="maker",
        version="1.2",
        programs={sys.executable: "--version"},
        generate=(python("open('client/made', 'w').close()"),),
        compile=(python("open('client/made').close()"),),
        run=printing(COMPLETE),
    )


def tried(language: Language, folder: Path) -> Outcome:
    """Return the outcome of ``language``, whose example is in ``folder``."""
    return try_language(language, DESCRIPTION, URL, folder / "examples", folder / "reports")


def test_language_passes_all_stages(language: Language, tmp_path: Path) -> None:
    """The stages run in a folder that contains the program and the description."""
    outcome = tried(language, tmp_path)
    assert ("", True) == (outcome.problem, outcome.green)
    folder = tmp_path / "reports" / "fake"
    assert "program" == (folder / "main.fake").read_text()
    assert '{\n  "openapi": "3.1.0"\n}\n' == (folder / "openapi.json").read_text()
    assert f"{sys.executable} {sys.version.split()[0]}" == outcome.tools


def test_log_has_every_command_and_its_output(language: Language, tmp_path: Path) -> None:
    """One file contains the commands of all stages with their output."""
    tried(language, tmp_path)
    log = (tmp_path / "reports" / "fake.log").read_text()
    assert "".join(f"$ {line}\n" for line in language.commands) + COMPLETE == log


def test_environment_contains_the_address_of_the_mock(language: Language, tmp_path: Path) -> None:
    """The program gets the usual variable, and the variables of its language."""
    program = python(
        "import os; print('error', os.environ['SITEASSIST_BASE_URL'], os.environ['ITS'])"
    )
    given = replace(language, run=program, environment={"ITS": "own"})
    tried(given, tmp_path)
    assert f"error {URL} own\n" in (tmp_path / "reports" / "fake.log").read_text()


def test_earlier_client_is_removed(language: Language, tmp_path: Path) -> None:
    """A file of an earlier run cannot make the program compile."""
    tried(language, tmp_path)
    outcome = tried(replace(language, generate=()), tmp_path)
    assert {"generates": True, "compiles": False} == outcome.passed


def test_downloads_are_kept(language: Language, tmp_path: Path) -> None:
    """A second run reuses downloads; build results beside the example are not copied."""
    (tmp_path / "reports" / "fake" / "node_modules").mkdir(parents=True)
    (tmp_path / "examples" / "fake" / "target").mkdir()
    assert tried(language, tmp_path).green
    assert (tmp_path / "reports" / "fake" / "node_modules").exists()
    assert not (tmp_path / "reports" / "fake" / "target").exists()


def test_missing_program_is_named(language: Language, tmp_path: Path) -> None:
    """Without its toolchain, a language is skipped, and the missing program is the reason."""
    outcome = tried(replace(language, programs={"no-such": "-v", "sh": "-c"}), tmp_path)
    assert ("no-such not installed", False) == (outcome.skipped, outcome.green)
    assert {} == outcome.passed


def test_missing_library_is_named(language: Language, tmp_path: Path) -> None:
    """System libraries are looked for after the programs, which take precedence."""
    libraries = {"there": python(""), "lacking": python("exit(1)")}
    outcome = tried(replace(language, libraries=libraries), tmp_path)
    assert "lacking not installed" == outcome.skipped
    broken = replace(language, libraries={"lacking": "no-such"}, programs={"no-such": "-v"})
    assert "no-such not installed" == tried(broken, tmp_path).skipped


@pytest.mark.parametrize(
    ("stage", "passed"),
    [
        ("set_up", {"generates": False}),
        ("generate", {"generates": False}),
        ("compile", {"generates": True, "compiles": False}),
    ],
)
def test_failing_command_ends_the_trial(
    stage: str, passed: dict[str, bool], language: Language, tmp_path: Path
) -> None:
    """No stage runs after the failed one, whose first error is the problem."""
    broken = python("print('fine'); print('\x1b[31mERROR: x'); print('error: y'); exit(3)")
    given: dict[str, Any] = {stage: (broken,)}
    outcome = tried(replace(language, **given), tmp_path)
    assert (passed, "ERROR: x") == (outcome.passed, outcome.problem)


def test_command_that_cannot_start_is_a_failure(language: Language, tmp_path: Path) -> None:
    """A program that the earlier stages did not produce fails the stage."""
    outcome = tried(replace(language, run="./journey"), tmp_path)
    assert {"generates": True, "compiles": True, "journey passes": False} == outcome.passed
    assert "./journey" in outcome.problem


def test_command_is_ended_after_a_time_limit(
    language: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that waits for input does not block the other languages."""
    monkeypatch.setattr(trial, "STEP_LIMIT", 0.1)
    outcome = tried(replace(language, generate=("sleep 600",)), tmp_path)
    assert "sleep 600: timed out after 0 s" == outcome.problem


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("", "reported 0 of 6 steps: "),
        (COMPLETE.replace("closed", "shut"), "reported 5 of 6 steps"),
        (COMPLETE.replace("listed 2", "listed 3"), "listed 3, but started 2"),
        (COMPLETE.replace("CONVERSATION_", ""), "missing NOT_FOUND: expected missing CONV"),
        (WITH_EXTRA_STEP, "reported 7 of 6 steps"),
    ],
)
def test_journey_must_print_every_step(
    output: str, problem: str, language: Language, tmp_path: Path
) -> None:
    """Exit status 0 does not suffice: a program that does nothing has it, too."""
    outcome = tried(replace(language, run=printing(output)), tmp_path)
    assert outcome.passed["journey passes"] is False
    assert outcome.problem.startswith(problem)


def test_colours_do_not_hide_a_step(language: Language, tmp_path: Path) -> None:
    """Escape sequences are ignored: Maven prints one before the first line."""
    assert tried(replace(language, run=printing("\x1b[0m" + COMPLETE)), tmp_path).green


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("\n\n", ""),
        ("first\nlast\n", "last"),
        (
            "[ERROR] COMPILATION ERROR :\n[ERROR] A.java: missing ;\n",
            "[ERROR] A.java: missing ;",
        ),
    ],
    ids=["silence", "no-error", "heading"],
)
def test_first_error_of_an_output(printed: str, expected: str) -> None:
    """A heading is not an error, and without an error the last line is returned."""
    assert expected == first_error(printed)


def test_silent_failure_names_the_command(language: Language, tmp_path: Path) -> None:
    """The problem of a command without output is the command and its exit status."""
    silent = python("exit(3)")
    assert f"{silent}: 3" == tried(replace(language, compile=(silent,)), tmp_path).problem


def test_failed_step_has_its_own_error_class() -> None:
    """A bug in the trial, such as a `ValueError`, does not count as a failed step."""
    assert not issubclass(StepFailedError, (ValueError, OSError))


OUTCOMES = {
    "green": {"generates": True, "compiles": True, "journey passes": True},
    "red": {"generates": True, "compiles": False},
}


def outcomes_of(language: Language, *kinds: str) -> list[Outcome]:
    """Return one outcome for each of ``kinds``."""
    return [
        Outcome(replace(language, name=kind), skipped="x not installed")
        if kind == "skipped"
        else Outcome(replace(language, name=kind), "x 1", "", OUTCOMES[kind], "E: why", 61.4)
        for kind in kinds
    ]


def test_table_has_a_row_for_each_language(language: Language) -> None:
    """The table is Markdown with aligned columns."""
    expected = """\
| example | language | generator | generates | compiles | journey passes | tools | seconds |
|---------|----------|-----------|-----------|----------|----------------|-------|---------|
| green   | Fake     | maker 1.2 | yes       | yes      | yes            | x 1   | 61      |
| red     | Fake     | maker 1.2 | yes       | no       | -              | x 1   | 61      |
| skipped | Fake     | maker 1.2 | skipped   | skipped  | skipped        |       |         |"""
    assert expected == table(outcomes_of(language, "green", "red", "skipped"))


def test_footnotes_give_the_reasons(language: Language) -> None:
    """A failure has its first error and its log, and a skipped language its reason."""
    assert [
        "red, compiles: E: why",
        "  full log: reports/languages/red.log",
        "skipped skipped: x not installed",
    ] == footnotes(outcomes_of(language, "green", "red", "skipped"))


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (["green"], 0),
        (["green", "skipped"], 0),
        (["green", "red"], 1),
        (["red", "skipped"], 1),
        (["skipped", "skipped"], 2),
    ],
)
def test_exit_status_depends_on_the_outcomes(
    kinds: list[str], status: int, language: Language
) -> None:
    """It is 0 without a failure, 1 with a failure, and 2 if every language was skipped."""
    assert status == command.exit_status(outcomes_of(language, *kinds))


@contextmanager
def no_mock() -> Iterator[str]:
    """Yield an address without a server."""
    yield URL


def test_command_tries_the_named_languages(
    language: Language,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`make languages ARGS=fake` tries one language; without a name, all are tried."""
    monkeypatch.setattr(command, "LANGUAGES", (language, replace(language, name="other")))
    monkeypatch.setattr(command, "running_mock", no_mock)
    monkeypatch.setattr(command, "EXAMPLES", tmp_path / "examples")
    monkeypatch.setattr(command, "REPORTS", tmp_path / "reports")
    assert 0 == command.main(["fake"])
    assert "other" not in capsys.readouterr().out
    (tmp_path / "examples" / "fake").rename(tmp_path / "examples" / "other")
    (tmp_path / "examples" / "other" / "x").touch()
    assert 1 == command.main([])
    out = capsys.readouterr().out
    assert out.startswith("fake ...\nother ...\n\n| example ")
    assert "fake, generates: " in out


def test_unknown_language_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelled name is an error, not a success."""
    with pytest.raises(SystemExit, match="2"):
        command.main(["go", "gopher"])
    assert "unknown language gopher: expected one of typescript-fetch," in capsys.readouterr().err
