"""The WebSocket of a conversation: real ones, and the application by itself."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from siteassist_mock.app import create_app
from siteassist_mock.handlers import views
from siteassist_mock.http.access_log import LOGGER
from siteassist_mock.http.authentication import Authenticator
from siteassist_mock.http.call import Services
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.limits import Limits
from siteassist_mock.settings import MockSettings
from siteassist_mock.sockets import conversation as sockets
from siteassist_mock.sockets.conversation import (
    MAX_PENDING,
    MAX_SENT_BYTES,
    ConversationSockets,
)
from siteassist_mock.storage.events import ConversationEvent, LocalEvents
from siteassist_mock.storage.store import Store
from siteassist_mock.testing import serving
from tests.values import API_KEY as KEY
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from starlette.applications import Starlette
    from starlette.types import Message, Receive, Scope, Send

NOBODYS = "123e4567-e89b-12d3-a456-426614174000"
SECONDS = 20


class Running:
    """A server with one conversation."""

    def __init__(self, app: Starlette, url: str) -> None:
        """Start the conversation."""
        self.app = app
        self.url = url
        self.chat = str(self.post(f"{url}/conversations").json()["id"])

    def post(self, url: str, body: Any = None) -> httpx.Response:
        """Send a request by the private key, which the control endpoints ignore."""
        return httpx.post(url, json=body, headers={**BEARER, "Content-Type": "application/json"})

    def operate(self, action: str, body: Any = None) -> Any:
        """Do something at the operator's console."""
        reply = self.post(f"{self.url.removesuffix('/v2')}/_mock/{action}", body)
        assert reply.is_success
        return reply.json()

    def socket_url(self, chat: str = "", query: str = f"?apiKey={KEY}") -> str:
        """Return the address of a conversation's socket."""
        host = self.url.replace("http", "ws")
        return f"{host}/conversations/{chat or self.chat}/ws{query}"


@pytest.fixture
def server() -> Iterator[Running]:
    """Run a server."""
    app = create_app(MockSettings(strict=True))
    with serving(app) as url:
        yield Running(app, url)


def test_a_visitor_hears_of_a_human_agent(server: Running) -> None:
    """First that there is one, then each message as it is stored; on every connection."""
    chat = server.chat
    with (
        connect(server.socket_url(), proxy=None) as one,
        connect(server.socket_url(chat.upper()), proxy=None) as two,
    ):
        server.operate(f"conversations/{chat}/handover", {"name": "Sam"})
        stored = server.operate(f"conversations/{chat}/agent-messages", {"content": "Hé <b>"})
        for socket in (one, two):
            assert json.loads(socket.recv(SECONDS)) == {"type": "human_assigned", "chatId": chat}
            assert json.loads(socket.recv(SECONDS)) == {
                "type": "new_message",
                "chatId": chat,
                "message": stored,
            }


def test_only_human_agents_messages_are_pushed(server: Running) -> None:
    """The visitor has the others already; the first thing pushed is the agent's."""
    messages = f"{server.url}/conversations/{server.chat}/messages"
    with connect(server.socket_url(), proxy=None) as socket:
        assert server.post(messages, {"content": "hello"}).status_code == 200
        server.operate(f"conversations/{server.chat}/handover")
        assert server.post(messages, {"content": "hello?"}).status_code == 202
        server.operate(f"conversations/{server.chat}/agent-messages", {"content": "Yes"})
        pushed = [json.loads(socket.recv(SECONDS)) for _ in range(2)]
    assert [event["type"] for event in pushed] == ["human_assigned", "new_message"]
    assert pushed[1]["message"]["role"] == "human_agent"


def test_others_hear_nothing(server: Running) -> None:
    """A socket is told of its own conversation only."""
    other = server.post(f"{server.url}/conversations").json()["id"]
    with connect(server.socket_url(other), proxy=None) as socket:
        server.operate(f"conversations/{server.chat}/handover")
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"


