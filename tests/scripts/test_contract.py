"""The commands that ``make contract`` prints for its own mock."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.contract import REPEAT_WITH, START_WITH, TOOLS, commands, human_options
from siteassist_contract import ending
from siteassist_mock.testing import mock_server
from tests.values import ROOT

if TYPE_CHECKING:
    from siteassist_mock.testing import Settings

URL = "http://127.0.0.1:4321/v2"


def test_names_are_those_of_the_contract_tests() -> None:
    """Both sides name the variables alike: the script does not import the package."""
    assert (ending.REPEAT_WITH, ending.START_WITH) == (REPEAT_WITH, START_WITH)


@pytest.mark.parametrize(
    ("options", "repeat", "start"),
    [
        ("", "make contract", "{} --port 4321"),
        (
            "--fault 'delay=1:0.5'  --strict",
            "make contract MOCK_ARGS='--fault '\"'\"'delay=1:0.5'\"'\"'  --strict'",
            "{} --fault delay=1:0.5 --strict --port 4321",
        ),
        (
            "--database postgresql://user:pass@host/name",
            'make contract MOCK_ARGS="$MOCK_ARGS"',
            'eval "{} $MOCK_ARGS --port 4321"',
        ),
        (
            "--private-key sk_of_mine",
            'make contract MOCK_ARGS="$MOCK_ARGS"',
            'eval "{} $MOCK_ARGS --port 4321"',
        ),
    ],
)
def test_commands_have_the_options_of_the_mock(
    options: str, repeat: str, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mock is started with the same options on the same port, and no secret is printed."""
    monkeypatch.chdir(ROOT)
    mock = os.path.relpath(TOOLS / "siteassist-mock")
    expected = {REPEAT_WITH: repeat, START_WITH: start.format(mock)}
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


@pytest.mark.parametrize(
    "settings",
    [
        {"faults": "truncate:1"},
        {"faults": "malformed-json:1"},
        {"faults": "reset:1"},
        {"control": False},
    ],
    ids=str,
)
def test_mock_without_a_human_agent_is_one_sentence(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mock whose options prevent a hand-over is tested without human agents."""
    with mock_server(**settings) as url:
        assert [] == human_options(url)
    said = capsys.readouterr().err
    assert re.fullmatch(r"Without a human agent: the mock could not start .*\)\.\n", said)
