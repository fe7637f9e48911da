"""The checkout in which tests generate a client."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.generated.checkouts import copy_repository


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy the files that generating needs, so that a test may change them."""
    return copy_repository(tmp_path)
