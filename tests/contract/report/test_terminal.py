"""The progress of a run: a line for each layer on a terminal, a line for each step elsewhere."""

from __future__ import annotations

import io
import re
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from siteassist_contract import plan
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report import page, tested_rules
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.report.tested_rules import Row
from siteassist_contract.rules import RULES
from siteassist_contract.run import Options
from siteassist_contract.selection import Pair, Selection
from siteassist_spec.output import SafeStream
from tests.contract.report.sample_reports import BROKEN, KNOWN, report, violation


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def play(terminal: Terminal) -> None:
    """Run three steps of two layers, with a violation in the second one."""
    for layer, words in (("errors", "one"), ("errors", "x" * 70), ("shapes", "three")):
        terminal.begun(layer, words)
        if words != "one":
            terminal.found(BROKEN)
        terminal.step(layer, words, 7, 0.25)
    terminal.close()


def test_layers_have_a_line_each_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line of the layer is replaced; a violation is printed above it, once."""
    monkeypatch.delenv("CI", raising=False)
    for name, value in (("NO_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", SafeStream(screen))
    play(Terminal())
    assert "\r\x1b[K  errors       1 step      7 requests" in screen.getvalue()
    # What a terminal shows at the end.
    lines = [line.rpartition("\x1b[K")[2] for line in screen.getvalue().split("\n")]
    seconds = [re.sub(r"\d+\.\d s", "0.0 s", line) for line in lines]
    assert [
        "  x getMe: The token of a session identifies its visitor.",
        "  errors      2 steps     14 requests    0.0 s",
        "  shapes       1 step      7 requests    0.0 s",
        "",
    ] == seconds


def test_layers_side_by_side_have_a_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """A layer with a step that still runs keeps its line until that step ends."""
    for name, value in (("NO_COLOR", "1"), ("TERM", "xterm"), ("COLUMNS", "80")):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CI", raising=False)
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", SafeStream(screen))
    terminal = Terminal()
    terminal.begun("errors", "one")
    terminal.begun("streams", "two")
    terminal.step("errors", "one", 1, 0.1)
    terminal.step("streams", "two", 2, 0.1)
    terminal.begun("shapes", "three")
    assert 2 == screen.getvalue().count("\n")
    for number in (1, 2):
        terminal.step("shapes", f"phase {number}", number, 0.1)
    terminal.close()
    assert 3 == screen.getvalue().count("\n")
    assert "2 steps      3 requests" in screen.getvalue().splitlines()[-1]


def test_steps_have_a_line_each_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line has at most 80 columns."""
    play(Terminal())
    lines = capsys.readouterr().out.splitlines()
    assert 4 == len(lines)
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["errors", "one", "7", "requests", "0.2", "s"]
    assert "xxx… " in lines[2]


def test_steps_in_full_have_a_heading_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """The same step may have two lines, and the second one is explained, once."""
    terminal = Terminal()
    for words in ("init", f"init{plan.IN_FULL}", f"getMe{plan.IN_FULL}"):
        terminal.step("errors", words, 1, 0.1)
    lines = capsys.readouterr().out.splitlines()
    assert [1] == [
        number
        for number, line in enumerate(lines)
        if "Each rule of the plan was tested once" in line
    ]
    assert 4 == len(lines)


def test_end_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """All lines but those of the server and of commands have at most 80 columns."""
    others = [violation("getQnas", rule) for rule in ("bounds", "cross-origin", "preflight")]
    whole = report(BROKEN, KNOWN, *others, problem="word " * 40, notes=["word " * 40])
    Terminal().end(whole)
    assert [] == [line for line in capsys.readouterr().out.splitlines() if len(line) > 80]


