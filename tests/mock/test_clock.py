"""Tests for the clocks, and for a server whose system has a wrong clock for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from siteassist_mock import clock
from siteassist_mock.clock import Clock, SteadyClock
from tests.mock.conftest import FakeTime

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import MakeClient

DAY = 86_400


def test_timestamps_are_rfc_3339_in_utc_with_milliseconds(time: FakeTime) -> None:
    """A timestamp has the format of the documentation, also at a whole second."""
    time.seconds = 1705314600.0
    assert Clock(time).timestamp() == "2024-01-15T10:30:00.000Z"


def test_the_clock_stands_still_after_a_short_step_back(time: FakeTime) -> None:
    """The order of events does not change while the system's clock is behind."""
    clock = Clock(time)
    before = clock.timestamp()
    time.seconds -= 59
    assert clock.timestamp() == before
    time.seconds += 60
    assert clock.timestamp() > before


def test_the_clock_follows_a_long_step_back(time: FakeTime) -> None:
    """A clock that was ahead does not stay there."""
    clock = Clock(time)
    before = clock.timestamp()
    time.seconds += DAY
    assert clock.timestamp() > before
    time.seconds -= DAY
    assert clock.timestamp() == before


def test_the_floor_is_an_earlier_timestamp(time: FakeTime) -> None:
    """The newest timestamp in the database counts, unless it is far in the future."""
    time.seconds = 1705314600.0
    floor = "2024-01-15T10:30:30.000Z"
    assert floor == Clock(time, floor=floor).timestamp()
    assert "2024-01-15T10:30:00.000Z" == Clock(time, floor="2030-01-01T00:00:00.000Z").timestamp()


def test_the_steady_clock_counts_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with the time of the system, and does not follow its changes."""
    system, counter = FakeTime(1000.0), FakeTime(5.0)
    monkeypatch.setattr(clock, "SYSTEM", system)
    monkeypatch.setattr(clock, "elapsed", counter)
    steady = SteadyClock(system)
    system.seconds = 9000.0
    assert 1000.0 == steady.seconds()
    counter.seconds += 7
    assert 1007.0 == steady.seconds()
    steady.set(2000.0)
    counter.seconds += 1
    assert 2001.0 == steady.seconds()


def test_the_counter_does_not_go_back() -> None:
    """The counter of the system grows."""
    assert clock.elapsed() <= clock.elapsed()


@pytest.mark.parametrize("days", [2, -2])
def test_a_wrong_clock_leaves_no_trace(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    """Sessions, limits and timestamps are right during the jump or after it."""
    system, counter = FakeTime(), FakeTime(0.0)
    monkeypatch.setattr(clock, "SYSTEM", system)
    monkeypatch.setattr(clock, "elapsed", counter)
    client = make_client(now=system, rate_limits=("3/m",))
    visitor = client.visitor("device")
    right = visitor.post("/conversations").json["createdAt"]
    system.seconds += days * DAY
    assert [200, 200, 429] == [visitor.get("/identity/me").status for _ in range(3)]
    assert right != client.post("/conversations").json["createdAt"]
    system.seconds -= days * DAY
    assert 429 == visitor.get("/identity/me").status
    counter.seconds += 60
    system.seconds += 60
    chat = visitor.post("/conversations").json["createdAt"]
    assert (right[:15], True) == (chat[:15], right < chat)


def test_a_state_from_the_future_is_usable(make_client: MakeClient, tmp_path: Path) -> None:
    """Another process had a wrong clock: its sessions and limits end like all others."""
    system = FakeTime()
    system.seconds += 10 * DAY
    settings = {"database": tmp_path / "mock.db", "rate_limits": ("2/m",), "now": system}
    before = make_client(**settings)
    session = before.visitor("device")
    assert [200, 200, 429] == [session.get("/identity/me").status for _ in range(3)]
    system.seconds -= 10 * DAY
    now = make_client(**settings)
    # The token was issued in the future as well, and is valid until its end.
    again = now.bearing(session.token)
    assert [200, 200, 429] == [again.get("/identity/me").status for _ in range(3)]
    system.seconds += 1799
    assert 200 == again.get("/identity/me").status
    system.seconds += 1801
    assert 401 == again.get("/identity/me").status
    assert "2023-11-14" == now.post("/conversations").json["createdAt"][:10]


def test_processes_share_the_clock_of_postgresql(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, postgres_url: str
) -> None:
    """Two machines with different clocks count a limit together."""
    replies = []
    settings = {"database": postgres_url, "rate_limits": ("4/h",)}
    for days in (0, 3):
        system = FakeTime(1_700_000_000.0 + days * DAY)
        monkeypatch.setattr(clock, "SYSTEM", system)
        client = make_client(now=system, **settings)
        replies += [client.get("/identity/me").status for _ in range(3)]
    assert [200, 200, 200, 200, 429, 429] == replies