def test_a_ping_is_answered(server: Running) -> None:
    """Each one, and nothing else that a client may say."""
    with connect(server.socket_url(), proxy=None) as socket:
        for said in ("ping", "PING", b"ping", "", "x" * MAX_SENT_BYTES, "ping"):
            socket.send(said)
        assert [socket.recv(SECONDS), socket.recv(SECONDS)] == ["pong", "pong"]
        assert not socket.protocol.extensions


@pytest.mark.parametrize(
    ("chat", "query", "status", "code"),
    [
        ("", "?apiKey=sa_pk_wrong", 401, "UNAUTHORIZED"),
        ("", "?apiKey=sk_test_1234567890abcdef", 401, "UNAUTHORIZED"),
        ("", "", 400, "INVALID_PARAMETER"),
        ("x", f"?apiKey={KEY}", 400, "INVALID_PARAMETER"),
        (NOBODYS, f"?apiKey={KEY}", 404, "CONVERSATION_NOT_FOUND"),
        (NOBODYS, "?apiKey=sa_pk_wrong", 401, "UNAUTHORIZED"),
        ("a/b", f"?apiKey={KEY}", 404, "NOT_FOUND"),
    ],
)
def test_a_handshake_is_refused(
    server: Running,
    caplog: pytest.LogCaptureFixture,
    chat: str,
    query: str,
    status: int,
    code: str,
) -> None:
    """With the API's own error, and without a word in the server's log."""
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(InvalidStatus) as refused,
        connect(server.socket_url(chat, query), proxy=None),
    ):
        pass
    response = refused.value.response
    assert (response.status_code, json.loads(response.body)["error"]["code"]) == (status, code)
    assert caplog.records == []


def test_a_request_without_an_upgrade_is_a_404(server: Running) -> None:
    """There is nothing at this address for plain HTTP."""
    reply = httpx.get(server.socket_url().replace("ws", "http", 1), headers=BEARER)
    assert reply.status_code == 404


def test_there_are_only_so_many_sockets(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """One too many is told to come back later; the others go on."""
    monkeypatch.setattr(sockets, "MAX_OPEN", 1)
    with connect(server.socket_url(), proxy=None) as socket:
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(server.socket_url(), proxy=None),
        ):
            pass
        assert refused.value.response.status_code == 503
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"


def test_a_handshake_counts_against_the_rate_limit() -> None:
    """For its address, before anything else is looked at, like any request without a bearer."""
    app = create_app(MockSettings(rate_limits=("2/h",)))
    with serving(app) as url:
        server = Running(app, url)
        address = server.socket_url()
        with connect(address, proxy=None):
            pass
        with pytest.raises(InvalidStatus) as wrong, connect(f"{address}x", proxy=None):
            pass
        with pytest.raises(InvalidStatus) as refused, connect(address, proxy=None):
            pass
    assert [401, 429] == [e.value.response.status_code for e in (wrong, refused)]
    response = refused.value.response
    assert ("1800", "RATE_LIMIT_EXCEEDED") == (
        response.headers["retry-after"],
        json.loads(response.body)["error"]["code"],
    )


def test_a_large_message_ends_the_connection(server: Running) -> None:
    """With the code that the standard has for it."""
    with connect(server.socket_url(), proxy=None) as socket:
        socket.send("x" * (MAX_SENT_BYTES + 1))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009


def test_a_stop_closes_sockets(caplog: pytest.LogCaptureFixture) -> None:
    """With the code for a server that goes away, after what was still to be said."""
    app = create_app(MockSettings())
    with caplog.at_level(logging.ERROR), serving(app) as url:
        running = Running(app, url)
        connection = connect(running.socket_url(), proxy=None)
        socket = connection.__enter__()
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    connection.__exit__(None, None, None)
    assert caplog.records == []


def test_a_reset_closes_sockets(server: Running) -> None:
    """The conversation is gone; a client that comes back finds that out."""
    with connect(server.socket_url(), proxy=None) as socket:
        server.operate("reset")
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    with pytest.raises(InvalidStatus), connect(server.socket_url(), proxy=None):
        pass


