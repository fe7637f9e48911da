"""The judgement of the exchanges of a recording, one after the other, by the rules of the tests.

A recording has only the requests of its clients. A person may use two windows, and an agent or
another device may act without being recorded, so only facts that they cannot change are judged.
Exchanges whose order is not known are judged on their own. Data that they may have changed are
forgotten, and so are data that a request without a whole answer may have changed. Nothing follows
from a request whose contents are not known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.answers import Answers
from siteassist_contract.checks.behaviour.model import (
    KnownMessage,
    are_same,
    moment,
    same_time,
    sent_page,
    went_back,
)
from siteassist_contract.checks.behaviour.visitor import TIMES
from siteassist_contract.checks.generated import fitting_answers, query_parameters
from siteassist_contract.description import (
    API_KEY,
    CLOSING,
    DEVICE,
    PLAIN,
    credential_name,
    operations,
    page_due,
    page_words,
    properties,
    resolve,
    session_token,
    takes_feedback,
    validator,
)
from siteassist_contract.findings import Findings, few
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import CLIENT_ERRORS, SUCCESS, Exchange
from siteassist_contract.recording.recorded_exchanges import RecordedExchange
from siteassist_contract.rules import RULES
from siteassist_contract.tolerance import GeneratedCall, sent_query, whole_number
from siteassist_spec import EVENT_STREAM, Json
from siteassist_spec.schemas import complaints

_OK, _CREATED, _QUEUED = 200, 201, 202
_ACCEPTED = "a valid request is accepted"
_IDENTIFIED = "identified"
"""The type of a visitor whom the website has named, and who may be known by another id then."""
_LONG = 1000
"""Minimum length of a text that is not written twice by chance."""
_MOST = 2000
"""Maximum number of conversations, devices and tokens that are remembered."""
_MOST_MESSAGES = 2000
"""Maximum number of messages of a conversation that are remembered."""


@dataclass
class _Sent:
    """A message whose place among the stored messages is not known yet."""

    content: str
    answer: str | None
    """The text of the answer; None if it is not known."""
    exchange: RecordedExchange
    page: Mapping[str, str] = field(default_factory=dict)
    """The page context that was sent, by its names in a stored message."""


@dataclass
class _Conversation:
    """The facts that a recording has shown of a conversation."""

    exchange: RecordedExchange
    """The exchange that showed it last."""
    owner: str = ""
    """The visitor; empty if it is unknown."""
    closed: RecordedExchange | None = None
    """The exchange that closed it."""
    was_closed: bool = False
    """Whether an answer has shown that it is closed, by whomever."""
    times: dict[str, str] = field(default_factory=dict)
    messages: list[KnownMessage] | None = None
    """The messages that a whole list has shown; None if it is unknown."""
    listed: RecordedExchange | None = None
    """The exchange with this list."""
    sent: list[_Sent] = field(default_factory=list)
    refused: list[_Sent] = field(default_factory=list)
    """Messages that were refused, and must not be stored."""
    doubted: list[RecordedExchange] = field(default_factory=list)
    """Valid requests that were refused, which is right only if it had been closed before."""
    lost: set[str | None] = field(default_factory=set)
    """The texts of requests that may have stored a message at any later time; None for a text
    that is not known."""
    rated: dict[str, tuple[str | None, RecordedExchange]] = field(default_factory=dict)
    """The feedback that was stored since the last list, by message."""
    is_uncertain: bool = False
    """Whether messages may have been stored that the recording does not show."""


class Judgement:
    """The judgement of a recording."""

    def __init__(self, findings: Findings, *, has_credentials: bool) -> None:
        """Record violations in ``findings``.

        ``has_credentials`` is whether requests are recorded with their credentials.
        """
        self._findings = findings
        self._has_credentials = has_credentials
        self._answers = Answers(findings)
        self._memory = tolerance.Memory()
        self._text: str | None = None
        """The text of the assistant in the latest answer; None if it is not known."""
        self._conversations: dict[str, _Conversation] = {}
        self._messages: dict[str, str] = {}
        """The conversation of each message."""
        self._visitors: dict[str, tuple[str, RecordedExchange]] = {}
        """The visitor of each token, with the exchange that showed it."""
        self._devices: dict[tuple[object, object], tuple[str, RecordedExchange]] = {}
        self._projects: dict[str, tuple[str, RecordedExchange]] = {}

    def see(self, exchange: RecordedExchange) -> None:
        """Judge an exchange, which comes after all that were seen before."""
        self._hide(exchange)
        if not exchange.is_whole:
            self._findings.shown.lose(exchange)
            self._forget(exchange)
            return
        operation = operations()[exchange.operation]
        # O-8: the statuses of doubtful requests are not described.
        is_free = exchange.is_doubtful and exchange.status not in operation.responses
        described = self._findings.see(
            exchange, [exchange], described=not (is_free and exchange.status in CLIENT_ERRORS)
        )
        call = _call(exchange)
        accepted = exchange.status in SUCCESS
        if self._has_credentials and operation.needs_token and not exchange.authorization:
            if accepted or exchange.status == 401:
                self._judge(
                    not accepted, "token-required", exchange, "401 without a token", exchange.status
                )
            return
        self._validity(exchange, call)
        self._memory.observe(call)
        if exchange.refused:
            if exchange.repeats:
                self._forget(exchange)
            return
        self._isolation(exchange)
        if not accepted:
            self._refusal(exchange)
        elif described:
            self._fit(exchange, call)
            self._effect(exchange)
        else:
            self._forget(exchange)

    # One exchange

    def _hide(self, exchange: RecordedExchange) -> None:
        """Keep the credentials of a request out of all reports."""
        operation, sent = operations()[exchange.operation], _parsed(exchange.body)
        values = sent_query(exchange.url)
        given = [value for name in operation.credentials for value in values.get(name, [])]
        if isinstance(sent, Mapping):
            given += [str(sent[name]) for name in operation.credentials if name in sent]
        for secret in (exchange.token, *given):
            self._findings.secrets.add_token(secret)

    def _validity(self, exchange: RecordedExchange, call: GeneratedCall) -> None:
        """Judge whether a valid request was accepted, and an invalid one refused."""
        if exchange.is_doubtful or not exchange.has_body:
            return
        faults, altered = _faults(exchange)
        accepted = exchange.status in SUCCESS
        if not faults:
            if accepted or (
                exchange.status in tolerance.REFUSALS and not self._memory.may_be_refused(call)
            ):
                if not accepted and exchange.operation == "sendMessage":
                    known = self._known(exchange)
                    if known is not None and not exchange.together and not known.was_closed:
                        known.doubted.append(exchange)
                    return
                self._judge(accepted, "accepted", exchange, _ACCEPTED, exchange.status)
        elif "bounds" in RULES and exchange.operation in RULES["bounds"].operations:
            if (
                accepted
                and altered is not None
                and tolerance.may_be_accepted(_call(exchange, altered))
            ):
                return
            if accepted or exchange.status in tolerance.REFUSALS:
                words = f"400 or 422 for an invalid request: {faults[0]}"
                self._judge(not accepted, "bounds", exchange, words, exchange.status)

    def _isolation(self, exchange: RecordedExchange) -> None:
        """Judge whether a visitor was kept from the object of another one."""
        operation = operations()[exchange.operation]
        visitor, _ = self._visitors.get(exchange.token, ("", None))
        for name in operation.owned & exchange.path.keys():
            identifier = exchange.path[name].lower()
            known = self._conversations.get(self._messages.get(identifier, identifier))
            if known is None or not visitor or not known.owner or known.owner == visitor:
                continue
            self._judge(
                exchange.status not in SUCCESS,
                "isolation",
                exchange,
                "403 or 404 for another visitor's object",
                exchange.status,
                known.exchange,
            )

    def _fit(self, exchange: RecordedExchange, call: GeneratedCall) -> None:
        """Judge whether an answer fits its own request."""
        operation, self._text = operations()[exchange.operation], None
        if exchange.status == _QUEUED and exchange.media_type == PLAIN:
            text = exchange.content.decode("utf-8", "replace")
            words = "202 text/plain `Message sent`"
            self._judge(text == "Message sent", "queued", exchange, words, text[:80])
        elif operation.stream is not None:
            chosen, is_left_out = _chosen(exchange)
            self._text = self._answers.judge(exchange, chosen, [exchange], is_left_out=is_left_out)
        wrong = fitting_answers.faults(call)
        if exchange.operation in RULES["fits-request"].operations:
            words = "an answer that matches its request"
            self._judge(not wrong, "fits-request", exchange, words, "; ".join(wrong))
        if operation.paging is not None:
            self._page(exchange)
        if exchange.operation in RULES["list-order"].operations:
            self._order(exchange)

    def _page(self, exchange: RecordedExchange) -> None:
        """Judge whether a page repeats the requested limit and offset."""
        paging = operations()[exchange.operation].paging
        if paging is None or exchange.operation not in RULES["list-page"].operations:
            return
        asked = _asked(exchange)
        if len(asked) < 2:
            return
        due = page_due(exchange.operation, limit=asked["limit"], offset=asked["offset"])
        actual = {name: exchange.document.get(name) for name in due}
        self._judge(actual == due, "list-page", exchange, page_words(due), page_words(actual))

    def _order(self, exchange: RecordedExchange) -> None:
        """Judge the order of a list by a time, which is the only one that is unambiguous."""
        query = sent_query(exchange.url)
        by, direction = (query.get(name, []) for name in ("orderBy", "orderDir"))
        name = by[0] if by else "lastInteractionAt"
        if name not in TIMES or (direction and direction[0] not in ("asc", "desc")):
            return
        values = [moment(item.get(name)) for item in _objects(exchange.document.get("data"))]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return  # O-7, and the documents do not state the position of null
        upwards = direction == ["asc"]
        wrong = [
            f"{early.isoformat()} before {late.isoformat()}"
            for early, late in pairwise(known)
            if (late < early if upwards else early < late)
        ]
        words = f"sorted by `{name}`, {'asc' if upwards else 'desc'}"
        self._judge(not wrong, "list-order", exchange, words, few(wrong))

    # Several exchanges

    def _refusal(self, exchange: RecordedExchange) -> None:
        """Remember the texts that a refused request must not have stored."""
        known = self._known(exchange)
        if known is None:
            return
        if exchange.status in CLIENT_ERRORS:
            if exchange.operation == "sendMessage":
                self._send(known.refused, exchange, None)
        else:
            self._forget(exchange)

    def _forget(self, exchange: RecordedExchange) -> None:
        """Forget the data that a request with an unknown effect may have changed."""
        known = self._known(exchange)
        if known is not None and exchange.method != "GET":
            known.is_uncertain = True
            if exchange.operation == "sendMessage":
                content = _mapping(exchange.sent).get("content")
                known.lost.add(content if isinstance(content, str) else None)

    def _effect(self, exchange: RecordedExchange) -> None:
        """Judge and remember the data that an accepted request shows and changes."""
        effect = _EFFECTS.get(exchange.operation)
        if takes_feedback(operations()[exchange.operation]):
            effect = Judgement._rated
        if effect is not None:
            effect(self, exchange)

    def _session(self, exchange: RecordedExchange) -> None:
        token = session_token(exchange.document)
        shown = _mapping(exchange.document.get("visitor"))
        visitor = str(shown.get("id")).lower()
        is_named = shown.get("type") == _IDENTIFIED
        if token is not None:
            self._remember(self._visitors, token, (visitor, exchange.without_bodies()))
        sent = _mapping(exchange.sent)
        device = tuple(sent.get(credential_name(kind)) for kind in (API_KEY, DEVICE))
        if None in device or exchange.together:
            return
        before = self._devices.get((device[0], device[1]))
        if before is not None:
            earlier, first = before
            words = "200 for a device that was seen before"
            self._judge(
                exchange.status == _OK, "device-status", exchange, words, exchange.status, first
            )
            words = f"the visitor {earlier} of this device"
            if is_named and visitor != earlier:
                self._merge(earlier)
            else:
                self._judge(visitor == earlier, "device-visitor", exchange, words, visitor, first)
        for other, (known, first) in self._devices.items():
            if other != device and known == visitor and not is_named:
                words = "another visitor for another device"
                self._judge(False, "device-visitor", exchange, words, visitor, first)
        key = device[0], device[1]
        self._remember(self._devices, key, (visitor, exchange.without_bodies()))

    def _me(self, exchange: RecordedExchange) -> None:
        visitor = str(exchange.document.get("id")).lower()
        if not exchange.token:
            return
        before = self._visitors.get(exchange.token)
        if before is not None:
            words = f"the visitor {before[0]} of this token"
            if exchange.document.get("type") == _IDENTIFIED and visitor != before[0]:
                self._merge(before[0])
            else:
                self._judge(visitor == before[0], "me", exchange, words, visitor, before[1])
        self._remember(self._visitors, exchange.token, (visitor, exchange.without_bodies()))

    def _merge(self, visitor: str) -> None:
        """Forget the data of a visitor who is known by another id now."""
        for known in self._conversations.values():
            if known.owner == visitor:
                known.owner = ""
        for token, (owner, _) in list(self._visitors.items()):
            if owner == visitor:
                del self._visitors[token]

    def _project(self, exchange: RecordedExchange) -> None:
        key = "".join(sent_query(exchange.url).get(credential_name(API_KEY), []))
        project = str(exchange.document.get("id")).lower()
        before = self._projects.get(key)
        if before is not None and key:
            words = f"the project {before[0]}"
            self._judge(project == before[0], "project-stable", exchange, words, project, before[1])
        self._remember(self._projects, key, (project, exchange.without_bodies()))

    def _started(self, exchange: RecordedExchange) -> None:
        shown = exchange.document
        identifier = str(shown.get("id")).lower()
        created = exchange.status == _CREATED
        self._judge(created, "created", exchange, "201 for a new conversation", exchange.status)
        is_open = shown.get("status") == "open" and shown.get("closedAt") is None
        words = 'status "open", closedAt null'
        actual = f"status {shown_value(shown.get('status'))}, closedAt {shown.get('closedAt')}"
        self._judge(is_open, "started-open", exchange, words, actual)
        if not exchange.together:
            before = self._conversations.get(identifier)
            other = None if before is None else before.exchange
            is_new = before is None
            self._judge(is_new, "new-id", exchange, "an id of its own", identifier, other)
        owner, _ = self._visitors.get(exchange.token, ("", None))
        known = _Conversation(exchange.without_bodies(), owner, messages=[])
        # The documents do not rule out a greeting in a new conversation.
        if shown.get("messages"):
            known.messages = None
        self._remember(self._conversations, identifier, known)
        self._compare(identifier, shown, exchange)

    def _sent(self, exchange: RecordedExchange) -> None:
        known = self._known(exchange)
        if known is None:
            return
        content = _mapping(exchange.sent).get("content")
        is_known = isinstance(content, str)
        if exchange.together or known.closed is not None or known.was_closed or not is_known:
            known.is_uncertain = True
            if not is_known:
                known.lost.add(None)
        else:
            self._send(known.sent, exchange, self._text)

    def _send(self, messages: list[_Sent], exchange: RecordedExchange, answer: str | None) -> None:
        content = _mapping(exchange.sent).get("content")
        if isinstance(content, str) and len(messages) < _MOST_MESSAGES:
            page = {
                name: text
                for name, text in sent_page(exchange.sent).items()
                if isinstance(text, str) and text
            }
            messages.append(_Sent(content, answer, exchange.without_bodies(), page))

    def _closed(self, exchange: RecordedExchange) -> None:
        known = self._known(exchange)
        if known is None:
            return
        if known.closed is not None:
            self._judge(exchange.status == _OK, "closes-again", exchange, "200", exchange.status)
        known.closed = exchange.without_bodies()

    def _rated(self, exchange: RecordedExchange) -> None:
        sent, shown = _mapping(exchange.sent), exchange.document
        for name in properties(operations()[exchange.operation]):
            if name in shown:
                if name in sent:
                    words = f"the stored feedback: {shown_value(sent[name])}"
                    kept = sent[name] == shown[name]
                    self._judge(kept, "feedback", exchange, words, shown_value(shown[name]))
                for message in exchange.path.values():
                    conversation = self._messages.get(message.lower(), "")
                    known = self._conversations.get(conversation)
                    if known is not None and not exchange.together:
                        feedback = shown[name] if isinstance(shown[name], str) else None
                        known.rated[message.lower()] = feedback, exchange.without_bodies()

    def _read(self, exchange: RecordedExchange) -> None:
        shown = exchange.document
        identifier = str(shown.get("id")).lower()
        known = self._conversations.get(identifier)
        if known is None:
            known = _Conversation(exchange.without_bodies(), self._owner(exchange))
            self._remember(self._conversations, identifier, known)
        self._compare(identifier, shown, exchange)
        if shown.get("isHumanHandled") is True:
            known.is_uncertain = True
        if "messages" in shown and not exchange.together:
            messages = _objects(shown.get("messages"))
            self._list(known, identifier, messages, exchange, "one-history")

    def _listed(self, exchange: RecordedExchange) -> None:
        """Compare the whole list of a conversation's messages with the messages known so far."""
        (identifier,) = (value.lower() for value in exchange.path.values())
        known = self._conversations.get(identifier)
        if known is None:
            known = _Conversation(exchange.without_bodies(), self._owner(exchange))
            self._remember(self._conversations, identifier, known)
        messages = _objects(exchange.document.get("data"))
        back = [
            f"{late.get('createdAt')} after {early.get('createdAt')}"
            for early, late in pairwise(messages)
            if went_back(early.get("createdAt"), late.get("createdAt"))
        ]
        self._judge(not back, "times", exchange, "the oldest first", few(back))
        strays = {str(each.get("chatId")).lower() for each in messages} - {identifier}
        words = f"`chatId` {identifier}"
        self._judge(not strays, "history", exchange, words, ", ".join(sorted(strays)))
        if exchange.together:
            return
        if not sent_query(exchange.url):
            self._list(known, identifier, messages, exchange, "history")
        else:
            self._part(known, messages, exchange)

    def _part(
        self, known: _Conversation, shown: Sequence[Json], exchange: RecordedExchange
    ) -> None:
        """Compare a page of all messages with those at its place in the whole list."""
        paging, asked = operations()[exchange.operation].paging, _asked(exchange)
        if paging is None or known.messages is None or known.is_uncertain:
            return
        names = {"limit": paging.limit, "offset": paging.offset}
        if not sent_query(exchange.url).keys() <= {names[key] for key in asked}:
            return
        begin = asked.get("offset", 0)
        end = len(known.messages) if "limit" not in asked else begin + asked["limit"]
        due = [each.id for each in known.messages[begin:end]]
        actual = [str(each.get("id")).lower() for each in shown]
        self._judge(
            # Messages that were written later come after those that are known.
            actual[: len(due)] == due and ("limit" not in asked or len(actual) <= asked["limit"]),
            "list-page",
            exchange,
            f"messages {begin} to {begin + len(due)} of the whole list: {', '.join(due)}",
            ", ".join(actual) or "no message",
            known.listed or known.exchange,
        )

    def _list(
        self,
        known: _Conversation,
        identifier: str,
        shown: Sequence[Json],
        exchange: RecordedExchange,
        rule: str,
    ) -> None:
        """Compare all messages with those that are known, and with those that were sent."""
        now = [KnownMessage.of(dict(each)) for each in shown]
        streaming = any(each.get("status") == "streaming" for each in shown)
        if known.is_uncertain or streaming or len(now) > _MOST_MESSAGES:
            known.messages = None
            known.is_uncertain = streaming
        elif known.messages is not None:
            self._compare_messages(known, now, shown, exchange, rule)
        known.sent.clear()
        known.refused.clear()
        known.rated.clear()
        if not known.is_uncertain and len(now) <= _MOST_MESSAGES:
            known.messages, known.listed = now, exchange.without_bodies()
        for message in now:
            self._remember(self._messages, message.id, identifier, _MOST_MESSAGES * 4)

    def _compare_messages(
        self,
        known: _Conversation,
        now: Sequence[KnownMessage],
        shown: Sequence[Json],
        exchange: RecordedExchange,
        rule: str,
    ) -> None:
        before = known.messages or []
        count = len(before)
        self._judge(
            are_same(before, now[:count]),
            rule,
            exchange,
            f"the {count} earlier messages, unchanged",
            _few(now[:count]),
            known.listed or known.exchange,
        )
        new = list(now[count:])
        self._find_refused(known, new, exchange)
        pages = {now[count + place].id: each for place, each in enumerate(shown[count:])}
        self._find_sent(known, new, pages, exchange)
        self._find_ratings(known, now, exchange)

    def _find_sent(
        self,
        known: _Conversation,
        new: list[KnownMessage],
        pages: Mapping[str, Json],
        exchange: RecordedExchange,
    ) -> None:
        """Judge whether the messages that were sent are stored, each with its answer.

        ``pages`` has the new messages as they are shown, with the page of each.
        """
        rest = new
        # Only other clients, or requests without an answer, wrote more than was sent.
        is_alone = sum(each.role == "user" for each in new) <= len(known.sent)
        for number, sent in enumerate(known.sent):
            later = sum(each.content == sent.content for each in known.sent[number + 1 :])
            found = [
                place
                for place, each in enumerate(rest)
                if each.role == "user" and tolerance.same_text(sent.content, each.text)
            ]
            words = f"the message that was sent, with all {len(sent.content)} characters"
            self._judge(
                found,
                "stored-message",
                sent.exchange,
                words,
                _few(new),
                exchange,
                blamed=exchange,
            )
            if not found:
                return
            # The same text may be stored of a request without an answer, or of another client.
            possible = found[: max(1, len(found) - later)]
            asked = next(
                (
                    place
                    for place in possible
                    if _shows_page(sent, pages[rest[place].id])
                    and _has_answer(sent, rest[place + 1 :], is_alone=is_alone)
                ),
                possible[0],
            )
            stored = pages[rest[asked].id]
            if sent.page:
                self._judge(
                    _shows_page(sent, stored),
                    "stored-message",
                    sent.exchange,
                    f"the page that the message was sent from: {shown_value(sent.page)}",
                    shown_value({name: stored.get(name) for name in sent.page}),
                    exchange,
                    blamed=exchange,
                )
            rest = rest[asked + 1 :]
            if sent.answer is not None:
                answer = next((each for each in rest if each.role != "human_agent"), None)
                self._judge(
                    _has_answer(sent, rest, is_alone=is_alone),
                    "stored-answer",
                    sent.exchange,
                    f"the answer as it was sent: {_clip(sent.answer)}",
                    "no message" if answer is None else f"{answer.role}: {_clip(answer.text)}",
                    exchange,
                    blamed=exchange,
                )

    def _find_refused(
        self, known: _Conversation, new: Sequence[KnownMessage], exchange: RecordedExchange
    ) -> None:
        """Judge whether no message that was refused is stored."""
        if None in known.lost:
            return
        accepted = {sent.content for sent in known.sent} | known.lost
        stored = {each.text for each in new if each.role == "user"}
        for refused in known.refused:
            if refused.content and refused.content not in accepted:
                parts = [text for text in stored if len(text) >= _LONG]
                self._judge(
                    refused.content not in stored
                    and not any(refused.content.startswith(text) for text in parts),
                    "no-side-effects",
                    refused.exchange,
                    "no message, since it was refused",
                    _few(new),
                    exchange,
                    blamed=exchange,
                )

    def _find_ratings(
        self, known: _Conversation, now: Sequence[KnownMessage], exchange: RecordedExchange
    ) -> None:
        """Judge whether feedback is stored, and that of other messages unchanged."""
        shown = {each.id: each for each in now}
        for message, (feedback, rated) in known.rated.items():
            found = shown.get(message)
            if found is not None:
                self._judge(
                    found.feedback == feedback
                    and (found.feedback_at is None) == (feedback is None),
                    "feedback",
                    rated,
                    f"stored: {shown_value(feedback)}",
                    f"{shown_value(found.feedback)}, feedbackAt {found.feedback_at}",
                    exchange,
                    blamed=exchange,
                )
        if known.rated:
            _, rated = next(iter(known.rated.values()))
            others = [
                each.id
                for each in known.messages or []
                if each.id not in known.rated
                and each.id in shown
                and shown[each.id].feedback != each.feedback
            ]
            self._judge(
                not others,
                "feedback-alone",
                rated,
                "unchanged feedback of other messages",
                f"changed: {', '.join(others)}",
                exchange,
                blamed=exchange,
            )

    def _conversations_listed(self, exchange: RecordedExchange) -> None:
        visitor, _ = self._visitors.get(exchange.token, ("", None))
        self._total(visitor, exchange)
        for item in _objects(exchange.document.get("data")):
            identifier = str(item.get("id")).lower()
            known = self._conversations.get(identifier)
            if known is None:
                continue
            if visitor and known.owner:
                self._judge(
                    known.owner == visitor,
                    "own-list",
                    exchange,
                    "conversations of this visitor only",
                    f"also {identifier}",
                    known.exchange,
                )
            self._compare(identifier, item, exchange)

    def _total(self, visitor: str, exchange: RecordedExchange) -> None:
        """Judge whether a list without a filter counts all conversations that are known."""
        paging = operations()[exchange.operation].paging
        if paging is None or paging.total is None or not visitor or exchange.together:
            return
        order = {"orderBy", "orderDir", paging.limit, paging.offset}
        total = exchange.document.get(paging.total)
        if not sent_query(exchange.url).keys() <= order or not isinstance(total, int | float):
            return
        own = [each for each in self._conversations.values() if each.owner == visitor]
        # The visitor may have others, which the recording does not show.
        words = f"{len(own)} or more, the conversations of this visitor in the recording"
        other = own[-1].exchange if own else None
        self._judge(total >= len(own), "list-total", exchange, words, total, other)

    def _compare(self, identifier: str, shown: Json, exchange: RecordedExchange) -> None:
        """Compare a conversation in an answer with the facts known of it so far."""
        known = self._conversations[identifier]
        if exchange.together:
            return
        known.was_closed = known.was_closed or shown.get("status") == "closed"
        for refused in known.doubted if shown.get("status") == "open" else ():
            self._judge(False, "accepted", refused, _ACCEPTED, refused.status)
        known.doubted.clear()
        if known.closed is not None and exchange.operation in RULES["read-back"].operations:
            is_closed = shown.get("status") == "closed" and isinstance(shown.get("closedAt"), str)
            self._judge(
                is_closed,
                "closes",
                known.closed,
                'status "closed", closedAt a time',
                f"status {shown_value(shown.get('status'))}, closedAt {shown.get('closedAt')}",
                exchange,
                blamed=exchange,
            )
        created, due = shown.get("createdAt"), known.times.get("createdAt")
        if due is not None and exchange.operation in RULES["read-back"].operations:
            words = f"createdAt {due}"
            self._judge(
                same_time(created, due), "read-back", exchange, words, created, known.exchange
            )
        back = [
            f"{name} from {before} to {shown.get(name)}"
            for name, before in known.times.items()
            if went_back(before, shown.get(name))
        ]
        if exchange.operation in RULES["times"].operations:
            words = "times that do not go back"
            self._judge(not back, "times", exchange, words, "; ".join(back), known.exchange)
        known.times |= {name: shown[name] for name in TIMES if isinstance(shown.get(name), str)}
        known.exchange = exchange.without_bodies()

    # Helpers

    def _known(self, exchange: RecordedExchange) -> _Conversation | None:
        """Return the conversation that a request names, directly or by a message."""
        for value in exchange.path.values():
            identifier = value.lower()
            found = self._conversations.get(self._messages.get(identifier, identifier))
            if found is not None:
                return found
        return None

    def _owner(self, exchange: RecordedExchange) -> str:
        """Return the visitor of a request."""
        visitor, _ = self._visitors.get(exchange.token, ("", None))
        return visitor

    def _remember(
        self, known: dict[Any, Any], key: object, value: object, most: int = _MOST
    ) -> None:
        known.pop(key, None)
        known[key] = value
        while len(known) > most:
            del known[next(iter(known))]

    def _judge(
        self,
        kept: object,
        rule: str,
        exchange: RecordedExchange,
        expected: str,
        actual: object,
        other: RecordedExchange | None = None,
        *,
        blamed: RecordedExchange | None = None,
    ) -> None:
        """Judge a rule on the operation of ``exchange``.

        ``other`` is compared with it. ``blamed`` is the one with the answer that shows the result.
        """
        last = blamed or exchange
        exchanges = [each for each in (exchange, other) if each is not None and each is not last]
        shown: Sequence[Exchange] = [*exchanges, last]
        self._findings.judge(kept, rule, exchange.operation, expected, str(actual), shown)


