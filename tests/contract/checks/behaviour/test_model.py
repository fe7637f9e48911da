"""Times in the formats of servers."""

from __future__ import annotations

import pytest

from siteassist_contract.checks.behaviour.model import advanced, moment, same_moment

EVENING = "2026-11-28T23:03:04.654Z"


@pytest.mark.parametrize(
    ("time", "same"),
    [
        (EVENING, True),
        ("2026-11-28t23:03:04.654z", True),
        ("2026-11-28 23:03:04", True),
        ("2026-11-28 23:03:04.000", True),
        ("2026-11-28T23:03:04.650Z", False),
        ("2026-11-29T00:03:04.654+01:00", True),
        ("Sat, 28 Nov 2026 23:03:04 GMT", True),
        ("Sun, 29 Nov 2026 00:03:05 +0100", True),
        ("2026-11-28T23:03:04.655Z", False),
        ("2026-11-28T23:03:06Z", False),
        ("Sat, 28 Nov 2026 23:03:06 GMT", False),
        ("in the evening", False),
        ("", False),
    ],
)
def test_times_are_compared_in_each_format(time: str, same: bool) -> None:
    """The same time in another format, offset or precision is the same one."""
    assert same == same_moment(EVENING, time)


@pytest.mark.parametrize(
    ("before", "after", "later"),
    [
        (EVENING, "2026-11-28T23:03:04.655Z", True),
        (EVENING, EVENING, False),
        (EVENING, "2026-11-28T23:03:04.653Z", False),
        # Nothing shows that a time in whole seconds is not later.
        ("2026-11-28T23:03:04Z", "2026-11-28T23:03:04Z", True),
        ("2026-11-28T23:03:04.000Z", "2026-11-28T23:03:04.000Z", True),
        (EVENING, "2026-11-28T23:03:04.000Z", True),
        (EVENING, "2026-11-28T23:03:03.000Z", False),
        ("2026-11-28T23:03:04Z", "2026-11-28T23:03:03Z", False),
        ("in the evening", "in the morning", True),
    ],
)
def test_times_in_whole_seconds_may_be_equal(before: str, after: str, later: bool) -> None:
    """A time has advanced if it may be later, up to the precision of the coarser one."""
    assert later == advanced(before, after)


@pytest.mark.parametrize(
    "value",
    [
        "in the evening",
        "",
        "Sat, 99 Nov 2026",
        None,
        5,
        "\ud83d",
        "Sat, 28 Nov 2026 23:03:04 +99999999999999",
    ],
)
def test_other_values_are_no_time(value: object) -> None:
    """No document gives times a format, so a value that cannot be read is not judged."""
    assert moment(value) is None
