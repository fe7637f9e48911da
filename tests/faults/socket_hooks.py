"""Changes to the sockets of conversations, and a client for them."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.sync.client import connect

from tests.faults.faulty import Build, Middleware, Server
from tests.faults.probing import Api, Visitor
from tests.values import API_KEY

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send
    from websockets.sync.client import ClientConnection

__all__ = [
    "PING",
    "PONG",
    "Client",
    "Sent",
    "answering",
    "hand_over",
    "handshakes",
    "heard",
    "opened",
    "opening",
    "publishing",
    "refusal",
    "refusing",
    "say",
    "sending",
    "serve_pings",
]

PING, PONG = "ping", "pong"
_SECONDS = 5.0

Sent: TypeAlias = "str | bytes | int"
"""A text, a binary message, or the code of a close."""
State: TypeAlias = "dict[str, Any]"
"""The state of one socket."""


# Changes.


def handshakes(around: Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]) -> Build:
    """Return a fault that answers handshakes with ``around``."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                await around(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return middleware

    return _added(wrap)


def _added(wrap: Middleware) -> Build:
    return lambda server: server.middleware(wrap)


async def serve_pings(receive: Receive, send: Send) -> None:
    """Open a socket, and answer its pings until the client has gone."""
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] != "websocket.disconnect":
        if message.get("text") == PING:
            await send({"type": "websocket.send", "text": PONG})


def opening(when: Callable[[int, Scope], bool]) -> Build:
    """Return a fault that opens a socket in place of the refusals that ``when`` selects."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        opens = False

        async def changed(message: Message) -> None:
            nonlocal opens
            if message["type"] == "websocket.http.response.start":
                opens = when(message["status"], scope)
            if not opens:
                await send(message)

        await app(scope, receive, changed)
        if opens:
            await serve_pings(receive, send)

    return handshakes(around)


def refusing(change: Callable[[int, Scope], Response | None]) -> Build:
    """Return a fault that replaces refusals of handshakes, unless ``change`` returns None."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        other: Response | None = None

        async def changed(message: Message) -> None:
            nonlocal other
            if message["type"] == "websocket.http.response.start":
                other = change(message["status"], scope)
            if other is None:
                await send(message)

        await app(scope, receive, changed)
        if other is not None:
            await other(scope, receive, send)

    return handshakes(around)


def sending(
    change: Callable[[State, str], Iterable[Sent]], *, pongs: bool = False, events: bool = True
) -> Build:
    """Return a fault that replaces each text of the server: events, or the answers to pings."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        state: State = {"path": scope["path"]}

        async def changed(message: Message) -> None:
            text = message.get("text")
            if message["type"] != "websocket.send" or not (pongs if text == PONG else events):
                await send(message)
                return
            for each in change(state, str(text)):
                await send(_message(each))

        await app(scope, receive, changed)

    return handshakes(around)


def heard(change: Callable[[State, str], Iterable[Sent] | None]) -> Build:
    """Return a fault that answers texts of clients; None leaves a text to the mock."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        state: State = {"path": scope["path"]}

        async def changed() -> Message:
            while True:
                message = await receive()
                text = message.get("text")
                answers = None if text is None else change(state, text)
                if answers is None:
                    return message
                for each in answers:
                    await send(_message(each))

        await app(scope, changed, send)

    return handshakes(around)


def publishing(publish: Callable[[Any, str, Any], None]) -> Build:
    """Return a fault in the bus of events; ``publish`` gets it, the conversation and an event."""

    def build(server: Server) -> None:
        def patch(services: Any) -> None:
            events, original = services.events, services.events.publish

            def published(conversation: str | None, event: Any) -> None:
                if conversation is None:
                    original(conversation, event)
                else:
                    publish(events, conversation, event)

            events.publish = published

        server.services(patch)

    return build


def _message(sent: Sent) -> Message:
    if isinstance(sent, int):
        return {"type": "websocket.close", "code": sent}
    return {"type": "websocket.send", ("text" if isinstance(sent, str) else "bytes"): sent}


