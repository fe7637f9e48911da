"""Functions that make and edit a copy of the repository and run its programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import generate
from siteassist_spec import Document, SpecError
from tests.commands import run
from tests.values import ROOT

MYPY_CACHE = ROOT / ".mypy_cache" / "generated"
"""The cache of all tests that run mypy; most of its work is on the standard library and httpx."""


def copy_repository(folder: Path) -> Path:
    """Copy the files that generating needs into a folder, and return it."""
    (folder / "tests").mkdir()
    for name in ("openapi.yaml", "generator-config.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    # Modules that tests/generated imports.
    for name in ("commands.py", "description.py", "values.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests" / name)
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ("siteassist_runtime", "siteassist_spec"):
        shutil.copytree(ROOT / "src" / name, folder / "src" / name)
    for name in ("docs", "generated", "templates", "tests/generated"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def run_generator(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the generator of ``checkout``, which uses the description beside it."""
    environment = {"PYTHONPATH": str(checkout / "src"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "scripts/generate.py", *arguments]
    return run(command, cwd=checkout, env=environment)


def generate_in(checkout: Path) -> None:
    """Generate the client of ``checkout``, and require that it succeeds."""
    done = run_generator(checkout)
    assert 0 == done.returncode, done.stdout + done.stderr


def edited(checkout: Path, *edits: tuple[str, str]) -> Path:
    """Replace texts of the description that occur once, and return its path.

    The description is copied into a folder that has none.
    """
    description = checkout / "openapi.yaml"
    text = (description if description.exists() else ROOT / "openapi.yaml").read_text()
    for before, after in edits:
        assert 1 == text.count(before), before
        text = text.replace(before, after)
    description.write_text(text)
    return description


def add(checkout: Path, *, paths: str = "", schemas: str = "", responses: str = "") -> Path:
    """Add to sections of the description, and return its path."""
    return edited(
        checkout,
        ("\npaths:\n", f"\npaths:\n{paths}"),
        ("\n  schemas:\n", f"\n  schemas:\n{schemas}"),
        ("\n  responses:\n", f"\n  responses:\n{responses}"),
    )


def python(checkout: Path, *arguments: str) -> None:
    """Run Python with the packages of ``checkout``, and require that it succeeds."""
    path = f"{checkout / 'generated'}{os.pathsep}{checkout / 'src'}"
    environment = {**os.environ, "PYTHONPATH": path, "MYPYPATH": path}
    done = run([sys.executable, *arguments], cwd=checkout, env=environment)
    assert 0 == done.returncode, done.stdout + done.stderr


def check_types(checkout: Path) -> None:
    """Check the program that calls every method with mypy."""
    program = "tests/generated/every_method.py"
    python(checkout, "-m", "mypy", "--strict", f"--cache-dir={MYPY_CACHE}", program)


def problem_of(description: Path) -> tuple[str, int, int]:
    """Return the error, with its position, with which the generator refuses a description.

    It is that of the function that the generator calls first. `refusal` runs the generator.
    """
    with pytest.raises(SpecError) as caught:
        generate.prepare(Document.load(description))
    return _positioned(description, str(caught.value))


def refusal(checkout: Path, description: Path) -> tuple[str, int, int]:
    """Return the one line, with its position, with which the generator refuses a description.

    The exit status must be 2, and the line must name the file of the description.
    """
    done = run_generator(checkout)
    assert (2, "") == (done.returncode, done.stdout)
    (line,) = done.stderr.splitlines()
    return _positioned(description, line)


def _positioned(description: Path, line: str) -> tuple[str, int, int]:
    place, problem = line.split(": ", 1)
    path, row, column = place.rsplit(":", 2)
    assert str(description) == path
    return problem, int(row), int(column)
