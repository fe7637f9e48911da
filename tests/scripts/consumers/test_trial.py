"""A trial shows what a tool can do with a form, and who has to mend what it cannot."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scripts.consumers import __main__ as command
from scripts.consumers import table
from scripts.consumers.catalogue import CONSUMERS, OPENAPI_3_0, Consumer, Flaw, Kit
from scripts.consumers.trial import (
    Outcome,
    Result,
    judge,
    of_language,
    outcome_of,
    set_up,
    try_consumer,
)
from scripts.languages.catalogue import LANGUAGES
from scripts.languages.trial import Outcome as LanguageOutcome
from scripts.languages.trial import StepFailedError


def python(program: str) -> str:
    """Return the command that runs ``program``, in which braces are doubled."""
    return shlex.join([sys.executable, "-c", program])


KIT = Kit("kit", "tools/node/package.json", {sys.executable: "--version"})
FLAW = Flaw("refuses", "null", '{"type": "null"}', "Check nulls yourself.")
WRONG = "print('wrong: a null'); print('wrong: b type'); print('tried 5'); exit(1)"
FAKE = Consumer("fake", "newman", OPENAPI_3_0, KIT, {"reads": (python("print('fine')"),)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder for the reports."""
    (tmp_path / "reports").mkdir()
    return tmp_path


def tried(consumer: Consumer, folder: Path, **values: str) -> Outcome:
    """Return the outcome of a consumer."""
    return try_consumer(consumer, folder, folder / "reports", values)


def test_every_stage_runs(folder: Path) -> None:
    """The stages run in their order, with the values that their commands contain."""
    consumer = replace(
        FAKE,
        stages={
            "talks": (python("open('{out}/made').close()"),),
            "accepts": (python("print('tried {count}')"),),
            "generates": (python("open('{out}/made', 'w').close()"),),
        },
    )
    outcome = tried(consumer, folder, count="12")
    assert ("generates", "accepts", "talks") == tuple(outcome.results) == outcome.stages
    assert (12, []) == (outcome.results["accepts"].tried, outcome.ours)
    assert "tried 12" in (folder / "reports" / "fake@3.0.3.log").read_text()


def test_earlier_output_is_removed(folder: Path) -> None:
    """What an earlier run generated does not make this one green."""
    tried(replace(FAKE, stages={"generates": (python("open('{out}/x', 'w')"),)}), folder)
    outcome = tried(replace(FAKE, stages={"compiles": (python("open('{out}/x')"),)}), folder)
    assert not outcome.results["compiles"].green


def test_failed_stage_ends_the_trial(folder: Path) -> None:
    """Nothing can be compiled that was not generated; values can be tried independently."""
    stages: dict[str, tuple[str, ...]] = {
        "generates": (python("print('error: no'); exit(1)"),),
        "compiles": (python(""),),
    }
    outcome = tried(replace(FAKE, stages=stages), folder)
    assert ["generates: error: no"] == outcome.ours
    assert {"generates"} == set(outcome.results)
    stages = {"accepts": (python(WRONG),), "refuses": (python("print('tried 1')"),)}
    outcome = tried(replace(FAKE, stages=stages), folder)
    assert {"accepts", "refuses"} == set(outcome.results)


def test_command_that_cannot_start_is_a_failure(folder: Path) -> None:
    """A tool that was not installed after all fails the stage."""
    outcome = tried(replace(FAKE, stages={"reads": ("./no-such",)}), folder)
    assert "./no-such" in outcome.ours[0]


def test_stage_without_values_is_a_failure(folder: Path) -> None:
    """A tool that was given nothing has accepted nothing."""
    outcome = tried(replace(FAKE, stages={"accepts": (python("print('tried 0')"),)}), folder)
    assert ["accepts: no value was tried"] == outcome.ours


def test_each_problem_has_an_owner(folder: Path) -> None:
    """A problem is the tool's only if the catalogue knows it."""
    consumer = replace(FAKE, stages={"refuses": (python(WRONG),)}, flaws=(FLAW,))
    result = tried(consumer, folder).results["refuses"]
    assert Result(5, ["b type"], ["a null"]) == result


