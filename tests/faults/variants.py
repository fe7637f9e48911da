"""Servers that differ from the mock only in ways that the documents allow.

The contract tests must not report a violation on any of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import count
from typing import Any

from sqlalchemy import update
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from siteassist_mock.content.assistant import Assistant, Reply
from siteassist_mock.handlers import views
from siteassist_mock.http.call import Call, Handler, Services
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import conversations, messages
from tests.faults.edits import become, change, deep, drop, edit, put, rename, times, together
from tests.faults.exchange import Event, Exchange
from tests.faults.faulty import Build, Forward, Server, Step, operations
from tests.faults.input_variants import INPUT_VARIANTS
from tests.faults.owners import owner_of
from tests.faults.probes import CHAT
from tests.faults.probing import Api, at_once
from tests.faults.socket_variants import SOCKET_VARIANTS
from tests.faults.transport_variants import TRANSPORT_VARIANTS
from tests.faults.variant import Shows, Variant, Variants
from tests.values import API_KEY, PROJECT_ID, UNKNOWN_ID

__all__ = ["VARIANTS", "hand_over"]

_variants = Variants()
_add = _variants.add
_variant = _variants.variant
_EVERY = " ".join(operations())
_STREAMING = "sendMessage createChatCompletion"
_GAP = 0.04
"""Seconds between the reading and the writing of a request that does not lock."""
_ROUNDS = 60
"""On a busy machine, requests that are sent at once often arrive one after another."""


# Refusals.


def _statuses(api: Api) -> list[int]:
    """Return the statuses for malformed JSON, a wrong type, a length, a bound and a missing key."""
    visitor = api.visitor()
    it = visitor.start()
    return [
        visitor.send("sendMessage", it, raw=b"{").status_code,
        visitor.send("sendMessage", it, body={"content": 1}).status_code,
        visitor.send("sendMessage", it, body={"content": ""}).status_code,
        visitor.send("getConversations", limit="101").status_code,
        visitor.send("getProject").status_code,
    ]


def _refusing(choose: Callable[[Exchange], int]) -> Build:
    def hook(exchange: Exchange) -> None:
        if exchange.status in {400, 422}:
            exchange.status = choose(exchange)

    # The page of getProject lists 400 alone: C-21.
    return lambda server: server.after(_EVERY.replace("getProject", ""), hook)


def _by_kind(exchange: Exchange) -> int:
    reason = json.dumps(exchange.json["error"].get("details"))
    bounds = ("maximum", "minimum", "longer", "shorter", "characters")
    return 422 if any(word in reason for word in bounds) else 400


_add(
    "refuse-400",
    "Every invalid request is refused with 400.",
    "O-2",
    _refusing(lambda _: 400),
    lambda api: _equal([400] * 5, _statuses(api)),
)
_add(
    "refuse-422",
    "Every invalid request is refused with 422.",
    "O-2",
    _refusing(lambda _: 422),
    lambda api: _equal([422] * 4 + [400], _statuses(api)),
)
_add(
    "refuse-split",
    "Malformed JSON and wrong types are refused with 400, values out of bounds with 422.",
    "O-2",
    _refusing(_by_kind),
    lambda api: _equal([400, 400, 422, 422, 400], _statuses(api)),
)


def _foreign(status: int) -> Shows:
    def shows(api: Api) -> None:
        it = api.visitor().talk()
        api.visitor().refused("getConversation", it, by=(status,))
        api.visitor().refused("getConversation", UNKNOWN_ID, by=(404,))

    return shows


_OWNED = "getConversation getMessages sendMessage closeConversation sendMessageFeedback"


@_variant(
    "foreign-403", "Access to objects of other visitors is refused with 403.", "O-1", _foreign(403)
)
def _foreign_403(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        if owner_of(call) not in {None, call.visitor.id}:
            raise ApiError(403)
        return handler(call)

    server.handler(_OWNED, answer)


_add(
    "foreign-404",
    "Access to objects of other visitors is refused with 404, as in the mock.",
    "O-1",
    lambda _: None,
    _foreign(404),
)
_add(
    "errors-terse",
    "Errors have only a message.",
    "ErrorBody.required",
    lambda server: server.after(_EVERY, _terse),
    lambda api: _equal(["message"], list(api.refused("getMe", by=(401,)))),
)


def _terse(exchange: Exchange) -> None:
    if exchange.status >= 400:
        exchange.json = {"error": {"message": "Nope"}}


_add(
    "errors-in-other-words",
    "Errors have other codes, and details that contain null.",
    "C-14; C-20",
    lambda server: server.after(_EVERY, _other_words),
    lambda api: _equal("x_401", api.refused("getMe", by=(401,))["code"]),
)


def _other_words(exchange: Exchange) -> None:
    if exchange.status >= 400:
        details = {"field": None, "hints": [1, {"more": None}]}
        error = {"code": f"x_{exchange.status}", "message": "Nein!", "details": details}
        exchange.json = {"error": error}


def _sometimes_429(server: Server, *, header: bool) -> None:
    numbers = count(1)

    def ask(exchange: Exchange) -> ASGIApp | None:
        del exchange
        if next(numbers) % 40:
            return None
        headers = {"Retry-After": "1"} if header else {}
        return error_response(ApiError(429, details={"retryAfter": 1}, headers=headers))

    # The page of getProject does not list it: C-21.
    server.before(_EVERY.replace("getProject", ""), ask)


def _some_429(*, header: bool) -> Shows:
    def shows(api: Api) -> None:
        found = [response for _ in range(40) if (response := _qnas(api)).status_code == 429]
        assert found
        assert all(header == ("retry-after" in response.headers) for response in found)

    return shows


def _qnas(api: Api) -> Any:
    return api.http.get(f"/projects/{PROJECT_ID}/qnas")


_add(
    "retry-after-header",
    "Each 40th request gets a 429 with the header Retry-After.",
    "O-4",
    lambda server: _sometimes_429(server, header=True),
    _some_429(header=True),
)
_add(
    "retry-after-body",
    "Each 40th request gets a 429 with the seconds only in the body.",
    "O-4",
    lambda server: _sometimes_429(server, header=False),
    _some_429(header=False),
)


# Objects.


def _misspelled(server: Server) -> None:
    together(
        edit("startConversation getConversation", "lastInteractionAt", rename("lastInterationAt")),
        edit("getConversations", "data.*.lastInteractionAt", rename("lastInterationAt")),
    )(server)

    def ask(exchange: Exchange) -> None:
        order = exchange.query.get("orderBy")
        if order == "lastInterationAt":
            exchange.query["orderBy"] = "lastInteractionAt"
        elif order == "lastInteractionAt":
            exchange.query["orderBy"] = "unknown"

    server.before("getConversations", ask)


def _shows_misspelled(api: Api) -> None:
    visitor = api.visitor()
    started = visitor.send("startConversation").json()
    assert "lastInterationAt" in started
    assert "lastInteractionAt" not in started
    assert 200 == visitor.send("getConversations", orderBy="lastInterationAt").status_code
    visitor.invalid("getConversations", orderBy="lastInteractionAt")


_add(
    "misspelled",
    "The property lastInteractionAt is misspelled lastInterationAt everywhere.",
    "C-01",
    _misspelled,
    _shows_misspelled,
)


def _more(value: dict[str, Any]) -> dict[str, Any]:
    for name in ("parts", "content"):
        if isinstance(value.get(name), list):
            value[name] = [*value[name], {"type": "x-card", "card": {"a": None}}]
    return {**value, "x_new": {"deep": [1, None]}, "anotherNew": "more"}


def _extra(exchange: Exchange) -> None:
    exchange.headers["X-Request-Id"] = "5b1c"
    exchange.headers["Server-Timing"] = "db;dur=3"
    if exchange.headers.get("content-type") == "application/json":
        exchange.json = deep(exchange.json, _more)


def _extra_events(_exchange: Exchange) -> Step:
    def step(event: Event) -> Iterable[Event]:
        if event.type == "start":
            return [
                event.but(messageId="m1"),
                Event.of({"type": "data-progress", "data": {"percent": 5}}),
            ]
        if event.type == "finish":
            return [Event.of({"type": "message-metadata", "messageMetadata": {}}), event]
        return [event if event.type == "[DONE]" else event.but(x_new=[1])]

    return step


@_variant(
    "extra-fields",
    "Responses have unknown fields, parts, events and headers.",
    "R-10; R-19",
    lambda api: _contains(api.visitor().expect("getMe"), "x_new"),
)
def _extra_fields(server: Server) -> None:
    server.after(_EVERY, _extra)
    server.stream(_STREAMING, _extra_events)


_optional = {
    "object",
    "isHumanHandled",
    "humanAgent",
    "messages",
    "lastMessage",
    "createdBy",
    "finishReason",
    "inputTokens",
    "outputTokens",
    "totalTokens",
    "reasoningTokens",
    "cachedInputTokens",
    "assistantAvatar",
    "chatButtonIcon",
    "chatButtonColor",
    "productId",
    "price",
    "currency",
    "availability",
    "vendor",
    "productType",
    "imageUrl",
}


def _terse_object(value: dict[str, Any]) -> dict[str, Any]:
    required = value.get("object") == "qna" or (
        value.get("object") == "list" and value["data"] and "question" in value["data"][0]
    )
    return {
        name: item
        for name, item in value.items()
        if name not in _optional
        # These fields are omitted only if they are empty.
        or (name == "object" and required)
        or (name in {"humanAgent", "messages", "lastMessage", "isHumanHandled"} and item)
    }


@_variant(
    "optional-left-out",
    "Optional fields are omitted if they are empty, and object always.",
    "C-03; C-04; C-13; R-4; R-9",
    lambda api: _lacks(api.visitor().expect("getMe"), "object"),
)
def _optional_left_out(server: Server) -> None:
    server.after(_EVERY.replace("getQnas", ""), become(lambda value: deep(value, _terse_object)))
    edit("closeConversation", "message", drop)(server)
    edit("getQnas", "data.*.createdBy", drop)(server)


_ELSEWHERE = timezone(timedelta(hours=5, minutes=30))


def _created(api: Api) -> str:
    return str(api.visitor().expect("startConversation", wanted=201)["createdAt"])


_add(
    "times",
    "Times have an offset and microseconds.",
    "O-7",
    times(lambda time: time.astimezone(_ELSEWHERE).isoformat(timespec="microseconds")),
    lambda api: _contains(_created(api), "+05:30"),
)
_add(
    "times-in-words",
    "Times have the format of HTTP headers.",
    "O-7",
    times(lambda time: format_datetime(time, usegmt=True)),
    lambda api: _contains(_created(api), "GMT"),
)
_add(
    "times-of-whole-seconds",
    "Times are whole seconds, written with milliseconds that are zero.",
    "O-7",
    times(lambda time: f"{time:%Y-%m-%dT%H:%M:%S}.000Z"),
    lambda api: _contains(_created(api), ".000Z"),
)
_add(
    "metadata",
    "The metadata of messages have several types.",
    "C-19",
    together(
        edit("getMessages", "data.0.metadata", put({"model": "m", "tags": [1]})),
        edit("getMessages", "data.1.metadata", put("text")),
        edit("getConversation", "messages.*.metadata", put([0.5])),
    ),
    lambda api: _equal({"model": "m", "tags": [1]}, _messages(api)[0]["metadata"]),
)


_add(
    "metadata-in-conversation",
    "getConversation returns an empty object as metadata, getMessages null.",
    "O-22",
    edit("getConversation", "messages.*.metadata", put({})),
    lambda api: _equal({}, _read_messages(api)[0]["metadata"]),
)


def _read_messages(api: Api) -> list[dict[str, Any]]:
    visitor = api.visitor()
    read = visitor.expect("getConversation", visitor.talk())
    return list(read["messages"])


def _messages(api: Api) -> list[dict[str, Any]]:
    visitor = api.visitor()
    return visitor.messages(visitor.talk())


@_variant(
    "status-null",
    "Messages of the visitor have the status null.",
    "Message.properties.status",
    lambda api: _equal(None, _messages(api)[0]["status"]),
)
def _status_null(server: Server) -> None:
    mine: dict[str, Any] = {"where": lambda message: message["role"] == "user"}
    together(
        edit("getMessages", "data.*.status", put(None), **mine),
        edit("getConversation", "messages.*.status", put(None), **mine),
        edit("getConversations", "data.*.lastMessage.status", put(None), **mine),
    )(server)

    def query(_records: Any, original: Callable[..., Any], *which: str, **more: Any) -> Any:
        if more.get("status") is None:
            return original(*which, **more)
        limit, offset = more.pop("limit"), more.pop("offset")
        found = [row for row in original(*which, **more) if row.role != "user"]
        return found[offset:] if limit is None else found[offset : offset + limit]

    server.records("messages", query)


_add(
    "title-never",
    "The title of every conversation is null.",
    "Conversation.properties.title",
    together(
        edit("getConversation", "title", put(None)),
        edit("getConversations", "data.*.title", put(None)),
    ),
    lambda api: _equal(None, _talked(api)["title"]),
)


def _talked(api: Api) -> dict[str, Any]:
    visitor = api.visitor()
    return visitor.read(visitor.talk())


def _identified(visitor: dict[str, Any]) -> dict[str, Any]:
    return {**visitor, "type": "identified", "externalId": "c-42", "name": "Zoë", "avatarUrl": "/a"}


_add(
    "identified",
    "Visitors are identified, and have names.",
    "VisitorType; Visitor",
    together(
        edit("init", "visitor", change(_identified)),
        lambda server: server.after("getMe", become(_identified)),
    ),
    lambda api: _equal("identified", api.visitor().expect("getMe")["type"]),
)


def _capitals(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: item.upper() if name in {"id", "chatId"} and isinstance(item, str) else item
        for name, item in value.items()
    }


_add(
    "ids-in-capitals",
    "Identifiers are in upper case.",
    "ConversationId.format: a UUID is read in either case (RFC 9562)",
    lambda server: server.after(
        "startConversation getConversations getConversation getMessages init getMe",
        become(lambda value: deep(value, _capitals)),
    ),
    lambda api: _in_capitals(api.visitor().expect("getMe")["id"]),
)


def _written(write: Callable[[Any], str]) -> Build:
    def hook(exchange: Exchange) -> None:
        if exchange.headers.get("content-type") == "application/json":
            exchange.body = write(exchange.json).encode()

    return lambda server: server.after(_EVERY, hook)


_add(
    "json-spread-out",
    "JSON is indented, and escapes characters beyond ASCII.",
    "openapi.yaml: any JSON",
    _written(lambda value: f"\n{json.dumps(value, indent=2, sort_keys=True)}\n"),
    lambda api: _contains(api.visitor().send("getMe").text, "\n"),
)


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


_add(
    "whole-numbers-with-point",
    "Whole numbers are written as 10.0.",
    "C-11; R-9: an integer in JSON Schema is any whole number",
    _written(lambda value: json.dumps(_floats(value))),
    lambda api: _contains(api.visitor().send("getConversations").text, "10.0"),
)


@_variant(
    "charset",
    "JSON is sent as application/json; charset=utf-8.",
    "RFC 9110, 8.3: parameters of a media type",
    lambda api: _equal(
        "application/json; charset=utf-8", api.visitor().send("getMe").headers["content-type"]
    ),
)
def _charset(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        if exchange.headers.get("content-type") in {"application/json", "text/event-stream"}:
            exchange.headers["content-type"] += "; charset=utf-8"

    server.after(_EVERY, hook)
    server.head(_STREAMING, hook)


# Conversations and messages.


@_variant(
    "closed-accepts",
    "A message to a closed conversation is stored and answered without opening it.",
    "O-3",
    lambda api: _said_after_closing(api, 200),
)
def _closed_accepts(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            found = records.conversation(call.path["conversationId"], call.visitor.id)
        if found is None or found.status == "open":
            return handler(call)
        _set_status(call, "open")
        try:
            return handler(call)
        finally:
            _set_status(call, "closed")

    server.handler("sendMessage", answer)


def _set_status(call: Call, status: str) -> None:
    with call.services.store.write() as records:
        records._connection.execute(
            update(conversations)
            .where(conversations.c.id == call.path["conversationId"])
            .values(status=status)
        )


def _said_after_closing(api: Api, status: int) -> None:
    visitor = api.visitor()
    it = visitor.talk()
    visitor.close(it)
    assert status == visitor.send("sendMessage", it, body={"content": "Hi"}).status_code
    assert "closed" == visitor.read(it)["status"]


_add(
    "closed-422",
    "A message to a closed conversation is refused with 422.",
    "O-3",
    lambda server: server.after("sendMessage", _conflict_as_422),
    lambda api: _said_after_closing(api, 422),
)


def _conflict_as_422(exchange: Exchange) -> None:
    if exchange.status == 409:
        exchange.status = 422


@_variant(
    "own-feedback-refused",
    "A visitor who rates an own message is refused with 403.",
    "O-18",
    lambda api: _rated_own(api, 403),
)
def _own_feedback_refused(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            message = records.message(call.path["messageId"])
        if message is not None and message.role == "user" and owner_of(call) == call.visitor.id:
            raise ApiError(403, message="Only answers can be rated")
        return handler(call)

    server.handler("sendMessageFeedback", answer)


def _rated_own(api: Api, status: int) -> None:
    visitor = api.visitor()
    question, answer = visitor.messages(visitor.talk())
    body = {"feedback": "like"}
    visitor.refused("sendMessageFeedback", question["id"], by=(status,), body=body)
    visitor.rate(answer["id"], "like")


@_variant(
    "close-again-replaces",
    "Closing a closed conversation replaces the reason, and returns success: false.",
    "O-16; O-17",
    lambda api: _closed_twice(api),
)
def _close_again_replaces(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        conversation_id = call.path["conversationId"]
        with call.services.store.read() as records:
            found = records.conversation(conversation_id, call.visitor.id)
        if found is None or found.status == "open":
            return handler(call)
        with call.services.store.write() as records:
            records._connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation_id)
                .values(close_reason=(call.body or {}).get("closeReason"))
            )
        return JSONResponse({"success": False, "message": "It was closed before."})

    server.handler("closeConversation", answer)


def _closed_twice(api: Api) -> None:
    visitor = api.visitor()
    it = visitor.talk()
    visitor.close(it, "first")
    again = visitor.expect("closeConversation", it, body={"closeReason": "second"})
    assert again["success"] is False
    assert "second" == visitor.read(it)["closeReason"]


@_variant(
    "second-close-at-once-409",
    "Of two requests that close a conversation at once, one is refused with 409.",
    "O-23",
    lambda api: _one_closes(api),
    socket=True,
)
def _second_close(server: Server) -> None:
    def is_open(exchange: Exchange) -> bool:
        with server.store.read() as records:
            row = records.any_conversation(exchange.path["conversationId"].lower())
        return row is not None and row.status == "open"

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        before = is_open(exchange)
        await asyncio.sleep(_GAP)
        if before and not is_open(exchange):
            exchange.answer = error_response(ApiError(409))
        await forward()

    server.around("closeConversation", wrap)


def _one_closes(api: Api) -> None:
    visitor = api.visitor()
    statuses: set[int] = set()
    for _ in range(_ROUNDS):
        it = visitor.talk()

        def close(it: str = it) -> None:
            statuses.add(visitor.send("closeConversation", it).status_code)

        at_once(close, close)
        assert "closed" == visitor.read(it)["status"]
        if 409 in statuses:
            break
    assert {200, 409} == statuses


@_variant(
    "total-older-than-page",
    "getConversations counts the conversations some time before it reads them.",
    "O-23",
    lambda api: _starts_while_listing(api),
    socket=True,
)
def _total_older(server: Server) -> None:
    started: Counter[str] = Counter()

    async def wrap(exchange: Exchange, forward: Forward) -> None:
        before = started[exchange.bearer]
        await asyncio.sleep(_GAP)
        exchange.notes["missed"] = started[exchange.bearer] - before
        await forward()

    def started_one(exchange: Exchange) -> None:
        started[exchange.bearer] += exchange.succeeded

    def after(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.query.get("status") != "closed":
            found = exchange.json
            exchange.json = {**found, "total": found["total"] - exchange.notes["missed"]}

    server.around("getConversations", wrap)
    server.after("startConversation", started_one)
    server.after("getConversations", after)


def _starts_while_listing(api: Api) -> None:
    pages: list[dict[str, Any]] = []
    visitor = api.visitor()
    for _ in range(_ROUNDS):
        at_once(lambda: pages.append(visitor.list(limit="100")), visitor.start)
        if pages[-1]["total"] == len(pages[-1]["data"]) - 1:
            return
    raise AssertionError


@_variant(
    "rated-before-written",
    "The clock that sets feedbackAt is five seconds behind, so that an answer is rated early.",
    "O-24; C-25",
    lambda api: _rated_early(api),
)
def _slow_clock(server: Server) -> None:
    def rate(
        records: Records,
        original: Callable[..., Any],
        message: str,
        visitor: str,
        value: str | None,
    ) -> Any:
        known = original(message, visitor, value)
        row = records.message(message)
        if known and row is not None and row.feedback_at is not None:
            moment = datetime.fromisoformat(row.feedback_at) - timedelta(seconds=5)
            early = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            records._connection.execute(
                update(messages).where(messages.c.id == message).values(feedback_at=early)
            )
        return known

    server.records("set_feedback", rate)


def _rated_early(api: Api) -> None:
    visitor = api.visitor()
    it = visitor.talk()
    visitor.rate(visitor.messages(it)[-1]["id"], "like")
    rated = visitor.messages(it)[-1]
    assert rated["feedbackAt"] < rated["createdAt"]


@_variant(
    "closing-is-no-change",
    "Closing a conversation does not change its updatedAt.",
    "O-24",
    lambda api: _closed_unchanged(api),
)
def _no_change(server: Server) -> None:
    def close(
        records: Records, original: Callable[..., Any], conversation: str, reason: str | None
    ) -> None:
        before = records.any_conversation(conversation)
        original(conversation, reason)
        if before is not None:
            records._connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation)
                .values(updated_at=before.updated_at)
            )

    server.records("close_conversation", close)


def _closed_unchanged(api: Api) -> None:
    visitor = api.visitor()
    it = visitor.talk()
    before = visitor.read(it)["updatedAt"]
    time.sleep(_GAP)
    visitor.close(it)
    assert before == visitor.read(it)["updatedAt"]


@_variant(
    "human",
    "A human agent takes over each third conversation, so that messages get 202.",
    "openapi.yaml sendMessage 202 (P2)",
    lambda api: _taken_over(api),
)
def _human(server: Server) -> None:
    hand_over(server, each=3)


def hand_over(server: Server, *, each: int) -> None:
    """Let a human agent take over the last of ``each`` conversations."""
    numbers = count(1)

    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        if next(numbers) % each:
            return response
        assert isinstance(response, JSONResponse)
        conversation_id = json.loads(bytes(response.body))["id"]
        call.services.store.assign_human(conversation_id, "Ada", None)
        with call.services.store.read() as records:
            found = records.conversation(conversation_id, call.visitor.id)
            stored = records.messages(conversation_id)
        assert found is not None
        return JSONResponse(views.conversation(found, stored), status_code=201)

    server.handler("startConversation", answer)


def _taken_over(api: Api) -> None:
    visitor = api.visitor()
    ids = [visitor.start() for _ in range(3)]
    body = {"content": "Hi"}
    statuses = [visitor.send("sendMessage", it, body=body).status_code for it in ids]
    assert [200, 200, 202] == sorted(statuses)


# Paging.


@_variant(
    "whole-paging",
    "Fractions and null are refused for limit, offset and size.",
    "O-5; O-6",
    lambda api: _paging(api, (400, 422)),
)
def _whole_paging(server: Server) -> None:
    for operation, name in (
        ("getConversations", "limit"),
        ("getConversations", "offset"),
        ("getQnas", "limit"),
        ("getQnas", "offset"),
        ("getMessages", "offset"),
        ("search", "size"),
    ):
        server.parameter(operation, name)["type"] = "integer"


def _paging(api: Api, by: tuple[int, ...]) -> None:
    visitor = api.visitor()
    assert visitor.send("getConversations", limit="1.5").status_code in by
    assert visitor.send("getConversations", offset="null").status_code in by
    assert api.send("search", q="desk", size="2.5", apiKey=API_KEY).status_code in by


@_variant(
    "empty-messages-refused",
    "createChatCompletion refuses an empty array of messages.",
    "O-9",
    lambda api: api.visitor().invalid("createChatCompletion", body={"messages": []}),
)
def _empty_messages_refused(server: Server) -> None:
    server.schema("ChatCompletionRequest.properties.messages")["minItems"] = 1


# Answers of the assistant, and streams.


@_variant(
    "stream-default",
    "sendMessage streams by default.",
    "O-10",
    lambda api: _asked_nothing(api),
)
def _stream_default(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        if isinstance(sent, dict):
            exchange.request_json = {"stream": True, **sent}

    server.before("sendMessage", ask)


def _asked_nothing(api: Api) -> None:
    visitor = api.visitor()
    response = visitor.send("sendMessage", visitor.start(), body={"content": "Hi"})
    assert "text/event-stream" == response.headers["content-type"]


def _failing(server: Server, *, done: bool) -> None:
    numbers = count(1)

    def answer(call: Call, handler: Handler) -> ASGIApp:
        if call.body.get("stream") is not True or next(numbers) % 3:
            return handler(call)
        failing = _Failing(call.services.assistant)
        return handler(replace(call, services=replace(call.services, assistant=failing)))

    server.handler(_STREAMING, answer)

    def begin(_exchange: Exchange) -> Step:
        failed: list[Event] = []

        def step(event: Event) -> Iterable[Event]:
            if event.type == "error":
                failed.append(event)
            return [] if failed and event.type == "[DONE]" and not done else [event]

        return step

    server.stream(_STREAMING, begin)


class _Failing(Assistant):
    """An assistant that breaks off each answer of another assistant."""

    def __init__(self, assistant: Assistant) -> None:
        super().__init__()
        self._other = assistant

    def answer(self, question: str, context: Iterable[str | None] = ()) -> Reply:
        found = self._other.answer(question, context)
        error = {"type": "error", "errorText": "The model is overloaded"}
        return replace(found, items=({"text": found.text[:10]}, error))


def _breaks_off(*, done: bool) -> Shows:
    def shows(api: Api) -> None:
        visitor = api.visitor()
        body = {**CHAT, "stream": True}
        texts = [visitor.send("createChatCompletion", body=body).text for _ in range(3)]
        failed = [text for text in texts if '"errorText"' in text]
        assert 1 == len(failed)
        assert done == failed[0].endswith("data: [DONE]\n\n")

    return shows


_add(
    "done-after-error",
    "Each third stream breaks off with an error followed by [DONE].",
    "O-15",
    lambda server: _failing(server, done=True),
    _breaks_off(done=True),
)
_add(
    "no-done-after-error",
    "Each third stream breaks off with an error and without [DONE].",
    "O-15",
    lambda server: _failing(server, done=False),
    _breaks_off(done=False),
)


def _lines(event: Event) -> Iterable[bytes]:
    """Encode an event in another valid form of server-sent events."""
    kind = event.type
    if kind == "start":
        yield b": hello\r\n\r\nretry: 3000\r\n\r\n"
    if kind == "text-delta" and '","delta"' in event.data:
        head, _, tail = event.data.partition(',"delta"')
        yield f'id: 7\r\nevent: message\r\ndata:{head},\r\ndata: "delta"{tail}\r\n\r\n'.encode()
    else:
        yield f"data:{event.data}\r\n\r\n".encode()
    if kind == "text-start":
        yield b": still here\r\n\r\n"


_add(
    "event-stream-in-other-style",
    "Streams have comments, ids, CR LF, and payloads over several lines of data.",
    "C-10: what server-sent events allow",
    lambda server: server.stream(_STREAMING, lambda _: _lines),
    lambda api: _contains(_streamed(api), "data:[DONE]\r\n"),
)


def _streamed(api: Api) -> str:
    return api.visitor().send("createChatCompletion", body={**CHAT, "stream": True}).text


def _pieces(_exchange: Exchange) -> Step:
    kept: list[str] = []
    ids: list[str] = []

    def step(event: Event) -> Iterable[Event]:
        if event.type == "text-delta":
            kept.append(event.payload["delta"])
            ids.append(event.payload["id"])
            return []
        if event.type == "text-end" and kept:
            delta = Event.of({"type": "text-delta", "id": ids[0], "delta": "".join(kept)})
            return [delta.but(delta=""), delta, event]
        return [event]

    return step


_add(
    "one-delta",
    "The text of a stream is sent in one delta, after an empty one.",
    "TextDeltaPayload.properties.delta",
    lambda server: server.stream(_STREAMING, _pieces),
    lambda api: _equal(2, _streamed(api).count('"text-delta"')),
)


def _tools(_exchange: Exchange) -> Step:
    def step(event: Event) -> Iterable[Event]:
        if event.type == "start-step":
            call = {"toolCallId": "c1", "toolName": "search"}
            return [
                event,
                Event.of({"type": "reasoning-start", "id": "r"}),
                Event.of({"type": "reasoning-delta", "id": "r", "delta": "Let me see."}),
                Event.of({"type": "reasoning-end", "id": "r"}),
                Event.of({"type": "tool-input-start", **call}),
                Event.of({"type": "tool-input-available", **call, "input": {"q": "x"}}),
                Event.of({"type": "tool-output-available", **call, "output": [1]}),
                Event.of({"type": "finish-step"}),
                event,
            ]
        return [event]

    return step


@_variant(
    "two-steps",
    "The assistant uses a tool in a first step, and answers in a second one.",
    "Completion.properties.steps; R-10",
    lambda api: _contains(_streamed(api), "tool-input-start"),
)
def _two_steps(server: Server) -> None:
    server.stream(_STREAMING, _tools)
    tool = {"type": "tool-search", "state": "output-available", "output": {"found": 1}}
    step = {"content": [tool], "finishReason": "tool-calls", "usage": {"inputTokens": 1}}
    edit(_STREAMING, "steps", change(lambda steps: [step, *steps]))(server)
    answers: dict[str, Any] = {"where": lambda message: message["role"] == "assistant"}
    before = change(lambda parts: [tool, *parts])
    edit("getMessages", "data.*.parts", before, **answers)(server)
    edit("getConversation", "messages.*.parts", before, **answers)(server)
    edit("getConversations", "data.*.lastMessage.parts", before, **answers)(server)


@_variant(
    "answers-vary",
    "The assistant gives a different answer each time, long and with emoji.",
    "openapi.yaml sendMessage.description: an assistant's words are its own",
    lambda api: _different(api),
)
def _answers_vary(server: Server) -> None:
    numbers = count(1)

    def patch(services: Services) -> None:
        assistant = services.assistant
        original = assistant.answer

        def answer(question: str, context: Iterable[str | None] = ()) -> Reply:
            found = original(question, context)
            text = f"{found.text}\n\n{next(numbers)}. Grüße 👋🏽 {'und so weiter ' * 30}…"
            return replace(found, items=({"text": text},))

        assistant.answer = answer  # type: ignore[method-assign] # replaces the method of the class

    server.services(patch)


def _different(api: Api) -> None:
    visitor = api.visitor()
    it = visitor.start()
    assert visitor.say(it, "Hi") != visitor.say(it, "Hi")


@_variant(
    "qnas-slow",
    "Each response is delayed by 50 ms.",
    "openapi.yaml states no times",
    lambda api: api.visitor(),
)
def _slow(server: Server) -> None:
    build = server.app

    def app(**settings: Any) -> Starlette:
        application = build(**settings)
        inner = application.middleware_stack
        assert inner is not None

        async def later(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                await asyncio.sleep(0.05)
            await inner(scope, receive, send)

        application.middleware_stack = later
        return application

    server.app = app  # type: ignore[method-assign] # replaces the method of this server


_add(
    "stream-slow",
    "The events of a stream are sent 20 ms apart.",
    "openapi.yaml sendMessage.description: while it is being written",
    lambda server: server.settings.update(stream_delay=0.02),
    lambda api: _streamed(api),
)


@_variant(
    "texts-trimmed",
    "White space around messages, pages and reasons of closing is removed.",
    "O-20",
    lambda api: _trims(api),
)
def _texts_trimmed(server: Server) -> None:
    def trim(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: trim(item) for name, item in value.items()}
        return value.strip() if isinstance(value, str) else value

    def ask(exchange: Exchange) -> ASGIApp | None:
        with contextlib.suppress(ValueError):  # the mock refuses it
            exchange.request_body = json.dumps(trim(json.loads(exchange.request_body))).encode()
        return None

    server.before("sendMessage closeConversation", ask)


def _trims(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("  Hi there \n")
    _equal("Hi there", visitor.texts(conversation)[0])
    visitor.close(conversation, " solved ")
    _equal("solved", visitor.read(conversation)["closeReason"])


def _in_capitals(value: str) -> None:
    assert value == value.upper()


def _lacks(value: Any, item: Any) -> None:
    assert item not in value


def _equal(expected: Any, actual: Any) -> None:
    assert expected == actual


def _contains(value: Any, item: Any) -> None:
    assert item in value


VARIANTS: Mapping[str, Variant] = {
    variant.id: variant
    for variant in (
        *_variants.variants,
        *INPUT_VARIANTS,
        *TRANSPORT_VARIANTS,
        *SOCKET_VARIANTS,
    )
}
"""Every tolerated variant."""
