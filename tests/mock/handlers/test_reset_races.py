"""A reset by another process between the check of a bearer and what the request does.

Two servers share a database. The second one is only there for its store, which is
cleared at exactly that moment; no request may fail by more than a documented error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.http.limits import Limits
from siteassist_mock.storage.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.mock.conftest import Client, FakeTime


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Make a database that two processes can share."""
    if "sqlite" == request.param:
        return str(tmp_path / "mock.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def client(make_client: Callable[..., Client], shared: str) -> Client:
    """Make a client of a server on that database."""
    return make_client(database=shared)


@pytest.fixture
def other(shared: str, client: Client, time: FakeTime) -> Iterator[Store]:
    """Open the database a second time."""
    assert client.app.state.store is not None
    store = Store(time, shared)
    yield store
    store.close()


@pytest.fixture
def reset_in_between(monkeypatch: pytest.MonkeyPatch, other: Store) -> Callable[[], None]:
    """Return what has the other store cleared within the next request.

    Limits are checked after the bearer and before the handler.
    """

    def arm() -> None:
        def clear(*_: Any) -> None:
            other.clear()

        monkeypatch.setattr(Limits, "check", clear)

    return arm


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
def test_a_session_that_is_gone_is_a_401(
    client: Client, reset_in_between: Callable[[], None], method: str, path: str, body: Any
) -> None:
    """As a moment later, and nothing is stored for a visitor who is not there."""
    visitor = client.visitor("device-1")
    chat = visitor.conversation()
    assert 200 == visitor.post(f"{chat}/messages", {"content": "x"}).status
    message = visitor.get(chat).json["messages"][1]["id"]
    reset_in_between()
    reply = visitor.request(method, path.format(chat=chat, message=message), body=body)
    assert (401, "UNAUTHORIZED") == (reply.status, reply.code)
    with client.app.state.store.read() as records:
        assert {"conversations": 0, "messages": 0}.items() <= records.counts().items()


def test_the_private_key_outlives_a_reset(
    client: Client, reset_in_between: Callable[[], None]
) -> None:
    """Its visitor is there from the start; what it had is a 404, and it can begin anew."""
    chat = client.conversation()
    reset_in_between()
    assert [404, 404, 201] == [
        client.post(f"{chat}/messages", {"content": "x"}).status,
        client.post(f"{chat}/close").status,
        client.post("/conversations").status,
    ]


def test_a_stream_outlives_a_reset(client: Client, other: Store) -> None:
    """It ends as it should, though there is nothing left in which to store it."""
    chat = client.conversation()
    settle = client.app.state.store.write
    begun = 0

    def write() -> Any:
        nonlocal begun
        begun += 1
        # The first is for the question, the second for the end of the answer.
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
    """What the page shows may be gone already."""
    chat = client.conversation()
    operator = type(client)(client.app, client.spec, base="/_mock")
    assert 200 == operator.post(f"{chat}/handover").status
    other.clear()
    reply = operator.post(f"{chat}/{action}", body)
    assert (404, "CONVERSATION_NOT_FOUND") == (reply.status, reply.code)
