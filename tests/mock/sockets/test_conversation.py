"""Tests for the conversation's WebSocket, over real sockets and without a server."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from contextlib import suppress
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
from siteassist_mock.http.stalled_connections import SECONDS as SECONDS_OF
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
from siteassist_spec import Document, read_websockets
from tests.mock.command import limited
from tests.values import API_KEY as KEY
from tests.values import BEARER, PRIVATE_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator

    from starlette.applications import Starlette
    from starlette.types import Message, Receive, Scope, Send
    from websockets.sync.client import ClientConnection

SECONDS = 20


class Running:
    """A running server with one conversation."""

    def __init__(self, app: Starlette, url: str) -> None:
        """Start the conversation."""
        self.app = app
        self.url = url
        self.chat = str(self.post(f"{url}/conversations").json()["id"])

    def post(self, url: str, body: Any = None) -> httpx.Response:
        """Send a POST with the private key, which the control endpoints ignore."""
        return httpx.post(url, json=body, headers={**BEARER, "Content-Type": "application/json"})

    def operate(self, action: str, body: Any = None) -> Any:
        """Call a control endpoint and return its response."""
        reply = self.post(f"{self.url.removesuffix('/v2')}/_mock/{action}", body)
        assert reply.is_success
        return reply.json()

    def socket_url(self, chat: str = "", query: str = f"?apiKey={KEY}") -> str:
        """Return the URL of a conversation's socket."""
        host = self.url.replace("http", "ws")
        return f"{host}/conversations/{chat or self.chat}/ws{query}"


def close_code(socket: ClientConnection) -> int:
    """Wait until the server closes the socket and return its close code."""
    with pytest.raises(ConnectionClosed) as closed:
        socket.recv(SECONDS)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def refusal(address: str) -> tuple[int, str, str | None]:
    """Return the status, the error code and the ``Retry-After`` of a refused handshake."""
    with pytest.raises(InvalidStatus) as refused, connect(address, proxy=None):
        pass
    response = refused.value.response
    code = json.loads(response.body)["error"]["code"]
    return response.status_code, code, response.headers.get("retry-after")


@pytest.fixture
def server() -> Iterator[Running]:
    """Run a strict server."""
    app = create_app(MockSettings(strict=True))
    with serving(app) as url:
        yield Running(app, url)


def test_a_visitor_receives_agent_events(server: Running) -> None:
    """Each connection receives the handover, then each of the agent's messages as stored."""
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


def test_only_agent_messages_are_pushed(server: Running) -> None:
    """The visitor's and the assistant's messages are not pushed."""
    messages = f"{server.url}/conversations/{server.chat}/messages"
    with connect(server.socket_url(), proxy=None) as socket:
        assert server.post(messages, {"content": "hello"}).status_code == 200
        server.operate(f"conversations/{server.chat}/handover")
        assert server.post(messages, {"content": "hello?"}).status_code == 202
        server.operate(f"conversations/{server.chat}/agent-messages", {"content": "Yes"})
        pushed = [json.loads(socket.recv(SECONDS)) for _ in range(2)]
    assert [event["type"] for event in pushed] == ["human_assigned", "new_message"]
    assert pushed[1]["message"]["role"] == "human_agent"


def test_other_conversations_receive_nothing(server: Running) -> None:
    """A socket receives the events of its own conversation only."""
    other = server.post(f"{server.url}/conversations").json()["id"]
    with connect(server.socket_url(other), proxy=None) as socket:
        server.operate(f"conversations/{server.chat}/handover")
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"


def test_a_ping_is_answered(server: Running) -> None:
    """Each text "ping" is answered; any other message is ignored."""
    with connect(server.socket_url(), proxy=None) as socket:
        for text in ("ping", "PING", b"ping", "", "x" * MAX_SENT_BYTES, "ping"):
            socket.send(text)
        assert [socket.recv(SECONDS), socket.recv(SECONDS)] == ["pong", "pong"]
        assert not socket.protocol.extensions


@pytest.mark.parametrize(
    ("chat", "query", "status", "code"),
    [
        ("", "?apiKey=sa_pk_wrong", 401, "UNAUTHORIZED"),
        ("", f"?apiKey={PRIVATE_KEY}", 401, "UNAUTHORIZED"),
        ("", "", 400, "INVALID_PARAMETER"),
        ("x", f"?apiKey={KEY}", 400, "INVALID_PARAMETER"),
        (UNKNOWN_ID, f"?apiKey={KEY}", 404, "CONVERSATION_NOT_FOUND"),
        (UNKNOWN_ID, "?apiKey=sa_pk_wrong", 401, "UNAUTHORIZED"),
        ("a/b", f"?apiKey={KEY}", 404, "NOT_FOUND"),
    ],
)
def test_a_handshake_is_refused(
    server: Running, caplog: pytest.LogCaptureFixture, chat: str, query: str, status: int, code: str
) -> None:
    """A refused handshake has the API's error body and logs no error."""
    with caplog.at_level(logging.ERROR):
        assert refusal(server.socket_url(chat, query))[:2] == (status, code)
    assert caplog.records == []


