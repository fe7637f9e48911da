"""Rate limits and the quota, as clients meet them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.testing import mock_server
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mock.conftest import Client, FakeTime, Reply


def statuses(client: Client, times: int, path: str = "/identity/me") -> list[int]:
    """Return the statuses of so many requests."""
    return [client.get(path).status for _ in range(times)]


def test_a_request_too_many_is_a_429(make_client: Callable[..., Client], time: FakeTime) -> None:
    """With the documented body, and the whole seconds to wait in it and in a header."""
    client = make_client(rate_limits=("2/m",))
    assert [200, 200] == statuses(client, 2)
    reply = client.get("/identity/me")
    assert (429, "RATE_LIMIT_EXCEEDED") == (reply.status, reply.code)
    assert ({"retryAfter": 30}, "30") == (reply.details, reply.headers["retry-after"])
    time.seconds += 29.5
    assert 1 == client.get("/identity/me").details["retryAfter"]
    time.seconds += 1
    assert [200, 429] == statuses(client, 2)


def test_every_visitor_has_an_allowance(make_client: Callable[..., Client]) -> None:
    """Over all sessions and operations, and the private key one of its own."""
    client = make_client(rate_limits=("2/m",))
    one, same = client.visitor("device-1"), client.visitor("device-1")
    assert [200] == statuses(one, 1)
    assert [200, 429] == statuses(same, 2, "/conversations")
    assert [200, 200, 429] == statuses(client, 3)


def test_made_up_tokens_share_one_allowance(make_client: Callable[..., Client]) -> None:
    """With everything else that comes from the same address without a credential."""
    client = make_client(rate_limits=("3/m",))
    guessing = [client.bearing(f"sk_{number}").get("/identity/me").status for number in range(4)]
    assert [401, 401, 401, 429] == guessing
    body = {"apiKey": "sa_pk_1234567890abcdef", "saVid": "device-1"}
    assert 429 == client.post("/identity/init", body).status
    assert 429 == client.get("/search?q=x&apiKey=sa_pk_1234567890abcdef").status
    assert [200] == statuses(client, 1)


@pytest.mark.parametrize("limits", [("2/m", "100/h"), ("100/h", "2/m")])
def test_no_limit_hides_another(
    make_client: Callable[..., Client], limits: tuple[str, ...]
) -> None:
    """Whatever their order, and whether the token is good or not."""
    client = make_client(rate_limits=limits)
    assert [200, 200, 429] == statuses(client, 3)
    assert [401, 401, 429] == statuses(client.bearing("junk"), 3)


def test_an_address_cannot_be_made_up() -> None:
    """Whoever names another one in `X-Forwarded-For` is still the same."""
    with mock_server(rate_limits=("2/h",)) as url, httpx.Client(base_url=url) as client:
        forged = [
            client.get("/identity/me", headers={"X-Forwarded-For": f"192.0.2.{number}"})
            for number in range(3)
        ]
        assert [401, 401, 429] == [reply.status_code for reply in forged]
        assert 200 == client.get("/identity/me", headers=BEARER).status_code


def test_answers_on_demand_are_free(make_client: Callable[..., Client]) -> None:
    """They look at nothing and count for nothing."""
    client = make_client(rate_limits=("1/m",))
    for _ in range(3):
        assert 402 == client.get("/identity/me", headers={"prefer": "code=402"}).status
    assert [200, 429] == statuses(client, 2)


def test_a_reset_gives_the_allowances_back(make_client: Callable[..., Client]) -> None:
    """So that each test of a suite has the same to spend."""
    client = make_client(rate_limits=("2/h",))
    operator = dataclasses.replace(client, base="/_mock")
    for _ in range(2):
        assert [200, 200, 429] == statuses(client, 3)
        assert [401, 401, 429] == statuses(client.bearing("junk"), 3)
        assert 200 == operator.post("/reset").status


def test_a_reset_gives_the_quota_back(make_client: Callable[..., Client]) -> None:
    """With the messages that it counts, and whether or not there are rate limits."""
    client = make_client(quota=1)
    for _ in range(2):
        path = client.conversation()
        assert [200, 429] == [say(client, path).status, say(client, path).status]
        assert 200 == dataclasses.replace(client, base="/_mock").post("/reset").status


def say(client: Client, path: str, **more: Any) -> Reply:
    """Send a message."""
    return client.post(f"{path}/messages", {"content": "Hello", **more})


def test_a_quota_ends_for_good(make_client: Callable[..., Client], time: FakeTime) -> None:
    """It is the whole project's, and there is no time to wait."""
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


def test_refused_messages_do_not_count(make_client: Callable[..., Client]) -> None:
    """Only those that are stored."""
    client = make_client(quota=1)
    path = client.conversation()
    assert 422 == say(client, path, content="").status
    assert 404 == say(client, "/conversations/123e4567-e89b-12d3-a456-426614174000").status
    assert [200, 429] == [say(client, path).status, say(client, path).status]


def test_a_quota_may_be_nothing(make_client: Callable[..., Client]) -> None:
    """Then nobody may say a word."""
    client = make_client(quota=0)
    assert 429 == say(client, client.conversation()).status


def test_an_operation_without_a_429_is_not_limited(make_client: Callable[..., Client]) -> None:
    """Rates do not count for `getProject`, whose page lists no such answer (C-21)."""
    client = make_client(rate_limits=("1/m",))
    path = "/projects/current?apiKey=sa_pk_1234567890abcdef"
    assert [200, 200, 200] == statuses(client, 3, path)
