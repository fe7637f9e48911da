"""A language is skipped, fails or passes for the reasons that the table then names."""

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
TOLD = """\
visitor 1
started 2
answered **In bold**

closed now, a second line of the answer
listed 2
closed true
missing CONVERSATION_NOT_FOUND
"""
WHOLE = TOLD.replace("\nclosed now, a second line of the answer", "")


def python(program: str) -> str:
    """Return the command that runs ``program``."""
    return shlex.join([sys.executable, "-c", program])


def saying(text: str) -> str:
    """Return the command that prints ``text``."""
    return python(f"print({text!r}, end='')")


@pytest.fixture
def language(tmp_path: Path) -> Language:
    """Return a language that can do everything, with an example."""
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
        run=saying(WHOLE),
    )


def tried(language: Language, folder: Path) -> Outcome:
    """Return what becomes of ``language``, whose example is in ``folder``."""
    return try_language(language, DESCRIPTION, URL, folder / "examples", folder / "reports")


def test_language_that_can_do_everything_is_green(language: Language, tmp_path: Path) -> None:
    """All three stages pass, in a folder that has the program and the description."""
    outcome = tried(language, tmp_path)
    assert ("", True) == (outcome.problem, outcome.green)
    folder = tmp_path / "reports" / "fake"
    assert "program" == (folder / "main.fake").read_text()
    assert '{\n  "openapi": "3.1.0"\n}\n' == (folder / "openapi.json").read_text()
    assert f"{sys.executable} {sys.version.split()[0]}" == outcome.tools


def test_log_has_every_command_and_what_it_printed(language: Language, tmp_path: Path) -> None:
    """Who looks for the reason finds it in one file."""
    tried(language, tmp_path)
    log = (tmp_path / "reports" / "fake.log").read_text()
    assert "".join(f"$ {line}\n" for line in language.commands) + WHOLE == log


def test_environment_names_the_mock(language: Language, tmp_path: Path) -> None:
    """The program finds the mock by its usual variable; the language may set others."""
    told = python("import os; print('error', os.environ['SITEASSIST_BASE_URL'], os.environ['ITS'])")
    given = replace(language, run=told, environment={"ITS": "own"})
    tried(given, tmp_path)
    assert f"error {URL} own\n" in (tmp_path / "reports" / "fake.log").read_text()


def test_client_of_an_earlier_time_is_gone(language: Language, tmp_path: Path) -> None:
    """What the generator no longer makes cannot help to compile."""
    tried(language, tmp_path)
    outcome = tried(replace(language, generate=()), tmp_path)
    assert {"generates": True, "compiles": False} == outcome.passed


def test_what_was_fetched_is_kept(language: Language, tmp_path: Path) -> None:
    """A second run is faster for it; what a user has built beside the example is not taken."""
    (tmp_path / "reports" / "fake" / "node_modules").mkdir(parents=True)
    (tmp_path / "examples" / "fake" / "target").mkdir()
    assert tried(language, tmp_path).green
    assert (tmp_path / "reports" / "fake" / "node_modules").exists()
    assert not (tmp_path / "reports" / "fake" / "target").exists()


def test_missing_program_is_named(language: Language, tmp_path: Path) -> None:
    """A machine without the toolchain skips the language, and says what it lacks."""
    outcome = tried(replace(language, programs={"no-such": "-v", "sh": "-c"}), tmp_path)
    assert ("no-such not installed", False) == (outcome.skipped, outcome.green)
    assert {} == outcome.passed


def test_missing_library_is_named(language: Language, tmp_path: Path) -> None:
    """A library that no registry brings is looked for, if the programs are there."""
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
    """The stage that failed is the last one, and its first error is the problem."""
    broken = python("print('fine'); print('\x1b[31mERROR: x'); print('error: y'); exit(3)")
    given: dict[str, Any] = {stage: (broken,)}
    outcome = tried(replace(language, **given), tmp_path)
    assert (passed, "ERROR: x") == (outcome.passed, outcome.problem)


def test_command_that_cannot_start_is_a_failure(language: Language, tmp_path: Path) -> None:
    """A program that the set-up should have brought, and did not."""
    outcome = tried(replace(language, run="./journey"), tmp_path)
    assert {"generates": True, "compiles": True, "journey passes": False} == outcome.passed
    assert "./journey" in outcome.problem


