"""Profiles, and the plan that bounds the live one."""

from __future__ import annotations

import pytest

from siteassist_contract import plan
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES, Profile

KEY = Target("http://127.0.0.1/v2", api_key="pk_1")
TOKEN = Target("http://127.0.0.1/v2", token="t")


def test_profiles_are_listed_by_name() -> None:
    """Each profile has its name as its key, and a description."""
    assert ["quick", "default", "deep", "live"] == list(PROFILES)
    assert [name for name, each in PROFILES.items() if each.name != name] == []
    assert all(profile.words for profile in PROFILES.values())


@pytest.mark.parametrize(("shallow", "deep"), [("quick", "default"), ("default", "deep")])
def test_each_profile_goes_deeper_than_the_one_before(shallow: str, deep: str) -> None:
    """Each profile has more of every limit than the one before it."""

    def depth(profile: Profile) -> tuple[float, ...]:
        return (
            *(profile.examples, profile.seconds, profile.conversations, profile.messages),
            profile.limit,
        )

    pairs = zip(depth(PROFILES[shallow]), depth(PROFILES[deep]), strict=True)
    assert all(less < more for less, more in pairs)


def test_profiles_end_within_their_promised_time() -> None:
    """The time limits match the descriptions: 30 s, 90 s and 30 minutes."""
    assert PROFILES["quick"].limit < 30
    assert PROFILES["default"].limit < 90
    assert 1800 == PROFILES["deep"].limit
    assert ["deep"] == [name for name, each in PROFILES.items() if each.rounds]


def test_only_the_live_profile_is_gentle() -> None:
    """Only `live` limits its rate and generates neither requests nor random steps."""
    live = PROFILES["live"]
    assert (True, 2, 0, 0) == (live.gentle, live.per_second, live.examples, live.seconds)
    others = [each for each in PROFILES.values() if each is not live]
    assert {(False, None)} == {(each.gentle, each.per_second) for each in others}


def test_plan_counts_the_visitors_that_a_target_allows() -> None:
    """A key allows two visitors and a token one; requests and messages are the same."""
    two, one = plan.announced(PROFILES["live"], KEY), plan.announced(PROFILES["live"], TOKEN)
    # Three for the second visitor, and one for each operation that changes a foreign object.
    assert 3 + 3 == two.conversations - one.conversations
    assert (two.requests, two.messages) == (one.requests, one.messages)
    more = plan.announced(Profile("x", "", 0, 0, 10, 1, gentle=True), KEY)
    assert 7 == more.conversations - two.conversations
