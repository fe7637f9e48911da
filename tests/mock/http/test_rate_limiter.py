"""Tests for the rate limiter, with a fake clock."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http import limits as limits_module
from siteassist_mock.http.limits import RateLimit, RateLimiter, parse_rate

if TYPE_CHECKING:
    from pathlib import Path

    from siteassist_mock.storage.store import Store
    from tests.mock.conftest import FakeTime, OpenStore


@pytest.mark.parametrize(
    ("text", "limit"),
    [("60/m", RateLimit(60, 60)), ("1/s", RateLimit(1, 1)), (" 100/h ", RateLimit(100, 3600))],
)
def test_a_rate_is_a_number_per_time(text: str, limit: RateLimit) -> None:
    """A rate limit is a number per second, minute or hour."""
    assert limit == parse_rate(text)


@pytest.mark.parametrize("text", ["", "60", "0/m", "60/d", "-1/m", "1.5/s", "60/m/s", "٣/m"])
def test_an_invalid_rate_is_refused(text: str) -> None:
    """The error has an example of a valid rate limit."""
    with pytest.raises(ValueError, match=r"^invalid rate limit .* such as 60/m$"):
        parse_rate(text)


@pytest.fixture
def store(open_store: OpenStore) -> Store:
    """Open a store in memory."""
    return open_store()


def waits(limiter: RateLimiter, times: int, key: str = "a") -> list[int]:
    """Return the results of repeated requests."""
    return [limiter.wait(key) for _ in range(times)]


@pytest.mark.parametrize("text", ["1/s", "3/s", "7/m", "60/m", "1000/h", "999/s"])
def test_a_burst_of_the_limit_passes(store: Store, time: FakeTime, text: str) -> None:
    """The next request must wait, and the reported wait is enough."""
    limit = parse_rate(text)
    limiter = RateLimiter([limit], store)
    assert [0] * limit.count == waits(limiter, limit.count)
    wait = limiter.wait("a")
    assert 1 <= wait <= limit.seconds
    time.seconds += wait
    assert 0 == limiter.wait("a")


def test_the_allowance_recovers_evenly(store: Store, time: FakeTime) -> None:
    """The allowance recovers continuously, not at the turn of a minute."""
    limiter = RateLimiter([parse_rate("4/m")], store)
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)
    time.seconds += 14.5
    assert [1] == waits(limiter, 1)
    time.seconds += 0.5
    assert [0, 15] == waits(limiter, 2)
    time.seconds += 600
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)


def test_every_key_has_its_own_allowance(store: Store) -> None:
    """A key over its limit does not affect another key."""
    limiter = RateLimiter([parse_rate("1/m")], store)
    assert [0, 60] == waits(limiter, 2, "a")
    assert [0, 60] == waits(limiter, 2, "b")


def test_the_strictest_limit_applies(store: Store, time: FakeTime) -> None:
    """A request that must wait for one limit does not use up another."""
    limiter = RateLimiter([parse_rate("2/s"), parse_rate("3/m")], store)
    assert [0, 0, 1, 1, 1] == waits(limiter, 5)
    time.seconds += 1
    assert [0, 19] == waits(limiter, 2)


@pytest.fixture
def stores(open_store: OpenStore, shared_database: str) -> list[Store]:
    """Open the same database twice, as two processes do."""
    return [open_store(shared_database), open_store(shared_database)]


def test_processes_count_together(stores: list[Store], store: Store, time: FakeTime) -> None:
    """Two processes count like a single one, also with several limits."""
    limits = [parse_rate("2/s"), parse_rate("3/m")]
    alone = RateLimiter(limits, store)
    shared = [RateLimiter(limits, store) for store in stores]
    for turn in range(12):
        assert waits(alone, 1) == waits(shared[turn % 2], 1)
        time.seconds += 0.25 * turn
    assert [0] == waits(shared[0], 1, "b")


def test_no_count_is_lost(stores: list[Store]) -> None:
    """Concurrent requests in several processes and threads are all counted."""
    shared = [RateLimiter([parse_rate("20/h")], store) for store in stores]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: shared[number % 2].wait("a"), range(60)))
    assert (20, {0, 180}) == (found.count(0), set(found))


def test_processes_with_different_limits_count_separately(stores: list[Store]) -> None:
    """Counts of one set of limits do not apply to another set."""
    one = RateLimiter([parse_rate("1/m")], stores[0])
    other = RateLimiter([parse_rate("1/m"), parse_rate("2/h")], stores[1])
    assert [0, 60] == waits(one, 2)
    assert [0, 60] == waits(other, 2)


def test_shared_counts_are_cleared_with_the_state(stores: list[Store]) -> None:
    """A reset of one process clears the counts of all."""
    one, two = (RateLimiter([parse_rate("1/m")], store) for store in stores)
    assert [0, 60] == [*waits(one, 1), *waits(two, 1)]
    stores[0].clear()
    assert [0, 60] == [*waits(two, 1), *waits(one, 1)]


def test_the_table_of_shared_counts_is_bounded(
    open_store: OpenStore, tmp_path: Path, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys with their whole allowance are deleted regularly."""
    monkeypatch.setattr(limits_module, "_PRUNE_EVERY", 3)
    database = tmp_path / "mock.db"
    limiter = RateLimiter([parse_rate("1/m")], open_store(database))
    rows = []
    with closing(sqlite3.connect(database)) as beside:
        for number in range(7):
            assert 0 == limiter.wait(f"address 192.0.2.{number}")
            rows.append(beside.execute("SELECT count(*) FROM allowances").fetchone()[0])
            time.seconds += 40
    # Pruned before the fourth and the seventh request; a key stays until its allowance is whole.
    assert [1, 2, 3, 2, 3, 4, 2] == rows
