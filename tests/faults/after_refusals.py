"""Faults of refusals: a request is refused, but not without an effect."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import Update, update

from siteassist_mock.content.seed import PROJECT_ID
from siteassist_mock.http.call import Services
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import ConversationRow, conversations, messages, sessions
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults, Probe
from tests.faults.owners import sender_of
from tests.faults.probing import Api, Visitor
from tests.values import API_KEY

__all__ = ["FAULTS"]

FAULTS = Faults("refusals")
_add = FAULTS.add

_EVIDENCE = "R-32"
_INVALID = frozenset({400, 422})
_FOREIGN = frozenset({403, 404})
_TOO_LONG = "ab " * 4_000

Effect: TypeAlias = Callable[[Records, Exchange, "ConversationRow | None"], object]
"""A function that changes the store after a refusal.

It gets the conversation in the path if it exists and, unless the fault is about refused
credentials or other visitors, belongs to the sender.
"""


def _leaving(
    operation: str, statuses: Collection[int], effect: Effect, *, of_anybody: bool = False
) -> Build:
    """Return a fault that a refusal with one of ``statuses`` has an effect."""

    def build(server: Server) -> None:
        found: list[Services] = []
        server.services(found.append)

        def refused(exchange: Exchange) -> None:
            if exchange.status not in statuses:
                return
            sender = sender_of(found[0], exchange)
            with found[0].store.write() as records:
                conversation = records.any_conversation(
                    exchange.path.get("conversationId", "").lower()
                )
                own = conversation and sender and conversation.visitor_id == sender.id
                effect(records, exchange, conversation if own or of_anybody else None)

        server.after(operation, refused)

    return build


def _body(exchange: Exchange) -> dict[str, Any]:
    """Return the body if it is an object that can be stored."""
    body = exchange.request_json
    half = re.search("[\ud800-\udfff]", json.dumps(body, ensure_ascii=False))
    return body if isinstance(body, dict) and not half else {}


def _do(records: Records, statement: Update) -> None:
    records._connection.execute(statement)


# What is compared before and after a refusal.


def _state(visitor: Visitor, *conversations: str) -> list[Any]:
    """Return all that a visitor can read."""
    return [visitor.list(), *(visitor.read(conversation) for conversation in conversations)]


def _refused(operation: str, *, conversation: bool = True, **request: Any) -> Probe:
    """Return a probe that an invalid request of a visitor changes nothing."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        talk = visitor.talk()
        before = _state(visitor, talk)
        visitor.invalid(operation, *([talk] if conversation else []), **request)
        assert before == _state(visitor, talk)

    return probe


