"""Faults of storage: data that is lost, mixed up or inconsistent between operations."""

from __future__ import annotations

import html
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from sqlalchemy import delete, select, update
from starlette.types import ASGIApp

from siteassist_mock.http.call import Call, Handler
from siteassist_mock.http.errors import ApiError
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import MessageRow, conversations, messages
from tests.faults import probes
from tests.faults.edits import change, edit, put, whole
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import EMOJI, Api
from tests.values import UNKNOWN_ID

__all__ = ["FAULTS", "rate_again"]

FAULTS = Faults("state")
_add = FAULTS.add
_fault = FAULTS.fault
Original = Callable[..., Any]

_SENT = "openapi.yaml sendMessage 202 and links to getMessages; getMessages.description"
_ALL = "openapi.yaml getMessages.description (F-messages)"
_FEEDBACK = "openapi.yaml sendMessageFeedback.description (F-feedback)"
_CLOSING = "openapi.yaml closeConversation.description (P4)"
_LIST = "openapi.yaml getConversations.description (P3)"
_LONG_AGO = "2020-01-01T00:00:00.000Z"


# Texts of messages.


def _forgetting(forget: Callable[[Records, MessageRow], bool]) -> Build:
    """Return a fault that some messages are not stored."""

    def add(records: Records, original: Original, *words: Any, **more: Any) -> MessageRow:
        message: MessageRow = original(*words, **more)
        if forget(records, message):
            records._connection.execute(delete(messages).where(messages.c.id == message.id))
        return message

    return lambda server: server.records("add_message", add)


def _storing(make: Callable[[str], str], role: str = "user") -> Build:
    """Return a fault that stores ``make(text)`` as the text of a message."""

    def add(
        _records: Records, original: Original, conversation: str, who: str, text: str, **more: Any
    ) -> Any:
        return original(conversation, who, make(text) if who == role else text, **more)

    return lambda server: server.records("add_message", add)


def _number(records: Records, message: MessageRow) -> int:
    return len(records.messages(message.conversation_id))


for _name, _description, _forget, _probe, _rare in (
    (
        "question-not-stored",
        "Messages of the visitor are answered, but not stored.",
        lambda _records, message: message.role == "user",
        probes.exchanged(1),
        False,
    ),
    (
        "answer-not-stored",
        "Answers of the assistant are not stored.",
        lambda _records, message: message.role == "assistant",
        probes.exchanged(1),
        False,
    ),
    (
        "only-first-exchange-stored",
        "Only the first question and answer of each conversation are stored.",
        lambda records, message: _number(records, message) > 2,
        probes.exchanged(2),
        False,
    ),
    (
        "tenth-message-lost",
        "The tenth message of a conversation is lost.",
        lambda records, message: _number(records, message) == 10,
        probes.exchanged(5),
        True,
    ),
):
    _add(_name, _description, _SENT, _forgetting(_forget), _probe, rare=_rare)

for _name, _description, _make, _said, _rare in (
    (
        "lines-joined",
        "The lines of a message are joined.",
        lambda text: " ".join(text.split("\n")),
        "Hi\n\nthere",
        True,
    ),
    (
        "emoji-mangled",
        "Characters beyond the basic plane are stored as question marks.",
        lambda text: "".join("?" if char > "\uffff" else char for char in text),
        EMOJI,
        True,
    ),
    (
        "markup-escaped",
        "Messages are stored with HTML entities.",
        html.escape,
        'Is 1 < 2 & "so"?',
        True,
    ),
    (
        "markup-removed",
        "HTML tags are removed from messages.",
        lambda text: text.replace("<b>", ""),
        "a <b> c",
        True,
    ),
    (
        "cut-at-255",
        "Messages are cut to 255 characters.",
        lambda text: text[:255],
        "ab " * 200,
        True,
    ),
    (
        "cut-at-1000",
        "Messages are cut to 1,000 characters.",
        lambda text: text[:1_000],
        "ab " * 600,
        True,
    ),
    (
        "cut-at-8000",
        "Messages are cut to 8,000 characters.",
        lambda text: text[:8_000],
        "abc " * 2_200,
        True,
    ),
    (
        "control-characters-removed",
        "Tabs are stored as spaces.",
        lambda text: text.replace("\t", " "),
        "a\tb",
        True,
    ),
):
    _add(_name, _description, _SENT, _storing(_make), probes.stored(_said), rare=_rare)


