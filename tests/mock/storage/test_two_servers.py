"""Two servers on one PostgreSQL database: to a client they are one."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from siteassist_mock.testing import mock_server
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 20


@pytest.fixture
def servers(postgres_url: str) -> Iterator[list[str]]:
    """Run two servers on one database; return their addresses."""
    with mock_server(database=postgres_url) as one, mock_server(database=postgres_url) as two:
        yield [one, two]


def operate(url: str, action: str, body: Any) -> None:
    """Do something at the operator's console of a server."""
    httpx.post(f"{url.removesuffix('/v2')}/_mock/{action}", json=body).raise_for_status()


def test_a_client_may_talk_to_both_in_turn(servers: list[str]) -> None:
    """With one token it has one conversation everywhere, and pages fit together."""
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


def test_the_private_key_is_the_same_visitor_at_both(servers: list[str]) -> None:
    """Though each server has looked it up for itself."""
    found = [httpx.get(f"{url}/identity/me", headers=BEARER).json() for url in servers]
    assert found[0] == found[1]


def test_what_an_agent_does_at_one_is_heard_at_the_other(servers: list[str]) -> None:
    """In order, and with the message as it is stored; a reset ends the sockets of both."""
    one, two = servers
    chat = httpx.post(f"{one}/conversations", headers=BEARER).json()["id"]
    address = f"{two.replace('http', 'ws', 1)}/conversations/{chat}/ws?apiKey={API_KEY}"
    with connect(address) as socket:
        operate(one, f"conversations/{chat}/handover", {"name": "Sam"})
        operate(one, f"conversations/{chat}/agent-messages", {"content": "Hello from Sam"})
        heard = [json.loads(socket.recv(timeout=PATIENCE)) for _ in range(2)]
        assert ["human_assigned", "new_message"] == [event["type"] for event in heard]
        stored = httpx.get(f"{two}/conversations/{chat}", headers=BEARER).json()
        assert stored["messages"] == [heard[1]["message"]]
        operate(one, "reset", {})
        with pytest.raises(ConnectionClosed):
            socket.recv(timeout=PATIENCE)
    assert 404 == httpx.get(f"{two}/conversations/{chat}", headers=BEARER).status_code


def test_rate_limits_are_shared(postgres_url: str) -> None:
    """A visitor has one allowance, whichever server it asks; a reset of one gives it back."""
    settings: dict[str, Any] = {"database": postgres_url, "rate_limits": ("3/h",)}
    with mock_server(**settings) as one, mock_server(**settings) as two:
        for _ in range(2):
            found = [httpx.get(f"{url}/identity/me", headers=BEARER) for url in [one, two] * 2]
            assert [200, 200, 200, 429] == [reply.status_code for reply in found]
            operate(two, "reset", {})


def test_a_reset_waits_for_those_who_write(servers: list[str]) -> None:
    """No request fails because of what another server removes at the same moment."""
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
