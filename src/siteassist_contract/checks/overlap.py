"""Requests at the same time: on one object, and by two visitors.

The pairs are derived from the description: every two operations that concern one kind of
object, of which at least one writes. Two threads with a connection each send them at once.
Afterwards the server must show the same state as after the two requests one after the other, in
either order.
"""

from __future__ import annotations

import itertools
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks import shown_objects
from siteassist_contract.checks.answers import announced
from siteassist_contract.checks.behaviour.model import (
    KnownMessage,
    answer_text,
    are_same,
    text_of,
    went_back,
)
from siteassist_contract.checks.behaviour.visitor import MOST, is_uuid
from siteassist_contract.checks.context import FIRST, SECOND, Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.stream_grammar import read as read_stream
from siteassist_contract.description import (
    DEVICE,
    credential_name,
    ends_object,
    forms,
    operations,
    page_query,
    properties,
    session_token,
    takes_feedback,
)
from siteassist_contract.findings import faults_of, few, refused_reason
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.parallel import Parallel
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.report.reproduction import VISITORS
from siteassist_contract.rules import EVERY_ANSWER, GENTLE, LIMIT, RULES, TWO_VISITORS
from siteassist_spec import EVENT_STREAM, Operation

RULE = "overlap"
CONFLICT = 409
"""The status of one of two requests that a server does not carry out at the same time: O-23."""
_CREATED, _QUEUED = 201, 202
_ROUNDS, _WIDTH = 2, 4
"""The number of rounds for each pair, and of equal requests at once where they cost nothing.

Pairs of which a value can be removed have one more round, in which one of them removes it.
"""
_REMOVING = 2 * _ROUNDS
"""The index of the request that removes a value: the first one of the additional round."""
_QUESTIONS = ("How long does shipping take?", "Hello!", "Can I return a lamp?")
"""Texts with different answers, so that answers that are mixed up show."""
Pair = tuple[str, str]


def check_overlap(context: CheckContext) -> None:
    """Send pairs of requests at the same time."""
    names = RULES[RULE].operations
    if context.profile.gentle:
        for name in names:
            context.findings.prevent(RULE, name, GENTLE)
        return
    with Parallel(context.recorder) as parallel:
        rounds = _Rounds(context, parallel)
        if context.has_key:
            rounds.sessions()
        else:
            context.without_key(*((RULE, name) for name in names if _is_of_visitor(name)))
        found = list(pairs())
        for first, second in found if context.size.whole else _few(found):
            rounds.objects(first, second)
        rounds.visitors()


CHECKS: tuple[Check, ...] = (
    (
        "requests at the same time",
        check_overlap,
        EVERY_ANSWER | {RULE},
    ),
)


def pairs() -> Iterator[Pair]:
    """Yield every two operations on one visitor's objects of which at least one writes."""
    concerned = [
        operation
        for operation in operations().values()
        if operation.operation_id in RULES[RULE].operations
        and not _is_of_visitor(operation.operation_id)
    ]
    for first, second in itertools.combinations_with_replacement(concerned, 2):
        writers = [each for each in (first, second) if each.method != "GET"]
        if writers:
            # The one that writes comes first.
            other = second if writers[0] is first else first
            yield writers[0].operation_id, other.operation_id


def _few(found: Sequence[Pair]) -> list[Pair]:
    """Return pairs that test each operation: those with itself, and one that ends or reads."""
    chosen = [pair for pair in found if pair[0] == pair[1]]
    ending = [
        pair
        for pair in found
        if {ends_object(operations()[n]) for n in pair} == {True, False}
        and any(operations()[n].stream is not None for n in pair)
    ]
    reading = [
        pair
        for pair in found
        if operations()[pair[1]].method == "GET"
        and operations()[pair[0]].stream is None
        and not ends_object(operations()[pair[0]])
    ]
    for pair in (*ending, *reversed(reading)):
        if pair in ending or pair[1] not in {second for _, second in chosen}:
            chosen.append(pair)
    return chosen


def _is_of_visitor(name: str) -> bool:
    """Whether an operation concerns the visitor itself."""
    kinds = shown_objects.kinds(name)
    return bool(kinds) and not any(map(shown_objects.is_owned, kinds))


