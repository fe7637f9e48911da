"""CI does what the README tells a newcomer to do, in environments that exist."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.mark.parametrize(("name", "least"), [("dev.txt", 50), ("bench.txt", 20), ("load.txt", 40)])
def test_every_requirement_is_pinned_and_hashed(name: str, least: int) -> None:
    """A requirement without version or hash could change under us."""
    text = (ROOT / "requirements" / name).read_text()
    entries = re.findall(
        r"^([a-z0-9][^\s=]*)(==\S+)?((?:.*\\\n\s+--hash=\S+)+)?", text, re.MULTILINE
    )
    assert len(entries) > least
    assert [] == [name for name, version, hashes in entries if not version or not hashes]


@pytest.mark.parametrize(
    "name",
    [
        "requirements/dev.txt",
        "requirements/bench.txt",
        "requirements/load.txt",
        "package-lock.json",
    ],
)
def test_lock_file_names_no_address(name: str) -> None:
    """Where packages come from is the user's business."""
    text = (ROOT / name).read_text()
    assert [] == re.findall(r'--(?:extra-)?index-url\S*|"resolved"', text)


@pytest.mark.parametrize(("version", "status"), [((3, 10), 1), ((3, 11), 0), ((3, 14), 0)])
def test_old_python_is_told_so(version: tuple[int, int], status: int) -> None:
    """An interpreter that is too old gets one clear line."""
    program = (
        "import runpy, sys\n"
        f"sys.version_info = {version}\n"
        "runpy.run_path('scripts/check_python.py')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert status == done.returncode
    assert status == len(done.stderr.splitlines())
    assert ("needs Python 3.11" in done.stderr) == bool(status)