def test_command_that_never_ends_is_ended(
    language: Language, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that waits for an answer does not stop the others."""
    monkeypatch.setattr(trial, "STEP_LIMIT", 0.1)
    outcome = tried(replace(language, generate=("sleep 600",)), tmp_path)
    assert "sleep 600: timed out after 0 s" == outcome.problem


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ("", "reported 0 of 6 steps: "),
        (WHOLE.replace("closed", "shut"), "reported 5 of 6 steps"),
        (WHOLE.replace("listed 2", "listed 3"), "listed 3, but started 2"),
        (WHOLE.replace("CONVERSATION_", ""), "missing NOT_FOUND: expected missing CONV"),
        (TOLD, "reported 7 of 6 steps"),
    ],
)
def test_journey_must_be_told_whole(
    told: str, problem: str, language: Language, tmp_path: Path
) -> None:
    """Exit status 0 is not enough: a program that does nothing has it, too."""
    outcome = tried(replace(language, run=saying(told)), tmp_path)
    assert outcome.passed["journey passes"] is False
    assert outcome.problem.startswith(problem)


def test_colours_do_not_hide_a_step(language: Language, tmp_path: Path) -> None:
    """Maven resets its colours in front of the first line."""
    assert tried(replace(language, run=saying("\x1b[0m" + WHOLE)), tmp_path).green


def test_first_error_of_silence_is_the_command() -> None:
    """A command that fails without a word is named itself."""
    assert "" == first_error("\n\n")
    assert "last" == first_error("first\nlast\n")


def test_first_error_is_no_heading() -> None:
    """That there are errors is less than which they are."""
    printed = "[ERROR] COMPILATION ERROR :\n[ERROR] A.java: missing ;\n"
    assert "[ERROR] A.java: missing ;" == first_error(printed)


def test_outcome_of_a_silent_failure_names_the_command(language: Language, tmp_path: Path) -> None:
    """Its exit status is all that is known."""
    silent = python("exit(3)")
    assert f"{silent}: 3" == tried(replace(language, compile=(silent,)), tmp_path).problem


def test_step_failed_is_no_other_error() -> None:
    """Errors of our own are not taken for those of a language."""
    assert not issubclass(StepFailedError, (ValueError, OSError))


OUTCOMES = {
    "green": {"generates": True, "compiles": True, "journey passes": True},
    "red": {"generates": True, "compiles": False},
}


def outcomes_of(language: Language, *kinds: str) -> list[Outcome]:
    """Return an outcome of each of ``kinds``."""
    return [
        Outcome(replace(language, name=kind), skipped="x not installed")
        if kind == "skipped"
        else Outcome(replace(language, name=kind), "x 1", "", OUTCOMES[kind], "E: why", 61.4)
        for kind in kinds
    ]


def test_table_has_a_line_for_each(language: Language) -> None:
    """The table is Markdown with columns that stand below each other."""
    expected = """\
| example | language | generator | generates | compiles | journey passes | tools | seconds |
|---------|----------|-----------|-----------|----------|----------------|-------|---------|
| green   | Fake     | maker 1.2 | yes       | yes      | yes            | x 1   | 61      |
| red     | Fake     | maker 1.2 | yes       | no       | -              | x 1   | 61      |
| skipped | Fake     | maker 1.2 | skipped   | skipped  | skipped        |       |         |"""
    assert expected == table(outcomes_of(language, "green", "red", "skipped"))


def test_footnotes_say_why(language: Language) -> None:
    """What did not pass has its first error and its log; what was left out has its reason."""
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
def test_exit_status_says_what_ran(kinds: list[str], status: int, language: Language) -> None:
    """0 for all green, 1 for one that is not, 2 if the machine has no toolchain at all."""
    assert status == command.exit_status(outcomes_of(language, *kinds))


@contextmanager
def no_mock() -> Iterator[str]:
    """Yield an address where nobody listens."""
    yield URL


def test_command_tries_those_that_it_is_told(
    language: Language,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`make languages ARGS=fake` tries the one, and tells of it; without a name it tries all."""
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
    """A typing error does not pass for a language that has passed."""
    with pytest.raises(SystemExit, match="2"):
        command.main(["go", "gopher"])
    assert "unknown language gopher: expected one of typescript-fetch," in capsys.readouterr().err
