"""The clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siteassist_mock.clock import Clock

if TYPE_CHECKING:
    from tests.mock.conftest import FakeTime


def test_timestamps_are_rfc_3339_in_utc_with_milliseconds(time: FakeTime) -> None:
    """A timestamp looks like those of the documents, whole seconds included."""
    time.seconds = 1705314600.0
    assert Clock(time).timestamp() == "2024-01-15T10:30:00.000Z"


def test_the_clock_never_goes_back(time: FakeTime) -> None:
    """Where the system's clock is set back, this one stands still."""
    clock = Clock(time)
    before = clock.timestamp()
    time.seconds -= 3600
    assert clock.timestamp() == before


def test_the_clock_does_not_begin_before_its_floor(time: FakeTime) -> None:
    """What a database already holds is not older than what comes."""
    assert Clock(time, floor="2030-01-01T00:00:00.000Z").timestamp() == "2030-01-01T00:00:00.000Z"
