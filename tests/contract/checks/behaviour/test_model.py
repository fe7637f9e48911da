"""Times in the formats of servers."""

from __future__ import annotations

import pytest

from siteassist_contract.checks.behaviour.model import moment, same_moment

EVENING = "2026-11-28T23:03:04.654Z"


@pytest.mark.parametrize(
    ("time", "same"),
    [
        (EVENING, True),
        ("2026-11-28t23:03:04.654z", True),
        ("2026-11-28 23:03:04", True),
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


@pytest.mark.parametrize("value", ["in the evening", "", "Sat, 99 Nov 2026", None, 5, "\ud83d"])
def test_other_values_are_no_time(value: object) -> None:
    """No document gives times a format, so a value that cannot be read is not judged."""
    assert moment(value) is None
