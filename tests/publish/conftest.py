"""What the tests of publishing share: the tools of Node.js, if they are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def npx() -> str:
    """Return the command that runs a tool of ``package.json``; `make lint-spec` installs them."""
    command = shutil.which("npx")
    if command is None or not (ROOT / "node_modules" / "newman").exists():
        pytest.skip("the tools of package.json are not installed")
    return command
