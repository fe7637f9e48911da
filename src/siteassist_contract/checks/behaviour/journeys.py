"""Journeys: fixed sequences of requests, which are the same in every run.

They run before the random steps and find most faults within seconds: they create enough
conversations for several pages, enough messages for filters, and a second visitor.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from siteassist_contract import tolerance
from siteassist_contract.checks.behaviour.knowledge import read_knowledge
from siteassist_contract.checks.behaviour.model import KnownConversation, KnownMessage
from siteassist_contract.checks.behaviour.visitor import MOST, ORDERS, Visitor, is_uuid
from siteassist_contract.checks.context import FIRST, SECOND, CheckContext
from siteassist_contract.description import (
    CLOSING,
    feedback_operation,
    operations,
    page_query,
    session_token,
)
from siteassist_contract.findings import faults_of
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import valid_request
from siteassist_contract.rules import EVERY_ANSWER, GENTLE, LISTS, RULES
from siteassist_contract.verdict import ContractBrokenError


@dataclass(frozen=True)
class Journey:
    """A fixed sequence of requests."""

    words: str
    run: Callable[[CheckContext], None]
    rules: frozenset[str]
    """The rules that the journey may test."""
    grows: bool = False
    """Whether a larger size makes it do more."""


PAGE = {
    "url": "https://shop.example/pricing?plan=pro",
    "title": "Pricing: plans & features",
    "content": "Every plan has a trial of 14 days.",
    "textSelection": "a trial of 14 days",
}
EMOJI = (
    'Wie läuft die Rückgabe? 👩‍👩‍👧‍👦🇨🇭 “quotes” \\ "and" <b>tags</b>\n\tnew line, 日本語, עברית'
)
LONG = " ".join(f"word{number}" for number in range(2000))[:10_000]
WORDS = [chr(ord("a") + number) + " question" for number in range(26)]
"""First messages that begin with different letters: a server may derive titles from them."""
OK = 200
TIES = 3
"""Number of conversations without a message, which tie when a list is sorted."""
FEWER_TIES = 2
"""The same for a short journey, which has only a few conversations."""


def identity(context: CheckContext) -> None:
    """Start sessions of two devices, and compare their visitors."""
    if not context.has_key:
        pairs = [("device-status", "init"), ("device-visitor", "init")]
        context.without_key(*pairs)
        _me(context, context.visitor())
        return
    context.recorder.history.clear()
    findings, history = context.findings, context.recorder.history
    # The names have the maximum documented length, and differ only in the last character.
    device = f"siteassist-contract-{uuid.uuid4().hex}-".ljust(99, "x") + "1"
    other = f"{device[:-1]}2"
    first, again, another = (context.session_of(name) for name in (device, device, other))
    statuses = [exchange.status for exchange in (first, again, another)]
    if set(statuses) & set(tolerance.CIRCUMSTANCES):
        return
    findings.judge(
        statuses == [201, 200, 201],
        "device-status",
        "init",
        "201 for a new device, 200 for the same device again, 201 for another one",
        ", ".join(map(str, statuses)),
        history,
    )
    if any(faults_of(exchange) for exchange in (first, again, another)):
        return  # The rule `described` reports an invalid answer, which shows nothing else.
    ids = [_visitor_id(exchange) for exchange in (first, again, another)]
    findings.judge(
        ids[0] == ids[1] != ids[2],
        "device-visitor",
        "init",
        "the same visitor for the same device, another visitor for another device",
        ", ".join(map(str, ids)),
        history,
    )
    # The token of a repeated session identifies the same visitor.
    for exchange in (first, another, again):
        token = session_token(exchange.document)
        if token is not None:
            context.devices[FIRST] = other if exchange is another else device
            session = Session(context.target.base_url, context.recorder, FIRST, token)
            _me(context, Visitor(session, findings, history, visitor_id=str(_visitor_id(exchange))))


def conversation(context: CheckContext) -> None:
    """Test one conversation from its start until after its closing."""
    visitor = context.visitor()
    bare = visitor.start()
    known = visitor.start({"context": {"pageUrl": "https://shop.example/pricing"}})
    if known is None or bare is None:
        return
    visitor.send(known, "How long does shipping take?", stream=False, extra={"pageContext": PAGE})
    if context.profile.gentle:
        visitor.close(known, {"closeReason": "Contract tests"})
        for rule in ("feedback", "feedback-alone"):
            context.findings.prevent(rule, feedback_operation(), GENTLE)
        context.findings.prevent("closes-again", CLOSING, GENTLE)
        return
    if not context.size.whole:
        _short_conversation(context, visitor, known)
        return
    # A later session of the visitor is worth as much as the first one.
    context.change_session(visitor)
    # The same text in another conversation is another message.
    if bare.id != known.id:
        visitor.send(bare, "How long does shipping take?", stream=False)
    visitor.send(known, EMOJI, stream=False, extra={"pageContext": None})
    for number, name in enumerate(PAGE):
        page = {**PAGE, name: None}
        visitor.send(known, EMOJI, stream=number % 2 == 0, extra={"pageContext": page})
    visitor.send(known, "x", stream=True)
    visitor.send(known, "Grüße, Übergröße?", stream=True)
    visitor.send(known, "  spaces around  ", extra={"pageContext": {}})
    visitor.send(known, LONG, stream=False)
    visitor.send(known, LONG[::-1], stream=True)
    while len(known.messages) < context.size.messages * 2:
        before = len(known.messages)
        visitor.send(known, f"Question {before}", stream=before % 4 == 0)
        if len(known.messages) == before:
            break
    _histories(visitor, known)
    _ratings(visitor, known)
    visitor.close(bare, {"closeReason": "Reason " * 36 + "1234"})
    visitor.close(known, {"closeReason": "Issue resolved"})
    visitor.read(known)
    # A closed conversation can be read like an open one.
    _histories(visitor, known)
    visitor.close(known)
    visitor.close(known, {"closeReason": "Again"})
    visitor.send(known, "Is anybody there?", stream=False)
    visitor.send(known, "Is anybody there?", stream=True)
    visitor.read(known)
    answered = next((m for m in known.messages if m.role == "assistant"), None)
    if answered is not None:
        visitor.history(known, limit=2)
    visitor.page()


def _short_conversation(context: CheckContext, visitor: Visitor, known: KnownConversation) -> None:
    """Do every step of a conversation once."""
    # The rating stands while the conversation goes on.
    for message in _first_answer(known):
        visitor.rate(known, message, "like")
    # A later session of the visitor is worth as much as the first one.
    context.change_session(visitor)
    visitor.send(known, EMOJI, stream=True)
    visitor.history(known, role="user")
    visitor.history(known, status="complete")
    visitor.history(known, limit=1, offset=1)
    for message in _first_answer(known):
        visitor.rate(known, message, None)
    visitor.close(known, {"closeReason": "Issue resolved"})
    visitor.close(known)
    visitor.read(known)
    visitor.history(known, role="user")
    visitor.history(known, status="complete", limit=1)


def _first_answer(known: KnownConversation) -> list[KnownMessage]:
    """Return the first answer of the assistant, if there is one."""
    return [message for message in known.messages if message.role == "assistant"][:1]


def _histories(visitor: Visitor, known: KnownConversation) -> None:
    """List messages with each filter and on pages of different lengths."""
    count = len(known.messages)
    visitor.history(known)
    for role in ("user", "assistant", "human_agent"):
        visitor.history(known, role=role)
        visitor.history(known, role=role, limit=2, offset=1)
    for status in ("complete", "streaming", "error"):
        visitor.history(known, status=status)
        visitor.history(known, status=status, role="user")
        visitor.history(known, status=status, role="assistant", limit=3)
    for limit, offset in ((1, 0), (1, None), (3, 2), (count, 0), (count + 1, 0), (2, count - 1)):
        visitor.history(known, limit=limit, offset=offset)
    for offset in (1, count - 1, count, count + 5):
        visitor.history(known, offset=offset)


def _ratings(visitor: Visitor, known: KnownConversation) -> None:
    """Rate the first answer, the last answer and a message of the visitor, and undo ratings."""
    answers = [m for m in known.messages if m.role == "assistant"]
    for message in (answers[:1] + answers[-1:]) if answers else []:
        for feedback in ("like", "dislike", "dislike", None, "like"):
            visitor.rate(known, message, feedback)
    for message in [m for m in known.messages if m.role == "user"][:1]:
        visitor.rate(known, message, "like")
        visitor.rate(known, message, None)


def lists(context: CheckContext) -> None:
    """List many conversations with every page, filter and order."""
    visitor = context.visitor()
    if not visitor.exclusive:
        _record_existing(visitor)
    visitor.page()
    _fill(context, visitor)
    if visitor.exclusive and context.size.whole:
        _pages(visitor)
        if not context.profile.gentle:
            _pages_after_changes(visitor)
    elif visitor.exclusive:
        _few_pages(visitor)
    else:
        context.without_key(("list-own", "getConversations"))
        visitor.page(limit=MOST)
        for status in ("open", "closed"):
            visitor.page(status=status, limit=MOST)


def _fill(context: CheckContext, visitor: Visitor) -> None:
    """Start conversations; close some of them, and leave some without a message."""
    count, ties = context.size.conversations, TIES if context.size.whole else FEWER_TIES
    # The order of creation follows neither titles nor statuses, so that no list is sorted by
    # accident.
    for number in sorted(range(count), key=lambda n: (7 * n + 3) % 25):
        known = visitor.start()
        if known is None:
            return
        if number >= ties and not context.profile.gentle:
            visitor.send(known, f"{WORDS[number % len(WORDS)]} {number}", stream=False)
        if number % 3 == 1 or context.profile.gentle:
            visitor.close(known, {"closeReason": f"Reason {number}"} if number % 2 else None)
    # A new message gives the oldest conversation the latest interaction.
    first = next(k for k in visitor.known.values() if not k.older)
    if not context.profile.gentle:
        visitor.send(first, f"{WORDS[0]} again", stream=False)


def _pages_after_changes(visitor: Visitor) -> None:
    """Ask for the same pages again after each kind of change: a server may not keep them."""
    known = visitor.start()
    if known is None:
        return
    _ask_again(visitor, known)
    visitor.send(known, "Is this new?", stream=False)
    _ask_again(visitor, known)
    for message in known.messages[-1:]:
        visitor.rate(known, message, "like")
        _ask_again(visitor, known)
    visitor.close(known)
    _ask_again(visitor, known)
    visitor.complete("Is this kept?", stream=False)
    _ask_again(visitor, known)


def _ask_again(visitor: Visitor, known: KnownConversation) -> None:
    for status in ("open", "closed"):
        visitor.page(status=status)
    visitor.history(known, limit=2)
    visitor.history(known, role="assistant")


def _few_pages(visitor: Visitor) -> None:
    """List conversations with each kind of page, filter and order once."""
    visitor.page()
    visitor.page(limit=1, offset=1)
    visitor.page(status="closed")
    visitor.pages(2, status="open")
    visitor.orders("createdAt")


def _pages(visitor: Visitor) -> None:
    count = len(visitor.known)
    visitor.page()
    for limit, offset in ((1, 0), (5, 5), (MOST, 0), (count, 0), (max(count - 1, 1), 1)):
        visitor.page(limit=limit, offset=offset)
    for offset in (1, count - 1, count, count + 7):
        visitor.page(limit=10, offset=offset)
        visitor.page(offset=offset)
    for status in ("open", "closed"):
        visitor.page(status=status)
        visitor.pages(4, status=status)
        visitor.pages(4, status=status, order_by="createdAt", order_dir="asc")
    for field in ORDERS:
        visitor.page(order_by=field)
        visitor.orders(field)
        visitor.pages(5, order_by=field, order_dir="asc")
        visitor.pages(7, order_by=field, order_dir="desc")
    visitor.page(order_dir="asc")
    visitor.page(order_dir="desc", limit=3)
    visitor.pages(6, status="open", order_by="updatedAt", order_dir="asc")
    visitor.pages(MOST)


def isolation(context: CheckContext) -> None:
    """Try every operation on a visitor's objects as a second visitor."""
    if not context.target.has_two_visitors:
        _record_without_second_visitor(context)
        return
    first = context.visitor()
    second = context.visitor(SECOND)
    known, closed = first.start(), first.start()
    if known is None or closed is None:
        return
    secret = f"secret {uuid.uuid4().hex}"
    first.send(known, secret, stream=False)
    second.page()
    own = second.start()
    if own is not None:
        second.send(own, "Hello", stream=False)
        second.pages(1)
    first.close(closed)
    for target in (known, closed):
        intrude(context, second, target, secret)
    for visitor, conversations in ((first, (known, closed)), (second, (own,))):
        for each in conversations:
            if each is not None:
                visitor.read(each)
                visitor.history(each)
        visitor.pages(5)