def test_events_cross_servers(postgres_url: str) -> None:
    """A visitor at one hears of what the operator does at the other, and finds it stored."""
    settings = MockSettings(database=postgres_url)
    one, two = create_app(settings), create_app(settings)
    with serving(one) as url, serving(two) as other:
        running = Running(one, url)
        with connect(running.socket_url(), proxy=None) as socket:
            running.url = other
            running.operate(f"conversations/{running.chat}/handover", {"name": "Sam"})
            stored = running.operate(
                f"conversations/{running.chat}/agent-messages", {"content": "x" * 10_000}
            )
            assert json.loads(socket.recv(SECONDS))["type"] == "human_assigned"
            assert json.loads(socket.recv(SECONDS))["message"] == stored
            running.operate("reset")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


class Peer:
    """A client of the application by itself; ``sent`` is what it was told."""

    def __init__(self, chat: str) -> None:
        """Ask for the socket of a conversation."""
        self.scope: Scope = {
            "type": "websocket",
            "path_params": {"conversationId": chat},
            "query_string": f"apiKey={KEY}".encode(),
        }
        self.said: asyncio.Queue[Message] = asyncio.Queue()
        self.said.put_nowait({"type": "websocket.connect"})
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.told = asyncio.Event()
        self.failure: Exception | None = None

    async def receive(self) -> Message:
        """Return what the client says next."""
        return await self.said.get()

    async def send(self, message: Message) -> None:
        """Take a message, once the client reads."""
        await self.reading.wait()
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)
        self.told.set()

    async def connect(self, app: Any) -> asyncio.Task[None]:
        """Start the application and wait until the handshake is complete."""
        receive: Receive = self.receive
        send: Send = self.send
        task: asyncio.Task[None] = asyncio.ensure_future(app(self.scope, receive, send))
        await self.told.wait()
        assert self.sent == [{"type": "websocket.accept"}]
        return task


async def within(awaited: Awaitable[Any], problem: str) -> None:
    """Wait, and fail with ``problem`` instead of for ever."""
    try:
        await asyncio.wait_for(awaited, SECONDS)
    except TimeoutError:
        pytest.fail(problem)


@dataclasses.dataclass
class Alone:
    """The application without a server."""

    app: ConversationSockets
    events: LocalEvents
    store: Store
    chat: str


@pytest.fixture
def alone(spec: dict[str, Any]) -> Iterator[Alone]:
    """Make the application, and one conversation."""
    settings = MockSettings()
    store = Store(settings.now)
    services = Services(settings, store, Authenticator(store, settings), LocalEvents())
    with store.write() as records:
        visitor, _ = records.find_or_add_visitor("p", "d")
        chat = records.add_conversation(visitor.id).id
    assert isinstance(services.events, LocalEvents)
    limits = Limits(store, [], None)
    yield Alone(ConversationSockets(services, spec, limits), services.events, store, chat)
    store.close()


def test_a_client_that_does_not_read_is_dropped(alone: Alone) -> None:
    """After so many events, without a word, and without holding up the others."""

    async def scenario() -> tuple[Peer, Peer]:
        slow, quick = Peer(alone.chat), Peer(alone.chat)
        dropped, going_on = await slow.connect(alone.app), await quick.connect(alone.app)
        slow.reading.clear()
        # One is on its way to the client already.
        for number in range(MAX_PENDING + 2):
            quick.told.clear()
            alone.events.publish(alone.chat, ConversationEvent("human_assigned"))
            await within(quick.told.wait(), f"the quick client was not told of event {number}")
        await within(dropped, "the client that does not read was not dropped")
        quick.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await within(going_on, "the quick client's socket did not end with the client")
        return slow, quick

    slow, quick = asyncio.run(scenario())
    assert slow.sent == [{"type": "websocket.accept"}]
    assert len(quick.sent) == 1 + MAX_PENDING + 2