def _feedback_refused(**request: Any) -> Probe:
    """Return a probe that invalid feedback does not change the one before."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        talk = visitor.talk()
        message = visitor.messages(talk)[-1]["id"]
        visitor.rate(message, "like")
        before = _state(visitor, talk)
        visitor.invalid("sendMessageFeedback", message, **request)
        assert before == _state(visitor, talk)

    return probe


def _refused_for_others(operation: str, body: Any) -> Probe:
    """Return a probe that a request of another visitor changes nothing."""

    def probe(api: Api) -> None:
        owner = api.visitor()
        talk = owner.talk()
        named = talk
        if operation == "sendMessageFeedback":
            named = owner.messages(talk)[-1]["id"]
        before = _state(owner, talk)
        api.visitor().refused(operation, named, by=(403, 404), body=body)
        assert before == _state(owner, talk)

    return probe


# Messages.

_effect: Effect


def _store_beginning(
    records: Records, exchange: Exchange, conversation: ConversationRow | None
) -> None:
    content = _body(exchange).get("content")
    if conversation and isinstance(content, str) and len(content) > 10_000:
        records.add_message(conversation.id, "user", content[:10_000])


def _store_message(
    records: Records, exchange: Exchange, conversation: ConversationRow | None
) -> None:
    content = _body(exchange).get("content")
    if conversation and isinstance(content, str) and 1 <= len(content) <= 10_000:
        records.add_message(conversation.id, "user", content)


def _store_answer(
    records: Records, exchange: Exchange, conversation: ConversationRow | None
) -> None:
    if conversation and _body(exchange).get("stream") is True:
        records.add_message(conversation.id, "assistant", "", status="streaming")


def _note_interaction(
    records: Records, _exchange: Exchange, conversation: ConversationRow | None
) -> None:
    if conversation:
        # Later than any time of the mock in the same millisecond.
        now = (datetime.now(UTC) + timedelta(seconds=1)).isoformat(timespec="milliseconds")
        moved = update(conversations).where(conversations.c.id == conversation.id)
        _do(records, moved.values(last_interaction_at=now.replace("+00:00", "Z")))


def _closed_for_messages(api: Api) -> None:
    visitor = api.visitor()
    talk = visitor.talk()
    visitor.close(talk)
    before = _state(visitor, talk)
    response = visitor.send("sendMessage", talk, body={"content": "Anybody there?"})
    # Taking the message is allowed as well (O-3).
    if response.status_code >= 400:
        assert before == _state(visitor, talk)


def _without_token(api: Api) -> None:
    owner = api.visitor()
    talk = owner.talk()
    before = _state(owner, talk)
    api.refused("sendMessage", talk, by=(401,), body={"content": "Let me in"})
    assert before == _state(owner, talk)


for _name, _description, _statuses, _effect, _of_anybody, _probe in (
    (
        "too-long-message-stored-in-part",
        "A message that is refused as too long is stored up to the greatest length.",
        _INVALID,
        _store_beginning,
        False,
        _refused("sendMessage", body={"content": _TOO_LONG}),
    ),
    (
        "refused-stream-leaves-an-answer",
        "An invalid message that asks for a stream leaves an empty answer.",
        _INVALID,
        _store_answer,
        False,
        _refused("sendMessage", body={"content": "Hi", "stream": True, "pageContext": 5}),
    ),
    (
        "invalid-message-notes-interaction",
        "An invalid message moves the time of the last interaction.",
        _INVALID,
        _note_interaction,
        False,
        _refused("sendMessage", body={"content": 5}),
    ),
    (
        "foreign-message-stored",
        "A message to another visitor's conversation is refused, but stored.",
        _FOREIGN,
        _store_message,
        True,
        _refused_for_others("sendMessage", {"content": "It is me"}),
    ),
    (
        "message-to-closed-conversation-stored",
        "A message to a closed conversation is refused with 409, but stored.",
        {409},
        _store_message,
        False,
        _closed_for_messages,
    ),
    (
        "message-without-token-stored",
        "A message without a valid token is refused with 401, but stored.",
        {401},
        _store_message,
        True,
        _without_token,
    ),
):
    _add(
        _name,
        _description,
        _EVIDENCE,
        _leaving("sendMessage", _statuses, _effect, of_anybody=_of_anybody),
        _probe,
        rare=True,
    )


# Feedback.


def _forget_time(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    rated = update(messages).where(messages.c.id == exchange.path["messageId"].lower())
    _do(records, rated.values(feedback_at=None))


def _forget_feedback(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    if "feedback" not in _body(exchange):
        rated = update(messages).where(messages.c.id == exchange.path["messageId"].lower())
        _do(records, rated.values(feedback=None, feedback_at=None))


def _store_feedback(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    message = records.message(exchange.path["messageId"].lower())
    if message is not None and _body(exchange).get("feedback") in ("like", "dislike"):
        conversation = records.any_conversation(message.conversation_id)
        assert conversation is not None
        records.set_feedback(message.id, conversation.visitor_id, _body(exchange)["feedback"])


for _name, _description, _statuses, _effect, _probe in (
    (
        "invalid-feedback-forgets-time",
        "Invalid feedback removes the time of the feedback before.",
        _INVALID,
        _forget_time,
        _feedback_refused(body={"feedback": "love"}),
    ),
    (
        "missing-feedback-removes-the-one-before",
        "A body without feedback is refused, but removes the feedback before.",
        _INVALID,
        _forget_feedback,
        _feedback_refused(body={}),
    ),
    (
        "foreign-feedback-stored",
        "Feedback for a message of another visitor is refused, but stored.",
        _FOREIGN,
        _store_feedback,
        _refused_for_others("sendMessageFeedback", {"feedback": "dislike"}),
    ),
):
    _add(
        _name,
        _description,
        _EVIDENCE,
        _leaving("sendMessageFeedback", _statuses, _effect),
        _probe,
        rare=True,
    )


# Conversations.


def _close(records: Records, _exchange: Exchange, conversation: ConversationRow | None) -> None:
    if conversation:
        records.close_conversation(conversation.id, None)


def _store_reason(
    records: Records, exchange: Exchange, conversation: ConversationRow | None
) -> None:
    reason = _body(exchange).get("closeReason")
    if conversation and conversation.status == "open" and isinstance(reason, str):
        stored = update(conversations).where(conversations.c.id == conversation.id)
        _do(records, stored.values(close_reason=reason[:256]))


for _name, _description, _statuses, _effect, _of_anybody, _probe in (
    (
        "invalid-close-closes",
        "An invalid request to close a conversation is refused, but closes it.",
        _INVALID,
        _close,
        False,
        _refused("closeConversation", body={"closeReason": ["Solved"]}),
    ),
    (
        "too-long-reason-stored",
        "A reason for closing that is refused as too long is stored with the open conversation.",
        _INVALID,
        _store_reason,
        False,
        _refused("closeConversation", body={"closeReason": "word " * 60}),
    ),
    (
        "foreign-close-closes",
        "Closing another visitor's conversation is refused, but closes it.",
        _FOREIGN,
        _close,
        True,
        _refused_for_others("closeConversation", {}),
    ),
):
    _add(
        _name,
        _description,
        _EVIDENCE,
        _leaving("closeConversation", _statuses, _effect, of_anybody=_of_anybody),
        _probe,
        rare=True,
    )


def _start(server: Server) -> None:
    found: list[Services] = []
    server.services(found.append)

    def refused(exchange: Exchange) -> None:
        sender = sender_of(found[0], exchange)
        if exchange.status in _INVALID and sender is not None:
            with found[0].store.write() as records:
                records.add_conversation(sender.id)

    server.after("startConversation", refused)


_add(
    "invalid-start-starts",
    "An invalid request to start a conversation is refused, but starts one.",
    _EVIDENCE,
    _start,
    _refused("startConversation", conversation=False, body={"context": {"pageUrl": 5}}),
    rare=True,
)


def _order_kept(server: Server) -> None:
    refused: set[str] = set()

    def sender(exchange: Exchange) -> str:
        return exchange.request_headers.get("authorization", "")

    def note(exchange: Exchange) -> None:
        if exchange.status in _INVALID and "orderDir" in exchange.query:
            refused.add(sender(exchange))

    def ask(exchange: Exchange) -> None:
        if sender(exchange) in refused:
            exchange.query = {"orderDir": "asc", **exchange.query}

    server.after("getConversations", note)
    server.before("getConversations", ask)


def _order_refused(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(2):
        visitor.talk()
    before = visitor.ids()
    visitor.invalid("getConversations", orderDir="up")
    assert before == visitor.ids()


_add(
    "unknown-direction-kept",
    "After a refused orderDir, lists without one come in the other direction.",
    "R-32, OrderDirection.default",
    _order_kept,
    _order_refused,
    rare=True,
)


# Sessions.


def _register(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    device = _body(exchange).get("saVid")
    if isinstance(device, str) and 1 <= len(device) <= 100:
        records.find_or_add_visitor(PROJECT_ID, device)


def _register_beginning(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    device = _body(exchange).get("saVid")
    if isinstance(device, str) and len(device) > 100:
        records.find_or_add_visitor(PROJECT_ID, device[:100])


def _end_sessions(records: Records, exchange: Exchange, _: ConversationRow | None) -> None:
    device = _body(exchange).get("saVid")
    if isinstance(device, str) and device:
        visitor, _new = records.find_or_add_visitor(PROJECT_ID, device)
        records._connection.execute(sessions.delete().where(sessions.c.visitor_id == visitor.id))


def _unknown_after(device: str, body: dict[str, Any], *statuses: int) -> Probe:
    """Return a probe that a device is still new after init has refused ``body``."""

    def probe(api: Api) -> None:
        api.refused("init", by=statuses, body=body)
        api.session(device, wanted=201)

    return probe


def _session_stays(api: Api) -> None:
    visitor = api.visitor()
    api.refused("init", by=(401, 403), body={"apiKey": "sa_pk_wrong", "saVid": visitor.device})
    assert visitor.id == visitor.expect("getMe")["id"]


for _name, _description, _statuses, _effect, _probe in (
    (
        "wrong-key-registers-device",
        "A wrong publishable key is refused, but the device counts as known from then on.",
        {401, 403},
        _register,
        _unknown_after(
            "device-of-a-wrong-key",
            {"apiKey": "sa_pk_wrong", "saVid": "device-of-a-wrong-key"},
            401,
            403,
        ),
    ),
    (
        "too-long-device-registered-in-part",
        "A device that is refused as too long is registered by its first 100 characters.",
        _INVALID,
        _register_beginning,
        _unknown_after("long" * 25, {"apiKey": API_KEY, "saVid": "long" * 26}, 400, 422),
    ),
    (
        "wrong-key-ends-sessions",
        "A wrong publishable key is refused, but ends the sessions of the device.",
        {401, 403},
        _end_sessions,
        _session_stays,
    ),
):
    _add(
        _name,
        _description,
        "R-32, R-26",
        _leaving("init", _statuses, _effect),
        _probe,
        rare=True,
    )
