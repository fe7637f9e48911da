"""Servers whose sockets differ from the mock's in ways that the documents leave open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response

from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.events import ConversationEvent
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.probing import Api
from tests.faults.socket_hooks import (
    PING,
    PONG,
    hand_over,
    handshakes,
    heard,
    opened,
    refusal,
    refusing,
    say,
    sending,
)
from tests.faults.variant import Shows, Variants
from tests.values import UNKNOWN_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SOCKET_VARIANTS", "refused_by_close"]

_variants = Variants()
_add = _variants.add

_REFUSED = "O-31 (connectConversation)"
_LATE = 0.3


# Servers without a socket.


def _absent(answer: Callable[[], Response]) -> Build:
    async def around(_app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await answer()(scope, receive, send)

    return handshakes(around)


def _refuses_all(status: int) -> Shows:
    def shows(api: Api) -> None:
        assert status == refusal(api, api.visitor().start()).status_code

    return shows


for _name, _description, _status, _answer in (
    (
        "socket-absent-404",
        "There is no socket: a handshake is not found.",
        404,
        lambda: error_response(ApiError(404)),
    ),
    (
        "socket-absent-200",
        "There is no socket: a handshake gets a page.",
        200,
        lambda: PlainTextResponse("Welcome", 200),
    ),
    (
        "socket-absent-426",
        "There is no socket: a handshake gets 426.",
        426,
        lambda: PlainTextResponse("Upgrade Required", 426),
    ),
    (
        "socket-absent-501",
        "There is no socket: a handshake is not implemented.",
        501,
        lambda: PlainTextResponse("Not Implemented", 501),
    ),
    (
        "socket-absent-401",
        "There is no socket: every handshake without a token gets 401, wherever it goes.",
        401,
        lambda: error_response(ApiError(401)),
    ),
):
    _add(_name, _description, _REFUSED, _absent(_answer), _refuses_all(_status), socket=True)


# Refusals.


def refused_by_close(code: int, seconds: float = 0.0) -> Build:
    """Return a difference: a socket is opened and closed in place of a refusal."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        is_refused = False

        async def changed(message: Message) -> None:
            nonlocal is_refused
            if message["type"].startswith("websocket.http.response"):
                is_refused = True
            else:
                await send(message)

        await app(scope, receive, changed)
        if is_refused:
            await receive()
            await send({"type": "websocket.accept"})
            await asyncio.sleep(seconds)
            await send({"type": "websocket.close", "code": code})

    return handshakes(around)


def _closes(api: Api) -> None:
    with opened(api, UNKNOWN_ID) as client:
        client.closes()


for _code in (1008, 4404):
    _add(
        f"socket-refused-by-{_code}",
        f"A socket is opened and closed with {_code} where a handshake must be refused.",
        _REFUSED,
        refused_by_close(_code),
        _closes,
        socket=True,
    )

_add(
    "socket-unknown-403",
    "A handshake for a conversation that never existed gets 403.",
    "O-1 (connectConversation)",
    refusing(lambda status, _: error_response(ApiError(403)) if status == 404 else None),
    lambda api: _status_is(403, api),
    socket=True,
)


def _status_is(status: int, api: Api) -> None:
    assert status == refusal(api, UNKNOWN_ID).status_code


# Other messages.


def _greeting(text: Callable[[Scope, Server], str | None]) -> Build:
    """Return a difference: a new socket gets a message at once."""

    def build(server: Server) -> None:
        async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
            async def changed(message: Message) -> None:
                await send(message)
                greeting = text(scope, server) if message["type"] == "websocket.accept" else None
                if greeting is not None:
                    await send({"type": "websocket.send", "text": greeting})

            await app(scope, receive, changed)

        handshakes(around)(server)

    return build


def _type_of_first(kind: str, *, send: str = "", handled: bool = False) -> Shows:
    """Check the type of the first message of a socket."""

    def shows(api: Api) -> None:
        conversation = api.visitor().start()
        if handled:
            hand_over(api, conversation)
        with opened(api, conversation) as client:
            if send:
                client.send(send)
            text = client.next(1.0)
        assert text.startswith("{"), text
        assert kind == json.loads(text)["type"]

    return shows


