"""Faults of time: of times that are stored, of caches and replicas, of sessions and streams."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from starlette.responses import Response

from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import conversations, messages
from tests.faults.edits import change, edit, times
from tests.faults.exchange import Event, Exchange
from tests.faults.faulty import Build, Forward, Server, Step, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.probes import CHAT
from tests.faults.probing import Api, Visitor

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["FAULTS"]

FAULTS = Faults("time")
_add = FAULTS.add
_fault = FAULTS.fault
Original = Callable[..., Any]

_EVERY = " ".join(operations())
_TICK = 0.01
"""Seconds after which a time must be another one."""
_LAG = 0.25
"""Seconds after which a slow replica has what was written."""
_FADE = 0.5
"""Seconds after which a fault loses what was written."""

_FEEDBACK = "openapi.yaml sendMessageFeedback.description (F-feedback); Message.properties"
_SESSION = "openapi.yaml init.description (F-auth): after a period of inactivity"
_WRITTEN = "openapi.yaml getMessages.description (F-messages): all of them"


def _row(server: Server, table: Any, identifier: str, **values: Any) -> None:
    with server.store.write() as records:
        _set(records, table, identifier, **values)


def _set(records: Records, table: Any, identifier: str, **values: Any) -> None:
    records._connection.execute(update(table).where(table.c.id == identifier).values(**values))


def _rated(api: Api) -> tuple[Visitor, str, dict[str, Any]]:
    """Return a visitor, a conversation, and its answer, which has a like."""
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.rate(visitor.messages(conversation)[-1]["id"], "like")
    return visitor, conversation, visitor.messages(conversation)[-1]


# Times of changes.


def _rating(store: Callable[..., Any]) -> Build:
    return lambda server: server.records("set_feedback", store)


def _keeping_first_time(
    records: Records, original: Original, message: str, visitor: str, value: str | None
) -> Any:
    before = records.message(message)
    known = original(message, visitor, value)
    if known and value is not None and before is not None and before.feedback is not None:
        _set(records, messages, message, feedback_at=before.feedback_at)
    return known


def _redating(
    records: Records, original: Original, message: str, visitor: str, value: str | None
) -> Any:
    known = original(message, visitor, value)
    if known:
        _set(records, messages, message, created_at=records._now())
    return known


def _moving_the_end(
    records: Records, original: Original, message: str, visitor: str, value: str | None
) -> Any:
    known = original(message, visitor, value)
    found = records.message(message)
    if known and found is not None:
        row = records.any_conversation(found.conversation_id)
        if row is not None and row.closed_at is not None:
            _set(records, conversations, row.id, closed_at=records._now())
    return known


def _second_value(api: Api) -> None:
    visitor, conversation, first = _rated(api)
    time.sleep(_TICK)
    visitor.rate(first["id"], "dislike")
    second = visitor.messages(conversation)[-1]
    assert first["feedbackAt"] < second["feedbackAt"]


def _only_feedback(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    before = visitor.messages(conversation)
    time.sleep(_TICK)
    visitor.rate(before[-1]["id"], "like")
    after = visitor.messages(conversation)
    given = {name: after[-1][name] for name in ("feedback", "feedbackAt")}
    assert [before[0], {**before[-1], **given}] == after


def _end_stays(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    before = visitor.read(conversation)
    time.sleep(_TICK)
    visitor.rate(before["messages"][-1]["id"], "like")
    assert before["closedAt"] == visitor.read(conversation)["closedAt"]


def _beginning_stays(api: Api) -> None:
    visitor = api.visitor()
    started = visitor.expect("startConversation", wanted=201)
    time.sleep(_TICK)
    visitor.say(started["id"], "Hi")
    time.sleep(_TICK)
    visitor.close(started["id"])
    assert started["createdAt"] == visitor.read(started["id"])["createdAt"]


def _restarting(
    records: Records, original: Original, conversation: str, reason: str | None
) -> None:
    original(conversation, reason)
    _set(records, conversations, conversation, created_at=records._now())


for _name, _description, _evidence, _build, _probe in (
    (
        "feedback-time-of-first-value",
        "feedbackAt stays the time of the first feedback when another one replaces it.",
        f"{_FEEDBACK}.feedbackAt",
        _rating(_keeping_first_time),
        _second_value,
    ),
    (
        "feedback-redates-message",
        "Feedback changes the time at which its message was written.",
        "Message.properties.createdAt",
        _rating(_redating),
        _only_feedback,
    ),
    (
        "feedback-redates-closing",
        "Feedback changes the time at which a conversation was closed.",
        "Conversation.properties.closedAt",
        _rating(_moving_the_end),
        _end_stays,
    ),
    (
        "closing-redates-start",
        "Closing a conversation changes the time at which it was started.",
        "Conversation.properties.createdAt",
        lambda server: server.records("close_conversation", _restarting),
        _beginning_stays,
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


@_fault(
    "stream-is-no-interaction",
    "A message with a streamed answer does not change lastInteractionAt.",
    "Conversation.properties.lastInteractionAt",
    lambda api: _stream_interacts(api),
)
def _no_interaction(server: Server) -> None:
    async def wrap(exchange: Exchange, forward: Forward) -> None:
        conversation = exchange.path["conversationId"].lower()
        with server.store.read() as records:
            before = records.any_conversation(conversation)
        await forward()
        streamed = exchange.headers.get("content-type", "").startswith("text/event-stream")
        if streamed and before is not None:
            _row(
                server,
                conversations,
                conversation,
                last_interaction_at=before.last_interaction_at,
            )

    server.around("sendMessage", wrap)


def _stream_interacts(api: Api) -> None:
    visitor = api.visitor()
    first, second = visitor.talk(), visitor.talk()
    time.sleep(_TICK)
    visitor.stream(first, "Hi")
    assert [first, second] == visitor.ids()


# Clocks of two machines.


def _behind(seconds: float) -> Callable[[Any], Any]:
    def moved(value: Any) -> Any:
        if value is None:
            return None
        moment = datetime.fromisoformat(value) - timedelta(seconds=seconds)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return moved


def _by_a_slow_clock(
    records: Records, original: Original, conversation: str, reason: str | None
) -> None:
    original(conversation, reason)
    row = records.any_conversation(conversation)
    if row is not None:
        _set(records, conversations, conversation, closed_at=_behind(5)(row.closed_at))


def _ends_after_start(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation)
    found = visitor.read(conversation)
    assert found["createdAt"] <= found["closedAt"]


def _answers_a_bit_earlier(
    records: Records, original: Original, conversation: str, role: str, *words: Any, **more: Any
) -> Any:
    row = original(conversation, role, *words, **more)
    if role == "assistant":
        _set(records, messages, row.id, created_at=_behind(1)(row.created_at))
    return row


def _oldest_first(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello")
    written = [message["createdAt"] for message in visitor.messages(conversation)]
    assert all(earlier <= later for earlier, later in pairwise(written))


def _same_in_lists(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    read, (listed,) = visitor.read(conversation), visitor.list()["data"]
    for name in ("createdAt", "updatedAt", "lastInteractionAt"):
        assert read[name] == listed[name]


for _name, _description, _evidence, _build, _probe in (
    (
        "closed-before-started",
        "The clock that sets closedAt is five seconds behind, so that it can be before createdAt.",
        "Conversation.properties.closedAt",
        lambda server: server.records("close_conversation", _by_a_slow_clock),
        _ends_after_start,
    ),
    (
        "answered-before-asked",
        "The clock that dates answers is one second behind the one that dates questions.",
        "openapi.yaml getMessages.description (F-messages): oldest first",
        lambda server: server.records("add_message", _answers_a_bit_earlier),
        _oldest_first,
    ),
    (
        "lists-two-hours-ahead",
        "getConversations shows local times, two hours ahead, as times in UTC.",
        "ConversationSummary.properties.createdAt",
        times(lambda moment: str(_behind(-7_200)(moment.isoformat())), "getConversations"),
        _same_in_lists,
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


# Caches and replicas.


@_fault(
    "list-cached-for-a-second",
    "getConversations repeats its last response for a second, whatever has changed.",
    "openapi.yaml startConversation 201 link getConversations",
    lambda api: _listed_at_once(api),
)
def _cached(server: Server) -> None:
    kept: dict[tuple[str, str], tuple[float, bytes]] = {}

    def key(exchange: Exchange) -> tuple[str, str]:
        return exchange.bearer, str(sorted(exchange.query.items()))

    def ask(exchange: Exchange) -> ASGIApp | None:
        until, body = kept.get(key(exchange), (0.0, b""))
        exchange.notes["cached"] = until > time.monotonic()
        return Response(body, media_type="application/json") if exchange.notes["cached"] else None

    def after(exchange: Exchange) -> None:
        if exchange.succeeded and not exchange.notes["cached"]:
            kept[key(exchange)] = time.monotonic() + 1, exchange.body

    server.before("getConversations", ask)
    server.after("getConversations", after)


def _listed_at_once(api: Api) -> None:
    visitor = api.visitor()
    assert [] == visitor.ids()
    conversation = visitor.start()
    assert [conversation] == visitor.ids()


@_fault(
    "messages-from-a-replica",
    "getMessages lacks the messages of the last 250 milliseconds.",
    _WRITTEN,
    lambda api: _stored_at_once(api),
)
def _replica(server: Server) -> None:
    def late(message: dict[str, Any]) -> bool:
        limit = _behind(_LAG)(server.store.clock.timestamp())
        return bool(message["createdAt"] < limit)

    edit("getMessages", "data", change(lambda data: [one for one in data if late(one)]))(server)


def _stored_at_once(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    assert 2 == len(visitor.messages(conversation))
    assert visitor.messages(conversation) == visitor.read(conversation)["messages"]


def _lagging(made_by: str, place: Callable[[Any], str], operation: str, status: int) -> Build:
    """Return a fault: ``operation`` does not know what ``made_by`` has just made."""

    def build(server: Server) -> None:
        made: dict[str, float] = {}

        def after(exchange: Exchange) -> None:
            if exchange.succeeded:
                made.setdefault(place(exchange.json), time.monotonic())

        def ask(exchange: Exchange) -> ASGIApp | None:
            name = exchange.path.get("conversationId") or exchange.bearer.removeprefix("Bearer ")
            since = time.monotonic() - made.get(name, 0.0)
            return error_response(ApiError(status)) if since < _LAG else None

        server.after(made_by, after)
        server.before(operation, ask)

    return build


def _found_at_once(api: Api) -> None:
    visitor = api.visitor()
    visitor.read(visitor.start())


def _token_at_once(api: Api) -> None:
    assert [] == api.visitor().ids()


_add(
    "new-conversation-404",
    "getConversation does not find a conversation in its first 250 milliseconds.",
    "openapi.yaml startConversation 201 link getConversation",
    _lagging("startConversation", lambda made: str(made["id"]), "getConversation", 404),
    _found_at_once,
)
_add(
    "new-token-401",
    "getConversations refuses a session token in its first 250 milliseconds.",
    _SESSION,
    _lagging("init", lambda made: str(made["sessionToken"]), "getConversations", 401),
    _token_at_once,
)


def _fading(operation: str, parameter: str, lose: Callable[[Server, str], None]) -> Build:
    """Return a fault: some time after ``operation``, what it wrote is lost."""

    def build(server: Server) -> None:
        written: dict[str, float] = {}

        def after(exchange: Exchange) -> None:
            if exchange.succeeded:
                written[exchange.path[parameter].lower()] = time.monotonic()

        def ask(_exchange: Exchange) -> None:
            now = time.monotonic()
            for identifier in [one for one, when in written.items() if now - when > _FADE]:
                del written[identifier]
                lose(server, identifier)

        server.after(operation, after)
        server.before(_EVERY, ask)

    return build


def _after_a_pause(read: Callable[[Api], Callable[[], Any]]) -> Probe:
    """Return a probe that what was just written is still there after a pause."""

    def probe(api: Api) -> None:
        again = read(api)
        before = again()
        time.sleep(_FADE + 0.1)
        assert before == again()

    return probe


def _reads_feedback(api: Api) -> Callable[[], Any]:
    visitor, conversation, _ = _rated(api)
    return lambda: [
        (message["feedback"], message["feedbackAt"]) for message in visitor.messages(conversation)
    ]


def _reads_closed(api: Api) -> Callable[[], Any]:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.close(conversation, "solved")
    return lambda: [visitor.read(conversation)[name] for name in ("status", "closeReason")]


def _reads_messages(api: Api) -> Callable[[], Any]:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello")
    return lambda: visitor.texts(conversation)


def _truncated(server: Server, conversation: str) -> None:
    with server.store.write() as records:
        last = records.messages(conversation)[-1]
        _set(records, messages, last.id, text=last.text[:8])


_add(
    "feedback-fades",
    "Feedback is shown at first, and lost after half a second.",
    _FEEDBACK + ".feedback",
    _fading(
        "sendMessageFeedback",
        "messageId",
        lambda server, it: _row(server, messages, it, feedback=None, feedback_at=None),
    ),
    _after_a_pause(_reads_feedback),
    rare=True,
)
_add(
    "closing-fades",
    "A closed conversation is open again after half a second.",
    "openapi.yaml closeConversation.description (F-close)",
    _fading(
        "closeConversation",
        "conversationId",
        lambda server, it: _row(
            server, conversations, it, status="open", closed_at=None, close_reason=None
        ),
    ),
    _after_a_pause(_reads_closed),
    rare=True,
)
_add(
    "answers-fade",
    "The last answer of a conversation is cut to eight characters after half a second.",
    _WRITTEN,
    _fading("sendMessage", "conversationId", _truncated),
    _after_a_pause(_reads_messages),
    rare=True,
)


# Sessions.


@_fault(
    "session-ends-in-use",
    "A session ends two seconds after its beginning, although it is in use.",
    _SESSION,
    lambda api: _used_for_longer(api),
    rare=True,
)
def _ends_in_use(server: Server) -> None:
    begun: dict[str, float] = {}

    def after(exchange: Exchange) -> None:
        if exchange.succeeded:
            begun[exchange.json["sessionToken"]] = time.monotonic()

    def ask(exchange: Exchange) -> ASGIApp | None:
        since = begun.get(exchange.bearer.removeprefix("Bearer "))
        ended = since is not None and time.monotonic() - since > 2
        return error_response(ApiError(401)) if ended else None

    server.after("init", after)
    server.before(_EVERY.replace("init", ""), ask)


def _used_for_longer(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(11):
        visitor.expect("getMe")
        time.sleep(0.2)


@_fault(
    "second-session-ends-first",
    "A second session of a device ends the first one at once.",
    _SESSION,
    lambda api: _two_sessions(api),
)
def _ends_first(server: Server) -> None:
    tokens: dict[str, str] = {}
    ended: set[str] = set()

    def after(exchange: Exchange) -> None:
        if exchange.succeeded:
            found = exchange.json
            before = tokens.get(found["visitor"]["id"])
            if before is not None:
                ended.add(f"Bearer {before}")
            tokens[found["visitor"]["id"]] = found["sessionToken"]

    def ask(exchange: Exchange) -> ASGIApp | None:
        return error_response(ApiError(401)) if exchange.bearer in ended else None

    server.after("init", after)
    server.before(_EVERY.replace("init", ""), ask)


def _two_sessions(api: Api) -> None:
    visitor = api.visitor()
    api.session(visitor.device, wanted=200)
    visitor.expect("getMe")


# Streams.


def _held(first: int) -> Callable[[Exchange], Step]:
    """Return a fault: only the first deltas of a stream are sent in time."""

    def begin(_exchange: Exchange) -> Step:
        deltas: list[Event] = []
        held: list[Event] = []

        def step(event: Event) -> Iterable[Event]:
            if event.type == "text-delta":
                deltas.append(event)
                if len(deltas) > first:
                    held.append(event)
                    return []
            if event.type == "text-end":
                return [*held, event]
            return [event]

        return step

    return begin


def _pieces(response: Any) -> list[bytes]:
    return [piece for piece in response.iter_raw() if b'"text-delta"' in piece]


def _in_pieces(operation: str) -> Probe:
    """Return a probe that no piece of a stream has most of the deltas of the answer."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        path = operations()[operation].path
        body: dict[str, Any] = {**CHAT, "stream": True}
        if operation == "sendMessage":
            path = path.replace("{conversationId}", visitor.start())
            body = {"content": "How long does shipping take?", "stream": True}
        with api.http.stream("POST", path, json=body, headers=visitor.bearer()) as response:
            counts = [piece.count(b'"text-delta"') for piece in _pieces(response)]
        assert sum(counts) > 4
        assert max(counts) <= sum(counts) / 2, counts

    return probe


for _name, _description, _operation, _first in (
    (
        "stream-stops-after-first-delta",
        "sendMessage streams one piece of the text, and the rest seconds later in one go.",
        "sendMessage",
        1,
    ),
    (
        "chat-stream-waits-for-the-text",
        "createChatCompletion streams its first events, and the whole text seconds later.",
        "createChatCompletion",
        0,
    ),
):

    def _hold(server: Server, operation: str = _operation, first: int = _first) -> None:
        server.settings["stream_delay"] = 0.06
        server.stream(operation, _held(first))

    _add(
        _name,
        _description,
        "openapi.yaml sendMessage.description: while it is being written; createChatCompletion",
        _hold,
        _in_pieces(_operation),
    )
