"""The measurement of coverage in the processes of the tests."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.usefixtures("no_cover")
def test_no_cover_pauses_the_measurement() -> None:
    """In a test with `no_cover`, nothing traces the code, also under xdist."""
    assert sys.gettrace() is None