def test_difference_fits_80_columns_and_keeps_its_spaces(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each space of the expected and the actual text is printed, wherever a line ends."""
    text = "two  spaces and   three " * 8
    Terminal().end(report(violation(expected=text, actual=text)))
    shown = capsys.readouterr().out
    assert [] == [line for line in shown.splitlines() if len(line) > 80]
    expected = shown.partition("  expected: ")[2].partition("\n  actual:")[0]
    assert text == expected.replace("\n" + " " * 12, "")


def test_each_finding_has_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    """The words of the key are those that --only takes, for findings in short as well."""
    names = [name for name in RULES if "getMe" in RULES[name].operations]
    Terminal().end(report(*(violation("getMe", name) for name in names)))
    shown = capsys.readouterr().out
    assert len(names) > 10
    for name in names:
        assert f"  key:      getMe {name}\n" in shown


def test_findings_are_listed_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    """After several findings, a line for each is what a person sees first, above the verdict."""
    Terminal().end(report(violation()))
    assert "All findings" not in capsys.readouterr().out
    found = [violation("search", rule) for rule in RULES][:25]
    Terminal().end(report(*found))
    listed = capsys.readouterr().out.partition("\nAll findings:\n")[2].splitlines()
    assert 22 == len(listed)
    keys = {f"search {each.rule}" for each in found}
    for number, line in enumerate(listed[:20], 1):
        assert len(line) <= 80
        assert line.startswith(f"{number:4}  ")
        keys.remove(line[6:].partition(":")[0])
    assert ["      and 5 more, which the reports have", ""] == listed[20:]


def test_remarks_on_the_server_are_for_the_reports(capsys: pytest.CaptureFixture[str]) -> None:
    """Behaviour that the documents leave open is a note of the reports, and not of the output."""
    whole = report(notes=["of the run"])
    whole.outcome.findings.note("of another server")
    Terminal().end(whole)
    assert ["of the run", "of another server"] == whole.notes
    assert "Note: of the run\n" in (shown := capsys.readouterr().out)
    assert "of another server" not in shown


@pytest.mark.parametrize(
    ("pairs", "lines"),
    [
        (None, ["Without --api-key", "There is only one visitor"]),
        ({("isolation", "getMessages")}, ["There is only one visitor"]),
        ({("search", "search"), ("described", "search")}, ["Without --api-key"]),
        ({("me", "getMe")}, []),
    ],
)
def test_limits_of_the_credentials_concern_the_selection(
    pairs: set[Pair] | None, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A narrowed run names only the limits of its own tests."""
    selected = Selection(pairs=None if pairs is None else frozenset(pairs))
    target = Target("http://127.0.0.1/v2", token="t" * 20)
    options = Options(PROFILES["quick"], 1, selection=selected)
    Terminal().begin(target, options, datetime(2030, 1, 2, tzinfo=UTC), {})
    shown = capsys.readouterr().out
    every = ["Without --api-key", "There is only one visitor"]
    assert lines == [line for line in every if line in shown]


@pytest.mark.parametrize("selection", ["", "--only me"])
def test_nothing_untested_is_no_list(selection: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a gap, no list of untested pairs is announced."""
    rows = [Row("getMe", "rule", "me", 1, "")]
    Terminal().end(replace(report(), rows=rows, selection=selection))
    shown = capsys.readouterr().out
    assert "Tested: 1 of 1 pairs of operation and rule.\n" in shown
    assert "Not tested" not in shown


def test_each_request_is_in_the_table_or_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    """A narrowed run sends requests of other operations, and some that are not judged."""
    whole = replace(report(), rows=[Row("search", "rule", "described", 1, "")], selection="x")
    whole.outcome.requests = 12
    assert ["search", "getMe"] == [name for name, _ in whole.matrix()]
    Terminal().end(whole)
    shown = capsys.readouterr().out
    words = "3 requests that set up tests, or were lost, refused or repeated."
    assert f"  In addition: {words}\n" in shown
    assert words in page.render(whole)


def test_tested_pairs_are_counted_alike_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    """The terminal and the page count rules and statuses apart."""
    Terminal().end(report())
    text = " ".join(capsys.readouterr().out.split())
    counted = tested_rules.counted(report().rows)
    assert f"Tested: {counted}" in text
    assert f"Tested: {counted}" in page.render(report())