def _answers(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    text = visitor.say(conversation, "How long does shipping take?")
    assert text == visitor.texts(conversation)[-1]


_add(
    "answer-stored-otherwise",
    "The stored answer differs from the answer that was sent.",
    "openapi.yaml sendMessage 200 link getMessages",
    _storing(lambda text: text.replace("**", ""), "assistant"),
    _answers,
)


@_fault(
    "message-in-latest-conversation",
    "sendMessage always writes into the latest conversation of the visitor.",
    "openapi.yaml sendMessage; parameter ConversationId",
    lambda api: _two_conversations(api),
)
def _in_latest(server: Server) -> None:
    def add(
        records: Records, original: Original, conversation: str, *words: Any, **more: Any
    ) -> Any:
        owner = select(conversations.c.visitor_id).where(conversations.c.id == conversation)
        latest = (
            select(conversations.c.id)
            .where(conversations.c.visitor_id == owner.scalar_subquery())
            .order_by(conversations.c.seq.desc())
            .limit(1)
        )
        return original(records._connection.scalar(latest), *words, **more)

    server.records("add_message", add)


def _two_conversations(api: Api) -> None:
    visitor = api.visitor()
    first, second = visitor.start(), visitor.start()
    visitor.say(first, "Hi")
    assert ["Hi"] == visitor.texts(first)[:1]
    assert [] == visitor.messages(second)


def _in_messages(path: str, how: Any, **more: Any) -> Build:
    return edit("getMessages", f"data.*.{path}", how, **more)


_add(
    "answer-has-id-of-question",
    "getMessages returns answers with the id of their question.",
    "MessageId: identifies a message",
    lambda server: server.after("getMessages", lambda exchange: _same_ids(exchange)),
    probes.exchanged(1),
)


def _same_ids(exchange: Any) -> None:
    if exchange.succeeded:
        value = exchange.json
        for question, answer in zip(value["data"], value["data"][1:], strict=False):
            if (question["role"], answer["role"]) == ("user", "assistant"):
                answer["id"] = question["id"]
        exchange.json = value


_add(
    "chat-id-of-another",
    "chatId of messages is a random identifier.",
    "R-14",
    _in_messages("chatId", change(lambda _: str(uuid.uuid4()))),
    probes.exchanged(1),
)
_add(
    "answers-by-user",
    "getMessages returns the role user for all messages.",
    "MessageRole.description",
    _in_messages("role", put("user")),
    probes.exchanged(1),
)


# Page context of messages.

_PAGE = {"url": "https://example.com/a", "title": "A page", "textSelection": "a word"}


def _page_kept(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.say(conversation, "Hi", pageContext=_PAGE)
    message = visitor.messages(conversation)[0]
    shown = (message["pageUrl"], message["pageTitle"], message["textSelection"])
    assert tuple(_PAGE.values()) == shown
    assert message == visitor.read(conversation)["messages"][0]


_add(
    "page-url-lost",
    "The URL of the page is not stored with a message.",
    "Message.properties.pageUrl (F-messages)",
    lambda server: server.records("add_message", _without("page_url")),
    _page_kept,
)
_add(
    "text-selection-lost",
    "The selected text is not stored with a message.",
    "Message.properties.textSelection (F-messages)",
    lambda server: server.records("add_message", _without("text_selection")),
    _page_kept,
    rare=True,
)
_add(
    "page-title-and-url-mixed-up",
    "The title and the URL of the page are swapped.",
    "Message.properties.pageUrl, pageTitle (F-messages)",
    lambda server: server.records("add_message", _mixed_up),
    _page_kept,
)


def _without(column: str) -> Callable[..., Any]:
    def add(_records: Records, original: Original, *words: Any, **more: Any) -> Any:
        return original(*words, **{**more, column: None})

    return add


def _mixed_up(_records: Records, original: Original, *words: Any, **more: Any) -> Any:
    url, title = more.get("page_url"), more.get("page_title")
    return original(*words, **{**more, "page_url": title, "page_title": url})


# Feedback.


def rate_again(*values: str | None) -> Probe:
    """Return a probe that the last of several ratings is stored."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.talk("Hi", "Hello")
        ids = [message["id"] for message in visitor.messages(conversation)]
        for value in values:
            visitor.rate(ids[1], value)
        for shown in (visitor.messages(conversation), visitor.read(conversation)["messages"]):
            assert [None, values[-1], None, None] == [message["feedback"] for message in shown]
            rated = [message["feedbackAt"] is not None for message in shown]
            assert [False, values[-1] is not None, False, False] == rated

    return probe


def _feedback(store: Callable[..., Any]) -> Build:
    return lambda server: server.records("set_feedback", store)


def _known(records: Records, original: Original, message: str, visitor: str) -> bool:
    """Return the result of the original without storing anything."""
    before = records.message(message)
    known: bool = original(message, visitor, None)
    if known and before is not None:
        _put_back(records, before)
    return known


def _put_back(records: Records, before: MessageRow) -> None:
    records._connection.execute(
        update(messages)
        .where(messages.c.id == before.id)
        .values(feedback=before.feedback, feedback_at=before.feedback_at)
    )


def _only_first(records: Records, original: Original, message: str, who: str, value: Any) -> Any:
    before = records.message(message)
    if before is not None and before.feedback is not None and value is not None:
        return _known(records, original, message, who)
    return original(message, who, value)


def _without_time(records: Records, original: Original, message: str, who: str, value: Any) -> Any:
    known = original(message, who, value)
    records._connection.execute(
        update(messages).where(messages.c.id == message).values(feedback_at=None)
    )
    return known


def _keeping_time(records: Records, original: Original, message: str, who: str, value: Any) -> Any:
    before = records.message(message)
    known = original(message, who, value)
    if known and value is None and before is not None:
        _put_back(records, replace(before, feedback=None))
    return known


def _on_previous(records: Records, original: Original, message: str, who: str, value: Any) -> Any:
    meant = records.message(message)
    if meant is None:
        return original(message, who, value)
    ids = [found.id for found in records.messages(meant.conversation_id)]
    return original(ids[max(ids.index(message) - 1, 0)], who, value)


for _name, _description, _store, _probe, _rare in (
    (
        "feedback-not-stored",
        "Feedback is confirmed, but not stored.",
        lambda records, original, message, who, _value: _known(records, original, message, who),
        rate_again("like"),
        False,
    ),
    (
        "feedback-not-removed",
        "Feedback cannot be removed with null.",
        lambda records, original, message, who, value: (
            _known(records, original, message, who)
            if value is None
            else original(message, who, value)
        ),
        rate_again("like", None),
        False,
    ),
    (
        "feedback-not-replaced",
        "Feedback cannot be replaced without removing it first.",
        _only_first,
        rate_again("like", "dislike"),
        True,
    ),
    (
        "dislike-stored-as-like",
        "A dislike is stored as a like.",
        lambda _records, original, message, who, value: original(message, who, value and "like"),
        rate_again("dislike"),
        False,
    ),
    (
        "feedback-without-time",
        "feedbackAt stays null when a message is rated.",
        _without_time,
        rate_again("like"),
        False,
    ),
    (
        "time-of-removed-feedback",
        "feedbackAt is kept when feedback is removed.",
        _keeping_time,
        rate_again("like", None),
        True,
    ),
    (
        "feedback-on-previous-message",
        "Feedback is stored with the previous message.",
        _on_previous,
        rate_again("like"),
        False,
    ),
):
    _add(_name, _description, _FEEDBACK, _feedback(_store), _probe, rare=_rare)


# Closing.


def _closed_again(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    for _ in range(2):
        visitor.close(conversation, "solved")
        assert "closed" == visitor.read(conversation)["status"]


def _never_reopened(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    visitor.send("sendMessage", conversation, body={"content": "Hi"})
    assert "closed" == visitor.read(conversation)["status"]


def _reason_kept(reason: str) -> Probe:
    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.talk()
        visitor.close(conversation, reason)
        assert reason == visitor.read(conversation)["closeReason"]
        assert reason == visitor.list()["data"][0]["closeReason"]

    return probe


def _closing(close: Callable[..., Any]) -> Build:
    return lambda server: server.records("close_conversation", close)


def _then(values: dict[str, Any]) -> Callable[..., Any]:
    def close(records: Records, original: Original, conversation: str, reason: str | None) -> None:
        original(conversation, reason)
        records._connection.execute(
            update(conversations).where(conversations.c.id == conversation).values(**values)
        )

    return close


_add(
    "close-without-effect",
    "closeConversation reports success, but the conversation stays open.",
    _CLOSING,
    _closing(lambda _records, _original, _conversation, _reason: None),
    probes.closed,
)
_add(
    "closed-without-time",
    "closedAt stays null when a conversation is closed.",
    "Conversation.properties.closedAt",
    _closing(_then({"closed_at": None})),
    probes.closed,
)
_add(
    "close-reason-lost",
    "The reason for closing is not stored.",
    "CloseConversationRequest.properties.closeReason (F-close)",
    _closing(lambda _records, original, conversation, _reason: original(conversation, None)),
    probes.closed,
)
_add(
    "close-reason-cut",
    "A reason for closing is cut to 100 characters.",
    "R-16",
    _closing(
        lambda _records, original, conversation, reason: original(
            conversation, reason and reason[:100]
        )
    ),
    _reason_kept("word " * 50),
    rare=True,
)
_add(
    "close-drops-messages",
    "Closing a conversation removes its messages.",
    _ALL,
    _closing(lambda *words: _drop_messages(*words)),
    probes.closed_and_kept,
    rare=True,
)
_add(
    "close-drops-feedback",
    "Closing a conversation removes the feedback for its messages.",
    _FEEDBACK,
    _closing(lambda *words: _drop_feedback(*words)),
    probes.closed_and_kept,
    rare=True,
)


def _drop_messages(records: Records, original: Original, conversation: str, reason: Any) -> None:
    original(conversation, reason)
    gone = delete(messages).where(messages.c.conversation_id == conversation)
    records._connection.execute(gone)


def _drop_feedback(records: Records, original: Original, conversation: str, reason: Any) -> None:
    original(conversation, reason)
    rated = update(messages).where(messages.c.conversation_id == conversation)
    records._connection.execute(rated.values(feedback=None, feedback_at=None))


@_fault(
    "close-again-409",
    "Closing a closed conversation is refused with 409.",
    "C-23",
    probes.closed_again,
)
def _close_again(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        if _row(call).status == "closed":
            raise ApiError(409)
        return handler(call)

    server.handler("closeConversation", answer)


@_fault(
    "close-again-opens",
    "Closing a closed conversation opens it again.",
    _CLOSING,
    _closed_again,
    rare=True,
)
def _close_again_opens(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        if _row(call).status == "closed":
            response = handler(call)
            _reopen(call)
            return response
        return handler(call)

    server.handler("closeConversation", answer)


@_fault(
    "reopened-by-message",
    "A message opens a closed conversation again.",
    _CLOSING,
    _never_reopened,
)
def _reopened(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        _reopen(call)
        return handler(call)

    server.handler("sendMessage", answer)


def _row(call: Call) -> Any:
    with call.services.store.read() as records:
        found = records.conversation(call.path["conversationId"], call.visitor.id)
    if found is None:
        raise ApiError(404)
    return found


def _reopen(call: Call) -> None:
    with call.services.store.write() as records:
        records._connection.execute(
            update(conversations)
            .where(conversations.c.id == call.path["conversationId"])
            .values(status="open", closed_at=None)
        )


# New conversations and reading.


@_fault(
    "start-returns-the-open-one",
    "startConversation returns an open conversation of the visitor, if there is one.",
    "openapi.yaml startConversation 201 (P1)",
    lambda api: _started_twice(api),
)
def _returns_open(server: Server) -> None:
    def add(records: Records, original: Original, visitor_id: str) -> Any:
        _, found = records.conversations(
            visitor_id, status="open", order_by="createdAt", descending=True, limit=1, offset=0
        )
        return found[0] if found else original(visitor_id)

    server.records("add_conversation", add)


def _started_twice(api: Api) -> None:
    visitor = api.visitor()
    first, second = visitor.start(), visitor.start()
    assert first != second
    assert {first, second} == set(visitor.ids())
    assert 2 == visitor.list()["total"]


@_fault(
    "start-not-listed-until-message",
    "getConversations omits conversations without messages.",
    _LIST,
    _started_twice,
)
def _not_listed(server: Server) -> None:
    def query(records: Records, original: Original, *who: str, **more: Any) -> Any:
        total, page = original(*who, **more)
        said = [conversation for conversation in page if records.messages(conversation.id)]
        return total - len(page) + len(said), said

    server.records("conversations", query)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _created_at_stays(api: Api) -> None:
    visitor = api.visitor()
    started = visitor.expect("startConversation", wanted=201)
    conversation = started["id"]
    visitor.say(conversation, "Hi")
    seen = {visitor.read(conversation)["createdAt"] for _ in range(3)}
    assert {started["createdAt"]} == seen
    assert started["createdAt"] == visitor.list()["data"][0]["createdAt"]


_numbers = count(1)
_add(
    "created-at-changes",
    "createdAt is the time of the request.",
    "Conversation.properties.createdAt",
    edit("getConversation", "createdAt", change(lambda _: f"{_now()[:-1]}{next(_numbers):03}Z")),
    _created_at_stays,
)
_add(
    "read-lacks-latest",
    "getConversation omits the latest message.",
    "openapi.yaml getConversation.description; sendMessage link getConversation",
    edit("getConversation", "messages", change(lambda found: found[:-1])),
    probes.exchanged(1),
)
_add(
    "read-has-twenty-messages",
    "getConversation returns only the latest 20 messages.",
    "Conversation.description: a conversation with its messages (P5)",
    edit("getConversation", "messages", change(lambda found: found[-20:])),
    probes.exchanged(11),
    rare=True,
)
_add(
    "last-message-is-the-first",
    "lastMessage is the first message.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", _first_messages),
    probes.exchanged(2),
)
_add(
    "last-message-never",
    "lastMessage is always null.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", lambda *_: {}),
    probes.exchanged(1),
)
_add(
    "last-message-of-user",
    "lastMessage is the latest message of the visitor instead of the answer.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", _user_messages),
    probes.exchanged(1),
)


def _first_messages(records: Records, _original: Original, ids: list[str]) -> dict[str, MessageRow]:
    return {one: found[0] for one in ids if (found := records.messages(one))}


def _user_messages(records: Records, _original: Original, ids: list[str]) -> dict[str, MessageRow]:
    return {one: found[-1] for one in ids if (found := records.messages(one, role="user"))}


# Contradictions between responses.


def _starts_open(api: Api) -> None:
    visitor = api.visitor()
    found = visitor.expect("startConversation", wanted=201)
    assert ("open", None) == (found["status"], found["closedAt"])


def _updates_go_forward(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    before = visitor.read(conversation)["updatedAt"]
    visitor.close(conversation)
    assert before <= visitor.read(conversation)["updatedAt"]


def _messages_in_order_of_time(api: Api) -> None:
    visitor = api.visitor()
    times = [message["createdAt"] for message in visitor.messages(visitor.talk())]
    assert sorted(times) == times


def _times_in_lists(api: Api) -> None:
    visitor = api.visitor()
    read = visitor.read(visitor.talk())
    (listed,) = visitor.list()["data"]
    assert read["lastInteractionAt"] == listed["lastInteractionAt"]


_add(
    "started-with-end",
    "startConversation returns closedAt for an open conversation.",
    "Conversation.properties.closedAt",
    whole("startConversation", lambda found: {**found, "closedAt": found["createdAt"]}),
    _starts_open,
)
_add(
    "read-shows-another",
    "getConversation returns the id of another conversation.",
    "openapi.yaml getConversation.description (P5)",
    edit("getConversation", "id", put(UNKNOWN_ID)),
    probes.read,
)
_add(
    "closing-turns-updates-back",
    "updatedAt of a closed conversation is years ago.",
    "Conversation.properties.updatedAt",
    edit(
        "getConversation",
        "updatedAt",
        put(_LONG_AGO),
        where=lambda found: found["closedAt"] is not None,
    ),
    _updates_go_forward,
)
_add(
    "answers-dated-back",
    "createdAt of answers is years ago.",
    _ALL,
    edit(
        "getMessages",
        "data.*.createdAt",
        put(_LONG_AGO),
        where=lambda message: message["role"] == "assistant",
    ),
    _messages_in_order_of_time,
)
_add(
    "old-times-in-lists",
    "lastInteractionAt is years ago in lists.",
    "ConversationSummary.properties.lastInteractionAt",
    edit("getConversations", "data.*.lastInteractionAt", put(_LONG_AGO)),
    _times_in_lists,
)
_add(
    "feedback-answer-always-null",
    "sendMessageFeedback stores feedback, but returns null.",
    _FEEDBACK,
    edit("sendMessageFeedback", "feedback", put(None)),
    probes.rated,
)
for _operation, _name, _probe in (
    ("sendMessage", "empty-answer", probes.exchanged(1)),
    ("createChatCompletion", "empty-completion", probes.chatted),
):
    _add(
        _name,
        f"{_operation} returns an empty text.",
        "CompletionStep.properties.content",
        edit(_operation, "steps.*.content", put([{"type": "text", "text": ""}])),
        _probe,
    )