def intrude(
    context: CheckContext, stranger: Visitor, target: KnownConversation, secret: str
) -> None:
    """Try every operation on a conversation as a stranger, and check that each is refused."""
    session, path = stranger.session, {"conversationId": target.id}
    first_page = page_query("getMessages", limit=1)
    attempts: list[Exchange] = [
        session.call("getConversation", path=path),
        session.call("getMessages", path=path),
        session.call("getMessages", path=path, query={**first_page, "role": "user"}),
        session.call("sendMessage", path=path, body={"content": "Let me in", "stream": False}),
        session.call("sendMessage", path=path, body={"content": "Let me in", "stream": True}),
        session.call(CLOSING, path=path),
        session.call(CLOSING, path=path, body={"closeReason": "Mine"}),
    ]
    attempts += [
        session.call(
            feedback_operation(), path={"messageId": message.id}, body={"feedback": feedback}
        )
        for message in target.messages
        if is_uuid(message.id)
        for feedback in ("like", None)
    ]
    history = context.recorder.history
    for exchange in attempts:
        place = history.index(exchange) + 1
        way = history[:place]
        context.findings.see(exchange, way)
        kept = exchange.status in (*tolerance.HIDDEN, *tolerance.CIRCUMSTANCES)
        if exchange.operation == "sendMessage" and target.closed:
            # The server may check the status of the conversation first.
            kept = kept or exchange.status in (400, 409, 422)
        if exchange.operation == feedback_operation():
            kept = kept or exchange.status in (*tolerance.REFUSALS, 409)  # O-18
        shown = secret.encode() in exchange.content
        context.findings.judge(
            kept and not shown,
            "isolation",
            exchange.operation,
            "403 or 404 for another visitor's object",
            f"{exchange.status}{', with data of the owner' if shown else ''}",
            way,
        )