@dataclass
class _Object:
    """A conversation, and the messages that the server must show."""

    ids: dict[str, str]
    origin: list[Exchange]
    """The requests that created it."""
    messages: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id of the conversation."""
        return self.ids["conversationId"]

    def shown(self, ids: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the message in ``ids`` as it was shown, or an empty mapping."""
        wanted = ids.get("messageId", "").lower()
        found = (m for m in self.messages if str(m.get("id")).lower() == wanted)
        return next(found, {})


@dataclass(frozen=True)
class _Sent:
    """A request of a round, and its answer."""

    request: RequestParts
    exchange: Exchange

    @property
    def accepted(self) -> bool:
        """Whether the request was carried out."""
        return self.exchange.status in SUCCESS


class _Rounds:
    """Rounds of requests at the same time, and the judgement of the objects afterwards."""

    def __init__(self, context: CheckContext, parallel: Parallel) -> None:
        self._context = context
        self._parallel = parallel
        self._findings = context.findings
        self._history = context.recorder.history
        self._key = context.target.api_key
        self._visitor = context.visitor()
        self._session = self._visitor.session
        self._begun = list(self._history)
        self._maker = ObjectMaker(self._send, self._key)
        self._object: _Object | None = None
        self._count = 0
        """The number of conversations of the visitor."""
        self._counts = True
        """Whether this number is known; the documents do not say how a deletion affects lists."""
        self._pair: Pair = ("", "")

    # Sessions

    def sessions(self) -> None:
        """Start sessions of one new device at the same time, and read its visitor meanwhile."""
        whole = self._context.size.whole
        for name in RULES[RULE].operations:
            operation = operations()[name]
            if operation.session_token is None:
                continue
            request = valid_request(operation, {}, self._key)
            if request is None:
                continue
            for width in (2, _WIDTH) if whole else (2,):
                self._history.clear()
                self._pair = name, name
                device = f"siteassist-contract-{uuid.uuid4().hex}"
                asked = request.changed(body={**request.body, credential_name(DEVICE): device})
                self._devices(asked, [self._context.anonymous] * width, device)
            self._two_devices(request)
            self._reading(request)

    def _devices(self, asked: RequestParts, sessions: Sequence[Session], device: str) -> None:
        """Judge the sessions of one device that were started at the same time."""
        name = asked.operation
        sent = self._together(*((session, asked) for session in sessions))
        if sent is None:
            return
        done = [each for each in sent if each.accepted]
        statuses = [each.exchange.status for each in sent]
        self._judge(
            done
            and statuses.count(_CREATED) <= 1
            and len(done) + statuses.count(CONFLICT) == len(sent),
            name,
            "200 or 201 for each, and 201 for at most one",
            ", ".join(map(str, statuses)),
        )
        again = self._context.session_of(device)
        ids = [_visitor_id(each) for each in (*(s.exchange for s in done), again)]
        if again.status in SUCCESS and None not in ids:
            self._judge(
                len(set(ids)) == 1 and again.status != _CREATED,
                name,
                "one visitor for one device, and 200 from then on",
                f"{again.status}, visitors {', '.join(map(str, ids))}",
            )
        for each in done[-1:]:
            token = session_token(each.exchange.document)
            if token is None:
                continue
            session = Session(self._context.target.base_url, self._context.recorder, FIRST, token)
            self._context.devices[FIRST] = device
            for reader in RULES[RULE].operations:
                if _is_of_visitor(reader) and operations()[reader].needs_token:
                    exchange = session.call(reader)
                    self._findings.see(exchange, self._history)
                    if not exchange.refused:
                        shown = _in_lower_case(exchange.document.get("id"))
                        self._judge(
                            shown == _visitor_id(each.exchange),
                            reader,
                            "each token identifies the visitor of its answer",
                            f"{exchange.status}, {exchange.document.get('id')}",
                        )

    def _two_devices(self, request: RequestParts) -> None:
        """Check that two new devices at the same time get visitors of their own."""
        self._history.clear()
        self._pair = request.operation, request.operation
        devices = [f"siteassist-contract-{uuid.uuid4().hex}" for _ in range(2)]
        name = credential_name(DEVICE)
        asked = [request.changed(body={**request.body, name: device}) for device in devices]
        sent = self._together(*((self._context.anonymous, each) for each in asked))
        if sent is None or not all(each.accepted for each in sent):
            return
        # Each device gets the same visitor when it comes again, alone.
        again = [self._context.session_of(device) for device in devices]
        if all(each.status in SUCCESS for each in again):
            ids = [_visitor_id(each.exchange) for each in sent]
            self._judge(
                ids[0] != ids[1] and ids == [_visitor_id(each) for each in again],
                request.operation,
                "a visitor for each of two devices, the same one from then on",
                f"visitors {ids}, later {[_visitor_id(each) for each in again]}",
            )

    def _reading(self, request: RequestParts) -> None:
        """Read the visitor while another session of its device is started."""
        visitor = self._context.visitor()
        device = self._context.devices[FIRST]
        asked = request.changed(body={**request.body, credential_name(DEVICE): device})
        for reader in RULES[RULE].operations:
            if not (_is_of_visitor(reader) and operations()[reader].needs_token):
                continue
            self._pair = request.operation, reader
            reading = RequestParts(reader)
            sent = self._together((self._context.anonymous, asked), (visitor.session, reading))
            if sent is not None:
                session, read = (each.exchange for each in sent)
                shown = [_visitor_id(session), _in_lower_case(read.document.get("id"))]
                self._judge(
                    {*shown} == {_in_lower_case(visitor.visitor_id)},
                    reader,
                    f"200 for both, with the visitor {visitor.visitor_id}",
                    f"{session.status} and {read.status}, visitors {shown}",
                )

    # Objects

    def objects(self, first: str, second: str) -> None:
        """Send the requests of two operations on one object at the same time."""
        pair = [operations()[name] for name in (first, second)]
        costs = any(operation.stream is not None for operation in pair)
        rounds = _ROUNDS + (first == second and bool(_removable(pair[0])))
        for number in range(1 if costs or not self._context.size.whole else rounds):
            self._pair = first, second
            ready = self._ready(pair)
            if ready is None:
                withheld = self._context.recorder.spending.withheld
                reason = LIMIT if withheld else "no object for the requests could be created"
                self._findings.prevent(RULE, first, reason)
                return
            # A streamed answer is read while it is being written.
            self._round(ready, first, second, number, stream=costs and pair[1].method == "GET")
        if first == second and costs and self._context.size.whole:
            ready = self._ready(pair)
            if ready is not None:
                self._round(ready, first, second, 0, stream=True)

    def _ready(self, pair: Sequence[Operation]) -> _Object | None:
        """Return an open conversation, which has a message if the requests need one."""
        known = self._object
        needed = {p.name for operation in pair for p in operation.places("path")}
        if known is None or not needed <= known.ids.keys():
            self._history[:] = self._begun
            ids: dict[str, str] = {}
            for operation in (o for o in operations().values() if o.owned):
                names = {parameter.name for parameter in operation.places("path")}
                if names <= needed | {"conversationId"}:
                    ids = self._maker.make(operation, ids)
            if not (needed | {"conversationId"}) <= ids.keys():
                return None
            known = self._object = _Object(ids, list(self._history))
            messages = self._messages(known)
            if messages is None:
                self._object = None
                return None
            known.messages = messages
        self._history[:] = known.origin
        if any(map(ends_object, pair)):
            self._object = None
        return known

    def _round(self, known: _Object, first: str, second: str, number: int, *, stream: bool) -> None:
        requests = [
            self._request(known, name, 2 * number + index, stream=stream)
            for index, name in enumerate((first, second))
        ]
        sent = self._together(*((self._session, request) for request in requests))
        if sent is None:
            self._object = None
            return
        kept = [self._is_fitting(each, sent) for each in sent]
        self._counts &= all(each.request.method != "DELETE" for each in sent)
        self._judge(
            all(kept),
            first,
            "for each request an answer that it could get alone",
            " and ".join(str(each.exchange.status) for each in sent),
        )
        for each in sent:
            if operations()[each.request.operation].method == "GET":
                self._judge_reading(known, each, sent)
        self._judge_created(sent)
        self._judge_messages(known, sent)
        self._judge_conversation(known, sent)

    def _request(self, known: _Object, name: str, number: int, *, stream: bool) -> RequestParts:
        """Return a request of an operation, whose values differ from those of others."""
        operation = operations()[name]
        ids = known.ids
        if takes_feedback(operation) and number % 4 == 3:
            # The later rounds rate two messages of one conversation.
            answers = [m for m in known.messages if m.get("role") == "assistant"]
            ids = ids | {"messageId": str(answers[-1].get("id"))} if answers else ids
        request = valid_request(operation, ids, self._key)
        if request is None:
            raise LookupError(f"no object for {name}")
        body = dict(request.body) if isinstance(request.body, Mapping) else {}
        body |= _values(operation, known.shown(ids), number)
        if operation.stream is not None:
            body[operation.stream.request_flag] = stream
        if operation.body is not None and body:
            request = request.changed(body=body)
        if operation.paging is not None and operation.paging.total is not None:
            query = page_query(name, limit=MOST).items()
            request = request.changed(query={n: str(v) for n, v in query if v})
        return request

    def _is_fitting(self, sent: _Sent, all_sent: Sequence[_Sent]) -> bool:
        """Whether a status is one that the request could get alone, before or after the others."""
        operation = operations()[sent.request.operation]
        status = sent.exchange.status
        others = [operations()[each.request.operation] for each in all_sent if each is not sent]
        if any(other.method == "DELETE" for other in others) and status in tolerance.HIDDEN:
            return True
        if operation.stream is not None and any(map(ends_object, others)):
            return status in tolerance.CLOSED
        if operation.method != "GET" and any(other.method != "GET" for other in others):
            # O-18 does not apply: the message is an answer.
            closed = takes_feedback(operation) and any(map(ends_object, others))
            return sent.accepted or status == CONFLICT or (closed and status in tolerance.CLOSED)
        return sent.accepted

    def _judge_reading(self, known: _Object, sent: _Sent, all_sent: Sequence[_Sent]) -> None:
        """Judge an answer that was read while another request wrote."""
        name, document = sent.request.operation, sent.exchange.document
        if faults_of(sent.exchange) or not sent.accepted:
            return
        operation = operations()[name]
        wrong = list(_torn(sent.exchange))
        if operation.owned:
            items = document.get("messages", document.get("data"))
            if items is not None:
                messages = [m for m in items if isinstance(m, Mapping)]
                wrong += self._wrong_prefix(known, messages, all_sent)
        elif self._visitor.exclusive and operation.paging is not None:
            wrong += self._wrong_count(operation, document, all_sent)
        self._judge(
            not wrong,
            name,
            "the state before or after the other request",
            few(wrong),
            sent.exchange,
        )

    def _wrong_count(
        self, operation: Operation, document: Mapping[str, Any], sent: Sequence[_Sent]
    ) -> Iterator[str]:
        """Yield the faults in the length of a list to which others were adding."""
        paging = operation.paging
        if paging is None or not self._counts:
            return
        new = sum(_creates(each.request.described) for each in sent)
        total = document.get(paging.total or "", self._count)
        # The entries and the total may be read at different times: O-23.
        for number in (len(document.get(paging.items, ())), total):
            if not min(self._count, MOST) <= number <= self._count + new:
                yield f"{number} entries of {self._count} to {self._count + new}"

    def _wrong_prefix(
        self, known: _Object, messages: Sequence[Mapping[str, Any]], sent: Sequence[_Sent]
    ) -> Iterator[str]:
        """Yield the faults in messages that were read while others were written."""
        before = _known(known.messages)
        if not are_same(before, _known(messages[: len(before)])):
            yield "earlier messages are changed or missing"
        contents = {_content(each.request) for each in sent}
        for message in messages[len(before) :]:
            if message.get("role") == "user" and text_of(message.get("parts")) not in contents:
                yield f"a message {shown_value(text_of(message.get('parts')))[:80]}"

    def _judge_created(self, sent: Sequence[_Sent]) -> None:
        """Judge the objects that were created at the same time."""
        created = [each for each in sent if _creates(each.request.described)]
        new = [str(e.exchange.document.get("id")).lower() for e in created if e.accepted]
        if not created:
            return
        name = created[0].request.operation
        self._count += len(new)
        for lister in RULES[RULE].operations:
            operation = operations()[lister]
            paging = operation.paging
            if paging is None or operation.owned:
                continue
            query = page_query(lister, limit=MOST).items()
            page = RequestParts(lister, query={n: str(v) for n, v in query if v})
            exchange = self._send(page)
            if exchange.status not in SUCCESS or faults_of(exchange):
                return
            shown = [str(item["id"]).lower() for item in exchange.document[paging.items]]
            total = exchange.document.get(paging.total or "")
            wrong = []
            if len(set(new)) < len(new):
                wrong.append("one id for two objects")
            if self._count <= MOST and set(new) - set(shown):
                wrong.append(f"{len(set(new) - set(shown))} of {len(new)} missing")
            if len(set(shown)) < len(shown):
                wrong.append("an entry twice")
            if self._visitor.exclusive and self._counts and total != self._count:
                wrong.append(f"`{paging.total}` {shown_value(total)}")
            self._judge(
                not wrong,
                name,
                f"each new object once, {self._count} in all",
                "; ".join(wrong),
            )

    def _judge_messages(self, known: _Object, sent: Sequence[_Sent]) -> None:
        """Judge the messages of the conversation after a round."""
        names = [each.request.operation for each in sent]
        if not any(operations()[n].stream or takes_feedback(operations()[n]) for n in names):
            return
        shown = self._messages(known)
        if shown is None:
            self._object = None
            return
        wrong = [*self._wrong_messages(known, sent, shown), *self._wrong_feedback(sent, shown)]
        for name in dict.fromkeys(n for n in names if operations()[n].method != "GET"):
            self._judge(not wrong, name, "each message once, in order, unchanged", few(wrong))
        known.messages = shown

    def _wrong_messages(
        self, known: _Object, sent: Sequence[_Sent], shown: Sequence[Mapping[str, Any]]
    ) -> Iterator[str]:
        """Yield the faults in the messages that a conversation has after a round."""
        count = len(known.messages)
        new = shown[count:]
        accepted = [
            each
            for each in sent
            if operations()[each.request.operation].stream is not None and each.accepted
        ]
        asked = Counter(_content(each.request) for each in accepted)
        stored = Counter(text_of(m.get("parts")) for m in new if m.get("role") == "user")
        if not are_same(_known(known.messages), _known(shown[:count])):
            yield "earlier messages are changed or missing"
        yield from (f"lost: {text[:60]}" for text in (asked - stored))
        yield from (f"not sent, or stored twice: {text[:60]}" for text in (stored - asked))
        yield from self._wrong_answers(accepted, new)
        ids = [str(m.get("id")).lower() for m in shown]
        if len(set(ids)) < len(ids):
            yield "one id for two messages"
        if any(str(m.get("chatId")).lower() != known.id.lower() for m in shown):
            yield "a message of another conversation"
        times = [m.get("createdAt") for m in shown]
        if any(went_back(early, late) for early, late in pairwise(times)):
            yield "a later message before an earlier one"

    def _wrong_answers(
        self, accepted: Sequence[_Sent], new: Sequence[Mapping[str, Any]]
    ) -> Iterator[str]:
        """Yield the faults in the answers that were stored."""
        answers = [
            (str(m.get("id")).lower(), text_of(m.get("parts")))
            for m in new
            if m.get("role") == "assistant"
        ]
        given = [_answer(each.exchange) for each in accepted if each.exchange.status != _QUEUED]
        if None not in given and Counter(given) != Counter(text for _, text in answers):
            yield f"{len(answers)} answers stored, other than the {len(given)} given"
            return
        texts = dict(answers)
        for each in accepted:
            answer, stored = _answer(each.exchange), texts.get(announced(each.exchange))
            if None not in (answer, stored) and answer != stored:
                yield "an answer stored as another message than its stream announced"

    def _wrong_feedback(
        self, sent: Sequence[_Sent], shown: Sequence[Mapping[str, Any]]
    ) -> Iterator[str]:
        """Yield the faults in feedback that was given at the same time."""
        rating = [each for each in sent if takes_feedback(each.request.described) and each.accepted]
        for each in rating:
            if each.exchange.document.get("feedback") != each.request.body["feedback"]:
                yield "an answer shows the feedback of the other request"
        for message in shown:
            rated = str(message.get("id")).lower()
            given = [
                each.request.body["feedback"]
                for each in rating
                if each.request.path["messageId"].lower() == rated
            ]
            feedback, at = message.get("feedback"), message.get("feedbackAt")
            if given and feedback not in given:
                yield f"feedback {shown_value(feedback)} instead of one that was given"
            if (feedback is None) != (at is None):
                yield f"feedback {shown_value(feedback)} with feedbackAt {shown_value(at)}"

    def _judge_conversation(self, known: _Object, sent: Sequence[_Sent]) -> None:
        """Judge the conversation after a round that may have closed it."""
        closing = [each for each in sent if ends_object(each.request.described)]
        if not closing:
            return
        request = self._reading_of(known)
        exchange = None if request is None else self._send(request)
        if exchange is None or exchange.status not in SUCCESS or faults_of(exchange):
            return
        shown = exchange.document
        accepted = [each for each in closing if each.accepted]
        reasons = [(each.request.body or {}).get("closeReason") for each in accepted]
        status, closed_at = shown.get("status"), shown.get("closedAt")
        wrong = []
        if accepted and (status != "closed" or closed_at is None):
            wrong.append(f"status {shown_value(status)}, closedAt {shown_value(closed_at)}")
        if accepted and all(reasons) and shown.get("closeReason") not in reasons:
            wrong.append(f"closeReason {shown_value(shown.get('closeReason'))}")
        self._judge(
            not wrong,
            closing[0].request.operation,
            "a closed conversation, with a reason that was given",
            "; ".join(wrong),
        )

    def _reading_of(self, known: _Object) -> RequestParts | None:
        """Return the request that reads the conversation itself."""
        for operation in operations().values():
            last = operation.path.rpartition("/")[2]
            if operation.method == "GET" and last == "{conversationId}":
                return valid_request(operation, known.ids, self._key)
        return None

    def _messages(self, known: _Object) -> list[Mapping[str, Any]] | None:
        """Return all messages of a conversation, or None if they are not shown."""
        for operation in operations().values():
            if operation.owned and operation.paging is not None:
                request = valid_request(operation, known.ids, self._key)
                exchange = None if request is None else self._send(request)
                if exchange is None or exchange.status not in SUCCESS or faults_of(exchange):
                    return None
                return list(exchange.document[operation.paging.items])
        return None

    # Visitors

    def visitors(self) -> None:
        """Send the same request as two visitors at the same time, about their own objects."""
        if not self._context.target.has_two_visitors:
            for name in RULES[RULE].operations:
                if not self._findings.tested[RULE, name]:
                    self._findings.prevent(RULE, name, TWO_VISITORS)
            return
        first = self._ready([])
        if first is None:
            return
        self._history[:] = first.origin
        stranger = self._context.visitor(SECOND).session
        maker = ObjectMaker(lambda request: self._send(request, stranger), self._key)
        reading = self._reading_of(first)
        second = {}
        if self._context.size.whole and reading is not None:
            second = maker.make(reading.described)
        origin = list(self._history)
        for name in RULES[RULE].operations:
            operation = operations()[name]
            if ends_object(operation) or takes_feedback(operation) or not operation.needs_token:
                continue
            if not self._context.size.whole and not _is_of_visitor(name):
                continue
            self._history[:] = origin
            self._pair = name, name
            calls = [
                (session, request)
                for session, ids in ((self._session, first.ids), (stranger, second))
                if (request := valid_request(operation, ids, self._key)) is not None
            ]
            if len(calls) == len(VISITORS):
                self._two_requests(operation, calls, reading)

    def _two_requests(
        self,
        operation: Operation,
        calls: Sequence[tuple[Session, RequestParts]],
        reading: RequestParts | None,
    ) -> None:
        """Send the requests of two visitors at the same time, and judge the answers."""
        if operation.stream is not None:
            self._two_answers(calls)
        elif operation.method == "GET":
            self._two_readings(calls)
        elif _creates(operation) and reading is not None:
            self._two_objects(calls, reading.described)

    def _two_readings(self, calls: Sequence[tuple[Session, RequestParts]]) -> None:
        """Compare the answers to two visitors at the same time with those to each alone."""
        alone = [self._send(request, session) for session, request in calls]
        sent = self._together(*calls)
        if sent is None or any(each.status not in SUCCESS for each in alone):
            return
        for each, before in zip(sent, alone, strict=True):
            own, shown = (
                tolerance.lasting(shown_objects.described(e)) for e in (before, each.exchange)
            )
            self._judge(
                each.exchange.status == before.status and own == shown,
                before.operation,
                "for each visitor, the same answer as alone",
                f"{each.exchange.status}, another answer",
                each.exchange,
            )

    def _two_objects(
        self, calls: Sequence[tuple[Session, RequestParts]], reading: Operation
    ) -> None:
        """Check that objects that two visitors create at the same time belong to their own."""
        sent = self._together(*calls) or []
        for (session, _), each in zip(calls, sent, strict=False):
            made = each.exchange.document.get("id")
            if not each.accepted or not is_uuid(str(made)):
                continue
            names = [parameter.name for parameter in reading.places("path")]
            request = valid_request(reading, dict.fromkeys(names, str(made)), self._key)
            if request is not None:
                exchange = self._send(request, session)
                self._judge(
                    exchange.status in SUCCESS,
                    each.request.operation,
                    "an object that its own visitor can read",
                    str(exchange.status),
                )

    def _two_answers(self, calls: Sequence[tuple[Session, RequestParts]]) -> None:
        """Check that two visitors get their own answers, which are stored with their messages."""
        asked = []
        for number, (session, request) in enumerate(calls):
            stream = request.described.stream
            flag = {} if stream is None else {stream.request_flag: True}
            content = {"content": _text(number)}
            asked.append((session, request.changed(body={**request.body, **flag, **content})))
        sent = self._together(*asked) or []
        for (session, _), each in zip(asked, sent, strict=False):
            if not each.accepted or each.exchange.status == _QUEUED:
                continue
            path = {"conversationId": each.request.path["conversationId"]}
            exchange = session.call("getMessages", path=path)
            self._findings.see(exchange, self._history)
            if exchange.status not in SUCCESS or faults_of(exchange):
                continue
            texts = [text_of(m.get("parts")) for m in exchange.document["data"]]
            answer = _answer(each.exchange)
            self._judge(
                answer is None or texts[-2:] == [_content(each.request), answer],
                each.request.operation,
                "the own message and its answer, as it was sent",
                shown_value(texts[-2:])[:200],
            )

    # Requests and judgements

    def _together(self, *calls: tuple[Session, RequestParts]) -> list[_Sent] | None:
        """Send requests at the same time; return None if one of them proves nothing."""
        exchanges = self._parallel.send(
            *((session, _sender(request)) for session, request in calls)
        )
        for exchange in exchanges:
            self._findings.see(exchange, self._history)
        unusable = any(faults_of(exchange) for exchange in exchanges)
        if unusable or any(exchange.refused or exchange.repeats for exchange in exchanges):
            self._counts = False
            reason = next(
                (refused_reason(exchange) for exchange in exchanges if exchange.withheld),
                "a request at the same time was refused, lost or answered wrongly",
            )
            for name in dict.fromkeys(self._pair):
                if not self._findings.tested[RULE, name]:
                    self._findings.prevent(RULE, name, reason)
            return None
        return [
            _Sent(request, exchange)
            for (_, request), exchange in zip(calls, exchanges, strict=True)
        ]

    def _send(self, request: RequestParts, session: Session | None = None) -> Exchange:
        if session is None:
            needs_token = request.described.needs_token
            session = self._session if needs_token else self._context.anonymous
        exchange = session.send(request)
        self._findings.see(exchange, self._history)
        if _creates(request.described) and session is self._session:
            self._count += exchange.status in SUCCESS
        # Such a request may have been carried out, or carried out twice.
        self._counts &= not exchange.repeats and exchange.status < 500
        return exchange

    def _judge(
        self,
        kept: object,
        operation: str,
        expected: str,
        actual: str,
        exchange: Exchange | None = None,
    ) -> None:
        """Judge a round; ``exchange`` is the one that shows the result, if not the last one."""
        others = [name for name in self._pair if name != operation] or [operation]
        history = self._history
        if exchange is not None:
            rest = [each for each in history if each is not exchange]
            history = [*rest, exchange]
        self._findings.judge(kept, RULE, operation, expected, actual, history, f"with {others[0]}")