def test_a_stop_does_not_wait_for_who_does_not_read(
    alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The close is tried, and given up."""
    monkeypatch.setattr(sockets, "_CLOSE_SECONDS", 0.01)

    async def scenario() -> Peer:
        peer = Peer(alone.chat)
        task = await peer.connect(alone.app)
        peer.reading.clear()
        alone.app.close()
        await task
        return peer

    assert asyncio.run(scenario()).sent == [{"type": "websocket.accept"}]


def test_after_a_stop_there_are_no_new_sockets(alone: Alone) -> None:
    """A handshake that was on its way is told that the server is not there."""

    async def scenario() -> None:
        alone.app.close()
        peer = Peer(alone.chat)
        await alone.app(peer.scope, peer.receive, peer.send)

    with pytest.raises(ApiError) as refused:
        asyncio.run(scenario())
    assert 503 == refused.value.status


@pytest.mark.parametrize("failure", [ConnectionResetError(), RuntimeError("after close")])
def test_a_client_that_left_is_no_failure(alone: Alone, failure: Exception) -> None:
    """In whichever way the server says that nothing can be sent any more."""

    async def scenario() -> None:
        peer = Peer(alone.chat)
        task = await peer.connect(alone.app)
        peer.failure = failure
        alone.events.publish(alone.chat, ConversationEvent("human_assigned"))
        await task

    asyncio.run(scenario())


def test_a_mistake_is_a_failure(alone: Alone, monkeypatch: pytest.MonkeyPatch) -> None:
    """What breaks goes to the server, which logs it and cuts the connection."""

    async def scenario() -> None:
        peer = Peer(alone.chat)
        task = await peer.connect(alone.app)
        monkeypatch.setattr(views, "message", lambda _row: 1 / 0)
        with alone.store.write() as records:
            message = records.add_message(alone.chat, "human_agent", "x")
        alone.events.publish(alone.chat, ConversationEvent("new_message", message.id))
        await task

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())


def test_a_message_that_is_gone_is_left_out(alone: Alone) -> None:
    """The next event comes all the same."""

    async def scenario() -> Peer:
        peer = Peer(alone.chat)
        task = await peer.connect(alone.app)
        peer.told.clear()
        alone.events.publish(alone.chat, ConversationEvent("new_message", NOBODYS))
        alone.events.publish(alone.chat, ConversationEvent("human_assigned"))
        await peer.told.wait()
        peer.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await task
        return peer

    sent = asyncio.run(scenario()).sent[1:]
    assert [json.loads(message["text"])["type"] for message in sent] == ["human_assigned"]


def test_a_conversation_that_is_gone_is_refused(alone: Alone) -> None:
    """And nobody goes on listening to it."""

    async def scenario() -> None:
        peer = Peer(NOBODYS)
        await alone.app(peer.scope, peer.receive, peer.send)

    with pytest.raises(ApiError):
        asyncio.run(scenario())
    alone.events.publish(None, ConversationEvent("reset"))


def test_an_event_for_a_loop_that_ended_is_dropped(alone: Alone) -> None:
    """It may come from another thread at the moment when the listener's own ends."""

    async def make() -> Any:
        return sockets._Outbox()

    asyncio.run(make()).put(ConversationEvent("human_assigned"))
    assert alone.chat


def test_only_the_first_end_counts() -> None:
    """A connection that is being closed is not closed for another reason."""

    async def end_twice() -> int | None:
        outbox = sockets._Outbox()
        outbox.end(sockets.GOING_AWAY)
        outbox.put(ConversationEvent("reset"))
        await asyncio.sleep(0)
        return outbox.ended.result()

    assert asyncio.run(end_twice()) == sockets.GOING_AWAY


def test_a_refused_handshake_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With its status, and without the key."""
    app = create_app()
    peer = Peer(NOBODYS)
    peer.scope["path"] = f"/v2/conversations/{NOBODYS}/ws"
    peer.scope["headers"] = []
    with caplog.at_level(logging.INFO, LOGGER):
        asyncio.run(app(peer.scope, peer.receive, peer.send))
    app.state.store.close()
    target = f"/v2/conversations/{NOBODYS}/ws?apiKey=***"
    assert [line.split()[:3] for line in caplog.messages] == [["WS", target, "404"]]