def check_renewal(context: CheckContext, visitor: Visitor) -> None:
    """Start another session of a visitor's device, and check that the visitor is the same."""
    exchange = context.session_of(context.devices[FIRST])
    if exchange.status in tolerance.CIRCUMSTANCES:
        return
    got = _visitor_id(exchange)
    history = context.recorder.history
    findings = context.findings
    status = str(exchange.status)
    findings.judge(exchange.status == OK, "device-status", "init", "200", status, history)
    kept = got == visitor.visitor_id
    words = f"the visitor of the device, {visitor.visitor_id}"
    findings.judge(kept, "device-visitor", "init", words, str(got), history)


def request_unknown_object(
    context: CheckContext, visitor: Visitor, unknown_id: str, which: int
) -> None:
    """Request an object that never existed, and check that it is not found."""
    owned = [operation for operation in operations().values() if operation.owned]
    operation = owned[which % len(owned)]
    names = [parameter.name for parameter in operation.places("path")]
    request = valid_request(operation, dict.fromkeys(names, unknown_id), context.target.api_key)
    if request is None:
        return
    exchange = visitor.session.send(request)
    context.findings.see(exchange, context.recorder.history)
    context.findings.judge(
        exchange.status in (*tolerance.HIDDEN, *tolerance.CIRCUMSTANCES),
        "unknown-not-found",
        exchange.operation,
        "404 for an object that never existed",
        str(exchange.status),
        context.recorder.history,
    )


