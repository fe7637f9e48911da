"""What a server forgets, mixes up or counts wrong."""

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
from tests.mutants import probes
from tests.mutants.edits import change, edit, put
from tests.mutants.faulty import Build, Server
from tests.mutants.mutant import Faults, Probe
from tests.mutants.probing import API_KEY, EMOJI, PROJECT, QNA, UNKNOWN, Api, Visitor

from siteassist_mock.call import Call, Handler
from siteassist_mock.errors import ApiError
from siteassist_mock.store import Records
from siteassist_mock.tables import Message, conversations, messages

__all__ = ["FAULTS"]

FAULTS = Faults("state")
_add = FAULTS.add
_fault = FAULTS.fault
Original = Callable[..., Any]

_SENT = "openapi.yaml sendMessage 202 and links to getMessages; getMessages.description"
_ALL = "openapi.yaml getMessages.description (F-messages)"
_FEEDBACK = "openapi.yaml sendMessageFeedback.description (F-feedback)"
_CLOSING = "openapi.yaml closeConversation.description (P4)"
_LIST = "openapi.yaml getConversations.description (P3)"


# What is said.


def _exchanged(number: int) -> Probe:
    """Return a probe: after so many exchanges, each of them is there, oldest first."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        said = [f"Hi {index}" for index in range(number)]
        conversation = visitor.start()
        expected = []
        for content in said:
            expected += [content, visitor.say(conversation, content)]
        stored = visitor.messages(conversation)
        assert ["user", "assistant"] * number == [message["role"] for message in stored]
        assert expected == visitor.texts(conversation)
        assert stored == visitor.read(conversation)["messages"]
        assert [conversation] * 2 * number == [message["chatId"] for message in stored]
        assert 2 * number == len({message["id"] for message in stored})
        assert stored[-1] == visitor.list()["data"][0]["lastMessage"]

    return probe


def _forgetting(forget: Callable[[Records, Message], bool]) -> Build:
    """Return a fault: some messages are not stored."""

    def add(records: Records, original: Original, *words: Any, **more: Any) -> Message:
        message: Message = original(*words, **more)
        if forget(records, message):
            records._connection.execute(delete(messages).where(messages.c.id == message.id))
        return message

    return lambda server: server.records("add_message", add)


def _storing(make: Callable[[str], str], role: str = "user") -> Build:
    """Return a fault: what is stored is not what was said."""

    def add(
        _records: Records, original: Original, conversation: str, who: str, text: str, **more: Any
    ) -> Any:
        return original(conversation, who, make(text) if who == role else text, **more)

    return lambda server: server.records("add_message", add)


def _number(records: Records, message: Message) -> int:
    return len(records.messages(message.conversation_id))


for _name, _says, _forget, _probe, _rare in (
    (
        "question-not-stored",
        "What the visitor says is answered, but not stored.",
        lambda _records, message: message.role == "user",
        _exchanged(1),
        False,
    ),
    (
        "answer-not-stored",
        "The assistant's answers are not stored.",
        lambda _records, message: message.role == "assistant",
        _exchanged(1),
        False,
    ),
    (
        "only-first-exchange-stored",
        "Of each conversation only the first question and its answer are stored.",
        lambda records, message: _number(records, message) > 2,
        _exchanged(2),
        False,
    ),
    (
        "tenth-message-lost",
        "The tenth message of a conversation is lost.",
        lambda records, message: _number(records, message) == 10,
        _exchanged(5),
        True,
    ),
):
    _add(_name, _says, _SENT, _forgetting(_forget), _probe, rare=_rare)

for _name, _says, _make, _said, _rare in (
    ("whitespace-stripped", "Spaces around a message are gone.", str.strip, "  Hi there \n", True),
    (
        "lines-joined",
        "The lines of a message become one.",
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
        "Messages are stored with HTML's entities.",
        html.escape,
        'Is 1 < 2 & "so"?',
        True,
    ),
    (
        "markup-removed",
        "What looks like a tag is removed.",
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
    _add(_name, _says, _SENT, _storing(_make), probes.stored(_said), rare=_rare)


def _answers(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    text = visitor.say(conversation, "How long does shipping take?")
    assert text == visitor.texts(conversation)[-1]


_add(
    "answer-stored-otherwise",
    "The answer that is stored is not the one that was sent.",
    "openapi.yaml sendMessage 200 link getMessages",
    _storing(lambda text: text.replace("**", ""), "assistant"),
    _answers,
)


@_fault(
    "message-in-latest-conversation",
    "sendMessage writes into the visitor's latest conversation, whichever is meant.",
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
    "An answer has the id of its question, in getMessages.",
    "MessageId: identifies a message",
    lambda server: server.after("getMessages", lambda exchange: _same_ids(exchange)),
    _exchanged(1),
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
    "chatId is a random identifier.",
    "R-14",
    _in_messages("chatId", change(lambda _: str(uuid.uuid4()))),
    _exchanged(1),
)
_add(
    "answers-by-user",
    "getMessages says of all messages that the visitor wrote them.",
    "MessageRole.description",
    _in_messages("role", put("user")),
    _exchanged(1),
)


# The page that a message was sent from.

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
    "The address of the page is not kept with a message.",
    "Message.properties.pageUrl (F-messages)",
    lambda server: server.records("add_message", _without("page_url")),
    _page_kept,
)
_add(
    "text-selection-lost",
    "The text that was selected on the page is not kept with a message.",
    "Message.properties.textSelection (F-messages)",
    lambda server: server.records("add_message", _without("text_selection")),
    _page_kept,
    rare=True,
)
_add(
    "page-title-and-url-mixed-up",
    "The title and the address of the page are mixed up.",
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


def _rate_again(*values: str | None) -> Probe:
    """Return a probe: the latest of some ratings is the one that is stored."""

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
    """Return what the mock returns, and store nothing."""
    before = records.message(message)
    known: bool = original(message, visitor, None)
    if known and before is not None:
        _put_back(records, before)
    return known


def _put_back(records: Records, before: Message) -> None:
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


for _name, _says, _store, _probe, _rare in (
    (
        "feedback-not-stored",
        "Feedback is confirmed, but not stored.",
        lambda records, original, message, who, _value: _known(records, original, message, who),
        _rate_again("like"),
        False,
    ),
    (
        "feedback-not-removed",
        "Null leaves the feedback as it is.",
        lambda records, original, message, who, value: (
            _known(records, original, message, who)
            if value is None
            else original(message, who, value)
        ),
        _rate_again("like", None),
        False,
    ),
    (
        "feedback-not-replaced",
        "The first feedback stays, unless it is taken back.",
        _only_first,
        _rate_again("like", "dislike"),
        True,
    ),
    (
        "dislike-stored-as-like",
        "A dislike is stored as a like.",
        lambda _records, original, message, who, value: original(message, who, value and "like"),
        _rate_again("dislike"),
        False,
    ),
    (
        "feedback-without-time",
        "feedbackAt stays null when a message is rated.",
        _without_time,
        _rate_again("like"),
        False,
    ),
    (
        "time-of-removed-feedback",
        "feedbackAt stays when the feedback is taken back.",
        _keeping_time,
        _rate_again("like", None),
        True,
    ),
    (
        "feedback-on-previous-message",
        "Feedback is stored with the message before the one that is meant.",
        _on_previous,
        _rate_again("like"),
        False,
    ),
):
    _add(_name, _says, _FEEDBACK, _feedback(_store), _probe, rare=_rare)


# Closing.


def _closed_again(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    for _ in range(2):
        visitor.close(conversation, "solved")
        assert "closed" == visitor.read(conversation)["status"]


def _closed_and_kept(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.rate(visitor.messages(conversation)[-1]["id"], "like")
    before = visitor.messages(conversation)
    visitor.close(conversation)
    assert before == visitor.messages(conversation)
    assert before == visitor.read(conversation)["messages"]
    assert [conversation] == visitor.ids()
    assert [conversation] == visitor.ids(status="closed")


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
    "closeConversation confirms, but the conversation stays open.",
    _CLOSING,
    _closing(lambda _records, _original, _conversation, _reason: None),
    probes.closed,
)
_add(
    "closed-without-time",
    "closedAt stays null.",
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
    "A reason of more than 100 characters is cut.",
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
    "Closing removes the messages of a conversation.",
    _ALL,
    _closing(lambda *words: _drop_messages(*words)),
    _closed_and_kept,
    rare=True,
)
_add(
    "close-drops-feedback",
    "Closing removes the feedback for messages of a conversation.",
    _FEEDBACK,
    _closing(lambda *words: _drop_feedback(*words)),
    _closed_and_kept,
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
    "Closing what is closed is a conflict.",
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
    "Closing what is closed opens it again.",
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


# Starting and reading.


@_fault(
    "start-returns-the-open-one",
    "startConversation returns the visitor's open conversation, if there is one.",
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
    "A conversation without messages is not listed.",
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
    "createdAt is the time of the reading.",
    "Conversation.properties.createdAt",
    edit("getConversation", "createdAt", change(lambda _: f"{_now()[:-1]}{next(_numbers):03}Z")),
    _created_at_stays,
)
_add(
    "read-lacks-latest",
    "getConversation does not have the latest message yet.",
    "openapi.yaml getConversation.description; sendMessage link getConversation",
    edit("getConversation", "messages", change(lambda found: found[:-1])),
    _exchanged(1),
)
_add(
    "read-has-twenty-messages",
    "getConversation has only the latest 20 messages.",
    "Conversation.description: a conversation with its messages (P5)",
    edit("getConversation", "messages", change(lambda found: found[-20:])),
    _exchanged(11),
    rare=True,
)
_add(
    "last-message-is-the-first",
    "lastMessage is the first message.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", _first_messages),
    _exchanged(2),
)
_add(
    "last-message-never",
    "lastMessage is always null.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", lambda *_: {}),
    _exchanged(1),
)
_add(
    "last-message-of-user",
    "lastMessage is the latest of the visitor, though the assistant has answered.",
    "ConversationSummary.properties.lastMessage",
    lambda server: server.records("last_messages", _user_messages),
    _exchanged(1),
)


def _first_messages(records: Records, _original: Original, ids: list[str]) -> dict[str, Message]:
    return {one: found[0] for one in ids if (found := records.messages(one))}


def _user_messages(records: Records, _original: Original, ids: list[str]) -> dict[str, Message]:
    return {one: found[-1] for one in ids if (found := records.messages(one, role="user"))}


# Lists.


def _many(api: Api, number: int = 5) -> tuple[Visitor, list[str]]:
    """Return a visitor, and conversations with a message each, the latest first."""
    visitor = api.visitor()
    started = [visitor.talk("Hi") for _ in range(number)]
    return visitor, started[::-1]


def _paged(api: Api) -> None:
    visitor, ids = _many(api)
    assert ids == visitor.ids()
    for limit in (1, 2, 5):
        pages = [visitor.list(limit=limit, offset=offset) for offset in range(0, 5, limit)]
        assert ids == [item["id"] for page in pages for item in page["data"]]
        assert {5} == {page["total"] for page in pages}
        assert {limit} == {page["limit"] for page in pages}
        assert list(range(0, 5, limit)) == [page["offset"] for page in pages]


def _default_limit(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(12):
        visitor.start()
    page = visitor.list()
    assert (10, 10, 12) == (len(page["data"]), page["limit"], page["total"])


def _filtered(api: Api) -> None:
    visitor, ids = _many(api)
    for conversation in ids[:2]:
        visitor.close(conversation)
    for status, expected in (("closed", ids[:2]), ("open", ids[2:])):
        page = visitor.list(status=status)
        assert (len(expected), set(expected)) == (
            page["total"],
            {item["id"] for item in page["data"]},
        )
        assert {status} == {item["status"] for item in page["data"]}
        assert 1 == len(visitor.ids(status=status, limit=1))


def _ordered(api: Api) -> None:
    visitor, ids = _many(api, 3)
    visitor.close(ids[1])
    visitor.say(ids[2], "Anything else?")
    expected = [ids[2], ids[0], ids[1]]
    assert expected == visitor.ids()
    assert expected[::-1] == visitor.ids(orderDir="asc")
    assert ids == visitor.ids(orderBy="createdAt")
    assert ids[::-1] == visitor.ids(orderBy="createdAt", orderDir="asc")
    for field in ("id", "updatedAt", "status", "title"):
        for direction in ("asc", "desc"):
            page = visitor.list(orderBy=field, orderDir=direction)["data"]
            values = [item[field] for item in page]
            assert sorted(values, reverse=direction == "desc") == values


def _titled(api: Api) -> None:
    visitor = api.visitor()
    for title in ("Beta", "Alpha", "Gamma"):
        visitor.talk(title)
    titles = [item["title"] for item in visitor.list(orderBy="title", orderDir="asc")["data"]]
    assert sorted(titles) == titles


def _listing(how: Callable[[dict[str, Any]], dict[str, Any]]) -> Build:
    """Return a fault: a list of conversations was asked for with other words."""

    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        return original(*who, **{**more, **how(more)})

    return lambda server: server.records("conversations", query)


def _counting(how: Callable[[int, list[Any]], tuple[int, list[Any]]]) -> Build:
    """Return a fault: a list of conversations was found, but comes otherwise."""

    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        return how(*original(*who, **more))

    return lambda server: server.records("conversations", query)


def _total_of_any_status(_records: Records, original: Original, *who: str, **more: Any) -> Any:
    return original(*who, **{**more, "status": None})[0], original(*who, **more)[1]


_OPPOSITE = {"open": "closed", "closed": "open", None: None}

for _name, _says, _ground, _build, _probe, _rare in (
    (
        "total-of-page",
        "The total of conversations is the number of those on the page.",
        "R-17",
        _counting(lambda _total, page: (len(page), page)),
        _paged,
        False,
    ),
    (
        "total-ignores-status",
        "The total of conversations does not mind the status that was asked for.",
        "R-17",
        lambda server: server.records("conversations", _total_of_any_status),
        _filtered,
        True,
    ),
    (
        "offset-ignored",
        "getConversations ignores the offset.",
        "Parameter Offset (P3)",
        _listing(lambda _: {"offset": 0}),
        _paged,
        False,
    ),
    (
        "offset-one-too-high",
        "getConversations skips one conversation too many, but not on the first page.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": more["offset"] and more["offset"] + 1}),
        _paged,
        False,
    ),
    (
        "offset-counts-pages",
        "getConversations takes the offset for a number of pages.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": more["offset"] * more["limit"]}),
        _paged,
        True,
    ),
    (
        "limit-ignored",
        "getConversations ignores the limit.",
        "Parameter Limit (P3)",
        _listing(lambda _: {"limit": 10}),
        _paged,
        False,
    ),
    (
        "limit-one-too-many",
        "getConversations returns one conversation more than the limit.",
        "Parameter Limit (P3)",
        _listing(lambda more: {"limit": more["limit"] + 1}),
        _paged,
        False,
    ),
    (
        "default-limit-20",
        "Without a limit getConversations returns 20 conversations, and says so.",
        "Parameter Limit.default (P3)",
        lambda server: server.parameter("getConversations", "limit").update(default=20),
        _default_limit,
        True,
    ),
    (
        "limit-said-wrong",
        "The limit of a page is 10, whatever was asked for.",
        "ConversationList.properties.limit",
        edit("getConversations", "limit", put(10)),
        _paged,
        False,
    ),
    (
        "offset-said-wrong",
        "The offset of a page is 0, whatever was asked for.",
        "ConversationList.properties.offset",
        edit("getConversations", "offset", put(0)),
        _paged,
        False,
    ),
    (
        "order-ignored",
        "getConversations ignores orderBy.",
        "openapi.yaml getConversations orderBy (F-list)",
        _listing(lambda _: {"order_by": "lastInteractionAt"}),
        _ordered,
        False,
    ),
    (
        "order-by-title-ignored",
        "getConversations ignores the orderBy title.",
        "ConversationOrderBy.enum (F-list)",
        _listing(
            lambda more: {"order_by": "lastInteractionAt"} if more["order_by"] == "title" else {}
        ),
        _titled,
        True,
    ),
    (
        "direction-ignored",
        "getConversations ignores orderDir.",
        "OrderDirection (P3)",
        _listing(lambda _: {"descending": True}),
        _ordered,
        False,
    ),
    (
        "direction-turned-round",
        "getConversations takes asc for desc, and desc for asc, if an orderBy is given.",
        "OrderDirection.description (P3)",
        _listing(
            lambda more: (
                {}
                if more["order_by"] == "lastInteractionAt"
                else {"descending": not more["descending"]}
            )
        ),
        _ordered,
        True,
    ),
    (
        "default-direction-asc",
        "Without orderDir the earliest comes first.",
        "OrderDirection.default (P3)",
        lambda server: server.parameter("getConversations", "orderDir").update(default="asc"),
        _ordered,
        False,
    ),
    (
        "default-order-by-creation",
        "Without orderBy the order is by creation.",
        "ConversationOrderBy.default",
        lambda server: server.parameter("getConversations", "orderBy").update(default="createdAt"),
        _ordered,
        False,
    ),
    (
        "status-ignored",
        "getConversations ignores the status.",
        "openapi.yaml getConversations status (P3)",
        _listing(lambda _: {"status": None}),
        _filtered,
        False,
    ),
    (
        "status-turned-round",
        "getConversations returns the closed ones for open, and the other way round.",
        "openapi.yaml getConversations status (P3)",
        _listing(lambda more: {"status": _OPPOSITE[more["status"]]}),
        _filtered,
        False,
    ),
    (
        "status-closed-ignored",
        "getConversations ignores the status if it is closed and there is a limit of its own.",
        "openapi.yaml getConversations status (P3)",
        _listing(
            lambda more: (
                {"status": None} if more["limit"] != 10 and more["status"] == "closed" else {}
            )
        ),
        lambda api: _closed_pages(api),
        True,
    ),
    (
        "closed-not-listed",
        "A closed conversation vanishes from the list.",
        _LIST,
        _listing(lambda more: {"status": more["status"] or "open"}),
        _closed_and_kept,
        False,
    ),
    (
        "twice-on-later-pages",
        "Each page begins with the last conversation of the page before it.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": max(more["offset"] - 1, 0)}),
        _paged,
        False,
    ),
    (
        "last-interaction-never-noted",
        "A message does not bring its conversation to the top of the list.",
        _LIST,
        lambda server: server.records(
            "touch_conversation", lambda _records, _original, *_words: None
        ),
        _ordered,
        False,
    ),
):
    _add(_name, _says, _ground, _build, _probe, rare=_rare)


def _closed_pages(api: Api) -> None:
    visitor, ids = _many(api, 4)
    for conversation in ids[:2]:
        visitor.close(conversation)
    assert ids[:2] == visitor.ids(status="closed", limit=3)


# The messages of a conversation.


def _pages_of_messages(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello", "Hey")
    every = [message["id"] for message in visitor.messages(conversation)]

    def ids(**query: Any) -> list[str]:
        return [message["id"] for message in visitor.messages(conversation, **query)]

    assert 6 == len(every)
    assert every[:2] == ids(limit=2)
    assert every[2:] == ids(offset=2)
    assert every[3:5] == ids(offset=3, limit=2)
    assert [] == ids(offset=6)
    assert every[::2] == ids(role="user")
    assert every[1::2] == ids(role="assistant", status="complete")
    assert every[3:4] == ids(role="assistant", offset=1, limit=1)
    assert every == ids(status="complete")
    assert [] == ids(status="error")
    assert [] == ids(status="streaming", role="user")


def _history(how: Callable[..., Any]) -> Build:
    return lambda server: server.records("messages", how)


def _asking(how: Callable[[dict[str, Any]], dict[str, Any]]) -> Build:
    """Return a fault: getMessages asked the store with other words."""

    def query(_records: Records, original: Original, *which: str, **more: Any) -> Any:
        # Within a conversation there are no words.
        return original(*which, **({**more, **how(more)} if more else {}))

    return _history(query)


def _page_then_role(
    _records: Records, original: Original, *which: str, **more: Any
) -> list[Message]:
    role = more.pop("role", None)
    return [message for message in original(*which, **more) if role in {None, message.role}]


for _name, _says, _ground, _build, _probe, _rare in (
    (
        "messages-newest-first",
        "getMessages returns the newest message first.",
        _ALL,
        edit("getMessages", "data", change(lambda data: data[::-1])),
        _pages_of_messages,
        False,
    ),
    (
        "messages-limit-ignored",
        "getMessages ignores the limit.",
        _ALL,
        _asking(lambda _: {"limit": None}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-limit-from-the-end",
        "getMessages returns the latest messages where there is a limit.",
        _ALL,
        _history(
            lambda _records, original, *which, **more: (
                original(*which, **{**more, "limit": None})[-more["limit"] :]
                if more.get("limit") and not more.get("offset")
                else original(*which, **more)
            )
        ),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-ignored",
        "getMessages ignores the offset.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda _: {"offset": 0}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-one-too-low",
        "getMessages skips one message too few.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda more: {"offset": max(more["offset"] - 1, 0)}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-needs-limit",
        "getMessages ignores the offset where there is no limit.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda more: {"offset": more["offset"] if more["limit"] else 0}),
        _pages_of_messages,
        True,
    ),
    (
        "role-ignored",
        "getMessages ignores the role.",
        "openapi.yaml getMessages role (F-messages)",
        _asking(lambda _: {"role": None}),
        _pages_of_messages,
        False,
    ),
    (
        "role-ignored-with-status",
        "getMessages ignores the role if there is a status, too.",
        "openapi.yaml getMessages role, status (F-messages)",
        _asking(lambda more: {"role": None} if more["status"] else {}),
        _pages_of_messages,
        True,
    ),
    (
        "message-status-ignored",
        "getMessages ignores the status.",
        "openapi.yaml getMessages status (F-messages)",
        _asking(lambda _: {"status": None}),
        _pages_of_messages,
        False,
    ),
    (
        "page-before-role",
        "getMessages cuts out the page, and then chooses by role.",
        "openapi.yaml getMessages offset, role (F-messages)",
        _history(_page_then_role),
        _pages_of_messages,
        True,
    ),
    (
        "only-ten-messages",
        "Without a limit getMessages returns ten messages.",
        _ALL,
        _asking(lambda more: {"limit": more["limit"] or 10}),
        _exchanged(6),
        True,
    ),
):
    _add(_name, _says, _ground, _build, _probe, rare=_rare)


# What the website publishes.


def _pages_of_qnas(api: Api) -> None:
    every = api.expect("getQnas", PROJECT, limit=100)
    ids = [item["id"] for item in every["data"]]
    assert 12 == len(ids) == every["total"]
    pages = [api.expect("getQnas", PROJECT, limit=5, offset=offset) for offset in (0, 5, 10)]
    assert ids == [item["id"] for page in pages for item in page["data"]]
    assert {12} == {page["total"] for page in pages}


def _questions(api: Api) -> None:
    page = api.expect("getQnas", PROJECT, query="shipping")
    assert 2 == page["total"] == len(page["data"])
    assert all("shipping" in item["question"] for item in page["data"])


def _each_qna(api: Api) -> None:
    for item in api.expect("getQnas", PROJECT)["data"]:
        assert item == api.expect("getQna", PROJECT, item["id"])


def _foreign_project(api: Api) -> None:
    api.refused("getQnas", UNKNOWN, by=(403, 404))
    api.refused("getQna", UNKNOWN, QNA, by=(403, 404))


def _sizes(api: Api) -> None:
    words = "shipping returns payment account contact desk shop order"
    every = api.expect("search", q=words, apiKey=API_KEY)["results"]
    assert len(every) > 3
    for size in (1, 3):
        assert size == len(api.expect("search", q=words, size=size, apiKey=API_KEY)["results"])


def _query(operation: str, **values: str) -> Build:
    """Return a fault: some query parameters are taken for other values."""
    return lambda server: server.before(operation, lambda exchange: exchange.query.update(values))


_add(
    "qnas-query-ignored",
    "getQnas ignores the query.",
    "openapi.yaml getQnas query (F-qnas)",
    _query("getQnas", query=""),
    _questions,
)
_add(
    "qnas-total-ignores-query",
    "The total of Q&As counts those that do not match, too.",
    "R-17",
    edit("getQnas", "total", put(12)),
    _questions,
    rare=True,
)
_add(
    "qnas-offset-ignored",
    "getQnas ignores the offset.",
    "Parameter Offset (F-qnas)",
    _query("getQnas", offset="0"),
    _pages_of_qnas,
)
_add(
    "qnas-total-of-page",
    "The total of Q&As is the number of those on the page.",
    "R-17",
    lambda server: server.after("getQnas", lambda exchange: _total_of_page(exchange)),
    _pages_of_qnas,
)
_add(
    "qnas-last-page-full",
    "The last page of Q&As is filled up with those before it.",
    "Parameter Offset (F-qnas)",
    lambda server: server.handler("getQnas", lambda call, handler: _filled_up(call, handler)),
    _pages_of_qnas,
    rare=True,
)
_add(
    "qna-always-the-first",
    "getQna returns the first Q&A, whichever is meant.",
    "openapi.yaml getQna.description",
    lambda server: server.handler(
        "getQna",
        lambda call, handler: handler(replace(call, path={**call.path, "qnaId": QNA})),
    ),
    _each_qna,
)
_add(
    "qnas-of-any-project",
    "getQnas and getQna take any projectId for the only one.",
    "openapi.yaml getQnas 404; getQna.description",
    lambda server: server.handler(
        "getQnas getQna",
        lambda call, handler: handler(replace(call, path={**call.path, "projectId": PROJECT})),
    ),
    _foreign_project,
)
_add(
    "size-ignored",
    "search ignores the size.",
    "openapi.yaml search size (F-search)",
    _query("search", size="50"),
    _sizes,
)
_add(
    "size-one-too-many",
    "search returns one result more than the size.",
    "openapi.yaml search size (F-search)",
    lambda server: server.handler(
        "search",
        lambda call, handler: handler(
            replace(call, query={**call.query, "size": call.query["size"] + 1})
        ),
    ),
    _sizes,
)


def _total_of_page(exchange: Any) -> None:
    if exchange.succeeded:
        value = exchange.json
        value["total"] = len(value["data"])
        exchange.json = value


def _filled_up(call: Call, handler: Handler) -> ASGIApp:
    last = max(len(call.services.knowledge.qnas) - call.query["limit"], 0)
    offset = min(call.query["offset"], last)
    return handler(replace(call, query={**call.query, "offset": offset}))
