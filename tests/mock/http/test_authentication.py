"""Who sends a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.http.errors import ApiError
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mock.conftest import FakeTime


@pytest.fixture
def store(time: FakeTime) -> Iterator[Store]:
    """Open a store in memory."""
    store = Store(time)
    yield store
    store.close()


@pytest.fixture
def authenticator(store: Store) -> Authenticator:
    """Make an authenticator whose sessions last for a minute."""
    return Authenticator(store, MockSettings(session_seconds=60))


def test_a_session_stands_for_its_visitor(authenticator: Authenticator) -> None:
    """The same device is new only once."""
    token, visitor, new = authenticator.begin_session("device-1")
    again = authenticator.begin_session("device-1")
    assert authenticator.visitor([f"Bearer {token}"]) == visitor
    assert (new, again[1:]) == (True, (visitor, False))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_private_key_is_a_visitor_of_its_own(authenticator: Authenticator, scheme: str) -> None:
    """The scheme's case does not matter (RFC 9110, 11.1)."""
    visitor = authenticator.visitor([f"{scheme} sk_test_1234567890abcdef"])
    assert visitor.type == "anonymous"
    assert authenticator.visitor(["Bearer sk_test_1234567890abcdef"]) == visitor


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        ["sk_test_1234567890abcdef"],
        ["Basic sk_test_1234567890abcdef"],
        ["Bearer sk_test_1234567890abcde"],
        ["Bearer sk_test_1234567890abcdef x"],
        ["Bearer sa_pk_1234567890abcdef"],
        ["Bearer a.b.c"],
        ["Bearer \xff"],
        ["Bearer sk_test_1234567890abcdef"] * 2,
    ],
)
def test_anything_else_is_refused_in_the_same_way(
    authenticator: Authenticator, headers: list[str]
) -> None:
    """Nobody learns what is wrong with a credential."""
    with pytest.raises(ApiError) as caught:
        authenticator.visitor(headers)
    assert (caught.value.status, str(caught.value)) == (
        401,
        "401 UNAUTHORIZED: Authentication required",
    )


def test_an_empty_private_key_lets_nobody_in(store: Store) -> None:
    """A missing token is not an empty key."""
    with pytest.raises(ApiError, match=r"^401 "):
        Authenticator(store, MockSettings(private_key="")).visitor(["Bearer "])


def test_a_session_ends_when_it_is_not_used(authenticator: Authenticator, time: FakeTime) -> None:
    """Using it keeps it; after the period without use it is over for good."""
    headers = [f"Bearer {authenticator.begin_session('device-1')[0]}"]
    for _ in range(3):
        time.seconds += 59
        authenticator.visitor(headers)
    time.seconds += 60
    for _ in range(2):
        with pytest.raises(ApiError, match=r"^401 "):
            authenticator.visitor(headers)


def test_a_use_right_after_the_last_is_not_noted(
    authenticator: Authenticator, time: FakeTime
) -> None:
    """That spares a write, and costs less than a hundredth of the period."""
    headers = [f"Bearer {authenticator.begin_session('device-1')[0]}"]
    time.seconds += 0.5
    authenticator.visitor(headers)
    time.seconds += 59.5
    with pytest.raises(ApiError, match=r"^401 "):
        authenticator.visitor(headers)


def test_a_session_that_was_cleared_away_is_over(
    authenticator: Authenticator, time: FakeTime
) -> None:
    """Its token is signed, and names nothing any more."""
    token = authenticator.begin_session("device-1")[0]
    time.seconds += 61
    authenticator.begin_session("device-1")
    with pytest.raises(ApiError, match=r"^401 "):
        authenticator.visitor([f"Bearer {token}"])


def test_the_publishable_key_is_checked(authenticator: Authenticator) -> None:
    """Only the one that the server was given."""
    authenticator.check_api_key("sa_pk_1234567890abcdef")
    for api_key in ("", "sa_pk_1234567890abcdeF", "é", "\0", "sk_test_1234567890abcdef"):
        with pytest.raises(ApiError, match=r"^401 UNAUTHORIZED"):
            authenticator.check_api_key(api_key)


def test_sessions_of_a_file_survive(tmp_path: Path, time: FakeTime) -> None:
    """After a restart the token and the private key stand for the same visitors."""
    before = Store(time, tmp_path / "mock.db")
    authenticator = Authenticator(before, MockSettings())
    token, visitor, _ = authenticator.begin_session("device-1")
    server = authenticator.visitor(["Bearer sk_test_1234567890abcdef"])
    before.close()
    after = Store(time, tmp_path / "mock.db")
    authenticator = Authenticator(after, MockSettings())
    assert authenticator.visitor([f"Bearer {token}"]) == visitor
    assert authenticator.visitor(["Bearer sk_test_1234567890abcdef"]) == server
    after.close()
