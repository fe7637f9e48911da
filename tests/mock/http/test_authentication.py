"""Tests for the authentication of requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.http.errors import ApiError
from siteassist_mock.settings import MockSettings
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from tests.mock.conftest import FakeTime, MakeClient, OpenStore


@pytest.fixture
def authenticator(open_store: OpenStore) -> Authenticator:
    """Create an authenticator whose sessions last for a minute."""
    return Authenticator(open_store(), MockSettings(session_seconds=60))


def test_a_session_identifies_its_visitor(authenticator: Authenticator) -> None:
    """A device is new in its first session only."""
    token, visitor, new = authenticator.begin_session("device-1")
    again = authenticator.begin_session("device-1")
    assert authenticator.visitor([f"Bearer {token}"]) == visitor
    assert (new, again[1:]) == (True, (visitor, False))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
def test_the_private_key_is_a_visitor_of_its_own(authenticator: Authenticator, scheme: str) -> None:
    """The private key has its own visitor; the scheme ignores case (RFC 9110, 11.1)."""
    visitor = authenticator.visitor([f"{scheme} {PRIVATE_KEY}"])
    assert visitor.type == "anonymous"
    assert authenticator.visitor([f"Bearer {PRIVATE_KEY}"]) == visitor


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [""],
        ["Bearer"],
        ["Bearer "],
        [PRIVATE_KEY],
        [f"Basic {PRIVATE_KEY}"],
        [f"Bearer {PRIVATE_KEY[:-1]}"],
        [f"Bearer {PRIVATE_KEY} x"],
        [f"Bearer {API_KEY}"],
        ["Bearer a.b.c"],
        ["Bearer \xff"],
        [f"Bearer {PRIVATE_KEY}"] * 2,
    ],
)
def test_anything_else_is_refused_in_the_same_way(
    authenticator: Authenticator, headers: list[str]
) -> None:
    """The error does not reveal what is wrong with a credential."""
    with pytest.raises(ApiError) as caught:
        authenticator.visitor(headers)
    assert (caught.value.status, str(caught.value)) == (
        401,
        "401 UNAUTHORIZED: Authentication required",
    )


def test_an_empty_private_key_is_refused(open_store: OpenStore) -> None:
    """An empty bearer token does not match an empty private key."""
    with pytest.raises(ApiError, match=r"^401 "):
        Authenticator(open_store(), MockSettings(private_key="")).visitor(["Bearer "])


def test_a_session_ends_when_it_is_not_used(authenticator: Authenticator, time: FakeTime) -> None:
    """Each use extends a session; after its period without use it stays invalid."""
    headers = [f"Bearer {authenticator.begin_session('device-1')[0]}"]
    for _ in range(3):
        time.seconds += 59
        authenticator.visitor(headers)
    time.seconds += 60
    for _ in range(2):
        with pytest.raises(ApiError, match=r"^401 "):
            authenticator.visitor(headers)


def test_a_use_soon_after_the_last_is_not_recorded(
    authenticator: Authenticator, time: FakeTime
) -> None:
    """Skipping the write shortens the session by less than a hundredth of its period."""
    headers = [f"Bearer {authenticator.begin_session('device-1')[0]}"]
    time.seconds += 0.5
    authenticator.visitor(headers)
    time.seconds += 59.5
    with pytest.raises(ApiError, match=r"^401 "):
        authenticator.visitor(headers)


def test_a_deleted_session_is_refused(authenticator: Authenticator, time: FakeTime) -> None:
    """A correctly signed token is refused if its session has been deleted."""
    token = authenticator.begin_session("device-1")[0]
    time.seconds += 61
    authenticator.begin_session("device-1")
    with pytest.raises(ApiError, match=r"^401 "):
        authenticator.visitor([f"Bearer {token}"])


def test_the_publishable_key_is_checked(authenticator: Authenticator) -> None:
    """Only the configured publishable key is accepted."""
    authenticator.check_api_key(API_KEY)
    for api_key in ("", f"{API_KEY[:-1]}F", "é", "\0", PRIVATE_KEY):
        with pytest.raises(ApiError, match=r"^401 UNAUTHORIZED"):
            authenticator.check_api_key(api_key)


def test_a_restarted_server_keeps_its_state(make_client: MakeClient, shared_database: str) -> None:
    """Conversations, sessions, devices and the private key's visitor survive a restart."""
    client = make_client(database=shared_database)
    owner = client.get("/identity/me").json
    visitor = client.visitor("device-1")
    conversation = visitor.conversation()
    visitor.post(f"{conversation}/messages", {"content": "Hello", "stream": True})
    before = visitor.get(conversation).json
    client.app.state.store.close()
    client = make_client(database=shared_database)
    assert client.bearing(visitor.token).get(conversation).json == before
    assert client.get("/identity/me").json == owner
    again = client.post("/identity/init", {"apiKey": API_KEY, "saVid": "device-1"})
    assert again.status == 200
