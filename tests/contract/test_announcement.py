"""The plan of a run, which is printed before its first test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from siteassist_contract import plan
from siteassist_contract.profiles import PROFILES
from siteassist_contract.report.terminal import Terminal
from siteassist_contract.run import Options
from tests.values import API_KEY

if TYPE_CHECKING:
    from tests.contract.conftest import Command, InProcess, Loopback


def lines(
    capsys: pytest.CaptureFixture[str], profile: str, durations: list[float], most: int | None
) -> list[str]:
    """Return the announcement of a run."""
    options = Options(PROFILES[profile], 1, max_messages=most)
    Terminal().announce(options, durations)
    return capsys.readouterr().out.splitlines()


def test_plan_has_requests_answers_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    """The time follows from the pace of the first answers."""
    first, rest = plan.expected(PROFILES["default"], 100)
    assert first.requests == plan.FIRST_PASS
    expected = (
        (
            f"About {first.requests} requests test every rule once, and up to {rest.requests} more"
            " test further."
        ),
        (
            f"The assistant answers {first.answers} of the former and {rest.answers} of the latter,"
            " each of which may cost money."
        ),
        (
            "At 2.0 s a request, the former take about"
            f" {-(-first.requests * 2 // 60)} min; the run"
            " ends after 88 s."
        ),
    )
    shown = lines(capsys, "default", [1.0, 3.0], None)
    assert " ".join(expected) == " ".join(shown)
    assert max(map(len, shown)) <= 80
    text = " ".join(lines(capsys, "deep", [], 7))
    assert "more in each round test further" in text
    assert " The run ends after 30 min. " in text
    assert " a request, " not in text
    assert text.endswith("The assistant answers at most 7 messages and completions.")


@pytest.mark.parametrize(
    ("pace", "words"), [(0.0001, "1 ms"), (0.0042, "4 ms"), (0.09, "90 ms"), (0.1, "0.1 s")]
)
def test_pace_of_a_fast_server_is_in_milliseconds(
    pace: float, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No server takes 0.00 s."""
    assert f"At {words} a request, " in " ".join(lines(capsys, "default", [pace], None))


def test_more_examples_are_more_requests() -> None:
    """The number of generated requests follows from their maximum."""
    few, many = (plan.expected(PROFILES["default"], number)[1] for number in (10, 1000))
    assert few.plain < many.plain
    assert few.answers < many.answers


@pytest.mark.parametrize(
    "origin", ["shop.example", "https://shop.example/", "https://Shop.example"]
)
def test_origin_is_checked(origin: str, command: Command) -> None:
    """An origin is written as browsers write it."""
    result = command("http://127.0.0.1:1/v2", "--api-key", API_KEY, "--origin", origin)
    assert 2 == result.exit_code
    assert "expected something like https://shop.example" in result.output


@pytest.mark.usefixtures("without_shapes")
@pytest.mark.one_interpreter
def test_narrowed_run_says_so(served: Loopback, shared: InProcess, command: Command) -> None:
    """The numbers of a whole run say nothing about a narrowed one; the limit still holds."""
    shared.fault = None
    options = ("--only", "preflight", "--max-messages", "0", "--origin", "https://shop.example")
    result = command(served.url, "--api-key", API_KEY, *options)
    assert 0 == result.exit_code, result.output
    assert "The run is narrowed" in result.stdout
    assert "About" not in result.stdout
    assert "0 answers of the assistant, at most 0" in result.stdout
    assert "--origin https://shop.example" in result.stdout
    summary = json.loads(Path("reports/summary.json").read_text())
    assert ({}, 0) == (summary["spent"]["answers"], summary["spent"]["max_messages"])
    assert 'name="withheld"' in Path("reports/junit.xml").read_text()
    assert "0 answers of the assistant" in Path("reports/html/index.html").read_text()
