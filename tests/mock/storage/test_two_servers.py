"""Tests for two servers on one database, which behave like a single one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.testing import mock_server
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def servers(shared_database: str) -> Iterator[list[str]]:
    """Run two servers on one database and return their base URLs."""
    with mock_server(database=shared_database) as one, mock_server(database=shared_database) as two:
        yield [one, two]


def operate(url: str, action: str, body: Any) -> None:
    """Call a control endpoint of a server."""
    httpx.post(f"{url.removesuffix('/v2')}/_mock/{action}", json=body).raise_for_status()


def test_a_client_can_alternate_between_servers(servers: list[str]) -> None:
    """A token, a conversation and the private key's visitor are the same at both servers."""
    one, two = servers
    session = httpx.post(f"{one}/identity/init", json={"apiKey": API_KEY, "saVid": "d"})
    bearer = {"Authorization": f"Bearer {session.json()['sessionToken']}"}
    with (
        httpx.Client(base_url=one, headers=bearer) as first,
        httpx.Client(base_url=two, headers=bearer) as second,
    ):
        path = f"/conversations/{first.post('/conversations').json()['id']}"
        for turn, client in enumerate([first, second] * 3):
            body = {"content": f"question {turn}", "stream": turn % 3 == 0}
            assert 200 == client.post(f"{path}/messages", json=body).status_code
        shown = [client.get(path).json() for client in (first, second)]
        assert shown[0] == shown[1]
        asked = [said for said in shown[0]["messages"] if said["role"] == "user"]
        assert [f"question {turn}" for turn in range(6)] == [
            said["parts"][0]["text"] for said in asked
        ]
        feedback = f"/messages/{shown[0]['messages'][1]['id']}/feedback"
        assert 200 == second.post(feedback, json={"feedback": "like"}).status_code
        assert 200 == second.post(f"{path}/close").status_code
        assert 409 == first.post(f"{path}/messages", json={"content": "x"}).status_code
        assert "like" == first.get(path).json()["messages"][1]["feedback"]
    again = httpx.post(f"{two}/identity/init", json={"apiKey": API_KEY, "saVid": "d"})
    assert (200, session.json()["visitor"]) == (again.status_code, again.json()["visitor"])
    found = [httpx.get(f"{url}/identity/me", headers=BEARER).json() for url in servers]
    assert found[0] == found[1]


def test_rate_limits_are_shared(shared_database: str) -> None:
    """A visitor has one allowance at both servers; a reset of one restores it."""
    settings: dict[str, Any] = {"database": shared_database, "rate_limits": ("3/h",)}
    with mock_server(**settings) as one, mock_server(**settings) as two:
        for _ in range(2):
            found = [httpx.get(f"{url}/identity/me", headers=BEARER) for url in [one, two] * 2]
            assert [200, 200, 200, 429] == [reply.status_code for reply in found]
            operate(two, "reset", {})


def test_a_reset_waits_for_writers(servers: list[str]) -> None:
    """A request during the reset of another server fails with a documented error only."""
    statuses: set[int] = set()
    done = threading.Event()

    def talk() -> None:
        with httpx.Client(base_url=servers[1], headers=BEARER) as client:
            while not done.is_set():
                path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
                statuses.add(client.post(path, json={"content": "x"}).status_code)

    thread = threading.Thread(target=talk)
    thread.start()
    for _ in range(10):
        operate(servers[0], "reset", {})
    done.set()
    thread.join()
    assert statuses <= {200, 404}
