"""Edits a copy of the repository, and runs its programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def run(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script of ``checkout`` on the files of ``checkout``."""
    return subprocess.run(
        [sys.executable, "scripts/generate.py", *arguments],
        cwd=checkout,
        env={"PYTHONPATH": str(checkout / "src"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def edited(checkout: Path, *edits: tuple[str, str]) -> Path:
    """Replace texts of the description, each of which must occur once."""
    description = checkout / "openapi.yaml"
    text = description.read_text()
    for before, after in edits:
        assert 1 == text.count(before), before
        text = text.replace(before, after)
    description.write_text(text)
    return description


def add(checkout: Path, *, paths: str = "", schemas: str = "", responses: str = "") -> Path:
    """Put more into the description."""
    return edited(
        checkout,
        ("\npaths:\n", f"\npaths:\n{paths}"),
        ("\n  schemas:\n", f"\n  schemas:\n{schemas}"),
        ("\n  responses:\n", f"\n  responses:\n{responses}"),
    )


def python(checkout: Path, *arguments: str) -> None:
    """Run Python on the packages of the copy; it must succeed."""
    path = f"{checkout / 'generated'}{os.pathsep}{checkout / 'src'}"
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=checkout,
        env={name: value for name, value in os.environ.items() if "COV" not in name}
        | {"PYTHONPATH": path, "MYPYPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout + done.stderr