def _torn(exchange: Exchange) -> Iterator[str]:
    """Yield the properties in an answer that do not belong together, and duplicated objects."""
    shown = list(shown_objects.objects(exchange))
    for each in shown:
        closed_at, status = each.value.get("closedAt"), each.value.get("status")
        if each.kind == "conversation" and (status == "closed") != (closed_at is not None):
            yield f"status {shown_value(status)} with closedAt {shown_value(closed_at)}"
        given, at = (each.value.get(name) for name in ("feedback", "feedbackAt"))
        if "feedbackAt" in each.value and (given is None) != (at is None):
            yield f"feedback {shown_value(given)} with feedbackAt {shown_value(at)}"
    keys = [each.key for each in shown]
    if len(set(keys)) < len(keys):
        yield "an object twice"


def _values(
    operation: Operation, shown: Mapping[str, Any], number: int
) -> Iterator[tuple[str, str | None]]:
    """Yield texts and choices that differ from those of other requests, by name."""
    for name, schema in properties(operation).items():
        for form in forms(schema):
            if "enum" in form:
                # After the first round, another value is sent than is stored, so that a lost
                # update shows.
                stored = shown.get(name) if number > 1 else None
                values = [value for value in form["enum"] if value != stored]
                removes = number == _REMOVING and name in _removable(operation)
                yield name, None if removes else values[number % len(values)]
            elif form.get("type") == "string" and "format" not in form:
                yield name, _text(number)


