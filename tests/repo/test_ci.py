"""CI does what the README tells a newcomer to do, in environments that exist."""

from __future__ import annotations

import configparser
import re
import tomllib

from tests.values import ROOT

CI = (ROOT / ".ci" / "run").read_text()
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_commands_of_the_readme() -> None:
    """The two commands that the README opens with are steps of CI."""
    opening = README[: README.index("\n## ")]
    commands = re.findall(r"^(make [a-z-]+)", opening, re.MULTILINE)
    assert ["make contract", "make test"] == commands
    assert set(commands) <= set(re.findall(r"step (make [a-z-]+)", CI))


def test_ci_looks_for_breaks_and_builds_twice() -> None:
    """What others rely on is compared with the latest release, and built the same each time."""
    steps = re.findall(r"step (make [^;\n]+)", CI)
    # With a base, a break would have no excuse.
    assert "make diff" in steps
    assert "make publish ARGS=--twice" in steps


def test_tox_covers_the_supported_interpreters() -> None:
    """The oldest supported Python is tested."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=").replace(".", "")
    assert f"py{oldest}" == tox["tox"]["env_list"].split(",")[0].strip()