# A client.


class Client:
    """A client of one socket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def send(self, text: str) -> None:
        """Send a text, unless the socket is closed."""
        with suppress(ConnectionClosed):
            self._connection.send(text)

    def close(self) -> None:
        """Close the socket."""
        self._connection.close()

    def next(self, seconds: float = _SECONDS) -> str:
        """Return the next text. Raises `AssertionError` if there is none."""
        try:
            text = self._connection.recv(seconds)
        except (TimeoutError, ConnectionClosed) as error:
            raise AssertionError(f"no text: {error}") from None
        assert isinstance(text, str), text
        return text

    def rest(self) -> list[str]:
        """Return the texts that the server has sent so far."""
        found = []
        with suppress(TimeoutError, ConnectionClosed):
            # The answer to a ping of the protocol comes after all that was sent before.
            self._connection.ping().wait(_SECONDS)
            while True:
                found.append(str(self._connection.recv(0)))
        return found

    def wait(self, seconds: float) -> None:
        """Check that nothing comes within some seconds, and that the socket stays open."""
        try:
            text = self._connection.recv(seconds)
        except TimeoutError:
            return
        except ConnectionClosed as error:
            raise AssertionError(str(error)) from None
        raise AssertionError(text)

    def closes(self) -> None:
        """Check that the server closes the socket."""
        try:
            text = self._connection.recv(_SECONDS)
        except ConnectionClosed:
            return
        except TimeoutError:
            text = "the socket stays open"
        raise AssertionError(text)

    def pings(self, number: int = 1) -> None:
        """Check that each ping is answered once."""
        for _ in range(number):
            self.send(PING)
            assert PONG == self.next(1.0)
        assert [] == self.rest()

    def events(self, number: int) -> list[Any]:
        """Return the next events, after which nothing may follow but the answer to a ping."""
        texts = [self.next(1.0) for _ in range(number)]
        self.pings()
        try:
            return [json.loads(text) for text in texts]
        except ValueError as error:
            raise AssertionError(str(error)) from None


@contextmanager
def opened(
    api: Api, conversation: str, *, query: str = f"?apiKey={API_KEY}", origin: str | None = None
) -> Iterator[Client]:
    """Open the socket of a conversation."""
    address = str(api.http.base_url).replace("http", "ws", 1).rstrip("/")
    url = f"{address}/conversations/{conversation}/ws{query}"
    headers = {} if origin is None else {"Origin": origin}
    try:
        connection = connect(url, additional_headers=headers, proxy=None, close_timeout=1)
    except InvalidHandshake as error:
        raise AssertionError(str(error)) from error
    with connection:
        yield Client(connection)


def refusal(api: Api, conversation: str, **more: Any) -> httpx.Response:
    """Return the answer to a handshake that is refused."""
    try:
        with opened(api, conversation, **more):
            pass
    except AssertionError as error:
        refused = error.__cause__
        if not isinstance(refused, InvalidStatus):
            raise
        answer = refused.response
        headers = list(answer.headers.raw_items())
        return httpx.Response(answer.status_code, headers=headers, content=bytes(answer.body))
    raise AssertionError("the socket was opened")


def answering(api: Api, visitor: Visitor) -> None:
    """Check that the socket of a new conversation answers pings."""
    with opened(api, visitor.start()) as client:
        client.pings(2)


def hand_over(api: Api, conversation: str) -> None:
    """Assign a human agent to a conversation."""
    _operate(api, f"conversations/{conversation}/handover", {})


def say(api: Api, conversation: str, content: str) -> Any:
    """Send a message as the human agent, and return it."""
    return _operate(api, f"conversations/{conversation}/agent-messages", {"content": content})


def _operate(api: Api, path: str, body: Any) -> Any:
    root = str(api.http.base_url).rstrip("/").removesuffix("/v2")
    response = api.http.post(f"{root}/_mock/{path}", json=body)
    assert response.is_success, response.text
    return response.json()