def test_mended_flaw_is_a_failure() -> None:
    """The catalogue must not say of a tool what is no longer true."""
    result = judge(replace(FAKE, flaws=(FLAW,)), "refuses", 3, [])
    assert ["the known flaw 'null' does not occur; remove it from the catalogue"] == result.ours
    assert judge(replace(FAKE, flaws=(FLAW,)), "accepts", 3, []).green


def test_kit_is_copied_and_set_up(folder: Path) -> None:
    """The files of a kit are copied, without what was made beside them."""
    source = folder / "source"
    (source / "node_modules").mkdir(parents=True)
    (source / "probe").write_text("x")
    kit = replace(KIT, folder="kit", set_up=(python("open('{name}', 'w').close()"),))
    target = folder / "kit"
    assert "" == set_up(kit, source, target, folder / "reports", {"name": "ready"})
    assert {"probe", "ready"} == {path.name for path in target.iterdir()}


def test_what_a_kit_lacks_is_named(folder: Path) -> None:
    """A missing program is a reason to skip; a failed installation is a failure."""
    lacking = replace(KIT, programs={"no-such": "--version"}, made="x")
    assert "no-such not installed" == set_up(lacking, folder, folder, folder / "reports", {})
    failing = replace(KIT, set_up=(python("print('error: offline'); exit(1)"),))
    with pytest.raises(StepFailedError, match="error: offline"):
        set_up(failing, folder, folder, folder / "reports", {})
    outcome = outcome_of(FAKE, failed="error: offline")
    assert ["reads: the set-up failed: error: offline"] == outcome.ours
    assert 1 == command.exit_status([outcome])


def test_kit_is_set_up_again_if_its_pins_changed(folder: Path) -> None:
    """What is installed is used again while it is newer than the pins."""
    kit = replace(KIT, folder="kit", set_up=(python("open('made', 'a').write('x')"),), made="made")
    source, target = folder / "source", folder / "kit"
    source.mkdir()
    for expected in ("x", "x"):
        assert "" == set_up(kit, source, target, folder / "reports", {})
        assert expected == (target / "made").read_text()
    os.utime(target / "made", (0, 0))
    assert "" == set_up(kit, source, target, folder / "reports", {})
    assert "xx" == (target / "made").read_text()


def test_pins_are_read_from_the_manifest() -> None:
    """Each tool has a pinned version, which is written in one place."""
    for consumer in CONSUMERS:
        assert consumer.version[0].isdigit()
    with pytest.raises(LookupError, match=r"package\.json pins no version of no-such"):
        KIT.version("no-such")


def test_catalogue_covers_the_forms() -> None:
    """There are at least 25 rows over three forms, each with a name of its own."""
    names = [one.name for one in CONSUMERS] + [language.name for language in LANGUAGES]
    assert len(names) == len(set(names)) >= 25
    assert len({one.form for one in CONSUMERS}) >= 3
    assert {"prism@3.1", "openapi-typescript@3.1"} <= {one.name for one in CONSUMERS if one.quick}


def test_language_is_a_row_as_well() -> None:
    """The stages of `make languages` count here, and are not repeated."""
    language = LANGUAGES[0]
    passed = {"generates": True, "compiles": False}
    outcome = of_language(LanguageOutcome(language, "x 1", "", passed, "E: why"))
    assert ["compiles: E: why"] == outcome.ours
    assert ("generates", "compiles", "talks") == outcome.stages


def outcomes() -> list[Outcome]:
    """Return an outcome of each kind."""
    stages: dict[str, tuple[str, ...]] = dict.fromkeys(("reads", "accepts", "refuses"), ())
    good = outcome_of(replace(FAKE, tool="good", stages=stages))
    good.tools = "x 1"
    good.results = {"reads": Result(), "accepts": Result(9), "refuses": Result(4)}
    bad = outcome_of(replace(FAKE, tool="bad", stages=stages, flaws=(FLAW,)))
    bad.results = {"accepts": Result(9, ["a"]), "refuses": Result(4, theirs=["null"])}
    bad.results["reads"] = Result(theirs=["b"])
    absent = outcome_of(replace(FAKE, tool="absent", stages=stages), "y not installed")
    return [good, bad, absent]


