"""A visitor of the tests, with a model of its data on the server.

Each method sends a request, judges the answer, and reads back the stored data. If the
server shows other data than the model, the violation is recorded once and the model
adopts the data, so that one fault does not cause further findings. It adopts nothing from an
answer that does not match the description, and nothing from a refusal. A request that was lost
or answered with 502 or 503 may have been carried out: the model then adopts the data
that the server shows next, without a comparison.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.answers import Answers, announced
from siteassist_contract.checks.behaviour.model import (
    KnownConversation,
    KnownMessage,
    advanced,
    are_same,
    moment,
    same_time,
    sent_nulls,
    sent_page,
    went_back,
)
from siteassist_contract.description import (
    CLOSING,
    PLAIN,
    feedback_operation,
    page_due,
    page_query,
    page_words,
)
from siteassist_contract.findings import Findings, few, key_of
from siteassist_contract.http.json_reader import LAST_INTERACTION, shown_value
from siteassist_contract.http.recorder import Exchange
from siteassist_contract.http.session import Session

Json = Mapping[str, Any]
PAGE = 10
"""Default length of a page."""
MOST = 100
"""Maximum length of a page."""
OK, CREATED, QUEUED = 200, 201, 202
_PAUSES = (0.3, 1.5)
"""Pauses, in seconds, before a list is read again whose order may change late (O-19, O-22)."""
_INACTIVE = 0.5
"""Seconds without a request after which a session is used, so that it does not expire."""
ORDERS = (
    "id",
    "createdAt",
    "updatedAt",
    "lastInteractionAt",
    "status",
    "closedAt",
    "isHumanHandled",
    "title",
)
TIMES = ("createdAt", "updatedAt", "lastInteractionAt", "closedAt")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_TICK = 0.004
"""Time, in seconds, after which a clock with milliseconds has advanced."""


class Visitor:
    """A visitor, its session, and a model of its data on the server."""

    def __init__(
        self,
        session: Session,
        findings: Findings,
        history: list[Exchange],
        *,
        visitor_id: str = "",
        exclusive: bool = True,
    ) -> None:
        """Send requests over ``session``, whose exchanges appear in ``history``.

        ``exclusive`` is whether only this object acts for the visitor, so that the model
        contains all conversations of the visitor.
        """
        self.session = session
        self.visitor_id = visitor_id
        self.exclusive = exclusive
        self.known: dict[str, KnownConversation] = {}
        self._findings = findings
        self._history = history
        self._seen_ids: set[str] = set()
        self._answers = Answers(findings)
        self._used = time.monotonic()
        """The time of the last request."""
        self._described = True
        """Whether the answer that was seen last matches the description."""

    # Requests that change data

    def start(self, body: Json | None = None, *, read: bool = True) -> KnownConversation | None:
        """Start a conversation, read it unless ``read`` is false, and return it.

        Returns None if the request was refused, if the id is not a UUID, or if the answer does
        not match the description and the conversation cannot be read.
        """
        operation = "startConversation"
        exchange = self._see(self.session.call(operation, body=body))
        described = self._described
        known = self._started(exchange) if self._accepted(exchange) else None
        unknown = exchange.repeats + (exchange.status >= 500 and not exchange.refused)
        # Without an id, the conversation can only be found in the list.
        unknown += known is None and exchange.status < 300
        if unknown:
            self._take_over_unknown(unknown)
        if known is None:
            return None
        if described:
            if read:
                self.read(known)
        elif not self._adopt_all(known):
            return None
        return known

    def _started(self, exchange: Exchange) -> KnownConversation | None:
        """Judge the answer about a new conversation, and return it, or None without a UUID."""
        operation, shown = exchange.operation, exchange.document
        self._judge(
            exchange.status == CREATED,
            "created",
            operation,
            "201 for a conversation that was created",
            str(exchange.status),
        )
        self._judge(
            shown.get("status") == "open" and shown.get("closedAt") is None,
            "started-open",
            operation,
            'status "open", closedAt null',
            f"status {shown_value(shown.get('status'))},"
            f" closedAt {shown_value(shown.get('closedAt'))}",
        )
        known = _conversation(shown)
        # The documents do not rule out a greeting in a new conversation.
        known.messages = [KnownMessage.of(m) for m in _objects(shown.get("messages"))]
        # Other ids cannot be used in requests; the rule `described` reports them.
        if not is_uuid(known.id):
            return None
        self._judge(
            known.id not in self._seen_ids,
            "new-id",
            operation,
            "an id of its own, different from all others",
            known.id,
        )
        self._seen_ids.add(known.id)
        self.known[known.id] = known
        return known

    def _take_over_unknown(self, most: int) -> None:
        """Add at most ``most`` listed conversations that the model lacks.

        A request may have started them although its answer was lost. If they cannot be listed,
        the model no longer contains all conversations of the visitor.
        """
        operation, found = "getConversations", list[Json]()
        for offset in itertools.count(0, MOST) if self.exclusive else ():
            query = page_query(operation, limit=MOST, offset=offset)
            exchange = self._see(self.session.call(operation, query=query))
            if not self._shows(exchange):
                self.exclusive = False
                return
            shown = _objects(exchange.document.get("data"))
            found += [i for i in shown if str(i.get("id")).lower() not in self.known]
            if len(shown) < MOST:
                break
        for item in found[:most]:
            self.take_over(item)

    def send(
        self,
        known: KnownConversation,
        content: str,
        *,
        stream: bool | None = None,
        extra: Json | None = None,
    ) -> str | None:
        """Send a message, and return the text of the answer, or None if it was not answered.

        The body has no ``stream`` if it is None; ``extra`` has the other properties of the body.
        """
        body: dict[str, Any] = {"content": content, **(extra or {})}
        if stream is not None:
            body["stream"] = stream
        time.sleep(_TICK)
        current = self._is_current(known)
        exchange = self._see(self.session.call("sendMessage", path=_path(known), body=body))
        described = self._described
        self._note_effect(known, exchange)
        if exchange.refused or (not current and exchange.status in tolerance.NO_LONGER_OPEN):
            return None
        if exchange.status in tolerance.REFUSALS and tolerance.may_be_refused(body):
            return None  # O-20
        if known.closed:
            self._judge(
                exchange.status in tolerance.CLOSED,
                "accepted",
                "sendMessage",
                "an answer, or a refusal with a status of O-3 in docs/evidence.md",
                str(exchange.status),
            )
            self._adopt(known)
            return None
        if not self._accepted(exchange):
            return None
        if known.human or exchange.status == QUEUED:
            self._queued(known, exchange, content)
            return None
        answer = self.judge_answer(exchange, stream)
        if known.stale or not current:
            known.stale = True
        else:
            self._stored(known, body, answer if described else None, announced(exchange))
        return answer

    def complete(
        self, content: str, *, stream: bool | None = None, before: Sequence[Json] = ()
    ) -> str | None:
        """Request a completion, and return its text, or None if it was not answered.

        ``before`` has the messages before ``content``.
        """
        body: dict[str, Any] = {"messages": [*before, {"role": "user", "content": content}]}
        if stream is not None:
            body["stream"] = stream
        exchange = self._see(self.session.call("createChatCompletion", body=body))
        if not self._accepted(exchange):
            return None
        # For this operation, false is the documented default: C-27.
        return self.judge_answer(exchange, bool(stream))

    def _queued(self, known: KnownConversation, exchange: Exchange, content: str) -> None:
        known.human = True
        text = exchange.content.decode("utf-8", "replace")
        self._judge(
            exchange.status == QUEUED and exchange.media_type == PLAIN and text == "Message sent",
            "queued",
            "sendMessage",
            "202 text/plain `Message sent`",
            f"{exchange.status} {exchange.media_type} `{text[:80]}`",
        )
        if known.stale:
            return
        before = len(known.messages)
        now = self._adopt(known)
        if now is None:
            return
        new = now[before:]
        self._judge(
            len(texts := [m.text for m in new if m.role == "user"]) == 1
            and self._is_text(content, texts[0]),
            "queued",
            "sendMessage",
            "the message, stored once",
            _few(new),
        )

    def judge_answer(self, exchange: Exchange, stream: bool | None) -> str | None:
        """Judge an answer on its own; return its text, or None if it broke off or is invalid."""
        return self._answers.judge(exchange, stream, self._history)

    def needs_stream(self, operation: str) -> bool:
        """Whether streams of an operation were held back, but too few of them to judge."""
        return self._answers.needs_stream(operation)

    def _stored(self, known: KnownConversation, body: Json, answer: str | None, named: str) -> None:
        """Judge the messages that an exchange has stored in the conversation.

        ``named`` is the id of the message that a stream becomes, or empty.
        """
        interaction = known.last_interaction_at
        before = len(known.messages)
        shown = self._messages(known)
        if shown is None:
            known.stale = True
            return
        new = self._compare_history(known, shown)[before:]
        raw = {str(m.get("id")).lower(): m for m in shown}
        asked = [m for m in new if m.role == "user"]
        content = str(body["content"])
        self._judge(
            len(asked) == 1 and self._is_text(content, asked[0].text) and new[0] is asked[0],
            "stored-message",
            "sendMessage",
            f"one message of the user, with all {len(content)} characters, before the answer",
            _few(new),
        )
        if asked and isinstance(body.get("pageContext"), Mapping):
            sent = sent_page(body)
            stored = {name: raw[asked[0].id].get(name) for name in sent}
            self._judge(
                all(self._is_text(text, stored[name]) for name, text in sent.items()),
                "stored-message",
                "sendMessage",
                f"the page that the message was sent from: {shown_value(sent)}",
                shown_value(stored),
            )
            nulls = {name: raw[asked[0].id].get(name) for name in sorted(sent_nulls(body))}
            self._judge(
                not any(value is not None for value in nulls.values()),
                "stored-message",
                "sendMessage",
                "null for what the page context leaves null",
                shown_value(nulls),
            )
        answers = [m for m in new if m.role != "user"]
        if answer is not None:
            text = "".join(m.text for m in answers)
            self._judge(
                text == answer and all(m.role == "assistant" for m in answers),
                "stored-answer",
                "sendMessage",
                f"one answer of the assistant, as it was sent: {_clip(answer)}",
                _few(answers),
            )
            others = [m.role for m in known.messages if m.id == named and m not in answers]
            self._judge(
                not others,
                "stored-answer",
                "sendMessage",
                "the id of the stored answer in `start`, if it has the id of a message",
                f"that of another message, whose role is {', '.join(others)}",
            )
            self._judge(
                all(raw[m.id].get("status") in ("complete", None) for m in answers),
                "stored-answer",
                "sendMessage",
                "an answer with the status complete",
                ", ".join(shown_value(raw[m.id].get("status")) for m in answers),
            )
        if not self.read(known):
            return
        self._judge(
            advanced(interaction, known.last_interaction_at),
            "last-interaction",
            "getConversation",
            f"later than {interaction}",
            known.last_interaction_at,
        )

    def rate(self, known: KnownConversation, message: KnownMessage, feedback: str | None) -> None:
        """Rate a message, or remove its rating if ``feedback`` is None."""
        operation = feedback_operation()
        if not is_uuid(message.id) or not self._is_current(known):
            return  # the rule `described` reports it
        exchange = self._see(
            self.session.call(
                operation, path={"messageId": message.id}, body={"feedback": feedback}
            )
        )
        self._note_effect(known, exchange)
        if message.role == "user" and exchange.status in (*tolerance.HIDDEN, 400, 409, 422):
            return  # O-18
        if not self._accepted(exchange):
            return
        answered = exchange.document.get("feedback")
        self._judge(
            exchange.status == OK and answered == feedback,
            "feedback",
            operation,
            f"200 with the stored feedback: {shown_value(feedback)}",
            f"{exchange.status} with {shown_value(answered)}",
        )
        stored = self._messages(known)
        if stored is None:
            known.stale = True
            return
        shown = {m.id: m for m in map(KnownMessage.of, stored)}
        now = shown.get(message.id)
        if now is None:
            return  # the rule `history` reports it
        self._judge(
            now.feedback == feedback and (now.feedback_at is None) == (feedback is None),
            "feedback",
            operation,
            f"stored: {shown_value(feedback)},"
            f" feedbackAt {'null' if feedback is None else 'a time'}",
            f"{shown_value(now.feedback)}, feedbackAt {shown_value(now.feedback_at)}",
        )
        others = [
            m.id
            for m in known.messages
            if m.id != message.id and m.id in shown and shown[m.id].feedback != m.feedback
        ]
        self._judge(
            not others,
            "feedback-alone",
            operation,
            "unchanged feedback of other messages",
            f"changed: {', '.join(others)}",
        )
        known.messages = list(shown.values())
        self.read(known)

    def close(self, known: KnownConversation, body: Json | None = None) -> None:
        """Close a conversation, which may be closed already."""
        operation = CLOSING
        current = self._is_current(known)
        again = known.closed
        exchange = self._see(self.session.call(operation, path=_path(known), body=body))
        self._note_effect(known, exchange)
        if exchange.refused:
            return
        if again:
            self._judge(
                exchange.status == OK, "closes-again", operation, "200", str(exchange.status)
            )
        elif not self._accepted(exchange):
            return
        reason = (body or {}).get("closeReason")
        if not again:
            known.status = "closed"
            # O-16: the documents do not state which reason counts after a second closing.
            known.reason_given = isinstance(reason, str) and bool(reason) and not exchange.repeats
            known.close_reason = reason
        else:
            known.reason_given = False
        after = self._see(self.session.call("getConversation", path=_path(known)))
        if not self._shows(after):
            return
        shown = after.document
        self._judge(
            shown.get("status") == "closed" and isinstance(shown.get("closedAt"), str),
            "closes",
            operation,
            'status "closed", closedAt a time',
            f"status {shown_value(shown.get('status'))},"
            f" closedAt {shown_value(shown.get('closedAt'))}",
        )
        if current and not known.stale:
            self._compare(known, shown, "getConversation")

    def take_over(self, shown: Json) -> None:
        """Add a conversation to the model that existed before and must not be changed."""
        known = _conversation(shown)
        known.older = True
        # The run did not give its reason of closing, so `reason_given` remains False.
        self.known[known.id] = known
        self._seen_ids.add(known.id)

    # Requests that read data

    def read(self, known: KnownConversation) -> bool:
        """Read a conversation, compare it with the model, and return whether it was shown.

        If the model is stale, it adopts the conversation instead.
        """
        if known.stale:
            return self._adopt_all(known)
        exchange = self._see(self.session.call("getConversation", path=_path(known)))
        if not self._shows(exchange):
            return False
        shown = exchange.document
        self._judge(
            str(shown.get("id")).lower() == known.id,
            "same-object",
            "getConversation",
            known.id,
            str(shown.get("id")),
        )
        self._compare(known, shown, "getConversation")
        # The default of `messages` is the empty list: C-13.
        messages = [KnownMessage.of(m) for m in _objects(shown.get("messages"))]
        self._judge(
            [(m.id, m.role, m.text, m.feedback) for m in messages]
            == [(m.id, m.role, m.text, m.feedback) for m in known.messages],
            "one-history",
            "getConversation",
            _few(known.messages),
            _few(messages),
        )
        return True

    def history(
        self,
        known: KnownConversation,
        *,
        limit: int | None = None,
        offset: int | None = None,
        role: str | None = None,
        status: str | None = None,
    ) -> None:
        """List messages by page or with a filter, and compare the result with all messages."""
        if _is_made_up(limit, offset) or not self._is_current(known):
            return
        everything = self._messages(known)
        if everything is None:
            return
        self._compare_history(known, everything)
        exchange = self._see(
            self.session.call(
                "getMessages",
                path=_path(known),
                query={
                    **page_query("getMessages", limit=limit, offset=offset),
                    "role": role,
                    "status": status,
                },
            )
        )
        if not self._shows(exchange):
            return
        shown = _objects(exchange.document.get("data"))
        matching = [
            m
            for m in everything
            if (role is None or m.get("role") == role)
            and (status is None or m.get("status") == status)
        ]
        begin = offset or 0
        page = matching[begin : None if limit is None else begin + limit]
        if role is not None or status is not None:
            # Only ids are compared, since other properties may change between the requests.
            due, there = ({str(m.get("id")) for m in items} for items in (matching, shown))
            wrong = there - due
            missing = set() if limit or offset else due - there
            self._judge(
                not wrong and not missing,
                "list-filter",
                "getMessages",
                f"the {len(matching)} messages with {_given(role=role, status=status)}",
                f"{len(wrong)} others, {len(missing)} missing",
            )
        self._judge(
            [m.get("id") for m in shown] == [m.get("id") for m in page],
            "list-page",
            "getMessages",
            f"{len(page)} messages for {_given(limit=limit, offset=offset)}: {_ids(page)}",
            f"{len(shown)}: {_ids(shown)}",
        )

    def page(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        status: str | None = None,
        order_by: str | None = None,
        order_dir: str | None = None,
    ) -> list[dict[str, Any]]:
        """List one page of conversations, judge it, and return its entries."""
        shown = self._page(
            limit=limit, offset=offset, status=status, order_by=order_by, order_dir=order_dir
        )
        return shown or []

    def _page(
        self,
        *,
        limit: int | None,
        offset: int | None,
        status: str | None,
        order_by: str | None,
        order_dir: str | None,
    ) -> list[dict[str, Any]] | None:
        """Do the work of `page`; return None if the answer shows no page."""
        if _is_made_up(limit, offset):
            return None
        operation = "getConversations"
        exchange = self._see(
            self.session.call(
                operation,
                query={
                    **page_query(operation, limit=limit, offset=offset),
                    "status": status,
                    "orderBy": order_by,
                    "orderDir": order_dir,
                },
            )
        )
        if order_by == LAST_INTERACTION and exchange.status in tolerance.REFUSALS:
            return None  # C-01
        if not self._shows(exchange):
            return None
        document = exchange.document
        shown = _objects(document.get("data"))
        matching = [k for k in self.known.values() if status is None or k.status == status]
        ids = {str(item.get("id")).lower() for item in shown}
        strangers = ids - set(self.known)
        if self.exclusive:
            self._judge(
                not strangers,
                "own-list",
                operation,
                "conversations of this visitor only",
                f"also {', '.join(sorted(strangers))}",
            )
        if status is not None:
            others = [item for item in shown if item.get("status") != status]
            missed = ids & set(self.known) - {k.id for k in matching}
            self._judge(
                not others and not missed,
                "list-filter",
                operation,
                f"only conversations that are {status}",
                f"{len(others)} with another status, {len(missed)} that must have another one",
            )
        total = document.get("total")
        count = len(matching)
        self._judge(
            total == count if self.exclusive else _at_least(total, count),
            "list-total",
            operation,
            f"`total` {count}{_suffix(status=status)}",
            shown_value(total),
        )
        begin, most = offset or 0, limit or PAGE
        due = max(0, min(most, count - begin))
        self._judge(
            len(shown) == due if self.exclusive else due <= len(shown) <= most,
            "list-page",
            operation,
            f"{due} of {count} entries for {_given(limit=limit, offset=offset)}",
            f"{len(shown)}",
        )
        expected = page_due(operation, limit=most, offset=begin)
        actual = {name: document.get(name) for name in expected}
        self._judge(
            actual == expected,
            "list-page",
            operation,
            page_words(expected),
            page_words(actual),
        )
        field, direction = order_by or "lastInteractionAt", order_dir or "desc"
        self._judge_order(_misplaced(shown, field, direction), field, direction)
        for item in shown:
            known = self.known.get(str(item.get("id")).lower())
            if known is not None:
                self._compare(known, item, operation)
                self._last_message(known, item)
        return shown

    def pages(
        self,
        limit: int,
        *,
        status: str | None = None,
        order_by: str | None = None,
        order_dir: str | None = None,
    ) -> list[dict[str, Any]] | None:
        """List all pages, and compare their entries with the model.

        A title may be set late (O-19) and move its entry to another page: a list in such an order
        that is wrong is read again. Returns None if an answer does not show its page.
        """
        field, direction = order_by or "lastInteractionAt", order_dir or "desc"
        wanted = {k.id for k in self.known.values() if status is None or k.status == status}
        pauses = self._pauses(field, "list-own", "list-order")
        while True:
            whole = self._pages(
                limit, status=status, order_by=order_by, order_dir=order_dir, count=len(wanted)
            )
            if whole is None or not self.exclusive:
                return whole
            ids = [str(item.get("id")).lower() for item in whole]
            twice, missing = len(ids) - len(set(ids)), wanted - set(ids)
            wrong = _misplaced(whole, field, direction)
            if not (twice or missing or wrong) or not self._rested(pauses):
                break
        self._judge(
            not twice and not missing,
            "list-own",
            "getConversations",
            f"{len(wanted)} conversations, each on one page of {limit}{_suffix(status=status)}",
            f"{twice} duplicated, {len(missing)} missing",
        )
        self._judge_order(wrong, field, direction)
        return whole

    def _pages(
        self,
        limit: int,
        *,
        status: str | None,
        order_by: str | None,
        order_dir: str | None,
        count: int,
    ) -> list[dict[str, Any]] | None:
        """List the pages of ``count`` entries; return None if there is a page without entries."""
        whole: list[dict[str, Any]] = []
        for offset in range(0, max(count, 1), limit):
            page = self._page(
                limit=limit,
                offset=offset,
                status=status,
                order_by=order_by,
                order_dir=order_dir,
            )
            if page is None or (not page and offset < count):
                return None
            whole += page
        return whole

    def orders(self, field: str, limit: int = MOST) -> None:
        """List conversations sorted by a field in both directions, and compare the two orders."""
        pauses = self._pauses(field, "list-order")
        while True:
            shown = [self.pages(limit, order_by=field, order_dir=way) for way in ("desc", "asc")]
            down, up = (each or [] for each in shown)
            if None in shown or len(down) != len(up):
                return  # the rule `list-own` reports it
            # If the values differ, an entry has changed between the two lists: O-19.
            if _values(down, field) == _values(up, field) or not self._rested(pauses):
                break
        runs_down, runs_up = _runs(down, field), _runs(up, field)
        apart = [len(set(map(repr, runs))) < len(runs) for runs in (runs_down, runs_up)]
        # The documents do not state whether null comes first or last.
        values_down, values_up = ([v for v in r if v is not None] for r in (runs_down, runs_up))
        self._judge(
            not any(apart) and values_down == values_up[::-1],
            "list-order",
            "getConversations",
            f"equal values of `{field}` side by side, and `asc` the reverse of `desc`",
            f"desc {_clip(str(runs_down))}, asc {_clip(str(runs_up))}",
        )

    # Comparisons with the model

    def _compare(self, known: KnownConversation, shown: Json, operation: str) -> None:
        """Compare a conversation in an answer with the model, and update the model."""
        if known.stale:
            return
        now = _conversation(shown)
        status = "closed" if known.closed else "open"
        closed_at, before = shown_value(now.closed_at), shown_value(known.closed_at)
        wrong = []
        if now.status != status:
            wrong.append(_instead("status", now.status, status))
        if not same_time(known.created_at, now.created_at):
            wrong.append(_instead("createdAt", now.created_at, known.created_at))
        if (now.closed_at is None) == known.closed:
            wrong.append(f"closedAt {closed_at} with status {status}")
        # A second closing may update `closedAt`, so a later time is valid.
        if went_back(known.closed_at, now.closed_at):
            wrong.append(f"closedAt {closed_at} before {before}")
        if known.reason_given and not self._is_text(str(known.close_reason), now.close_reason):
            wrong.append(_instead("closeReason", now.close_reason, known.close_reason))
        self._judge(not wrong, "read-back", operation, "the stored data", "; ".join(wrong))
        back = [
            f"{name} from {before} to {after}"
            for name, before, after in (
                ("updatedAt", known.updated_in.get(operation), now.updated_at),
                ("lastInteractionAt", known.last_interaction_at, now.last_interaction_at),
            )
            if went_back(before, after)
        ]
        self._judge(not back, "times", operation, "times that do not go back", "; ".join(back))
        known.updated_in[operation] = now.updated_at
        _update(known, now)

    def _adopt_all(self, known: KnownConversation) -> bool:
        """Adopt a conversation and its messages without a comparison.

        Returns whether the answers showed them; if not, the model remains stale.
        """
        known.stale = True
        exchange = self._see(self.session.call("getConversation", path=_path(known)))
        if not self._shows(exchange):
            return False
        now = _conversation(exchange.document)
        shown = self._messages(known)
        if shown is None:
            return False
        _update(known, now)
        known.messages = [KnownMessage.of(message) for message in shown]
        # The reason of an unanswered closing is not known.
        known.reason_given = known.stale = False
        return True

    def _is_current(self, known: KnownConversation) -> bool:
        """Return whether the model of a conversation is current, after reading it if necessary."""
        return not known.stale or self._adopt_all(known)

    def _note_effect(self, known: KnownConversation, exchange: Exchange) -> None:
        """Mark the model as stale if the effect of a request is not known."""
        failed = exchange.status >= 500 and not exchange.refused
        known.stale = known.stale or failed or exchange.repeats > 0

    def _last_message(self, known: KnownConversation, item: Json) -> None:
        last = item.get("lastMessage")
        if "lastMessage" not in item or known.older or known.stale:
            return
        due = known.messages[-1].id if known.messages else None
        shown = str(last.get("id")).lower() if isinstance(last, dict) else None
        self._judge(
            shown == due,
            "last-message",
            "getConversations",
            f"the latest message, {due}" if due else "null, since there are no messages",
            str(shown),
        )

    def _messages(self, known: KnownConversation) -> list[dict[str, Any]] | None:
        """Return all messages of a conversation as JSON, or None if the request was refused."""
        exchange = self._see(self.session.call("getMessages", path=_path(known)))
        if not self._shows(exchange):
            return None
        return _objects(exchange.document.get("data"))

    def _compare_history(
        self, known: KnownConversation, shown: Sequence[Json]
    ) -> list[KnownMessage]:
        """Check that the known messages are unchanged; return all, and update the model."""
        now = [KnownMessage.of(dict(m)) for m in shown]
        before = len(known.messages)
        self._judge(
            are_same(known.messages, now[:before])
            and [m.feedback for m in known.messages] == [m.feedback for m in now[:before]],
            "history",
            "getMessages",
            f"the {before} earlier messages, unchanged",
            _few(now[:before]),
        )
        back = [
            f"{late.created_at} after {early.created_at}"
            for early, late in pairwise(now)
            if went_back(early.created_at, late.created_at)
        ]
        self._judge(not back, "times", "getMessages", "the oldest first", few(back))
        twice = len(now) - len({m.id for m in now})
        self._judge(not twice, "history", "getMessages", "each message once", f"{twice} duplicated")
        strays = {str(m.get("chatId")).lower() for m in shown} - {known.id}
        self._judge(
            not strays,
            "history",
            "getMessages",
            f"`chatId` {known.id}",
            ", ".join(sorted(strays)),
        )
        known.messages = now
        return now

    def _adopt(self, known: KnownConversation) -> list[KnownMessage] | None:
        """Compare all messages with the model, update it, and return them.

        Returns None if the request was refused.
        """
        if known.stale:
            return known.messages if self._adopt_all(known) else None
        shown = self._messages(known)
        if shown is None:
            known.stale = True
            return None
        now = self._compare_history(known, shown)
        self.read(known)
        return now

    def _pauses(self, field: str, *rules: str) -> Iterator[float]:
        """Return the pauses, in seconds, before a list that is sorted by a field is read again.

        There are none if only requests change the field, or if the list broke these rules before.
        """
        keys = {key_of("getConversations", rule) for rule in rules}
        known = not keys.isdisjoint(self._findings.violations)
        return iter(_PAUSES if field in tolerance.CHANGING and not known else ())

    def _rested(self, pauses: Iterator[float]) -> bool:
        """Wait for the next pause; return whether there was one."""
        pause = next(pauses, 0.0)
        if pause:
            self.session.rest(pause)
        return bool(pause)

    def _judge_order(self, wrong: Sequence[tuple[Any, Any]], field: str, direction: str) -> None:
        """Judge the order of a list by the neighbours that are misplaced."""
        shown_pair = f"{wrong[0][0]} before {wrong[0][1]}" if wrong else ""
        self._judge(
            not wrong,
            "list-order",
            "getConversations",
            f"sorted by `{field}`, {direction}",
            shown_pair,
        )

    def _is_text(self, sent: str, shown: object) -> bool:
        """Whether a text is the one that was sent; note it if white space around it is gone."""
        if tolerance.is_trimmed(sent, shown):
            self._findings.note(tolerance.TRIMMED)
        return tolerance.same_text(sent, shown)

    def _accepted(self, exchange: Exchange) -> bool:
        """Check that a valid request was accepted, and return whether it was."""
        accepted = OK <= exchange.status < 300
        return self._judge(
            accepted,
            "accepted",
            exchange.operation,
            "a valid request is accepted",
            str(exchange.status),
        )

    def _shows(self, exchange: Exchange) -> bool:
        """Check that the exchange that was seen last was accepted.

        Returns whether its answer can be compared with the model.
        """
        return self._accepted(exchange) and self._described

    def stay(self) -> None:
        """Send a request without an answer of the assistant if the session was unused for a while.

        Sessions expire after inactivity (F-auth), and no document says after how long.
        """
        if time.monotonic() - self._used > _INACTIVE:
            self._see(self.session.call("getMe"))

    def _see(self, exchange: Exchange) -> Exchange:
        self._used = time.monotonic()
        self._described = self._findings.see(exchange, self._history)
        return exchange

    def _judge(self, kept: object, rule: str, operation: str, expected: str, actual: str) -> bool:
        return self._findings.judge(kept, rule, operation, expected, actual, self._history)


def _values(shown: Sequence[Json], field: str) -> dict[str, Any]:
    """Return the value of a field by the id of its entry."""
    return {str(item.get("id")): item.get(field) for item in shown}


def _misplaced(shown: Sequence[Json], field: str, direction: str) -> list[tuple[Any, Any]]:
    """Return the neighbouring values in the wrong order; none if the field has no defined order."""
    values: list[Any] = [item.get(field) for item in shown]
    if field in TIMES:
        # The documents do not state the position of null.
        values = [moment(value) for value in values if value is not None]
        if None in values:
            return []  # O-7
    elif field == "title":
        values = _letters(values)
    elif field != "id":
        return []
    else:
        values = [str(value).lower() for value in values]
    return [
        (early, late)
        for early, late in pairwise(values)
        if (late < early if direction == "asc" else early < late)
    ]


def _path(known: KnownConversation) -> dict[str, str]:
    return {"conversationId": known.id}


def _conversation(shown: Json) -> KnownConversation:
    closed_at, reason, title = (shown.get(n) for n in ("closedAt", "closeReason", "title"))
    return KnownConversation(
        id=str(shown.get("id")).lower(),
        created_at=str(shown.get("createdAt")),
        status=str(shown.get("status")),
        closed_at=closed_at if isinstance(closed_at, str) else None,
        close_reason=reason if isinstance(reason, str) else None,
        updated_at=str(shown.get("updatedAt")),
        last_interaction_at=str(shown.get("lastInteractionAt")),
        title=title if isinstance(title, str) else None,
        human=shown.get("isHumanHandled") is True,
    )


def _update(known: KnownConversation, now: KnownConversation) -> None:
    """Replace the properties of a conversation by those that the server shows."""
    known.status, known.closed_at = now.status, now.closed_at
    known.created_at = now.created_at
    known.last_interaction_at = now.last_interaction_at
    known.title = now.title
    known.human = now.human


def _is_made_up(limit: int | None, offset: int | None) -> bool:
    """Whether paging values are invalid.

    They are computed from the number of known objects, which a refusal may have made 0.
    """
    return (limit is not None and limit < 1) or (offset is not None and offset < 0)


def _runs(items: Sequence[Json], field: str) -> list[Any]:
    """Return the values of a field in order, with equal neighbours merged."""
    values = [item.get(field) for item in items]
    return [value for i, value in enumerate(values) if i == 0 or value != values[i - 1]]


def _letters(values: Sequence[object]) -> list[str]:
    """Return the first letters of titles, or an empty list if their order is ambiguous."""
    letters = [str(value)[:1].casefold() for value in values if isinstance(value, str)]
    plain = all(letter.isascii() and letter.isalpha() for letter in letters)
    return letters if plain else []


def _objects(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a UUID, the documented form of ids."""
    return _UUID.fullmatch(text) is not None


def _at_least(value: object, count: int) -> bool:
    return isinstance(value, int | float) and value >= count


def _given(**values: object) -> str:
    given = [f"{name}={value}" for name, value in values.items() if value is not None]
    return ", ".join(given) or "no parameters"


def _suffix(**values: object) -> str:
    given = _given(**values)
    return "" if given == "no parameters" else f" with {given}"


def _ids(items: Sequence[Json]) -> str:
    return _clip(", ".join(str(item.get("id")) for item in items))


def _few(messages: Sequence[KnownMessage]) -> str:
    if not messages:
        return "no message"
    shown = [f"{m.role}: {_clip(m.text, 40)}" for m in messages[-4:]]
    return f"{len(messages)} messages, … {'; '.join(shown)}"


def _instead(name: str, shown: object, expected: object) -> str:
    return f"{name} {shown_value(shown)} instead of {shown_value(expected)}"


def _clip(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters in all)"
