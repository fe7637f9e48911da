"""Rate limits, with a clock to move."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http import limits as limits_module
from siteassist_mock.http.limits import RateLimit, RateLimiter, parse_rate
from siteassist_mock.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mock.conftest import FakeTime


@pytest.mark.parametrize(
    ("text", "limit"),
    [("60/m", RateLimit(60, 60)), ("1/s", RateLimit(1, 1)), (" 100/h ", RateLimit(100, 3600))],
)
def test_a_rate_is_a_number_per_time(text: str, limit: RateLimit) -> None:
    """Per second, minute or hour."""
    assert limit == parse_rate(text)


@pytest.mark.parametrize("text", ["", "60", "0/m", "60/d", "-1/m", "1.5/s", "60/m/s", "٣/m"])
def test_what_is_no_rate_is_said(text: str) -> None:
    """In one sentence, with an example."""
    with pytest.raises(ValueError, match=r"^invalid rate limit .* such as 60/m$"):
        parse_rate(text)


@pytest.fixture
def store(time: FakeTime) -> Iterator[Store]:
    """Open a database in memory."""
    with closing(Store(time)) as store:
        yield store


def waits(limiter: RateLimiter, times: int, key: str = "a") -> list[int]:
    """Return the answers to so many requests."""
    return [limiter.wait(key) for _ in range(times)]


@pytest.mark.parametrize("text", ["1/s", "3/s", "7/m", "60/m", "1000/h", "999/s"])
def test_exactly_as_many_pass_at_once(store: Store, time: FakeTime, text: str) -> None:
    """The next one must wait, and waiting as long as it is told is enough."""
    limit = parse_rate(text)
    limiter = RateLimiter([limit], store)
    assert [0] * limit.count == waits(limiter, limit.count)
    wait = limiter.wait("a")
    assert 1 <= wait <= limit.seconds
    time.seconds += wait
    assert 0 == limiter.wait("a")


def test_the_allowance_comes_back_evenly(store: Store, time: FakeTime) -> None:
    """Not all at once at the turn of a minute."""
    limiter = RateLimiter([parse_rate("4/m")], store)
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)
    time.seconds += 14.5
    assert [1] == waits(limiter, 1)
    time.seconds += 0.5
    assert [0, 15] == waits(limiter, 2)
    time.seconds += 600
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)


def test_every_key_has_its_own(store: Store) -> None:
    """One that is over the limit takes nothing from another."""
    limiter = RateLimiter([parse_rate("1/m")], store)
    assert [0, 60] == waits(limiter, 2, "a")
    assert [0, 60] == waits(limiter, 2, "b")


def test_the_strictest_of_several_limits_counts(store: Store, time: FakeTime) -> None:
    """And who must wait for one uses up nothing of the other."""
    limiter = RateLimiter([parse_rate("2/s"), parse_rate("3/m")], store)
    assert [0, 0, 1, 1, 1] == waits(limiter, 5)
    time.seconds += 1
    assert [0, 19] == waits(limiter, 2)


def test_counts_can_be_forgotten(store: Store) -> None:
    """Then everybody has the whole allowance."""
    limiter = RateLimiter([parse_rate("1/m")], store)
    assert [0, 60] == waits(limiter, 2, "a")
    assert [0, 60] == waits(limiter, 2, "b")
    store.clear()
    assert [0, 0] == [*waits(limiter, 1, "a"), *waits(limiter, 1, "b")]


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path, time: FakeTime) -> Iterator[list[Store]]:
    """Open the same database twice, as two processes do."""
    database = tmp_path / "mock.db"
    if "postgresql" == request.param:
        database = request.getfixturevalue("postgres_url")
    with closing(Store(time, database)) as one, closing(Store(time, database)) as two:
        yield [one, two]


def test_processes_count_together(stores: list[Store], store: Store, time: FakeTime) -> None:
    """As one that gets all of the requests would count, also with several limits."""
    limits = [parse_rate("2/s"), parse_rate("3/m")]
    alone = RateLimiter(limits, store)
    shared = [RateLimiter(limits, store) for store in stores]
    for turn in range(12):
        assert waits(alone, 1) == waits(shared[turn % 2], 1)
        time.seconds += 0.25 * turn
    assert [0] == waits(shared[0], 1, "b")


def test_no_count_is_lost(stores: list[Store]) -> None:
    """However many processes and threads count at the same moment."""
    shared = [RateLimiter([parse_rate("20/h")], store) for store in stores]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda number: shared[number % 2].wait("a"), range(60)))
    assert (20, {0, 180}) == (found.count(0), set(found))


def test_processes_with_other_limits_count_apart(stores: list[Store]) -> None:
    """What one of them has counted says nothing under the limits of the other."""
    one = RateLimiter([parse_rate("1/m")], stores[0])
    other = RateLimiter([parse_rate("1/m"), parse_rate("2/h")], stores[1])
    assert [0, 60] == waits(one, 2)
    assert [0, 60] == waits(other, 2)


def test_shared_counts_are_cleared_with_the_state(stores: list[Store]) -> None:
    """So a reset of one process counts for all."""
    one, two = (RateLimiter([parse_rate("1/m")], store) for store in stores)
    assert [0, 60] == [*waits(one, 1), *waits(two, 1)]
    stores[0].clear()
    assert [0, 60] == [*waits(two, 1), *waits(one, 1)]


def test_the_table_of_shared_counts_is_bounded(
    tmp_path: Path, time: FakeTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that have their whole allowance are cleared away now and then."""
    monkeypatch.setattr(limits_module, "_PRUNE_EVERY", 3)
    database = tmp_path / "mock.db"
    with closing(Store(time, database)) as store, closing(sqlite3.connect(database)) as beside:
        limiter = RateLimiter([parse_rate("1/m")], store)
        rows = []
        for number in range(7):
            assert 0 == limiter.wait(f"address 192.0.2.{number}")
            rows.append(beside.execute("SELECT count(*) FROM allowances").fetchone()[0])
            time.seconds += 40
    # Before the fourth and the seventh: what was seen 40 seconds ago must stay.
    assert [1, 2, 3, 2, 3, 4, 2] == rows