def _removable(operation: Operation) -> list[str]:
    """Return the properties of which a request can remove the value, by null."""
    return [
        name
        for name, schema in properties(operation).items()
        if any("enum" in form for form in forms(schema))
        and any(form.get("type") == "null" for form in forms(schema))
    ]


def _text(number: int) -> str:
    """Return a text that differs from all others, and asks something else than the next one."""
    return f"{_QUESTIONS[number % len(_QUESTIONS)]} {uuid.uuid4().hex[:8]}"


def _sender(request: RequestParts) -> Callable[[Session], Exchange]:
    return lambda session: session.send(request)


def _creates(operation: Operation) -> bool:
    return _CREATED in operation.responses and operation.needs_token


def _visitor_id(exchange: Exchange) -> str | None:
    visitor = exchange.document.get("visitor")
    return _in_lower_case(visitor.get("id")) if isinstance(visitor, Mapping) else None


def _in_lower_case(id_: object) -> str:
    """Return an id in a form that can be compared: its case has no meaning."""
    return str(id_).lower()


def _content(request: RequestParts) -> str:
    """Return the text of a message that a request sends."""
    return str((request.body or {}).get("content")) if isinstance(request.body, Mapping) else ""


def _answer(exchange: Exchange) -> str | None:
    """Return the text of an answer, or None if it broke off."""
    if exchange.media_type != EVENT_STREAM:
        return answer_text(exchange.document)
    parsed = read_stream(exchange.operation, exchange.content)
    return None if parsed.broken_off or parsed.faults else parsed.text


def _known(messages: Sequence[Mapping[str, Any]]) -> list[KnownMessage]:
    return [KnownMessage.of(dict(message)) for message in messages]
