"""Tests for a reset by another process during a request.

Two stores share a database. The second store is cleared after the check of the bearer
and before the handler. A request may then fail with a documented error only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from siteassist_mock.storage.store import Store
    from tests.mock.conftest import Client, MakeClient, OpenStore


@pytest.fixture
def client(make_client: MakeClient, shared_database: str) -> Client:
    """Create a client of a server with the shared database."""
    return make_client(database=shared_database)


@pytest.fixture
def other(open_store: OpenStore, client: Client, shared_database: str) -> Store:
    """Open a second store on the database."""
    assert client.app.state.store is not None
    return open_store(shared_database)


@pytest.fixture
def reset_within_request(monkeypatch: pytest.MonkeyPatch, other: Store) -> Callable[[], None]:
    """Return a function that makes the next request clear the second store.

    It replaces the check of the limits, which runs between the bearer and the handler.
    """
    return lambda: monkeypatch.setattr(Limits, "check", lambda *_: other.clear())


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/conversations", None),
        ("POST", "{chat}/messages", {"content": "x"}),
        ("POST", "{chat}/messages", {"content": "x", "stream": True}),
        ("POST", "{chat}/close", None),
        ("POST", "/messages/{message}/feedback", {"feedback": "like"}),
        ("GET", "/conversations", None),
        ("GET", "{chat}", None),
        ("GET", "{chat}/messages", None),
    ],
)
def test_a_deleted_session_is_a_401(
    client: Client, reset_within_request: Callable[[], None], method: str, path: str, body: Any
) -> None:
    """The request is a 401, and nothing is stored for the deleted visitor."""
    visitor = client.visitor("device-1")
    chat = visitor.conversation()
    assert 200 == visitor.post(f"{chat}/messages", {"content": "x"}).status
    message = visitor.get(chat).json["messages"][1]["id"]
    reset_within_request()
    reply = visitor.request(method, path.format(chat=chat, message=message), body=body)
    assert (401, "UNAUTHORIZED") == (reply.status, reply.code)
    with client.app.state.store.read() as records:
        assert {"conversations": 0, "messages": 0}.items() <= records.counts().items()


def test_the_private_key_outlives_a_reset(
    client: Client, reset_within_request: Callable[[], None]
) -> None:
    """The private key stays valid; earlier conversations are a 404, and a new one can start."""
    chat = client.conversation()
    reset_within_request()
    assert [404, 404, 201] == [
        client.post(f"{chat}/messages", {"content": "x"}).status,
        client.post(f"{chat}/close").status,
        client.post("/conversations").status,
    ]


def test_a_stream_outlives_a_reset(client: Client, other: Store) -> None:
    """A stream ends normally although its conversation no longer exists."""
    chat = client.conversation()
    settle = client.app.state.store.write
    begun = 0

    def write() -> Any:
        nonlocal begun
        begun += 1
        # The first transaction is for the question, the second for the end of the answer.
        if 2 == begun:
            other.clear()
        return settle()

    client.app.state.store.write = write
    reply = client.post(f"{chat}/messages", {"content": "x", "stream": True})
    assert (2, 200, "[DONE]") == (begun, reply.status, reply.events[-1])
    assert 404 == client.get(chat).status


@pytest.mark.parametrize(
    ("action", "body"),
    [("handover", {}), ("agent-messages", {"content": "x"}), ("close", {})],
)
def test_an_operator_gets_a_404(client: Client, other: Store, action: str, body: Any) -> None:
    """An action in a conversation that no longer exists is a 404."""
    chat = client.conversation()
    operator = client.below("/_mock")
    assert 200 == operator.post(f"{chat}/handover").status
    other.clear()
    reply = operator.post(f"{chat}/{action}", body)
    assert (404, "CONVERSATION_NOT_FOUND") == (reply.status, reply.code)