def test_table_has_a_row_for_each_tool() -> None:
    """The table has the numbers of values, the owner of each failure, and the known flaws."""
    version = FAKE.version
    start = f"{version} | `openapi-3.0.3.json`"
    lines = table.report(outcomes(), "2030-01-31", "").splitlines()
    assert [
        f"| good | {start} | yes |  |  | all 9 | all 4 |  | 2030-01-31 | x 1 |",
        f"| bad | {start} | tool |  |  | **no** | 3 of 4 |  | 2030-01-31 |  |",
        f"| absent | {start} | not tried |  |  | not tried | not tried |  |  |  |",
        "",
        '- refuses: `{"type": "null"}`. Check nulls yourself. (bad on `openapi-3.0.3.json`)',
    ] == lines[2:]


def test_skipped_tool_keeps_its_earlier_row() -> None:
    """The row of a tool that the machine lacks says when and where it was last tried."""
    earlier = "| absent | 1.0 | `openapi-3.0.3.json` | yes |  |  |  |  |  | 2029-12-31 | y 2 |"
    (row,) = table.rows(outcomes()[2:], "2030-01-31", f"{earlier}\n")
    assert earlier == row


def test_table_is_written_between_its_marks() -> None:
    """The rest of the page stays as it is."""
    page = f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n"
    assert f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n" == table.on_page(page, "new")
    assert "\nold\n" == table.from_page(page)
    with pytest.raises(LookupError, match="the page has no"):
        table.on_page("no marks", "new")


@pytest.mark.parametrize(
    ("kinds", "status"), [([0], 0), ([0, 2], 0), ([0, 1], 1), ([2], 2)], ids=str
)
def test_exit_status_depends_on_the_outcomes(kinds: list[int], status: int) -> None:
    """It is 0 if no failure is ours, 1 if one is, and 2 if all were skipped."""
    found = outcomes()
    assert status == command.exit_status([found[kind] for kind in kinds])
    lines = "\n".join(command.problems([found[kind] for kind in kinds]))
    assert ("absent@3.0.3 skipped: y not installed" in lines) == (2 in kinds)
    assert ("bad@3.0.3, accepts: a" in lines) == (1 in kinds)


@contextmanager
def no_mock() -> Iterator[str]:
    """Yield an address without a server."""
    yield "http://127.0.0.1:1/v2"


def test_command_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The named tools are tried, and with `--page` the table is written."""
    page = tmp_path / "page.md"
    page.write_text(f"{table.BEGIN}\n{table.END}\n")
    lacking = replace(FAKE, tool="lacking", kit=replace(KIT, programs={"no-such": "-v"}))
    quick = replace(FAKE, quick=("reads",))
    patches: dict[str, Any] = {
        "CONSUMERS": (
            *(quick, lacking, replace(lacking, tool="other", kit=lacking.kit)),
            replace(FAKE, tool="broken", kit=replace(KIT, name="k", set_up=("./no-such",))),
        ),
        "LANGUAGES": (),
        "PAGE": page,
        "REPORTS": tmp_path / "reports" / "consumers",
        "ROOT": tmp_path,
        "running_mock": no_mock,
    }
    for name, value in patches.items():
        monkeypatch.setattr(command, name, value)
    assert 0 == command.main(["fake@3.0.3", "lacking@3.0.3", "--page"])
    assert "| fake | " in page.read_text()
    out = capsys.readouterr().out
    assert "other" not in out
    assert "lacking@3.0.3 skipped: no-such not installed" in out
    assert (tmp_path / "reports" / "consumers" / "forms" / OPENAPI_3_0).exists()
    assert 1 == command.main(["broken@3.0.3"])
    assert "broken@3.0.3, reads: the set-up failed: " in capsys.readouterr().out
    assert 0 == command.main(["--quick"])
    assert "lacking" not in capsys.readouterr().out


def test_unknown_tool_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelled name is an error, not a success."""
    with pytest.raises(SystemExit, match="2"):
        command.main(["prism"])
    assert "unknown tool prism: expected one of prism@3.1," in capsys.readouterr().err
