"""Rate limits, with a clock to move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from siteassist_mock.rates import RateLimit, RateLimiter, parse_rate

if TYPE_CHECKING:
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
    with pytest.raises(ValueError, match="such as 60/m, not "):
        parse_rate(text)


def waits(limiter: RateLimiter, times: int, key: str = "a") -> list[int]:
    """Return the answers to so many requests."""
    return [limiter.wait(key) for _ in range(times)]


@pytest.mark.parametrize("text", ["1/s", "3/s", "7/m", "60/m", "1000/h", "999/s"])
def test_exactly_as_many_pass_at_once(time: FakeTime, text: str) -> None:
    """The next one must wait, and waiting as long as it is told is enough."""
    limit = parse_rate(text)
    limiter = RateLimiter([limit], time)
    assert [0] * limit.count == waits(limiter, limit.count)
    wait = limiter.wait("a")
    assert 1 <= wait <= limit.seconds
    time.seconds += wait
    assert 0 == limiter.wait("a")


def test_the_allowance_comes_back_evenly(time: FakeTime) -> None:
    """Not all at once at the turn of a minute."""
    limiter = RateLimiter([parse_rate("4/m")], time)
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)
    time.seconds += 14.5
    assert [1] == waits(limiter, 1)
    time.seconds += 0.5
    assert [0, 15] == waits(limiter, 2)
    time.seconds += 600
    assert [0, 0, 0, 0, 15] == waits(limiter, 5)


def test_every_key_has_its_own(time: FakeTime) -> None:
    """One that is over the limit takes nothing from another."""
    limiter = RateLimiter([parse_rate("1/m")], time)
    assert [0, 60] == waits(limiter, 2, "a")
    assert [0, 60] == waits(limiter, 2, "b")


def test_the_strictest_of_several_limits_counts(time: FakeTime) -> None:
    """And who must wait for one uses up nothing of the other."""
    limiter = RateLimiter([parse_rate("2/s"), parse_rate("3/m")], time)
    assert [0, 0, 1, 1, 1] == waits(limiter, 5)
    time.seconds += 1
    assert [0, 19] == waits(limiter, 2)


def test_counts_can_be_forgotten(time: FakeTime) -> None:
    """Then everybody has the whole allowance."""
    limiter = RateLimiter([parse_rate("1/m")], time)
    assert [0, 60] == waits(limiter, 2, "a")
    assert [0, 60] == waits(limiter, 2, "b")
    limiter.forget()
    assert [0, 0] == [*waits(limiter, 1, "a"), *waits(limiter, 1, "b")]


def test_memory_is_bounded(time: FakeTime) -> None:
    """The key that was not seen for longest is forgotten, and begins anew."""
    limiter = RateLimiter([parse_rate("1/h")], time, max_keys=2)
    assert [0, 0] == [limiter.wait("a"), limiter.wait("b")]
    time.seconds += 3600
    assert [0, 0] == [limiter.wait("a"), limiter.wait("c")]
    assert [3600, 0, 0] == [limiter.wait("a"), limiter.wait("b"), limiter.wait("a")]
