"""Faults of messages, their feedback, and the closing of their conversations."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from siteassist_mock.handlers import views
from siteassist_mock.handlers.conversations import check_open, own_conversation
from siteassist_mock.handlers.replies import whole
from siteassist_mock.http.event_stream import EventStreamResponse
from tests.faults import probes
from tests.faults.edits import change, edit
from tests.faults.mutant import Faults
from tests.faults.overlap import reopen
from tests.faults.state import rate_again

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from siteassist_mock.storage.store import Records
    from siteassist_mock.storage.tables import MessageRow
    from tests.faults.faulty import Server
    from tests.faults.probing import Api

    Original = Callable[..., Any]

__all__ = ["FAULTS"]

FAULTS = Faults("reported")
_add = FAULTS.add
_fault = FAULTS.fault

_SENT = "openapi.yaml sendMessage 200 link getMessages (F-status, F-messages)"
_PAGE = {"url": "https://example.com/one", "title": "One"}
_REPEATED_SECONDS = 60


# Reading.


def _complete_streams(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.stream(conversation, "How long does shipping take?")
    every = visitor.messages(conversation)
    assert ["complete"] * 2 == [message["status"] for message in every]
    assert every == visitor.messages(conversation, status="complete")


@_fault(
    "status-filter-misses-streamed",
    "getMessages with status=complete omits the answers that were streamed.",
    "openapi.yaml getMessages status (F-messages); O-22",
    _complete_streams,
)
def _misses_streamed(server: Server) -> None:
    streamed: set[str] = set()

    def add(_records: Records, original: Original, *words: Any, **more: Any) -> MessageRow:
        message: MessageRow = original(*words, **more)
        if message.status == "streaming":
            streamed.add(message.id)
        return message

    def query(_records: Records, original: Original, *which: str, **more: Any) -> Any:
        if more.get("status") != "complete":
            return original(*which, **more)
        rows = original(*which, **{**more, "limit": None, "offset": 0})
        return _page(more, [row for row in rows if row.id not in streamed])

    server.records("add_message", add)
    server.records("messages", query)


def _page(query: dict[str, Any], rows: list[MessageRow]) -> list[MessageRow]:
    offset, limit = query["offset"] or 0, query["limit"]
    return rows[offset:] if limit is None else rows[offset : offset + limit]


_add(
    "conversation-embeds-20-messages",
    "getConversation returns the first 20 messages only.",
    "Conversation.properties.messages (P5); O-22",
    edit("getConversation", "messages", change(lambda messages: messages[:20])),
    probes.exchanged(11),
)


def _role_after_closing(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi")
    visitor.close(conversation)
    assert ["Hi"] == visitor.texts(conversation, role="user")


@_fault(
    "role-filter-lost-after-close",
    "getMessages ignores role in a closed conversation.",
    "openapi.yaml getMessages role (F-messages)",
    _role_after_closing,
)
def _role_lost(server: Server) -> None:
    def query(records: Records, original: Original, conversation: str, **more: Any) -> Any:
        if more.get("role") is not None:
            row = records.any_conversation(conversation)
            if row is not None and row.status == "closed":
                more["role"] = None
        return original(conversation, **more)

    server.records("messages", query)


@_fault(
    "messages-sorted-by-second-and-id",
    "getMessages sorts messages by the second of their creation, then by their random ids.",
    "openapi.yaml getMessages.description (F-messages): oldest first; R-34",
    probes.exchanged(8),
)
def _sorted_by_id(server: Server) -> None:
    def answer(call: Call, _handler: Handler) -> ASGIApp:
        query = call.query
        with call.services.store.read() as records:
            conversation = own_conversation(records, call)
            rows = records.messages(conversation.id, role=query["role"], status=query["status"])
        rows.sort(key=lambda row: (row.created_at[:19], row.id))
        shown = [views.message(row) for row in _page(query, rows)]
        return JSONResponse({"object": "list", "data": shown})

    server.handler("getMessages", answer)


# Sending.


def _said_in_two_conversations(api: Api) -> None:
    visitor = api.visitor()
    for conversation in [visitor.start() for _ in range(2)]:
        visitor.say(conversation, "Where is my order?")
        assert ["Where is my order?"] == visitor.texts(conversation)[::2]


@_fault(
    "same-text-elsewhere-not-stored",
    "A message is answered but not stored if the visitor has sent its text to another conversation"
    " within a minute.",
    _SENT,
    _said_in_two_conversations,
)
def _not_stored_elsewhere(server: Server) -> None:
    said: dict[tuple[str, str], tuple[str, float]] = {}

    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            conversation = own_conversation(records, call)
            check_open(conversation)
        text = call.body["content"]
        first, at = said.get((call.visitor.id, text), (conversation.id, 0.0))
        recent = time.monotonic() - at < _REPEATED_SECONDS
        if first != conversation.id and recent and not conversation.is_human_handled:
            reply = call.services.assistant.answer(text)
            if call.body.get("stream", False):
                return EventStreamResponse(reply.events())
            return whole(reply)
        response = handler(call)
        said[call.visitor.id, text] = conversation.id, time.monotonic()
        return response

    server.handler("sendMessage", answer)


def _page_of_one_message(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.say(conversation, "Hi", pageContext=_PAGE)
    for more in ({}, {"pageContext": None}):
        visitor.say(conversation, "Hello", **more)
    pages = [message["pageUrl"] for message in visitor.messages(conversation, role="user")]
    assert [_PAGE["url"], None, None] == pages


@_fault(
    "page-of-earlier-message-sticks",
    "A message without a page gets that of an earlier message in its conversation.",
    "Message.properties.pageUrl; O-25",
    _page_of_one_message,
)
def _page_sticks(server: Server) -> None:
    pages: dict[str, dict[str, Any]] = {}

    def answer(call: Call, handler: Handler) -> ASGIApp:
        conversation, page = call.path["conversationId"], call.body.get("pageContext")
        if page is None:
            earlier = {"pageContext": pages.get(conversation)}
            return handler(replace(call, body={**call.body, **earlier}))
        response = handler(call)
        pages[conversation] = page
        return response

    server.handler("sendMessage", answer)


@_fault(
    "content-cut-at-16384-bytes",
    "A message is cut after 16,384 bytes, which may be fewer than 10,000 characters.",
    "SendMessageRequest.properties.content (P2); O-21; R-31",
    probes.stored("\N{HIRAGANA LETTER A}" * 9000),
    rare=True,
)
def _cut_at_bytes(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        text = call.body["content"].encode()[:16_384].decode(errors="ignore")
        return handler(replace(call, body={**call.body, "content": text}))

    server.handler("sendMessage", answer)


def _title_with_emoji(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    title = "Sale \N{PARTY POPPER} today"
    visitor.say(conversation, "Hi", pageContext={"title": title})
    assert title == visitor.messages(conversation)[0]["pageTitle"]


@_fault(
    "page-title-cut-at-emoji",
    "The title of a page is cut before its first character beyond the basic plane.",
    "Message.properties.pageTitle; R-31; O-20",
    _title_with_emoji,
    rare=True,
)
def _title_cut(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        page = call.body.get("pageContext")
        if page and isinstance(page.get("title"), str):
            title = re.split("[\U00010000-\U0010ffff]", page["title"])[0]
            call = replace(call, body={**call.body, "pageContext": {**page, "title": title}})
        return handler(call)

    server.handler("sendMessage", answer)


# Closing and feedback.


def _closed_though_rated(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    visitor.rate(visitor.messages(conversation)[-1]["id"], "like")
    assert "closed" == visitor.read(conversation)["status"]


@_fault(
    "feedback-reopens-conversation",
    "Feedback for a message of a closed conversation opens the conversation again.",
    "openapi.yaml closeConversation.description (F-close, F-widget)",
    _closed_though_rated,
)
def _feedback_reopens(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        with call.services.store.read() as records:
            message = records.message(call.path["messageId"])
            row = message and records.any_conversation(message.conversation_id)
        if row is not None and row.status == "closed":
            reopen(server, row.id)
        return response

    server.handler("sendMessageFeedback", answer)


@_fault(
    "removing-feedback-restores-older",
    "The removal of feedback removes its last value only, and the value before shows again.",
    "openapi.yaml sendMessageFeedback.description (F-feedback)",
    rate_again("like", "dislike", None),
)
def _older_restored(server: Server) -> None:
    given: dict[str, list[str]] = {}

    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        values = given.setdefault(call.path["messageId"], [])
        if call.body["feedback"] is not None:
            values.append(call.body["feedback"])
        elif values:
            values.pop()
            if values:
                handler(replace(call, body={"feedback": values[-1]}))
        return response

    server.handler("sendMessageFeedback", answer)
