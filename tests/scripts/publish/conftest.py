"""The tools of Node.js, for the tests of publishing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.values import ROOT


@pytest.fixture(scope="session")
def node_bin() -> Path:
    """Return the folder of the tools, which `make lint-spec` installs."""
    folder = ROOT / "tools" / "node" / "node_modules" / ".bin"
    if shutil.which("node") is None or not (folder / "newman").exists():
        pytest.skip("the tools of tools/node/package.json are not installed")
    return folder
