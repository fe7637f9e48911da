"""Faults that show over connections only: overlaps, kept connections and sockets."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from siteassist_mock.storage.events import ConversationEvent
from tests.faults.mutant import Faults
from tests.faults.overlap import coalescing, knows, one_visitor, rounds, two_messages
from tests.faults.owners import session_of
from tests.faults.socket_hooks import PING, heard, opened
from tests.faults.sockets import unaffected

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from siteassist_mock.http.call import Call, Handler
    from tests.faults.exchange import Exchange
    from tests.faults.faulty import Forward, Server
    from tests.faults.probing import Api
    from tests.faults.socket_hooks import Sent

__all__ = ["FAULTS"]

FAULTS = Faults("reported", socket=True)
_add = FAULTS.add
_fault = FAULTS.fault

_GAP = 0.05
"""Seconds between the reading and the writing of a request that does not lock."""


# Requests at once.


@_fault(
    "init-race-two-visitors",
    "Two first sessions of a device at once both look it up before either adds it, and both get"
    " 201 with a visitor of their own.",
    "openapi.yaml init.description (F-init); R-26; O-23",
    rounds(one_visitor),
)
def _race(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        body = exchange.request_json
        device = body.get("saVid") if isinstance(body, dict) else None
        valid = isinstance(device, str) and 0 < len(device) <= 100
        if valid and not knows(server, device):
            await asyncio.sleep(_GAP)
            if knows(server, device):
                body = {**body, "saVid": uuid.uuid4().hex}
                exchange.request_body = json.dumps(body).encode()
        await forward()

    server.around("init", wrap)


def _flight(exchange: Exchange) -> object | None:
    body = exchange.request_body
    if b'"stream"' in body and b"true" in body:
        return None
    return exchange.path["conversationId"].lower(), exchange.bearer


_add(
    "simultaneous-messages-coalesced",
    "Of two messages that are sent at once to a conversation, the second is not stored, and gets"
    " the answer to the first.",
    "O-23; openapi.yaml sendMessage 200 (F-status)",
    coalescing("sendMessage", _flight, gap=_GAP),
    rounds(two_messages),
)


# Connections for several requests.


def _two_visitors_on_a_connection(api: Api) -> None:
    first, second = api.visitor(), api.visitor()
    first.expect("getMe")
    second.read(second.start())


@_fault(
    "start-uses-visitor-of-connection",
    "startConversation starts a conversation of the first visitor whose token was sent on the"
    " connection.",
    "openapi.yaml startConversation.description (P1); F-auth; O-30",
    _two_visitors_on_a_connection,
)
def _visitor_of_connection(server: Server) -> None:
    first: dict[Any, tuple[str, str]] = {}

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                bearer = Headers(scope=scope).get("authorization", "")
                found = session_of(server.store, bearer)
                if found is not None:
                    first.setdefault(scope.get("client"), (bearer, found[1]))
            await app(scope, receive, send)

        return middleware

    def ask(exchange: Exchange) -> None:
        found = session_of(server.store, exchange.bearer)
        if found is not None:
            bearer, visitor = first[exchange.client]
            if visitor != found[1]:
                exchange.request_headers["authorization"] = bearer

    # Requests to all paths count for a connection, described or not.
    server.middleware(wrap)
    server.before("startConversation", ask)


# Sockets.


def _json_texts(state: dict[str, Any], text: str) -> Iterable[Sent] | None:
    if text.startswith("{") and not state.get("json"):
        try:
            state["json"] = isinstance(json.loads(text), dict)
        except ValueError:
            return None
    return [] if state.get("json") and text == PING else None


_add(
    "no-pong-after-json-text",
    "After a text that is a JSON object, no ping of a socket is answered.",
    "O-33; R-30: SocketPing, SocketPong",
    heard(_json_texts),
    unaffected('{"type":"typing"}'),
)


def _other_answers_unseen(api: Api) -> None:
    visitor = api.visitor()
    here, there = visitor.start(), visitor.start()
    with opened(api, here) as client:
        client.pings()
        visitor.say(there, "Hi")
        # The answer to a ping comes after all events that were sent before.
        client.pings()


@_fault(
    "socket-room-of-visitor",
    "The sockets of all conversations of a visitor get the assistant's answers in each of them.",
    "O-36; SocketNewMessage (F-widget)",
    _other_answers_unseen,
)
def _room_of_visitor(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        if not isinstance(response, JSONResponse) or response.status_code != 200:
            return response
        store = call.services.store
        with store.read() as records:
            (latest,), _ = records.latest_messages(call.path["conversationId"], limit=1)
            _, every = records.conversations(
                call.visitor.id,
                status=None,
                order_by="createdAt",
                descending=True,
                limit=100,
                offset=0,
            )
        for conversation in every:
            store.events.publish(conversation.id, ConversationEvent("new_message", latest.id))
        return response

    server.handler("sendMessage", answer)