_add(
    "socket-greets",
    "A new socket gets a message of a type that is not described.",
    "R-10; SocketOtherMessage",
    _greeting(lambda _scope, _server: '{"type": "connected", "protocol": 1}'),
    _type_of_first("connected"),
    socket=True,
)
_add(
    "socket-complains",
    "A text that is not a ping gets a message of a type that is not described.",
    "O-33; SocketOtherMessage",
    heard(lambda _, text: None if text == PING else ['{"type": "error", "code": "UNKNOWN"}']),
    _type_of_first("error", send="hello"),
    socket=True,
)
_add(
    "socket-heartbeats",
    "A message of a type that is not described comes before each pong.",
    "R-10; SocketOtherMessage",
    sending(lambda _, text: ['{"type": "heartbeat"}', text], pongs=True, events=False),
    _type_of_first("heartbeat", send=PING),
    socket=True,
)


def _assigned(scope: Scope, server: Server) -> str | None:
    identifier = scope["path"].split("/")[-2].lower()
    with server.store.read() as records:
        conversation = records.any_conversation(identifier)
    if conversation is None or not conversation.is_human_handled:
        return None
    return json.dumps({"type": "human_assigned", "chatId": identifier})


_add(
    "socket-assigned-before",
    "A new socket is told that a human agent has taken over before.",
    "O-35 (SocketHumanAssigned)",
    _greeting(_assigned),
    _type_of_first("human_assigned", handled=True),
    socket=True,
)


def _show_all(server: Server) -> None:
    def publish(exchange: Exchange) -> None:
        if exchange.status != 200:
            return
        conversation = exchange.path["conversationId"].lower()
        with server.store.read() as records:
            stored = records.messages(conversation)
        for message in stored[-2:]:
            event = ConversationEvent("new_message", message.id)
            server.store.events.publish(conversation, event)

    server.after("sendMessage", publish)


def _shows_answer(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    with opened(api, conversation) as client:
        visitor.say(conversation, "Hello")
        roles = [json.loads(client.next(1.0))["message"]["role"] for _ in range(2)]
    assert ["user", "assistant"] == roles


_add(
    "socket-shows-all-messages",
    "A socket shows the messages of the visitor and of the assistant as well.",
    "O-35 (SocketNewMessage)",
    _show_all,
    _shows_answer,
    socket=True,
)


def _more(_state: dict[str, Any], text: str) -> list[str]:
    return [json.dumps(json.loads(text) | {"sequence": 7})]


def _has_more(api: Api) -> None:
    conversation = api.visitor().start()
    with opened(api, conversation) as client:
        hand_over(api, conversation)
        assert 7 == json.loads(client.next(1.0)).get("sequence")


_add(
    "socket-further-properties",
    "An event has a property that is not described.",
    "R-19; SocketMessage",
    sending(_more),
    _has_more,
    socket=True,
)


# Time.


def _late(*, pongs: bool) -> Build:
    """Return a difference: answers to pings, or events, come late."""

    async def around(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            if message["type"] == "websocket.send" and (message["text"] == PONG) == pongs:
                await asyncio.sleep(_LATE)
            await send(message)

        await app(scope, receive, changed)

    return handshakes(around)


def _pong_is_late(api: Api) -> None:
    with opened(api, api.visitor().start()) as client:
        client.send(PING)
        client.wait(_LATE / 2)
        assert PONG == client.next()


def _event_is_late(api: Api) -> None:
    conversation = api.visitor().start()
    with opened(api, conversation) as client:
        hand_over(api, conversation)
        say(api, conversation, "Hello")
        client.wait(_LATE / 2)
        client.next()


_add(
    "socket-late-pongs",
    "A pong comes late.",
    "O-32 (SocketPong)",
    _late(pongs=True),
    _pong_is_late,
    socket=True,
)
_add(
    "socket-late-events",
    "Events come late.",
    "O-34 (SocketMessage)",
    _late(pongs=False),
    _event_is_late,
    socket=True,
)

SOCKET_VARIANTS = tuple(_variants.variants)
"""The variants of this module."""
