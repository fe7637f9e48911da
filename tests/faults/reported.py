"""Faults of many kinds, as public bug reports of chat servers, frameworks and ORMs show them."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sqlalchemy import delete, func, select, update
from starlette.responses import JSONResponse, Response

from siteassist_mock.storage.tables import conversations, messages, sessions, visitors
from tests.faults.edits import change, edit
from tests.faults.faulty import readable
from tests.faults.mutant import Faults
from tests.faults.probes import CHAT
from tests.faults.probing import Api, read_stream, text_of
from tests.values import API_KEY, PRIVATE_KEY, PROJECT_ID, QNA_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from siteassist_mock.storage.store import Records
    from siteassist_mock.storage.tables import MessageRow
    from tests.faults.exchange import Event, Exchange
    from tests.faults.faulty import Server, Step

__all__ = ["FAULTS"]

FAULTS = Faults("reported")
_fault = FAULTS.fault
Original = Callable[..., Any]

_PAGE = {"url": "https://example.com/help", "title": "Help"}
_MORE = "How long does shipping take?"


def _error(status: int, code: str, message: str) -> ASGIApp:
    body = {"error": {"message": message, "code": code}}
    return readable(JSONResponse(body, status_code=status))


def _body(exchange: Exchange) -> dict[str, Any]:
    """Return the body of a request; empty if it is not a JSON object."""
    value = exchange.request_json
    return value if isinstance(value, dict) else {}


def _id(exchange: Exchange) -> str:
    return exchange.path["conversationId"].lower()


# Sessions and visitors.


def _same_visitor_after_closing(api: Api) -> None:
    visitor = api.visitor()
    visitor.close(visitor.start())
    again = api.session(visitor.device, wanted=200)
    assert visitor.id == again["visitor"]["id"]


@_fault(
    "device-forgotten-with-its-last-conversation",
    "A device whose conversations are all closed counts as new, and gets another visitor.",
    "R-26",
    _same_visitor_after_closing,
)
def _device_forgotten(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        body = _body(exchange)
        if body.get("apiKey") == API_KEY and isinstance(body.get("saVid"), str):
            with server.store.write() as records:
                records._connection.execute(
                    update(visitors)
                    .where(
                        visitors.c.device == body["saVid"],
                        visitors.c.conversation_count > 0,
                        visitors.c.closed_count == visitors.c.conversation_count,
                    )
                    .values(device=uuid.uuid4().hex)
                )

    server.before("init", ask)


def _same_type_after_message(api: Api) -> None:
    visitor = api.visitor()
    before = visitor.expect("getMe")
    visitor.talk()
    assert before == visitor.expect("getMe")
    assert before == api.session(visitor.device, wanted=200)["visitor"]


@_fault(
    "identified-by-a-message",
    "getMe returns the type identified for an anonymous visitor who has sent a message.",
    "VisitorType.description (O-22)",
    _same_type_after_message,
)
def _identified_by_message(server: Server) -> None:
    known: set[str] = set()

    def sent(call: Call, handler: Handler) -> ASGIApp:
        answer = handler(call)
        known.add(call.visitor.id)
        return answer

    server.handler("sendMessage", sent)
    edit(
        "getMe",
        "type",
        change(lambda _: "identified"),
        where=lambda visitor: visitor["id"] in known,
    )(server)


def _older_session_survives_closing(api: Api) -> None:
    visitor = api.visitor()
    newer = api.bearing(api.session(visitor.device, wanted=200)["sessionToken"])
    newer.close(newer.start())
    assert visitor.id == visitor.expect("getMe")["id"]
    assert visitor.id == newer.expect("getMe")["id"]


@_fault(
    "closing-ends-older-sessions",
    "Closing a conversation ends all sessions of the visitor but the latest.",
    "VisitorSession.properties.sessionToken (F-auth)",
    _older_session_survives_closing,
)
def _closing_ends_sessions(server: Server) -> None:
    def close(records: Records, original: Original, conversation: str, reason: Any) -> None:
        original(conversation, reason)
        row = records.any_conversation(conversation)
        assert row is not None
        own = sessions.c.visitor_id == row.visitor_id
        latest = select(sessions.c.id).where(own).order_by(sessions.c.last_used.desc()).limit(1)
        kept = records._connection.scalar(latest)
        records._connection.execute(delete(sessions).where(own, sessions.c.id != kept))

    server.records("close_conversation", close)


# Starting and listing conversations.


def _start_with_fragment(api: Api) -> None:
    context = {"pageUrl": "https://example.com:8443/help?topic=shipping#costs"}
    api.visitor().expect("startConversation", wanted=201, body={"context": context})


@_fault(
    "page-url-with-fragment-refused",
    "startConversation refuses a pageUrl with a fragment.",
    "ConversationContext.properties.pageUrl (P1)",
    _start_with_fragment,
)
def _fragment_refused(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        context = _body(exchange).get("context")
        if isinstance(context, dict) and "#" in str(context.get("pageUrl")):
            return _error(422, "VALIDATION_ERROR", "pageUrl must not have a fragment")
        return None

    server.before("startConversation", ask)


def _closed_twice_counted_once(api: Api) -> None:
    visitor = api.visitor()
    closed, still_open = visitor.start(), visitor.start()
    for _ in range(2):
        visitor.close(closed)
    for status, one in (("closed", closed), ("open", still_open)):
        assert [one] == visitor.ids(status=status)
        assert 1 == visitor.list(status=status)["total"]


@_fault(
    "total-counts-each-closing",
    "The total of closed conversations counts one again each time that it is closed again.",
    "R-17; C-23",
    _closed_twice_counted_once,
)
def _total_counts_closings(server: Server) -> None:
    again: Counter[str] = Counter()

    def close(records: Records, original: Original, conversation: str, reason: Any) -> None:
        row = records.any_conversation(conversation)
        assert row is not None
        again[row.visitor_id] += row.status == "closed"
        original(conversation, reason)

    def query(_records: Records, original: Original, visitor: str, **more: Any) -> Any:
        total, rows = original(visitor, **more)
        sign = {"closed": 1, "open": -1, None: 0}[more["status"]]
        return max(total + sign * again[visitor], 0), rows

    server.records("close_conversation", close)
    server.records("conversations", query)


def _ascending_pages(api: Api) -> None:
    visitor = api.visitor()
    started = []
    for _ in range(3):
        started.append(visitor.start())
        time.sleep(0.003)
    order = {"orderBy": "createdAt", "orderDir": "asc"}
    assert started == visitor.ids(**order)
    assert started[:2] == visitor.ids(**order, limit=2)
    assert started[2:] == visitor.ids(**order, limit=2, offset=2)


@_fault(
    "ascending-within-page",
    "With orderDir=asc, getConversations cuts the page in descending order and then reverses it.",
    "OrderDirection.description; Parameter Offset (P3)",
    _ascending_pages,
)
def _ascending_within_page(server: Server) -> None:
    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        total, rows = original(*who, **{**more, "descending": True})
        return total, rows if more["descending"] else rows[::-1]

    server.records("conversations", query)


def _ordered_by_closed_at(api: Api) -> None:
    visitor = api.visitor()
    closed, still_open = visitor.start(), visitor.start()
    visitor.close(closed)
    page = visitor.list(orderBy="closedAt")
    assert {closed, still_open} == {item["id"] for item in page["data"]}
    assert 2 == page["total"]


@_fault(
    "order-by-closed-at-drops-open",
    "getConversations with orderBy=closedAt omits, and does not count, open conversations.",
    "openapi.yaml getConversations.description; ConversationOrderBy.description (F-list)",
    _ordered_by_closed_at,
)
def _closed_at_drops_open(server: Server) -> None:
    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        if more["order_by"] != "closedAt":
            return original(*who, **more)
        _, rows = original(*who, **{**more, "limit": 10**6, "offset": 0})
        found = [row for row in rows if row.closed_at is not None]
        return len(found), found[more["offset"] : more["offset"] + more["limit"]]

    server.records("conversations", query)


def _beyond_the_end(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(3):
        visitor.start()
    for offset in (3, 20):
        page = visitor.list(limit=2, offset=offset)
        assert ([], 3) == (page["data"], page["total"])


@_fault(
    "offset-beyond-total-shows-last-page",
    "getConversations returns the last page for an offset beyond the last conversation.",
    "Parameter Offset.description (P3)",
    _beyond_the_end,
)
def _beyond_shows_last(server: Server) -> None:
    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        total, rows = original(*who, **more)
        if rows or not total:
            return total, rows
        last = (total - 1) // more["limit"] * more["limit"]
        return original(*who, **{**more, "offset": last})

    server.records("conversations", query)


def _open_list_follows_closing(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    assert [conversation] == visitor.ids(status="open")
    visitor.close(conversation)
    assert [] == visitor.ids(status="open")


@_fault(
    "filtered-list-cached-until-start",
    "getConversations with a status repeats its answer until the visitor starts a conversation.",
    "openapi.yaml getConversations status (P3)",
    _open_list_follows_closing,
)
def _filtered_list_cached(server: Server) -> None:
    cached: dict[str, dict[tuple[Any, ...], bytes]] = {}

    def ask(exchange: Exchange) -> ASGIApp | None:
        body = cached.get(exchange.bearer, {}).get(tuple(sorted(exchange.query.items())))
        if body is None or "status" not in exchange.query:
            return None
        return readable(Response(body, media_type="application/json"))

    def listed(exchange: Exchange) -> None:
        if exchange.succeeded:
            key = tuple(sorted(exchange.query.items()))
            cached.setdefault(exchange.bearer, {})[key] = exchange.body

    def started(exchange: Exchange) -> None:
        cached.pop(exchange.bearer, None)

    server.before("getConversations", ask)
    server.after("getConversations", listed)
    server.after("startConversation", started)


def _streamed_answer_is_last(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.stream(conversation, _MORE)
    latest = visitor.messages(conversation)[-1]
    assert "assistant" == latest["role"]
    assert latest == visitor.list()["data"][0]["lastMessage"]


@_fault(
    "last-message-misses-streams",
    "lastMessage is the question if the answer to it was streamed.",
    "ConversationSummary.properties.lastMessage (F-list)",
    _streamed_answer_is_last,
)
def _last_misses_streams(server: Server) -> None:
    streamed: set[str] = set()

    def add(_records: Records, original: Original, *words: Any, **more: Any) -> MessageRow:
        message: MessageRow = original(*words, **more)
        if message.status == "streaming":
            streamed.add(message.id)
        return message

    def last(records: Records, original: Original, ids: Any) -> dict[str, MessageRow]:
        found: dict[str, MessageRow] = original(ids)
        return {
            name: records.messages(name)[-2] if message.id in streamed else message
            for name, message in found.items()
        }

    server.records("add_message", add)
    server.records("last_messages", last)


def _other_conversation_untouched(api: Api) -> None:
    visitor = api.visitor()
    first, second = visitor.talk(), visitor.start()
    before = visitor.read(first)["lastInteractionAt"]
    time.sleep(0.01)
    visitor.say(second, "Hi")
    assert before == visitor.read(first)["lastInteractionAt"]


@_fault(
    "message-touches-all-conversations",
    "A message changes lastInteractionAt of all conversations of the visitor.",
    "Conversation.properties.lastInteractionAt; O-24",
    _other_conversation_untouched,
)
def _touching_all(server: Server) -> None:
    def touch(records: Records, original: Original, conversation: str, *title: Any) -> None:
        original(conversation, *title)
        row = records.any_conversation(conversation)
        assert row is not None
        records._connection.execute(
            update(conversations)
            .where(conversations.c.visitor_id == row.visitor_id)
            .values(last_interaction_at=row.last_interaction_at)
        )

    server.records("touch_conversation", touch)


# Closing.


def _other_conversation_stays_open(api: Api) -> None:
    visitor = api.visitor()
    first, second = visitor.start(), visitor.start()
    visitor.close(second, "Solved")
    assert "open" == visitor.read(first)["status"]
    assert [second] == visitor.ids(status="closed")


@_fault(
    "close-with-reason-closes-all",
    "Closing a conversation with a reason closes all open conversations of the visitor.",
    "openapi.yaml closeConversation.description (P4)",
    _other_conversation_stays_open,
)
def _closing_all(server: Server) -> None:
    def close(records: Records, original: Original, conversation: str, reason: Any) -> None:
        original(conversation, reason)
        if reason:
            row = records.any_conversation(conversation)
            assert row is not None
            others = select(conversations.c.id).where(
                conversations.c.visitor_id == row.visitor_id, conversations.c.status == "open"
            )
            for other in records._connection.scalars(others).all():
                original(other, reason)

    server.records("close_conversation", close)


def _pages_survive_closing(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.say(conversation, "Hi", pageContext={**_PAGE, "textSelection": "costs"})
    before = visitor.messages(conversation)
    assert (_PAGE["url"], "costs") == (before[0]["pageUrl"], before[0]["textSelection"])
    visitor.close(conversation)
    assert before == visitor.messages(conversation)


@_fault(
    "close-clears-pages",
    "Closing a conversation removes the pages and selections from its messages.",
    "Message.properties.pageUrl; R-31",
    _pages_survive_closing,
)
def _closing_clears_pages(server: Server) -> None:
    def close(records: Records, original: Original, conversation: str, reason: Any) -> None:
        original(conversation, reason)
        records._connection.execute(
            update(messages)
            .where(messages.c.conversation_id == conversation)
            .values(page_url=None, page_title=None, text_selection=None)
        )

    server.records("close_conversation", close)


def _closing_is_dated(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.close(conversation)
    closed = datetime.fromisoformat(visitor.read(conversation)["closedAt"])
    assert abs(closed - datetime.now(UTC)) < timedelta(minutes=1)


@_fault(
    "closed-at-in-local-time",
    "closedAt is a local time, five and a half hours ahead, that is called UTC.",
    "Conversation.properties.closedAt; O-24",
    _closing_is_dated,
)
def _closed_in_local_time(server: Server) -> None:
    def close(records: Records, original: Original, conversation: str, reason: Any) -> None:
        row = records.any_conversation(conversation)
        original(conversation, reason)
        if row is not None and row.status == "open":
            local = datetime.now(UTC) + timedelta(hours=5, minutes=30)
            text = local.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            records._connection.execute(
                update(conversations)
                .where(conversations.c.id == conversation)
                .values(closed_at=text)
            )

    server.records("close_conversation", close)


def _foreign_closed_is_refused(api: Api) -> None:
    owner, other = api.visitor(), api.visitor()
    conversation = owner.start()
    owner.close(conversation)
    other.refused("closeConversation", conversation, by=(403, 404), body={})


@_fault(
    "foreign-closing-again-confirmed",
    "closeConversation confirms that another visitor's conversation is closed already.",
    "O-1; openapi.yaml closeConversation.description (P4)",
    _foreign_closed_is_refused,
)
def _foreign_confirmed(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            row = records.any_conversation(call.path["conversationId"])
        if row is not None and row.status == "closed":
            return JSONResponse({"success": True, "message": "The conversation is closed."})
        return handler(call)

    server.handler("closeConversation", answer)


# Messages.


def _id_in_capitals(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    response = visitor.send("getMessages", conversation.upper())
    if response.status_code not in {400, 404, 422}:
        found = visitor.messages(conversation.upper())
        assert visitor.messages(conversation) == found


@_fault(
    "messages-of-id-in-capitals-empty",
    "getMessages finds the conversation by an id in capitals, but none of its messages.",
    "O-27",
    _id_in_capitals,
    rare=True,
)
def _capitals_empty(server: Server) -> None:
    def listed(exchange: Exchange) -> None:
        if exchange.succeeded and exchange.path["conversationId"] != _id(exchange):
            exchange.json = {"object": "list", "data": []}

    server.after("getMessages", listed)


def _last_page_of_messages(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello")
    every = visitor.messages(conversation)
    assert every[2:] == visitor.messages(conversation, limit=2, offset=2)
    assert every[3:] == visitor.messages(conversation, limit=3, offset=3)


@_fault(
    "incomplete-last-page-lost",
    "getMessages returns nothing if fewer messages follow the offset than limit asks for.",
    "openapi.yaml getMessages limit, offset (F-messages)",
    _last_page_of_messages,
)
def _last_page_lost(server: Server) -> None:
    def query(_records: Records, original: Original, *which: str, **more: Any) -> Any:
        found = original(*which, **more)
        limit, offset = more.get("limit"), more.get("offset")
        return [] if limit and offset and len(found) < limit else found

    server.records("messages", query)


def _said_twice(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hi", "Hi")
    assert ["Hi"] * 3 == visitor.texts(conversation)[::2]


@_fault(
    "repeated-message-stored-once",
    "A message with the content of the one before is answered, but not stored.",
    "openapi.yaml sendMessage 200 link getMessages; getMessages.description (F-messages)",
    _said_twice,
)
def _repeated_stored_once(server: Server) -> None:
    repeated: set[str] = set()

    def add(
        records: Records, original: Original, conversation: str, role: str, text: str, **more: Any
    ) -> MessageRow:
        if role == "user":
            said = [row.text for row in records.messages(conversation) if row.role == "user"]
            (repeated.add if said[-1:] == [text] else repeated.discard)(conversation)
        message: MessageRow = original(conversation, role, text, **more)
        if conversation in repeated and role != "human_agent":
            gone = delete(messages).where(messages.c.id == message.id)
            records._connection.execute(gone)
        return message

    server.records("add_message", add)


def _null_selection(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.say(conversation, "Hi", pageContext={**_PAGE, "textSelection": None})
    assert visitor.messages(conversation)[0]["textSelection"] is None


@_fault(
    "null-selection-stored-in-words",
    "A textSelection of null is stored as the word null.",
    "Message.properties.textSelection; PageContext.properties.textSelection",
    _null_selection,
)
def _null_in_words(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        body = _body(exchange)
        page = body.get("pageContext")
        if isinstance(page, dict) and page.get("textSelection", "") is None:
            page["textSelection"] = "null"
            exchange.request_json = body

    server.before("sendMessage", ask)


def _page_of_streamed(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    body = {"content": _MORE, "stream": True, "pageContext": _PAGE}
    read_stream(visitor.expect("sendMessage", conversation, body=body))
    question, answer = visitor.messages(conversation)
    assert (_PAGE["url"], _PAGE["title"]) == (question["pageUrl"], question["pageTitle"])
    assert _PAGE["url"] != answer["pageUrl"]


@_fault(
    "page-moved-to-streamed-answer",
    "The page of a message that asks for a stream is stored with the answer instead.",
    "Message.properties.pageUrl (F-messages)",
    _page_of_streamed,
)
def _page_moved(server: Server) -> None:
    def add(
        records: Records, original: Original, conversation: str, *rest: Any, **more: Any
    ) -> Any:
        message = original(conversation, *rest, **more)
        if message.status == "streaming":
            question = records.messages(conversation)[-2]
            names = ("page_url", "page_title", "text_selection")
            moved = {name: getattr(question, name) for name in names}
            for row, values in ((message, moved), (question, dict.fromkeys(names))):
                records._connection.execute(
                    update(messages).where(messages.c.id == row.id).values(**values)
                )
        return message

    server.records("add_message", add)


def _streamed_in_order(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.stream(conversation, _MORE)
    roles = [message["role"] for message in visitor.messages(conversation)]
    assert ["user", "assistant"] == roles


@_fault(
    "streamed-answer-before-question",
    "A streamed answer comes before its question in the conversation.",
    "openapi.yaml getMessages.description (F-messages)",
    _streamed_in_order,
)
def _streamed_before(server: Server) -> None:
    def add(
        records: Records, original: Original, conversation: str, *rest: Any, **more: Any
    ) -> Any:
        message = original(conversation, *rest, **more)
        if message.status == "streaming":
            question = records.messages(conversation)[-2]
            latest = records._connection.scalar(select(func.max(messages.c.seq)))
            records._connection.execute(
                update(messages).where(messages.c.id == question.id).values(seq=(latest or 0) + 1)
            )
        return message

    server.records("add_message", add)


def _usage_adds_up(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    for content in ("Hi", _MORE):
        body = {"content": content, "stream": False}
        for step in visitor.expect("sendMessage", conversation, body=body)["steps"]:
            usage = step["usage"]
            assert usage["inputTokens"] + usage["outputTokens"] == usage["totalTokens"]


@_fault(
    "total-tokens-accumulate",
    "totalTokens of sendMessage includes those of the conversation's earlier answers.",
    "TokenUsage.properties.totalTokens.description",
    _usage_adds_up,
)
def _tokens_accumulate(server: Server) -> None:
    used: Counter[str] = Counter()

    def sent(exchange: Exchange) -> None:
        if exchange.status == 200:
            value = exchange.json
            usage = value["steps"][-1]["usage"]
            used[_id(exchange)] += usage["totalTokens"]
            usage["totalTokens"] = used[_id(exchange)]
            exchange.json = value

    server.after("sendMessage", sent)


# Streams.


def _streams_are_apart(api: Api) -> None:
    visitor = api.visitor()
    for content in ("Hi", _MORE):
        conversation = visitor.start()
        text = visitor.stream(conversation, content)
        assert text == visitor.texts(conversation)[-1]


@_fault(
    "stream-begins-with-leftover",
    "A stream begins with the last piece of the visitor's previous stream.",
    "TextDeltaPayload.description (P2)",
    _streams_are_apart,
)
def _leftover(server: Server) -> None:
    last: dict[str, str] = {}

    def begin(exchange: Exchange) -> Step:
        left = [last[exchange.bearer]] if exchange.bearer in last else []

        def step(event: Event) -> Iterable[Event]:
            if event.type != "text-delta":
                return [event]
            last[exchange.bearer] = event.payload["delta"]
            return [event.but(delta=left.pop()), event] if left else [event]

        return step

    server.stream("sendMessage", begin)


def _start_names_answer(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    raw = visitor.expect("sendMessage", conversation, body={"content": _MORE, "stream": True})
    question, answer = visitor.messages(conversation)
    start = raw.split("\n\n")[0]
    assert question["id"] not in start
    if "messageId" in start:
        assert answer["id"] in start


@_fault(
    "start-names-question",
    "The messageId in start is that of the question.",
    "StartPayload.properties.messageId (R-29)",
    _start_names_answer,
)
def _names_question(server: Server) -> None:
    asked: dict[str, str] = {}

    def add(_records: Records, original: Original, *words: Any, **more: Any) -> MessageRow:
        message: MessageRow = original(*words, **more)
        if message.role == "user":
            asked[message.conversation_id] = message.id
        return message

    def begin(exchange: Exchange) -> Step:
        question = asked[_id(exchange)]
        return lambda event: [event.but(messageId=question) if event.type == "start" else event]

    server.records("add_message", add)
    server.stream("sendMessage", begin)


# Feedback.


def _two_rated(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello")
    first, second = visitor.messages(conversation)[1::2]
    visitor.rate(first["id"], "dislike")
    visitor.rate(second["id"], "like")
    found = [message["feedback"] for message in visitor.messages(conversation)[1::2]]
    assert ["dislike", "like"] == found


@_fault(
    "one-rating-per-conversation",
    "Feedback for a message removes that for the other messages of the conversation.",
    "openapi.yaml sendMessageFeedback.description (F-feedback)",
    _two_rated,
)
def _one_rating(server: Server) -> None:
    def store(
        records: Records, original: Original, message: str, visitor: str, feedback: Any
    ) -> bool:
        stored = bool(original(message, visitor, feedback))
        row = records.message(message)
        if stored and feedback is not None and row is not None:
            others = update(messages).where(
                messages.c.conversation_id == row.conversation_id, messages.c.id != message
            )
            records._connection.execute(others.values(feedback=None, feedback_at=None))
        return stored

    server.records("set_feedback", store)


def _feedback_outlives_message(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    answer = visitor.messages(conversation)[1]["id"]
    visitor.rate(answer, "like")
    rated = visitor.messages(conversation)[1]
    visitor.say(conversation, "Thanks")
    assert "like" == rated["feedback"]
    assert rated == visitor.messages(conversation)[1]


@_fault(
    "next-message-drops-feedback",
    "The next message of a conversation removes the feedback for the ones before.",
    "openapi.yaml sendMessageFeedback.description (F-feedback)",
    _feedback_outlives_message,
)
def _message_drops_feedback(server: Server) -> None:
    def add(
        records: Records, original: Original, conversation: str, *rest: Any, **more: Any
    ) -> Any:
        rated = update(messages).where(messages.c.conversation_id == conversation)
        records._connection.execute(rated.values(feedback=None, feedback_at=None))
        return original(conversation, *rest, **more)

    server.records("add_message", add)


def _rated_after_closing(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    answer = visitor.messages(conversation)[-1]["id"]
    visitor.rate(answer, "like")
    assert "like" == visitor.messages(conversation)[-1]["feedback"]


@_fault(
    "feedback-in-closed-not-stored",
    "Feedback for a message of a closed conversation is confirmed, but not stored.",
    "MessageFeedback.description; sendMessageFeedback (F-feedback)",
    _rated_after_closing,
)
def _closed_not_stored(server: Server) -> None:
    def store(
        records: Records, original: Original, message: str, visitor: str, feedback: Any
    ) -> bool:
        row = records.message(message)
        if row is not None:
            conversation = records.conversation(row.conversation_id, visitor)
            if conversation is not None and conversation.status == "closed":
                return True
        return bool(original(message, visitor, feedback))

    server.records("set_feedback", store)


# Completions.

_INSTRUCTIONS = [
    {"role": "system", "content": "Answer in one sentence."},
    {"role": "system", "content": "Be polite."},
]


def _two_instructions(api: Api) -> None:
    body = {"messages": [*_INSTRUCTIONS, *CHAT["messages"]]}
    assert text_of(api.visitor().expect("createChatCompletion", body=body))


@_fault(
    "second-system-message-500",
    "createChatCompletion fails with 500 if two messages have the role system.",
    "ChatCompletionRequest.properties.messages (F-chat)",
    _two_instructions,
)
def _second_system(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        given = _body(exchange).get("messages")
        roles = [item.get("role") for item in given or () if isinstance(item, dict)]
        if roles.count("system") > 1:
            return _error(500, "INTERNAL_SERVER_ERROR", "An internal server error occurred")
        return None

    server.before("createChatCompletion", ask)


def _stream_without_token(api: Api) -> None:
    for client in (api, api.bearing("wrong")):
        client.refused("createChatCompletion", by=(401,), body={**CHAT, "stream": True})


@_fault(
    "no-token-streamed-chat",
    "createChatCompletion checks the token only if no stream is requested.",
    "F-auth; createChatCompletion.security",
    _stream_without_token,
)
def _stream_unchecked(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        if _body(exchange).get("stream") is True:
            exchange.request_headers["authorization"] = f"Bearer {PRIVATE_KEY}"

    server.before("createChatCompletion", ask)


def _chat_is_not_stored(api: Api) -> None:
    visitor = api.visitor()
    visitor.expect("createChatCompletion", body=CHAT)
    assert [] == visitor.ids()


@_fault(
    "chat-leaves-a-conversation",
    "createChatCompletion leaves a conversation with its messages in the visitor's list.",
    "createChatCompletion.description: messages that you keep yourself (F-chat)",
    _chat_is_not_stored,
)
def _chat_stored(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        with call.services.store.write() as records:
            conversation = records.add_conversation(call.visitor.id)
            for message in call.body["messages"]:
                if message["role"] != "system":
                    records.add_message(conversation.id, message["role"], message["content"])
        return response

    server.handler("createChatCompletion", answer)


# The project, its Q&As and the search.


def _right_key_after_wrong(api: Api) -> None:
    api.refused("getProject", by=(401, 403), apiKey="wrong")
    assert PROJECT_ID == api.expect("getProject", apiKey=API_KEY)["id"]


@_fault(
    "refusal-of-key-repeated",
    "After a refused key, getProject refuses the next request as well, whatever its key.",
    "openapi.yaml getProject.description (F-project)",
    _right_key_after_wrong,
)
def _refusal_repeated(server: Server) -> None:
    refused: list[bytes] = []

    def ask(exchange: Exchange) -> ASGIApp | None:
        if not refused:
            return None
        exchange.notes["again"] = True
        return readable(Response(refused.pop(), 401, media_type="application/json"))

    def found(exchange: Exchange) -> None:
        if exchange.status == 401 and "again" not in exchange.notes:
            refused[:] = [exchange.body]

    server.before("getProject", ask)
    server.after("getProject", found)


def _all_after_query(api: Api) -> None:
    every = api.expect("getQnas", PROJECT_ID)
    assert every["total"] > api.expect("getQnas", PROJECT_ID, query="shipping")["total"]
    assert every == api.expect("getQnas", PROJECT_ID)


@_fault(
    "qnas-query-remembered",
    "getQnas without a query takes the query of the request before.",
    "openapi.yaml getQnas.description (F-qnas)",
    _all_after_query,
)
def _query_remembered(server: Server) -> None:
    before: dict[str, str] = {}

    def ask(exchange: Exchange) -> None:
        exchange.notes["own"] = exchange.query.get("query")
        if "query" not in exchange.query and "query" in before:
            exchange.query = {**exchange.query, "query": before["query"]}

    def listed(exchange: Exchange) -> None:
        before.clear()
        if exchange.succeeded and exchange.notes["own"]:
            before["query"] = exchange.notes["own"]

    server.before("getQnas", ask)
    server.after("getQnas", listed)


def _odd_offset(api: Api) -> None:
    every = api.expect("getQnas", PROJECT_ID, limit=10)["data"]
    assert every[1:4] == api.expect("getQnas", PROJECT_ID, limit=3, offset=1)["data"]
    assert every[4:7] == api.expect("getQnas", PROJECT_ID, limit=3, offset=4)["data"]


@_fault(
    "qnas-offset-rounded-to-pages",
    "getQnas rounds the offset down to a multiple of the limit.",
    "Parameter Offset.description (F-qnas)",
    _odd_offset,
)
def _offset_rounded(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        limit, offset = (exchange.query.get(name, "") for name in ("limit", "offset"))
        if offset.isdecimal() and (limit.isdecimal() or "limit" not in exchange.query):
            number, size = int(offset), int(limit or 10)
            if size:
                exchange.notes["offset"] = number
                exchange.query = {**exchange.query, "offset": str(number // size * size)}

    def listed(exchange: Exchange) -> None:
        if exchange.succeeded and "offset" in exchange.notes:
            exchange.json = {**exchange.json, "offset": exchange.notes["offset"]}

    server.before("getQnas", ask)
    server.after("getQnas", listed)


def _read_twice(api: Api) -> None:
    (listed,) = api.expect("getQnas", PROJECT_ID, limit=1)["data"]
    assert QNA_ID == listed["id"]
    assert listed == api.expect("getQna", PROJECT_ID, QNA_ID)


@_fault(
    "reading-updates-qna",
    "getQna returns the time of the request as updatedAt.",
    "Qna.properties.updatedAt; O-22",
    _read_twice,
)
def _reading_updates(server: Server) -> None:
    def now(_: str) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    edit("getQna", "updatedAt", change(now))(server)


def _paths_of_results(api: Api) -> None:
    results = api.expect("search", q="How do shipping and returns work?", apiKey=API_KEY)["results"]
    assert len(results) > 1
    for result in results:
        assert (urlsplit(result["url"]).path or "/") == result["path"]


@_fault(
    "path-of-result-before",
    "Each search result but the first has the path of the result before.",
    "SearchResult.properties.path (F-search)",
    _paths_of_results,
)
def _path_of_before(server: Server) -> None:
    def found(exchange: Exchange) -> None:
        if exchange.succeeded:
            results = exchange.json["results"]
            paths = [result["path"] for result in results]
            exchange.json = {
                "results": [
                    {**result, "path": path}
                    for result, path in zip(results, [*paths[:1], *paths[:-1]], strict=True)
                ]
            }

    server.after("search", found)


def _wrong_key_after_right(api: Api) -> None:
    words = "How long does shipping take?"
    assert api.expect("search", q=words, apiKey=API_KEY)["results"]
    api.refused("search", by=(401, 403), q=words, apiKey="wrong")


@_fault(
    "search-cache-before-key",
    "search answers a query from a cache before it checks the publishable key.",
    "openapi.yaml Parameter ApiKey; F-search; C-18",
    _wrong_key_after_right,
)
def _cache_before_key(server: Server) -> None:
    cached: dict[tuple[str | None, ...], bytes] = {}

    def key(exchange: Exchange) -> tuple[str | None, ...]:
        return exchange.query.get("q"), exchange.query.get("size")

    def ask(exchange: Exchange) -> ASGIApp | None:
        body = cached.get(key(exchange)) if "apiKey" in exchange.query else None
        return None if body is None else readable(Response(body, media_type="application/json"))

    def found(exchange: Exchange) -> None:
        if exchange.succeeded:
            cached[key(exchange)] = exchange.body

    server.before("search", ask)
    server.after("search", found)
