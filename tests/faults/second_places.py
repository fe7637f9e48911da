"""Faults of agreement: the same thing differs between two operations that show it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from siteassist_mock.storage.store import Records
from tests.faults.edits import Edit, change, edit, put
from tests.faults.exchange import Exchange
from tests.faults.faulty import Server
from tests.faults.mutant import Faults
from tests.faults.probing import Api
from tests.values import PROJECT_ID, QNA_ID

__all__ = ["FAULTS"]

FAULTS = Faults("places")
_add = FAULTS.add
_fault = FAULTS.fault

_MESSAGE = "R-24"


def _moved(move: Callable[[datetime], datetime]) -> Edit:
    """Return an edit that changes a time; its form stays."""

    def moved(time: str | None) -> str | None:
        if time is None:
            return None
        after = move(datetime.fromisoformat(time))
        return after.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return change(moved)


def _messages_agree(api: Api) -> None:
    """Compare the messages of a conversation in all three operations, before and after a step."""
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.stream(conversation, "How long does shipping take?")
    answer = visitor.messages(conversation)[-1]["id"]
    for feedback in ("like", None):
        visitor.rate(answer, feedback)
        messages = visitor.messages(conversation)
        assert feedback == messages[-1]["feedback"]
        assert messages == visitor.read(conversation)["messages"]
        assert messages[-1] == visitor.list()["data"][0]["lastMessage"]


def _conversations_agree(api: Api) -> None:
    """Compare a conversation in both operations, open and closed."""
    visitor = api.visitor()
    conversation = visitor.talk()
    for close in (False, True):
        if close:
            visitor.close(conversation)
        read, (listed,) = visitor.read(conversation), visitor.list()["data"]
        del read["messages"], listed["lastMessage"]
        assert read == listed


# Messages in a conversation, in their list, and as the last message of a conversation.

_add(
    "last-message-is-a-preview",
    "lastMessage has only the first 80 characters of a text.",
    _MESSAGE,
    edit(
        "getConversations",
        "data.*.lastMessage.parts.*.text",
        change(lambda text: text if len(text) <= 80 else f"{text[:79]}…"),
    ),
    _messages_agree,
)
_add(
    "last-message-without-time-of-feedback",
    "feedbackAt of lastMessage is always null.",
    "Message.properties.feedbackAt (R-24)",
    edit("getConversations", "data.*.lastMessage.feedbackAt", put(None)),
    _messages_agree,
    rare=True,
)
_add(
    "message-times-in-local-time",
    "getConversation returns createdAt of messages in a local time that it calls UTC.",
    "Message.properties.createdAt (R-24)",
    edit("getConversation", "messages.*.createdAt", _moved(lambda time: time + timedelta(hours=2))),
    _messages_agree,
)


@_fault(
    "removed-feedback-stays-in-conversation",
    "getConversation still returns the feedback that was removed with null.",
    "openapi.yaml sendMessageFeedback.description (F-feedback)",
    _messages_agree,
    rare=True,
)
def _removed_feedback_stays(server: Server) -> None:
    last: dict[str, str] = {}

    def rated(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.json["feedback"] is not None:
            last[exchange.path["messageId"].lower()] = exchange.json["feedback"]

    def show(owner: dict[Any, Any], key: Any) -> None:
        owner[key] = owner[key] or last.get(owner["id"])

    server.after("sendMessageFeedback", rated)
    edit("getConversation", "messages.*.feedback", show)(server)


@_fault(
    "streaming-for-ever-in-conversation",
    "getConversation returns the status streaming for answers that were streamed to their end.",
    "MessageStatus.description (R-24)",
    _messages_agree,
)
def _streaming_for_ever(server: Server) -> None:
    streamed: set[str] = set()

    def add(_records: Records, original: Any, *words: Any, **more: Any) -> Any:
        message = original(*words, **more)
        if message.status == "streaming":
            streamed.add(message.id)
        return message

    server.records("add_message", add)
    edit(
        "getConversation",
        "messages.*.status",
        put("streaming"),
        where=lambda message: message["id"] in streamed,
    )(server)


def _streamed_is_stored(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    text = visitor.stream(conversation, "How long does shipping take?")
    assert text == visitor.texts(conversation)[-1]


@_fault(
    "streamed-answer-stored-in-one-line",
    "The line breaks of a streamed answer are not stored.",
    "openapi.yaml sendMessage 200 link getMessages",
    _streamed_is_stored,
)
def _stored_in_one_line(server: Server) -> None:
    def end(_records: Records, original: Any, message: str, text: str, **more: Any) -> None:
        original(message, " ".join(text.split()), **more)

    server.records("end_message", end)


@_fault(
    "feedback-answer-is-the-one-before",
    "sendMessageFeedback returns the feedback that it has replaced.",
    "MessageFeedback.properties.feedback (F-feedback)",
    lambda api: _rated_twice(api),
    rare=True,
)
def _feedback_before(server: Server) -> None:
    last: dict[str, str] = {}

    def rated(exchange: Exchange) -> None:
        if exchange.succeeded:
            message, feedback = exchange.path["messageId"].lower(), exchange.json["feedback"]
            if last.get(message) is not None:
                exchange.json = {"feedback": last[message]}
            last[message] = feedback

    server.after("sendMessageFeedback", rated)


def _rated_twice(api: Api) -> None:
    visitor = api.visitor()
    message = visitor.messages(visitor.talk())[-1]["id"]
    visitor.rate(message, "like")
    visitor.rate(message, "dislike")


# What was not sent, but was sent before.


@_fault(
    "page-context-kept-from-message-before",
    "Fields that a page context lacks are taken from the previous message of the conversation.",
    "Message.properties.pageUrl (F-messages)",
    lambda api: _without_the_page_before(api),
    rare=True,
)
def _page_kept(server: Server) -> None:
    pages: dict[str, dict[str, Any]] = {}

    def ask(exchange: Exchange) -> None:
        body = exchange.request_json
        if isinstance(body, dict) and isinstance(body.get("pageContext") or {}, dict):
            given = body.get("pageContext") or {}
            page = {**pages.get(exchange.path["conversationId"].lower(), {}), **given}
            if page != given:
                exchange.request_json = {**body, "pageContext": page}

    def sent(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.request_json.get("pageContext"):
            page = exchange.request_json["pageContext"]
            pages[exchange.path["conversationId"].lower()] = page

    server.before("sendMessage", ask)
    server.after("sendMessage", sent)
    server.head("sendMessage", sent)


def _without_the_page_before(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.say(conversation, "Hi", pageContext={"url": "https://example.com/", "title": "Home"})
    visitor.say(conversation, "Hi", pageContext={"title": "Help"})
    message = visitor.messages(conversation)[2]
    assert (None, "Help") == (message["pageUrl"], message["pageTitle"])


@_fault(
    "close-reason-of-conversation-before",
    "A conversation that is closed without a reason gets the visitor's previous reason.",
    "Conversation.properties.closeReason",
    lambda api: _closed_without_a_reason(api),
    rare=True,
)
def _reason_kept(server: Server) -> None:
    reasons: dict[str, str] = {}

    def ask(exchange: Exchange) -> None:
        sender = exchange.request_headers.get("authorization", "")
        if sender in reasons and exchange.request_body in (b"", b"{}"):
            exchange.request_json = {"closeReason": reasons[sender]}

    def closed(exchange: Exchange) -> None:
        reason = (exchange.request_json or {}).get("closeReason")
        if exchange.succeeded and reason is not None:
            reasons[exchange.request_headers.get("authorization", "")] = reason

    server.before("closeConversation", ask)
    server.after("closeConversation", closed)


def _closed_without_a_reason(api: Api) -> None:
    visitor = api.visitor()
    visitor.close(visitor.start(), "Solved")
    conversation = visitor.start()
    visitor.close(conversation)
    assert visitor.read(conversation)["closeReason"] is None


@_fault(
    "new-conversation-with-messages-of-another",
    "startConversation returns the messages of the conversation that was read last.",
    "Conversation.properties.messages (P1)",
    lambda api: _started_without_messages(api),
    rare=True,
)
def _messages_of_another(server: Server) -> None:
    seen: dict[str, list[Any]] = {}

    def read(exchange: Exchange) -> None:
        if exchange.succeeded:
            seen[exchange.request_headers.get("authorization", "")] = exchange.json["messages"]

    def started(exchange: Exchange) -> None:
        messages = seen.get(exchange.request_headers.get("authorization", ""))
        if exchange.succeeded and messages:
            exchange.json = {**exchange.json, "messages": messages}

    server.after("getConversation", read)
    server.after("startConversation", started)


def _started_without_messages(api: Api) -> None:
    visitor = api.visitor()
    visitor.read(visitor.talk())
    started = visitor.expect("startConversation", wanted=201)
    assert [] == started["messages"]
    assert started == visitor.read(started["id"])


# Conversations in a list and alone.

_add(
    "closed-at-rounded-in-lists",
    "closedAt is rounded up to the next second in lists.",
    "ConversationSummary.properties.closedAt",
    edit(
        "getConversations",
        "data.*.closedAt",
        _moved(lambda time: time.replace(microsecond=0) + timedelta(seconds=1)),
    ),
    _conversations_agree,
    rare=True,
)
_add(
    "human-handled-only-when-read",
    "getConversation says that a human agent answers, getConversations that none does.",
    "Conversation.properties.isHumanHandled",
    edit("getConversation", "isHumanHandled", put(True)),
    _conversations_agree,
)
_add(
    "last-interaction-without-time-of-day",
    "getConversation returns lastInteractionAt at midnight.",
    "Conversation.properties.lastInteractionAt",
    edit(
        "getConversation",
        "lastInteractionAt",
        change(lambda time: f"{time.partition('T')[0]}T00:00:00.000Z"),
    ),
    _conversations_agree,
)


# Visitors and Q&As.


def _visitors_agree(api: Api) -> None:
    visitor = api.visitor()
    again = api.session(visitor.device, wanted=200)["visitor"]
    assert again == visitor.expect("getMe")


_add(
    "made-up-name-only-in-me",
    "getMe returns a made-up name for a visitor to whom init gives none.",
    "Visitor.properties.name",
    edit("getMe", "name", change(lambda name: name or "Anonymous visitor")),
    _visitors_agree,
)


def _qnas_agree(api: Api) -> None:
    (listed,) = api.expect("getQnas", PROJECT_ID, limit=1)["data"]
    assert QNA_ID == listed["id"]
    assert listed == api.expect("getQna", PROJECT_ID, QNA_ID)


_add(
    "answer-rendered-in-qna",
    "getQna returns the answer as HTML, getQnas as it was written.",
    "Qna.properties.answer (R-6)",
    edit("getQna", "answer", change(lambda answer: f"<p>{answer}</p>")),
    _qnas_agree,
)
