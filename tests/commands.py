"""Functions for tests that run other programs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.values import ROOT


def run(
    command: Sequence[str | Path], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command, and return its exit status and its output."""
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
