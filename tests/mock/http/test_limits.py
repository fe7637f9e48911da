"""Tests for rate limits and the quota, as seen by clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.testing import mock_server
from tests.values import API_KEY, BEARER, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.mock.conftest import Client, FakeTime, MakeClient, Reply


def statuses(client: Client, times: int, path: str = "/identity/me") -> list[int]:
    """Return the statuses of repeated requests."""
    return [client.get(path).status for _ in range(times)]


def test_an_excess_request_is_a_429(make_client: MakeClient, time: FakeTime) -> None:
    """The body and a header have the whole seconds to wait."""
    client = make_client(rate_limits=("2/m",))
    assert [200, 200] == statuses(client, 2)
    reply = client.get("/identity/me")
    assert (429, "RATE_LIMIT_EXCEEDED") == (reply.status, reply.code)
    assert ({"retryAfter": 30}, "30") == (reply.details, reply.headers["retry-after"])
    time.seconds += 29.5
    assert 1 == client.get("/identity/me").details["retryAfter"]
    time.seconds += 1
    assert [200, 429] == statuses(client, 2)


def test_every_visitor_has_an_allowance(make_client: MakeClient) -> None:
    """A visitor's sessions and operations share one allowance; the private key has its own."""
    client = make_client(rate_limits=("2/m",))
    one, same = client.visitor("device-1"), client.visitor("device-1")
    assert [200] == statuses(one, 1)
    assert [200, 429] == statuses(same, 2, "/conversations")
    assert [200, 200, 429] == statuses(client, 3)


def test_unauthenticated_requests_share_an_allowance(make_client: MakeClient) -> None:
    """Requests from one address with invalid or no credentials share one allowance."""
    client = make_client(rate_limits=("3/m",))
    guessing = [client.bearing(f"sk_{number}").get("/identity/me").status for number in range(4)]
    assert [401, 401, 401, 429] == guessing
    body = {"apiKey": API_KEY, "saVid": "device-1"}
    assert 429 == client.post("/identity/init", body).status
    assert 429 == client.get(f"/search?q=x&apiKey={API_KEY}").status
    assert [200] == statuses(client, 1)


@pytest.mark.parametrize("limits", [("2/m", "100/h"), ("100/h", "2/m")])
def test_no_limit_hides_another(make_client: MakeClient, limits: tuple[str, ...]) -> None:
    """Each limit applies in any order, with valid and invalid tokens."""
    client = make_client(rate_limits=limits)
    assert [200, 200, 429] == statuses(client, 3)
    assert [401, 401, 429] == statuses(client.bearing("junk"), 3)


def test_forwarded_addresses_are_ignored() -> None:
    """`X-Forwarded-For` does not change the address that a limit applies to."""
    with mock_server(rate_limits=("2/h",)) as url, httpx.Client(base_url=url) as client:
        forged = [
            client.get("/identity/me", headers={"X-Forwarded-For": f"192.0.2.{number}"})
            for number in range(3)
        ]
        assert [401, 401, 429] == [reply.status_code for reply in forged]
        assert 200 == client.get("/identity/me", headers=BEARER).status_code


def test_preferred_responses_are_not_limited(make_client: MakeClient) -> None:
    """A requested response neither needs nor uses the allowance."""
    client = make_client(rate_limits=("1/m",))
    for _ in range(3):
        assert 402 == client.get("/identity/me", headers={"prefer": "code=402"}).status
    assert [200, 429] == statuses(client, 2)


def test_a_reset_restores_the_allowances(make_client: MakeClient) -> None:
    """After a reset, each client has its whole allowance."""
    client = make_client(rate_limits=("2/h",))
    for _ in range(2):
        assert [200, 200, 429] == statuses(client, 3)
        assert [401, 401, 429] == statuses(client.bearing("junk"), 3)
        assert 200 == client.below("/_mock").post("/reset").status


def test_a_reset_restores_the_quota(make_client: MakeClient) -> None:
    """After a reset, the quota counts from zero, also without rate limits."""
    client = make_client(quota=1)
    for _ in range(2):
        path = client.conversation()
        assert [200, 429] == [say(client, path).status, say(client, path).status]
        assert 200 == client.below("/_mock").post("/reset").status


def say(client: Client, path: str, **more: Any) -> Reply:
    """Send a message."""
    return client.post(f"{path}/messages", {"content": "Hello", **more})


def test_the_quota_does_not_recover(make_client: MakeClient, time: FakeTime) -> None:
    """All visitors share the quota, and its error has no time to wait."""
    client = make_client(quota=3)
    other = client.visitor("device-1")
    path, others = client.conversation(), other.conversation()
    assert [200, 200, 200] == [
        say(client, path).status,
        say(client, path, stream=True).status,
        say(other, others).status,
    ]
    for reply in (say(client, path), say(other, others)):
        assert (429, "USAGE_QUOTA_EXCEEDED") == (reply.status, reply.code)
        assert {"quota": 3} == reply.details
        assert "retry-after" not in reply.headers
    time.seconds += 1_000_000
    assert 429 == say(client, path).status
    assert 200 == client.post("/chat/completions", {"messages": []}).status
    assert 200 == client.get(path).status


def test_refused_messages_do_not_count(make_client: MakeClient) -> None:
    """Only stored messages count against the quota."""
    client = make_client(quota=1)
    path = client.conversation()
    assert 422 == say(client, path, content="").status
    assert 404 == say(client, f"/conversations/{UNKNOWN_ID}").status
    assert [200, 429] == [say(client, path).status, say(client, path).status]


def test_a_quota_may_be_zero(make_client: MakeClient) -> None:
    """With a quota of 0, the first message is refused."""
    client = make_client(quota=0)
    assert 429 == say(client, client.conversation()).status


def test_an_operation_without_a_429_is_not_limited(make_client: MakeClient) -> None:
    """`getProject` documents no 429 (C-21) and has no rate limit."""
    client = make_client(rate_limits=("1/m",))
    path = f"/projects/current?apiKey={API_KEY}"
    assert [200, 200, 200] == statuses(client, 3, path)