_EFFECTS: dict[str, Callable[[Judgement, RecordedExchange], None]] = {
    "init": Judgement._session,
    "getMe": Judgement._me,
    "getProject": Judgement._project,
    "startConversation": Judgement._started,
    "sendMessage": Judgement._sent,
    CLOSING: Judgement._closed,
    "getConversation": Judgement._read,
    "getMessages": Judgement._listed,
    "getConversations": Judgement._conversations_listed,
}
"""The methods that judge promises of a page that no schema states: see `rules.py`."""


def _call(exchange: RecordedExchange, altered: frozenset[str] | None = None) -> GeneratedCall:
    """Return an exchange in the terms of the checks of single answers."""
    return GeneratedCall(
        operation_id=exchange.operation,
        url=exchange.url,
        path=exchange.path,
        body=exchange.sent,
        altered=altered,
        status=exchange.status,
        answer=exchange.json,
    )


def _faults(exchange: RecordedExchange) -> tuple[list[str], frozenset[str] | None]:
    """Return the faults of a request, and the names of its invalid query parameters.

    The names are None if another part of the request is invalid.
    """
    operation = operations()[exchange.operation]
    query = query_parameters.faults(exchange.operation, exchange.url)
    other = [
        f"`{parameter.name}`: {complaint}"
        for parameter in operation.places("path")
        for complaint in complaints(
            validator(parameter.schema), exchange.path.get(parameter.name, "")
        )
    ]
    if operation.body is not None:
        if exchange.body:
            found = complaints(validator(operation.body.schema), exchange.sent)
            other += [f"the body: {complaint}" for complaint in found]
        elif operation.body.required:
            other.append("the body is missing")
    names = frozenset(
        parameter.name
        for parameter in operation.places("query")
        if any(f"`{parameter.name}`" in fault for fault in query)
    )
    return other + query, None if other else names


