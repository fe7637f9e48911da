"""Profiles are ways to run that differ as their words say; a plan bounds the gentle one."""

from __future__ import annotations

import pytest

from siteassist_contract import plan
from siteassist_contract.http.preflight import Target
from siteassist_contract.profiles import PROFILES, Profile

KEY = Target("http://127.0.0.1/v2", api_key="pk_1")
TOKEN = Target("http://127.0.0.1/v2", token="t")


def test_profiles_are_known_by_their_names() -> None:
    """The names that the command takes."""
    assert ["quick", "default", "deep", "live"] == list(PROFILES)
    assert [name for name, each in PROFILES.items() if each.name != name] == []
    assert all(profile.words for profile in PROFILES.values())


@pytest.mark.parametrize(("shallow", "deep"), [("quick", "default"), ("default", "deep")])
def test_each_profile_goes_deeper_than_the_one_before(shallow: str, deep: str) -> None:
    """In every respect, and takes longer."""

    def depth(profile: Profile) -> tuple[float, ...]:
        return (
            *(profile.examples, profile.seconds, profile.conversations, profile.messages),
            profile.limit,
        )

    pairs = zip(depth(PROFILES[shallow]), depth(PROFILES[deep]), strict=True)
    assert all(less < more for less, more in pairs)


def test_profiles_stay_within_what_their_words_promise() -> None:
    """Under half a minute, under one and a half, half an hour."""
    assert PROFILES["quick"].limit + PROFILES["quick"].seconds < 30
    assert PROFILES["default"].limit < 90
    assert 1800 == PROFILES["deep"].limit
    assert ["deep"] == [name for name, each in PROFILES.items() if each.rounds]


def test_only_the_live_profile_is_kind() -> None:
    """Slowly, without made-up requests and walks; the others take what they can get."""
    live = PROFILES["live"]
    assert (True, 2, 0, 0) == (live.gentle, live.per_second, live.examples, live.seconds)
    others = [each for each in PROFILES.values() if each is not live]
    assert {(False, None)} == {(each.gentle, each.per_second) for each in others}


def test_plan_counts_the_visitors_that_a_target_allows() -> None:
    """A key gives two, a token one; both have the same few messages."""
    two, one = plan.of(PROFILES["live"], KEY), plan.of(PROFILES["live"], TOKEN)
    # Three for the visitor, and one for each operation that changes what is somebody else's.
    assert 3 + 3 == two.conversations - one.conversations
    assert (two.requests, two.messages) == (one.requests, one.messages)
    more = plan.of(Profile("x", "", 0, 0, 10, 1, gentle=True), KEY)
    assert 7 == more.conversations - two.conversations