def knowledge(context: CheckContext) -> None:
    """Test the project, its Q&As and the search."""
    read_knowledge(context)


def human(context: CheckContext) -> None:
    """Send a message in the conversation that a human agent handles."""
    if context.human_conversation is None:
        return
    context.recorder.history.clear()
    visitor = context.token_visitor()
    _record_existing(visitor)
    known = visitor.known.get(context.human_conversation.lower())
    if known is None:
        context.findings.prevent(
            "queued", "sendMessage", "--human-conversation does not belong to the token's visitor"
        )
        return
    known.human = True
    visitor.send(known, f"Is a person there? {uuid.uuid4().hex[:8]}")
    visitor.read(known)


JOURNEYS = (
    Journey(
        "devices and visitors", identity, EVERY_ANSWER | {"device-status", "device-visitor", "me"}
    ),
    Journey("another visitor's conversation", isolation, LISTS | {"isolation"}),
    Journey("one conversation", conversation, LISTS, grows=True),
    Journey("lists", lists, LISTS, grows=True),
    Journey(
        "project, Q&As, search",
        knowledge,
        EVERY_ANSWER
        | {"list-page", "list-total", "no-token-needed", "project-stable", "qnas-all"}
        | {"qnas-search", "same-object"},
        grows=True,
    ),
    Journey("a human agent", human, LISTS),
)