def test_a_request_without_an_upgrade_is_a_404(server: Running) -> None:
    """The path of the socket does not exist for plain HTTP."""
    reply = httpx.get(server.socket_url().replace("ws", "http", 1), headers=BEARER)
    assert reply.status_code == 404


def test_the_number_of_sockets_is_limited(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An excess handshake is a 503, and the open sockets keep working."""
    monkeypatch.setattr(sockets, "MAX_OPEN", 1)
    with connect(server.socket_url(), proxy=None) as socket:
        assert refusal(server.socket_url())[0] == 503
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"


def test_a_handshake_counts_against_the_rate_limit() -> None:
    """A handshake counts for its address, before any other check."""
    app = create_app(MockSettings(rate_limits=("2/h",)))
    with serving(app) as url:
        server = Running(app, url)
        address = server.socket_url()
        with connect(address, proxy=None):
            pass
        assert refusal(f"{address}x")[0] == 401
        assert refusal(address) == (429, "RATE_LIMIT_EXCEEDED", "1800")


def test_a_large_message_ends_the_connection(server: Running) -> None:
    """A message beyond the limit closes the socket with the code 1009."""
    with connect(server.socket_url(), proxy=None) as socket:
        socket.send("x" * (MAX_SENT_BYTES + 1))
        assert close_code(socket) == 1009


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        # Text that is not UTF-8, whole and in two frames.
        ([(True, 1, b"\xff")], 1007),
        ([(False, 1, b"\xc3"), (True, 0, b"\x28")], 1007),
        # Frames without content do not count as the size of a message.
        ([(False, 1, b""), *[(False, 0, b"")] * 1000], 1009),
    ],
)
def test_a_malformed_message_ends_the_connection(
    server: Running, caplog: pytest.LogCaptureFixture, frames: list[Any], code: int
) -> None:
    """A client that violates the protocol is told so, and nothing is logged."""
    with connect(server.socket_url(), proxy=None) as socket:
        with suppress(OSError):
            socket.socket.sendall(b"".join(frame(*each) for each in frames))
        assert close_code(socket) == code
    assert [] == caplog.records


def frame(final: bool, opcode: int, data: bytes) -> bytes:
    """Return a frame of a client; its mask has no effect."""
    return bytes([128 * final + opcode, 128 + len(data), 0, 0, 0, 0]) + data


def test_a_split_character_is_one_message(server: Running) -> None:
    """Text in several frames is decoded as a whole."""
    with connect(server.socket_url(), proxy=None) as socket:
        socket.socket.sendall(frame(False, 1, b"\xc3") + frame(True, 0, b"\xa9"))
        socket.send("ping")
        assert "pong" == socket.recv(SECONDS)


def test_a_client_that_does_not_read_pongs_is_dropped(server: Running) -> None:
    """The unread answers to pings do not fill the memory of the server."""
    ping = frame(True, 9, b"x" * 125)
    with connect(server.socket_url(), proxy=None) as socket:

        def flood() -> None:
            for _ in range(1000):
                socket.socket.sendall(ping * 1000)

        # The library would read the answers.
        with (
            socket.protocol_mutex,
            pytest.raises((ConnectionResetError, BrokenPipeError)),
        ):
            flood()


def test_a_silent_socket_is_closed() -> None:
    """A client that sends nothing for the time of the protocol makes room for others."""
    with limited(stalled_seconds={**SECONDS_OF, "socket": 0.0}) as url:
        chat = httpx.post(f"{url}/conversations", headers=BEARER).json()["id"]
        host = url.replace("http", "ws")
        with connect(f"{host}/conversations/{chat}/ws?apiKey={KEY}", proxy=None) as socket:
            assert close_code(socket) == 1001


def test_a_stop_closes_sockets(caplog: pytest.LogCaptureFixture) -> None:
    """A shutdown closes a socket with the code 1001, after the pending messages."""
    app = create_app(MockSettings())
    with caplog.at_level(logging.ERROR), serving(app) as url:
        running = Running(app, url)
        connection = connect(running.socket_url(), proxy=None)
        socket = connection.__enter__()
        socket.send("ping")
        assert socket.recv(SECONDS) == "pong"
    assert close_code(socket) == 1001
    connection.__exit__(None, None, None)
    assert caplog.records == []


def test_a_reset_closes_sockets(server: Running) -> None:
    """A reset closes a socket with the code 1012, and its conversation is gone."""
    with connect(server.socket_url(), proxy=None) as socket:
        server.operate("reset")
        assert close_code(socket) == 1012
    assert refusal(server.socket_url())[:2] == (404, "CONVERSATION_NOT_FOUND")


def test_events_cross_servers(postgres_url: str) -> None:
    """A socket at one server receives the agent's actions and the reset at another."""
    settings = MockSettings(database=postgres_url)
    one, two = create_app(settings), create_app(settings)
    with serving(one) as url, serving(two) as other:
        running = Running(one, url)
        conversation = f"{url}/conversations/{running.chat}"
        with connect(running.socket_url(), proxy=None) as socket:
            running.url = other
            running.operate(f"conversations/{running.chat}/handover", {"name": "Sam"})
            stored = running.operate(
                f"conversations/{running.chat}/agent-messages", {"content": "x" * 10_000}
            )
            assert json.loads(socket.recv(SECONDS))["type"] == "human_assigned"
            event = json.loads(socket.recv(SECONDS))
            assert (event["type"], event["message"]) == ("new_message", stored)
            assert httpx.get(conversation, headers=BEARER).json()["messages"] == [stored]
            running.operate("reset")
            assert close_code(socket) == 1012
        assert httpx.get(conversation, headers=BEARER).status_code == 404


class Peer:
    """A client of the application without a server; ``sent`` has the application's messages."""

    def __init__(self, chat: str) -> None:
        """Prepare a handshake for a conversation's socket."""
        self.scope: Scope = {
            "type": "websocket",
            "path_params": {"conversationId": chat},
            "query_string": f"apiKey={KEY}".encode(),
        }
        self.incoming: asyncio.Queue[Message] = asyncio.Queue()
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.notified = asyncio.Event()
        self.failure: Exception | None = None

    async def receive(self) -> Message:
        """Return the next message of the client."""
        return await self.incoming.get()

    async def send(self, message: Message) -> None:
        """Record a message of the application once the client reads."""
        await self.reading.wait()
        if self.failure is not None:
            raise self.failure
        self.sent.append(message)
        self.notified.set()

    async def connect(self, app: Any) -> asyncio.Task[None]:
        """Start the application and wait until the handshake is complete."""
        receive: Receive = self.receive
        send: Send = self.send
        task: asyncio.Task[None] = asyncio.ensure_future(app(self.scope, receive, send))
        await self.notified.wait()
        assert self.sent == [{"type": "websocket.accept"}]
        return task


async def within(awaited: Awaitable[Any], problem: str) -> None:
    """Wait for ``awaited`` and fail with ``problem`` after a timeout."""
    try:
        await asyncio.wait_for(awaited, SECONDS)
    except TimeoutError:
        pytest.fail(problem)


@dataclasses.dataclass
class InProcess:
    """The application without a server."""

    app: ConversationSockets
    events: LocalEvents
    store: Store
    chat: str


@pytest.fixture
def in_process(spec: dict[str, Any]) -> Iterator[InProcess]:
    """Create the application and one conversation."""
    settings = MockSettings()
    store = Store(settings.now)
    services = Services(settings, store, Authenticator(store, settings), LocalEvents())
    with store.write() as records:
        visitor, _ = records.find_or_add_visitor("p", "d")
        chat = records.add_conversation(visitor.id).id
    assert isinstance(services.events, LocalEvents)
    limits = Limits(store, [], None)
    (handshake,) = read_websockets(Document(spec)).values()
    assert handshake.websocket is not None
    app = ConversationSockets(services, handshake, handshake.websocket, spec, limits)
    yield InProcess(app, services.events, store, chat)
    store.close()


def test_a_slow_client_is_dropped(in_process: InProcess) -> None:
    """A client with too many pending events is dropped without delaying other clients."""

    async def scenario() -> tuple[Peer, Peer]:
        slow, quick = Peer(in_process.chat), Peer(in_process.chat)
        dropped, going_on = await slow.connect(in_process.app), await quick.connect(in_process.app)
        slow.reading.clear()
        # The first event is not pending: the server is sending it.
        for number in range(MAX_PENDING + 2):
            quick.notified.clear()
            in_process.events.publish(in_process.chat, ConversationEvent("human_assigned"))
            await within(quick.notified.wait(), f"the quick client did not receive event {number}")
        await within(dropped, "the client that does not read was not dropped")
        quick.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await within(going_on, "the quick client's socket did not end with the client")
        return slow, quick

    slow, quick = asyncio.run(scenario())
    assert slow.sent == [{"type": "websocket.accept"}]
    assert len(quick.sent) == 1 + MAX_PENDING + 2


def test_a_stop_does_not_wait_for_a_slow_client(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The attempt to close the socket of a client that does not read times out."""
    monkeypatch.setattr(sockets, "_CLOSE_SECONDS", 0.01)

    async def scenario() -> Peer:
        peer = Peer(in_process.chat)
        task = await peer.connect(in_process.app)
        peer.reading.clear()
        in_process.app.close()
        await task
        return peer

    assert asyncio.run(scenario()).sent == [{"type": "websocket.accept"}]


def test_a_handshake_after_a_stop_is_refused(in_process: InProcess) -> None:
    """A handshake after the start of a shutdown is a 503."""

    async def scenario() -> None:
        in_process.app.close()
        peer = Peer(in_process.chat)
        await in_process.app(peer.scope, peer.receive, peer.send)

    with pytest.raises(ApiError) as refused:
        asyncio.run(scenario())
    assert 503 == refused.value.status


@pytest.mark.parametrize("failure", [ConnectionResetError(), RuntimeError("after close")])
def test_a_send_after_a_disconnect_is_ignored(in_process: InProcess, failure: Exception) -> None:
    """Each error that the server raises after a disconnect is ignored."""

    async def scenario() -> None:
        peer = Peer(in_process.chat)
        task = await peer.connect(in_process.app)
        peer.failure = failure
        in_process.events.publish(in_process.chat, ConversationEvent("human_assigned"))
        await task

    asyncio.run(scenario())


def test_other_exceptions_are_raised(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server logs any other exception and cuts the connection."""

    async def scenario() -> None:
        peer = Peer(in_process.chat)
        task = await peer.connect(in_process.app)
        monkeypatch.setattr(views, "message", lambda _row: 1 / 0)
        with in_process.store.write() as records:
            message = records.add_message(in_process.chat, "human_agent", "x")
        in_process.events.publish(in_process.chat, ConversationEvent("new_message", message.id))
        await task

    with pytest.raises(ZeroDivisionError):
        asyncio.run(scenario())


def test_a_deleted_message_is_skipped(in_process: InProcess) -> None:
    """An event for a deleted message is skipped, and the next one is sent."""

    async def scenario() -> Peer:
        peer = Peer(in_process.chat)
        task = await peer.connect(in_process.app)
        peer.notified.clear()
        in_process.events.publish(in_process.chat, ConversationEvent("new_message", UNKNOWN_ID))
        in_process.events.publish(in_process.chat, ConversationEvent("human_assigned"))
        await peer.notified.wait()
        peer.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await task
        return peer

    sent = asyncio.run(scenario()).sent[1:]
    assert [json.loads(message["text"])["type"] for message in sent] == ["human_assigned"]


def test_a_refused_handshake_ends_its_subscription(in_process: InProcess) -> None:
    """A handshake for an unknown conversation leaves no listener."""

    async def scenario() -> None:
        peer = Peer(UNKNOWN_ID)
        await in_process.app(peer.scope, peer.receive, peer.send)

    with pytest.raises(ApiError):
        asyncio.run(scenario())
    in_process.events.publish(None, ConversationEvent("reset"))


def test_an_event_after_the_loop_ended_is_ignored(in_process: InProcess) -> None:
    """An event from another thread may arrive after the listener's loop has ended."""

    async def make() -> Any:
        return sockets._Outbox()

    asyncio.run(make()).put(ConversationEvent("human_assigned"))
    assert in_process.chat


def test_only_the_first_end_counts() -> None:
    """The first reason to close a connection is kept."""

    async def end_twice() -> int | None:
        outbox = sockets._Outbox()
        outbox.end(sockets.GOING_AWAY)
        outbox.put(ConversationEvent("reset"))
        await asyncio.sleep(0)
        return outbox.ended.result()

    assert asyncio.run(end_twice()) == sockets.GOING_AWAY


def test_a_refused_handshake_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log line has the status and no key."""
    app = create_app()
    peer = Peer(UNKNOWN_ID)
    peer.scope["path"] = f"/v2/conversations/{UNKNOWN_ID}/ws"
    peer.scope["headers"] = []
    with caplog.at_level(logging.INFO, LOGGER):
        asyncio.run(app(peer.scope, peer.receive, peer.send))
    app.state.store.close()
    target = f"/v2/conversations/{UNKNOWN_ID}/ws?apiKey=***"
    assert [line.split()[:3] for line in caplog.messages] == [["WS", target, "404"]]
