"""Tests for the clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteassist_mock.clock import Clock

if TYPE_CHECKING:
    from tests.mock.conftest import FakeTime


def test_timestamps_are_rfc_3339_in_utc_with_milliseconds(time: FakeTime) -> None:
    """A timestamp has the format of the documentation, also at a whole second."""
    time.seconds = 1705314600.0
    assert Clock(time).timestamp() == "2024-01-15T10:30:00.000Z"


def test_the_clock_never_goes_back(time: FakeTime) -> None:
    """The clock stands still while the system's clock is behind it."""
    clock = Clock(time)
    before = clock.timestamp()
    time.seconds -= 3600
    assert clock.timestamp() == before


def test_the_clock_does_not_begin_before_its_floor(time: FakeTime) -> None:
    """The clock starts no earlier than the newest timestamp in the database."""
    assert Clock(time, floor="2030-01-01T00:00:00.000Z").timestamp() == "2030-01-01T00:00:00.000Z"
