"""The checkout in which tests generate a client."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.values import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the files that generating needs, so that a test may change them."""
    # The conftest of the copy imports the values.
    (tmp_path / "tests").mkdir()
    for name in ("openapi.yaml", "generator-config.yml", "tests/values.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("siteassist_runtime", "siteassist_spec"):
        shutil.copytree(ROOT / "src" / name, tmp_path / "src" / name)
    for name in ("docs", "generated", "templates", "tests/generated"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path
