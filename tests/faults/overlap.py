"""Faults that show only when two requests run at once."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sqlalchemy import delete, select, update
from starlette.responses import Response

from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import conversations, messages, visitors
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Forward, Server, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import Api, Visitor, at_once
from tests.values import API_KEY

__all__ = ["FAULTS", "coalescing", "knows", "one_visitor", "reopen", "rounds", "two_messages"]

FAULTS = Faults("overlap", socket=True)
_add = FAULTS.add
_fault = FAULTS.fault

_EVERY = " ".join(operations())
_GAP = 0.04
"""Seconds between the reading and the writing of a request that does not lock."""
_ROUNDS = 24
"""On a busy machine, requests that are sent at once often arrive one after another."""

_INIT = "openapi.yaml init.description (F-init); R-26"
_SENT = "openapi.yaml sendMessage 200 and links to getMessages; getMessages.description"


def rounds(probe: Probe) -> Probe:
    """Return a probe that asks several times, since a race may be missed."""

    def several(api: Api) -> None:
        for _ in range(_ROUNDS):
            probe(api)

    return several


def _text(exchange: Exchange, name: str) -> str | None:
    """Return a text in the body of a request, or None if there is none."""
    sent = exchange.request_json
    value = sent.get(name) if isinstance(sent, dict) else None
    return value if isinstance(value, str) else None


def _conversation(exchange: Exchange) -> str:
    return exchange.path["conversationId"].lower()


def _ids(server: Server, conversation: str) -> set[str]:
    """Return the ids of the messages of a conversation."""
    with server.store.read() as records:
        return {row.id for row in records.messages(conversation)}


def _status(server: Server, conversation: str) -> str | None:
    with server.store.read() as records:
        row = records.any_conversation(conversation)
    return None if row is None else row.status


# Sessions.


def _init(api: Api, device: str) -> Any:
    response = api.send("init", body={"apiKey": API_KEY, "saVid": device})
    assert response.status_code in {200, 201}, response.text
    return response


def _two_inits(api: Api) -> tuple[list[int], list[dict[str, Any]]]:
    """Begin two sessions of one new device at once; return the statuses and the bodies."""
    device = uuid.uuid4().hex
    found = at_once(*[partial(_init, api, device)] * 2)
    return sorted(one.status_code for one in found), [one.json() for one in found]


def one_visitor(api: Api) -> None:
    """Check that two first sessions of a device at once have one visitor."""
    _, (first, second) = _two_inits(api)
    assert first["visitor"] == second["visitor"]


def _one_is_first(api: Api) -> None:
    statuses, _ = _two_inits(api)
    assert [200, 201] == statuses


def _both_tokens(api: Api) -> None:
    _, sessions = _two_inits(api)
    for session in sessions:
        me = api.bearing(session["sessionToken"]).expect("getMe")
        assert session["visitor"]["id"] == me["id"]


def knows(server: Server, device: str | None) -> bool:
    """Return whether a device has a visitor."""
    query = select(visitors.c.id).where(visitors.c.device == device)
    with server.store.read() as records:
        return records._connection.execute(query).first() is not None


@_fault(
    "two-visitors-of-one-device",
    "Two first sessions of a device at once create two visitors.",
    _INIT,
    rounds(one_visitor),
)
def _two_visitors(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        device = _text(exchange, "saVid")
        new = not knows(server, device)
        await asyncio.sleep(_GAP)
        if new and knows(server, device):
            exchange.request_json = {**exchange.request_json, "saVid": uuid.uuid4().hex}
        await forward()

    server.around("init", wrap)


@_fault(
    "two-first-sessions",
    "Two first sessions of a device at once both get 201.",
    _INIT,
    rounds(_one_is_first),
)
def _two_firsts(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        exchange.notes["new"] = not knows(server, _text(exchange, "saVid"))
        await asyncio.sleep(_GAP)
        await forward()

    def after(exchange: Exchange) -> None:
        if exchange.status == 200 and exchange.notes["new"]:
            exchange.status = 201

    server.around("init", wrap)
    server.after("init", after)


@_fault(
    "session-overwritten",
    "Of two sessions of a device that begin at once, the first does not work.",
    "openapi.yaml init 200 link getMe; F-auth",
    rounds(_both_tokens),
)
def _session_overwritten(server: Server) -> None:
    running: Counter[str] = Counter()
    tokens: dict[str, str] = {}
    refused: set[str] = set()

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        device = _text(exchange, "saVid") or ""
        running[device] += 1
        await asyncio.sleep(_GAP)
        await forward()
        running[device] -= 1
        if not exchange.succeeded:
            return
        earlier = tokens.pop(device, None)
        if earlier is not None:
            refused.add(f"Bearer {earlier}")
        if running[device]:
            tokens[device] = exchange.json["sessionToken"]

    def ask(exchange: Exchange) -> Any:
        return error_response(ApiError(401)) if exchange.bearer in refused else None

    server.around("init", wrap)
    server.before(_EVERY.replace("init", ""), ask)


@_fault(
    "me-of-a-simultaneous-request",
    "getMe returns the visitor of another request that arrived in the meantime.",
    "openapi.yaml getMe.description (F-me)",
    lambda api: rounds(_two_visitors_ask)(api),
)
def _me_of_another(server: Server) -> None:
    latest: list[str] = []

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        if exchange.bearer:
            # One variable for all requests, as in a module of a program.
            latest[:] = [exchange.bearer]
            await asyncio.sleep(_GAP)
            exchange.request_headers["authorization"] = latest[0]
        await forward()

    server.around("getMe", wrap)


def _two_visitors_ask(api: Api) -> None:
    asking = [api.visitor(), api.visitor()]
    found = at_once(*[partial(visitor.expect, "getMe") for visitor in asking])
    assert [visitor.id for visitor in asking] == [one["id"] for one in found]


# Conversations.


def coalescing(
    operation: str, key: Callable[[Exchange], object | None], *, gap: float = _GAP
) -> Build:
    """Return a fault that requests with the same key at once get the response to the first.

    Only the first one is carried out, after ``gap`` seconds. A request whose ``key`` is
    None is answered on its own.
    """

    def build(server: Server) -> None:
        running: dict[object, asyncio.Future[Exchange]] = {}

        async def wrap(exchange: Exchange, forward: Forward) -> None:
            found = key(exchange)
            if found in running:
                first = await asyncio.shield(running[found])
                headers = dict(first.headers)
                exchange.answer = Response(first.body, status_code=first.status, headers=headers)
                await forward()
                return
            if found is None:
                await forward()
                return
            answered = running[found] = asyncio.get_running_loop().create_future()
            try:
                await asyncio.sleep(gap)
                await forward()
                answered.set_result(exchange)
            finally:
                del running[found]
                # The others must not wait for a response that does not come.
                answered.cancel()

        server.around(operation, wrap)

    return build


_add(
    "starts-coalesced",
    "Two conversations that a visitor starts at once are the same one.",
    "openapi.yaml startConversation 201 (P1)",
    coalescing("startConversation", lambda exchange: (exchange.bearer, exchange.request_body)),
    lambda api: rounds(_two_starts)(api),
)


def _two_starts(api: Api) -> None:
    visitor = api.visitor()
    ids = at_once(visitor.start, visitor.start)
    assert 2 == len(set(ids))
    assert set(ids) == set(visitor.ids())


@_fault(
    "reopened-by-a-message-at-once",
    "A message that is sent while a conversation is closed opens it again.",
    "openapi.yaml closeConversation.description (F-close)",
    lambda api: rounds(_message_and_close)(api),
)
def _reopened(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        conversation = _conversation(exchange)
        before = _status(server, conversation)
        await asyncio.sleep(_GAP)
        if before == "open" and _status(server, conversation) == "closed":
            # The whole row is written back as it was read.
            reopen(server, conversation)
        await forward()

    async def close(_exchange: Exchange, forward: Forward) -> None:
        # Between the reading and the writing of a message that arrives a bit later.
        await asyncio.sleep(_GAP / 2)
        await forward()

    server.around("sendMessage", wrap)
    server.around("closeConversation", close)


def reopen(server: Server, conversation: str) -> None:
    """Open a closed conversation again."""
    this = conversations.c.id == conversation
    owner = select(conversations.c.visitor_id).where(this).scalar_subquery()
    with server.store.write() as records:
        records._connection.execute(
            update(conversations)
            .where(this)
            .values(status="open", closed_at=None, close_reason=None)
        )
        records._connection.execute(
            update(visitors)
            .where(visitors.c.id == owner)
            .values(closed_count=visitors.c.closed_count - 1)
        )


def _message_and_close(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()

    def say() -> None:
        visitor.send("sendMessage", conversation, body={"content": "Hi"})

    at_once(say, partial(visitor.close, conversation, "solved"))
    found = visitor.read(conversation)
    assert ("closed", "solved") == (found["status"], found["closeReason"])


# Messages.


@_fault(
    "message-lost-at-once",
    "Of two messages that are sent at once to a conversation, one is lost.",
    _SENT,
    lambda api: rounds(two_messages)(api),
)
def _message_lost(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        conversation = _conversation(exchange)
        before = _ids(server, conversation)
        await asyncio.sleep(_GAP)
        lost = _ids(server, conversation) - before
        await forward()
        if exchange.succeeded and lost:
            # All messages are written back, as they were read, with the new ones.
            with server.store.write() as records:
                records._connection.execute(delete(messages).where(messages.c.id.in_(lost)))

    server.around("sendMessage", wrap)


def two_messages(api: Api) -> None:
    """Check that two messages at once are both answered and stored."""
    visitor = api.visitor()
    conversation = visitor.start()
    said = ["Hi", "Hello"]
    at_once(*[partial(visitor.say, conversation, content) for content in said])
    assert sorted(said) == sorted(visitor.texts(conversation, role="user"))
    assert 4 == len(visitor.messages(conversation))


@_fault(
    "second-message-at-once-500",
    "Of two messages that are sent at once to a conversation, one gets a 500.",
    "openapi.yaml sendMessage 200 (P2)",
    lambda api: rounds(two_messages)(api),
)
def _deadlock(server: Server) -> None:
    running: Counter[str] = Counter()

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        conversation = _conversation(exchange)
        running[conversation] += 1
        if running[conversation] > 1:
            exchange.answer = error_response(ApiError(500))
        else:
            await asyncio.sleep(_GAP)
        await forward()
        running[conversation] -= 1

    server.around("sendMessage", wrap)


@_fault(
    "content-of-a-simultaneous-message",
    "sendMessage stores the content of another message that arrived in the meantime.",
    _SENT,
    lambda api: rounds(_messages_in_two_conversations)(api),
)
def _content_of_another(server: Server) -> None:
    latest: list[str] = []

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        content = _text(exchange, "content")
        if content is not None:
            latest[:] = [content]
            await asyncio.sleep(_GAP)
            if latest != [content]:
                exchange.request_json = {**exchange.request_json, "content": latest[0]}
        await forward()

    server.around("sendMessage", wrap)


def _messages_in_two_conversations(api: Api) -> None:
    said = {api.visitor(): "Hi", api.visitor(): "Hello"}
    found = at_once(*[partial(visitor.talk, content) for visitor, content in said.items()])
    stored = [_question(visitor, it) for visitor, it in zip(said, found, strict=True)]
    assert [*said.values()] == stored


def _question(visitor: Visitor, conversation: str) -> str:
    (question,) = visitor.texts(conversation, role="user")
    return question


@_fault(
    "messages-out-of-order",
    "Messages that are sent at the same time are stored with the times at which they arrived, but"
    " listed in another order.",
    "openapi.yaml getMessages.description (F-messages): oldest first",
    lambda api: rounds(_oldest_first)(api),
)
def _out_of_order(server: Server) -> None:
    running: Counter[str] = Counter()

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        conversation = _conversation(exchange)
        arrived = server.store.clock.timestamp()
        running[conversation] += 1
        # The first one takes longest.
        await asyncio.sleep(0.005 if running[conversation] > 1 else _GAP)
        before = _ids(server, conversation)
        await forward()
        running[conversation] -= 1
        if exchange.headers.get("content-type") == "application/json":
            _set_times(server, _ids(server, conversation) - before, arrived)

    server.around("sendMessage", wrap)


def _set_times(server: Server, ids: Iterable[str], time: str) -> None:
    with server.store.write() as records:
        records._connection.execute(
            update(messages).where(messages.c.id.in_(ids)).values(created_at=time)
        )


def _oldest_first(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    at_once(*[partial(visitor.say, conversation, f"Hi {number}") for number in range(4)])
    times = [message["createdAt"] for message in visitor.messages(conversation)]
    assert 8 == len(times)
    assert sorted(times) == times


@_fault(
    "streams-stored-crosswise",
    "Two streamed answers at once in a conversation are stored in place of each other.",
    "openapi.yaml sendMessage 200 link getMessages",
    lambda api: rounds(_two_streams)(api),
)
def _crosswise(server: Server) -> None:
    server.settings["stream_delay"] = 0.01

    def end(
        records: Records, original: Callable[..., Any], message: str, text: str, **more: Any
    ) -> None:
        found = records.message(message)
        running = records.messages(found.conversation_id, status="streaming") if found else []
        others = [row.id for row in running if row.id != message]
        original(others[0] if others else message, text, **more)

    server.records("end_message", end)


def _two_streams(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    said = ["How long does shipping take?", "Hello"]
    sent = at_once(*[partial(visitor.stream, conversation, content) for content in said])
    stored = visitor.texts(conversation)
    assert dict(zip(said, sent, strict=True)) == dict(zip(stored[::2], stored[1::2], strict=True))


# Feedback.


@_fault(
    "feedback-half-removed",
    "Feedback that is given and removed at once leaves its time without a value.",
    "Message.properties.feedbackAt",
    lambda api: rounds(_given_and_removed)(api),
)
def _half_removed(server: Server) -> None:
    running: Counter[str] = Counter()
    values: dict[str, list[Any]] = {}

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        message = exchange.path["messageId"].lower()
        sent = exchange.request_json
        given = values.setdefault(message, [])
        given.append(sent.get("feedback") if isinstance(sent, dict) else None)
        running[message] += 1
        await asyncio.sleep(_GAP)
        await forward()
        # Value and time are written one after the other, and mixed with those of others.
        if exchange.succeeded and None in given and set(given) != {None}:
            _leave_time(server, message)
        running[message] -= 1
        if not running[message]:
            del values[message]

    server.around("sendMessageFeedback", wrap)


def _leave_time(server: Server, message: str) -> None:
    with server.store.write() as records:
        records._connection.execute(
            update(messages)
            .where(messages.c.id == message)
            .values(feedback=None, feedback_at=server.store.clock.timestamp())
        )


def _given_and_removed(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    message = visitor.messages(conversation)[-1]["id"]
    at_once(partial(visitor.rate, message, "like"), partial(visitor.rate, message, None))
    found = visitor.messages(conversation)[-1]
    assert (found["feedback"] is None) == (found["feedbackAt"] is None)
