"""The commands that ``make contract`` prints for its own mock."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.contract import REPEAT_WITH, START_WITH, TOOLS, commands
from siteassist_contract import ending
from tests.values import ROOT

URL = "http://127.0.0.1:4321/v2"


def test_names_are_those_of_the_contract_tests() -> None:
    """Both sides name the variables alike: the script does not import the package."""
    assert (ending.REPEAT_WITH, ending.START_WITH) == (REPEAT_WITH, START_WITH)


@pytest.mark.parametrize(
    ("options", "repeat", "start"),
    [
        ("", "make contract", ""),
        (
            "--fault 'delay=1:0.5'  --strict",
            "make contract MOCK_ARGS='--fault '\"'\"'delay=1:0.5'\"'\"'  --strict'",
            " --fault delay=1:0.5 --strict",
        ),
        (
            "--database postgresql://user:pass@host/name",
            'make contract MOCK_ARGS="$MOCK_ARGS"',
            " $MOCK_ARGS",
        ),
        (
            "--private-key sk_of_mine",
            'make contract MOCK_ARGS="$MOCK_ARGS"',
            " $MOCK_ARGS",
        ),
    ],
)
def test_commands_have_the_options_of_the_mock(
    options: str, repeat: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mock is started with the same options on the same port, and no secret is printed."""
    monkeypatch.chdir(ROOT)
    mock = os.path.relpath(TOOLS / "siteassist-mock")
    expected = {REPEAT_WITH: repeat, START_WITH: f"{mock}{start} --port 4321"}
    assert expected == commands(URL, options)


@pytest.mark.parametrize("script", ["contract.py", "load.py"])
def test_unreadable_options_of_the_mock_are_named(script: str) -> None:
    """A missing quote is one sentence, and the exit status of a usage error."""
    environment = {**os.environ, "MOCK_ARGS": "--seed 'a"}
    environment.pop("SITEASSIST_BASE_URL", None)
    command = [sys.executable, str(Path(ROOT) / "scripts" / script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (2, "", "invalid MOCK_ARGS: no closing quotation\n") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
