"""Fixtures of the tests that generate a client."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.values import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what generating takes, so that a test may break it."""
    for name in ("openapi.yaml", "generator-config.yml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    for name in ("siteassist_runtime", "siteassist_spec"):
        shutil.copytree(ROOT / "src" / name, tmp_path / "src" / name)
    for name in ("docs", "generated", "templates", "tests/generated"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path