def _me(context: CheckContext, visitor: Visitor) -> None:
    exchange = visitor.session.call("getMe")
    context.findings.see(exchange, context.recorder.history)
    if exchange.status in tolerance.CIRCUMSTANCES:
        return
    got = str(exchange.document.get("id"))
    kept = exchange.status == OK and got == visitor.visitor_id
    context.findings.judge(
        kept,
        "me",
        "getMe",
        f"200 with the visitor {visitor.visitor_id}",
        f"{exchange.status} with {got}",
        context.recorder.history,
    )


def _visitor_id(exchange: Exchange) -> str | None:
    visitor = exchange.document.get("visitor")
    return str(visitor.get("id")) if isinstance(visitor, dict) else None


def _record_existing(visitor: Visitor) -> None:
    """Record the existing conversations of the given visitor, which must not be changed.

    Raises `ContractBrokenError` if a list is refused.
    """
    offset, recorded = 0, set[str]()
    while True:
        exchange = visitor.session.call(
            "getConversations", query=page_query("getConversations", limit=100, offset=offset)
        )
        if exchange.refused:
            raise ContractBrokenError(f"getConversations was refused with {exchange.status}")
        shown = exchange.document.get("data")
        items = [i for i in shown if isinstance(i, dict)] if isinstance(shown, list) else []
        known = len(recorded)
        for item in items:
            visitor.take_over(item)
            recorded.add(str(item.get("id")))
        offset += 100
        total = exchange.document.get("total")
        # A server may ignore the offset, and send the same page for ever.
        if len(recorded) == known or not isinstance(total, int | float) or offset >= total:
            return


def _record_without_second_visitor(context: CheckContext) -> None:
    pairs = (("isolation", name) for name in RULES["isolation"].operations)
    context.without_second_visitor(*pairs, ("own-list", "getConversations"))
