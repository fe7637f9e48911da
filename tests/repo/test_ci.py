"""CI runs the commands of the README, and tests the supported interpreters."""

from __future__ import annotations

import configparser
import re
import tomllib

from packaging.version import Version

from tests.values import ROOT

CI = (ROOT / ".ci" / "run").read_text()
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_commands_of_the_readme() -> None:
    """The commands in the introduction of the README are steps of CI."""
    opening = README[: README.index("\n## ")]
    commands = re.findall(r"^(make [a-z-]+)", opening, re.MULTILINE)
    assert ["make contract", "make test"] == commands
    assert set(commands) <= set(re.findall(r"step (make [a-z-]+)", CI))


def test_ci_compares_with_the_release_and_builds_twice() -> None:
    """CI finds breaking changes since the latest release, and builds that differ."""
    steps = re.findall(r"step (make [^;\n]+)", CI)
    # Without a BASE: with one, a major version would not excuse a breaking change.
    assert "make diff" in steps
    assert "make publish ARGS=--twice" in steps


def test_tox_covers_the_supported_interpreters() -> None:
    """The first environment of tox is the oldest supported Python."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = project["requires-python"].removeprefix(">=").replace(".", "")
    assert f"py{oldest}" == tox["tox"]["env_list"].split(",")[0].strip()


def test_readme_lists_the_tested_interpreters() -> None:
    """The supported versions in the README are the environments of tox."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    tested = re.findall(r"py(\d)(\d+)", tox["tox"]["env_list"])
    (row,) = re.findall(r"^\| Python \| (.*) \|$", README, re.MULTILINE)
    assert row.split(", ") == [".".join(version) for version in tested]


def test_tox_covers_the_lowest_dependencies() -> None:
    """An environment of tox has the lowest version of each dependency that is declared."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = dict(re.findall(r"(\w+)>=([\d.]+)", " ".join(project["dependencies"])))
    pinned = dict(re.findall(r"(\w+)==([\d.]+)", tox["testenv:lowest"]["commands_pre"]))
    assert {name: Version(version) for name, version in declared.items()} == {
        name: Version(pinned[name]) for name in declared
    }
    assert "lowest" in tox["tox"]["env_list"]