def _chosen(exchange: RecordedExchange) -> tuple[bool | None, bool]:
    """Return the form of the answer that a request chose, and whether it left out the choice.

    Where the description has no default, either form may come: O-10.
    """
    operation, sent = operations()[exchange.operation], exchange.sent
    if operation.stream is None or operation.body is None or not isinstance(sent, Mapping):
        return None, False
    name = operation.stream.request_flag
    if name in sent:
        return (sent[name] if isinstance(sent[name], bool) else None), False
    described = resolve(operation.body.schema).get("properties", {}).get(name, {})
    default = resolve(described).get("default")
    if not isinstance(default, bool) or EVENT_STREAM in exchange.accept.lower():
        return None, False
    return default, True


def _shows_page(sent: _Sent, stored: Json) -> bool:
    """Whether a stored message shows the page that was sent with it."""
    return all(tolerance.same_text(text, stored.get(name)) for name, text in sent.page.items())


def _has_answer(sent: _Sent, rest: Sequence[KnownMessage], *, is_alone: bool) -> bool:
    """Whether the messages after one begin with its answer, apart from those of agents.

    If other clients write, too, their messages may come before it.
    """
    if sent.answer is None:
        return True
    answers = [each for each in rest if each.role != "human_agent"]
    return any(
        each.role != "user" and each.text == sent.answer
        for each in (answers[:1] if is_alone else answers)
    )


def _parsed(body: bytes) -> Any:
    """Return the JSON of a body, however it was declared, or None."""
    try:
        return json.loads(body)
    except (RecursionError, ValueError):
        return None


def _asked(exchange: RecordedExchange) -> dict[str, int]:
    """Return the limit and the offset of a request, with their defaults, as far as known."""
    operation, asked = operations()[exchange.operation], dict[str, int]()
    if operation.paging is None:
        return asked
    query = sent_query(exchange.url)
    for key, name in (("limit", operation.paging.limit), ("offset", operation.paging.offset)):
        texts, default = query.get(name, []), operation.parameter(name).default
        number = whole_number(texts)
        if number is not None:
            asked[key] = number
        elif not texts and isinstance(default, int):
            asked[key] = default
    return asked


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Any) -> list[Json]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _few(messages: Sequence[KnownMessage]) -> str:
    if not messages:
        return "no message"
    shown = [f"{each.role}: {_clip(each.text, 40)}" for each in messages[-4:]]
    return f"{len(messages)} messages, … {'; '.join(shown)}"


def _clip(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters in all)"
