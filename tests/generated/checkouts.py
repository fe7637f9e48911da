"""Runs the programs of a copy of the repository."""

from __future__ import annotations

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
