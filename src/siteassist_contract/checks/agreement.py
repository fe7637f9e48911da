"""Agreement of the places that show one object, and requests that leave out earlier values.

`siteassist_contract.findings` compares the objects in every answer with those of earlier
answers. The checks here read each place after each step, compare places again and again in
properties that may change by themselves, and leave out properties that they sent before.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks import shown_objects
from siteassist_contract.checks.behaviour.model import KnownConversation, has_fraction
from siteassist_contract.checks.behaviour.visitor import MOST, Visitor
from siteassist_contract.checks.bounds import probes
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.text_fields import adds_entry
from siteassist_contract.description import answer_properties, operations
from siteassist_contract.findings import compared_with, few
from siteassist_contract.http.json_reader import shown_value
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts, valid_request, value_of
from siteassist_contract.rules import EVERY_ANSWER, GENTLE, LISTS, RULES
from siteassist_spec import Operation

AGREEMENT, STICKS = "agreement", "nothing-sticks"
_PAUSES = (0.3, 1.5)
"""Times, in seconds, after which an answer is compared again before it makes a violation.

The index of a list may lag behind by a second.
"""
_SECOND = 1.0
"""Time, in seconds, after which times in whole seconds differ."""
_MARK = re.compile(r"mark-[0-9a-f]{12}")


def check_places(context: CheckContext) -> None:
    """Read a conversation in every place that shows it, after each step of its life."""
    if not context.has_key:
        for name in RULES[AGREEMENT].operations:
            if not any(map(shown_objects.is_owned, shown_objects.kinds(name))):
                context.without_key((AGREEMENT, name))
    visitor = context.visitor()
    places = _Places(context, visitor)
    known = visitor.start()
    if known is None:
        return
    if context.size.whole and not context.profile.gentle:
        for step in _life(visitor, known):
            step()
            for request in places.requests(known):
                places.send(request)
    places.compare_twice(known)


def check_entries(context: CheckContext) -> None:
    """Compare the entries of lists that need no token with the answers about each entry alone."""
    if context.has_key:
        context.recorder.history.clear()
        _Places(context, None).compare_entries()


def check_sticking(context: CheckContext) -> None:
    """Send requests without the properties of an earlier one."""
    sticking = _Sticking(context)
    sticking.lists()
    if context.profile.gentle:
        for name in RULES[STICKS].operations:
            if operations()[name].method != "GET":
                context.findings.prevent(STICKS, name, GENTLE)
        return
    sticking.conversations()
    sticking.completions()
    if context.size.whole:
        sticking.stream_flag()


CHECKS: tuple[Check, ...] = (
    ("every place that shows a conversation", check_places, LISTS),
    (
        "every place that shows an entry",
        check_entries,
        EVERY_ANSWER,
    ),
    ("optional parts of a request", check_sticking, LISTS | {STICKS}),
)


def _life(visitor: Visitor, known: KnownConversation) -> Iterator[Callable[[], object]]:
    """Yield the steps of a conversation."""
    for stream in (False, True):
        yield partial(visitor.send, known, f"Where? {_mark()}", stream=stream)
    answers = [message for message in known.messages if message.role == "assistant"]
    for message in answers[-1:]:
        for feedback in ("like", "dislike", None):
            yield partial(visitor.rate, known, message, feedback)
    for body in ({"closeReason": f"Shown {_mark()}"}, None):
        yield partial(visitor.close, known, body)


class _Places:
    """The operations that show an object."""

    def __init__(self, context: CheckContext, visitor: Visitor | None) -> None:
        self._context = context
        self._session = context.anonymous if visitor is None else visitor.session
        self._findings = context.findings
        self._history = context.recorder.history

    def requests(self, known: KnownConversation) -> Iterator[RequestParts]:
        """Yield a request for each place that shows a conversation."""
        for operation in operations().values():
            kinds = shown_objects.kinds(operation.operation_id)
            owned = operation.needs_token and any(map(shown_objects.is_owned, kinds))
            if operation.method == "GET" and owned:
                request = valid_request(operation, {"conversationId": known.id}, None)
                if request is not None:
                    yield _whole_page(request)

    def compare_twice(self, known: KnownConversation) -> None:
        """Compare a conversation in two places, with properties that may change by themselves."""
        found = [r for r in self.requests(known) if "conversation" in _kinds(r)]
        for request in found[1:]:
            self._compare(found[0], request, known.id)

    def compare_entries(self) -> None:
        """Compare the first entry of each list with the answer that shows it alone."""
        key = self._context.target.api_key
        maker = ObjectMaker(self.send, key)
        for operation in operations().values():
            if operation.needs_token or operation.method != "GET" or operation.paging is not None:
                continue
            ids = maker.make(operation)
            alone = valid_request(operation, ids, key)
            lists = [
                valid_request(other, ids, key)
                for other in operations().values()
                if other.paging is not None and not other.needs_token
            ]
            for found in lists:
                if alone is not None and found is not None and _kinds(alone) & _kinds(found):
                    self._compare(alone, _whole_page(found), list(alone.path.values())[-1])

    def _compare(self, first: RequestParts, other: RequestParts, id_: str) -> None:
        """Compare two places in all properties, even those that may change by themselves.

        The first place is requested again after the other one. A property differs if the first
        place shows one value both times, the other place another one, and this remains after
        all pauses.
        """
        for pause in (0.0, *_PAUSES):
            if pause:
                self._context.recorder.rest(pause)
            before, between, after = (self.send(each) for each in (first, other, first))
            values, shown, again = (_shown(each, id_) for each in (before, between, after))
            names = sorted(values.keys() & shown.keys() & again.keys())
            wrong = [
                name
                for name in names
                if shown_objects.same(name, values[name], again[name])
                and not shown_objects.same(name, values[name], shown[name])
            ]
            if wrong and pause != _PAUSES[-1]:
                continue
            history = self._history[: self._history.index(between) + 1]
            for name in wrong or names[:1]:
                self._findings.judge(
                    name not in wrong,
                    AGREEMENT,
                    other.operation,
                    f"`{name}` {shown_value(values[name])},"
                    f" as {first.operation} shows it before and after",
                    f"`{name}` {shown_value(shown[name])}",
                    compared_with(before, history),
                    name,
                )
            return

    def send(self, request: RequestParts) -> Exchange:
        """Send a request, whose answer is compared with earlier ones."""
        exchange = self._session.send(request)
        self._findings.see(exchange, self._history)
        return exchange


class _Sticking:
    """Requests with marks in their texts, and later ones without."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._findings = context.findings
        self._history = context.recorder.history
        self._visitor = context.visitor()
        self._key = context.target.api_key
        self._begun = list(self._history)
        self._maker = ObjectMaker(self._send, self._key)

    def lists(self) -> None:
        """Request each list with options between two requests without any."""
        ids = self._entries_of_lists()
        for name in RULES[STICKS].operations:
            operation = operations()[name]
            if operation.method != "GET":
                continue
            ids = self._maker.make(operation, ids)
            request = valid_request(operation, ids, self._key)
            if request is None:
                if not self._context.has_key:
                    self._context.without_key((STICKS, name))
                continue
            if not (self._visitor.exclusive or operation.owned or not operation.needs_token):
                # Others may start conversations at the same time.
                self._context.without_key((STICKS, name))
                continue
            before = self._send(request)
            for words, other in self._others(request, before):
                between, after = (self._send(each) for each in (other, request))
                answered = between.status in (*SUCCESS, *tolerance.REFUSALS)
                if answered and _succeeded(before, after):
                    self._judge_list(before, after, words, between)
                    before = after

    def _entries_of_lists(self) -> dict[str, str]:
        """Create objects: a filter shows only in a list with an entry, an order in one with two."""
        ids: dict[str, str] = {}
        if self._context.profile.gentle:
            return ids
        for operation in operations().values():
            if operation.owned:
                ids = self._maker.make(operation, ids)
        for operation in operations().values() if self._context.size.whole else ():
            request = valid_request(operation, ids, self._key)
            if request is None or not adds_entry(operation) or operation.places("path"):
                continue
            # The order of entries with the same time is not defined. With fractions of a second,
            # the next request has another time anyway.
            if not any(has_fraction(str(each.document.get("createdAt"))) for each in self._history):
                self._context.recorder.rest(_SECOND)
            self._send(request)
        return ids

    def _others(
        self, request: RequestParts, before: Exchange
    ) -> Iterator[tuple[str, RequestParts]]:
        """Yield requests with options, and one with an invalid value for each parameter."""
        options = list(_options(request.described, before))
        merged = {n: v for option in options for n, v in option.items()}
        for query in [merged, *options] if self._context.size.whole else [merged]:
            words = ", ".join(f"{name}={value}" for name, value in query.items())
            yield words, request.changed(query=query)
        seen: set[str] = set()
        whole = self._context.size.whole and not self._context.profile.gentle
        for probe in probes(request) if whole else ():
            if probe.valid is False and probe.place not in seen:
                seen.add(probe.place)
                yield f"a `{probe.place}` that is {probe.words}", probe.request

    def _judge_list(self, before: Exchange, after: Exchange, words: str, between: Exchange) -> None:
        shown, now = (_entries(each) for each in (before, after))
        self._findings.judge(
            shown == now,
            STICKS,
            after.operation,
            f"the same entries as before a request with {words}: {shown_value(shown)[:200]}",
            shown_value(now)[:200],
            compared_with(before, compared_with(between, self._history)),
        )

    def conversations(self) -> None:
        """Use a conversation with all options, and then one without any."""
        self._history[:] = self._begun
        visitor, whole = self._visitor, self._context.size.whole
        site = "https://shop.example"
        full = visitor.start({"context": {"pageUrl": f"{site}/{_mark()}"}})
        if full is None:
            return
        page = {
            "url": f"{site}/{_mark()}",
            "title": f"Title {_mark()}",
            "content": f"Content {_mark()}",
            "textSelection": f"Selection {_mark()}",
        }
        visitor.send(full, f"Full {_mark()}", stream=False, extra={"pageContext": page})
        for message in [m for m in full.messages if m.role == "assistant"][:1] if whole else ():
            visitor.rate(full, message, "like")
        visitor.close(full, {"closeReason": f"Closed {_mark()}"})
        bare = visitor.start()
        if bare is None:
            return
        options: list[Mapping[str, Any]] = [{}]
        if whole:
            options += [{"pageContext": page | {"url": f"{site}/{_mark()}"}}]
            options += [{"pageContext": None}, {"pageContext": {"title": f"New {_mark()}"}}, {}]
        for extra in options:
            visitor.send(bare, "Without a page", stream=False, extra=extra)
        visitor.close(bare, {} if whole else None)
        for request in _Places(self._context, visitor).requests(bare):
            exchange = self._send(request)
            if exchange.status in SUCCESS:
                self._judge_marks(exchange, bare.id)

    def _judge_marks(self, exchange: Exchange, conversation: str) -> None:
        """Judge that a conversation and its messages have no mark that another request sent."""
        sent = [e for e in self._history if conversation in e.target.lower()]
        accepted = [e for e in sent if e.method != "GET" and e.status in SUCCESS]
        contents = [e for e in accepted if e.body]
        own = set(_marks(" ".join(e.body.decode("utf-8", "replace") for e in contents)))
        wrong: dict[str, list[str]] = {"message": [], "conversation": []}
        questions = 0
        pages = [e.sent for e in contents if operations()[e.operation].stream is not None]
        if any(each.repeats for each in sent):
            pages.clear()  # A message may be stored twice.
        for shown in shown_objects.objects(exchange):
            if conversation not in shown.ids:
                continue
            allowed = own
            question = len(shown.place) == 2 and shown.value.get("role") == "user"
            if question and questions < len(pages):
                allowed = set(_marks(shown_value(pages[questions])))
                questions += 1
            wrong.setdefault(shown.kind, []).extend(
                f"`{name}` {shown_value(value)[:100]}"
                for name, value in shown.value.items()
                if set(_marks(shown_value(value))) - allowed
                or (name.startswith("feedback") and value is not None)
            )
        for name in RULES[STICKS].operations:
            operation = operations()[name]
            if operation.method == "GET" or (operation.stream and not operation.owned):
                continue
            if operation.owned and not any(e.operation == name for e in accepted):
                continue
            kind = "message" if operation.stream is not None else "conversation"
            self._findings.judge(
                not wrong[kind],
                STICKS,
                name,
                f"nothing in a {kind} that was sent with another request",
                few(wrong[kind]),
                self._history,
            )

    def completions(self) -> None:
        """Request a completion after one with other messages."""
        for name in RULES[STICKS].operations:
            operation = operations()[name]
            if operation.stream is None or operation.owned:
                continue
            self._history[:] = self._begun
            request = valid_request(operation, {}, self._key)
            if request is None:
                continue
            marked = request.changed(body=_marked(request.body))
            first, second = (self._send(each) for each in (marked, request))
            if _succeeded(first, second):
                found = _marks(second.content.decode("utf-8", "replace"))
                self._findings.judge(
                    not found,
                    STICKS,
                    name,
                    "an answer without the words of an earlier request",
                    ", ".join(found),
                    compared_with(first, self._history),
                )

    def stream_flag(self) -> None:
        """Send a message without the flag before and after one that asks for a stream."""
        for name in RULES[STICKS].operations:
            operation = operations()[name]
            if operation.stream is None:
                continue
            self._history[:] = self._begun
            request = self._maker.request(operation)
            if request is None:
                continue
            flag = {**request.body, operation.stream.request_flag: True}
            before, between, after = (
                self._send(each) for each in (request, request.changed(body=flag), request)
            )
            if _succeeded(before, between, after):
                self._findings.judge(
                    before.media_type == after.media_type,
                    STICKS,
                    name,
                    f"{before.media_type}, as before a request for a stream",
                    after.media_type,
                    compared_with(before, compared_with(between, self._history)),
                    operation.stream.request_flag,
                )

    def _send(self, request: RequestParts) -> Exchange:
        session = self._context.session(request, self._visitor)
        exchange = session.send(request)
        self._findings.see(exchange, self._history)
        return exchange


def _kinds(request: RequestParts) -> frozenset[str]:
    return shown_objects.kinds(request.operation)


def _whole_page(request: RequestParts) -> RequestParts:
    """Return the request for the longest page of a list that has a total, or the request itself."""
    paging = request.described.paging
    if paging is None or paging.total is None:
        return request
    return request.changed(query={paging.limit: str(MOST)})


def _shown(exchange: Exchange, id_: str) -> Mapping[str, Any]:
    """Return the properties that an answer shows of an object."""
    found = (shown for shown in shown_objects.objects(exchange) if shown.key[1] == id_.lower())
    return next((shown.value for shown in found), {})


def _options(operation: Operation, page: Exchange) -> Iterator[dict[str, str]]:
    """Yield each optional parameter of a list with a value that makes a difference.

    A filter has a value that no entry of ``page`` has.
    """
    paging = operation.paging
    items = page.document.get(paging.items) if paging is not None else None
    entries = [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []
    for parameter in operation.places("query"):
        if parameter.required:
            continue
        schema = parameter.resolved
        if paging is not None and parameter.name == paging.offset:
            value: Any = 1
        elif "enum" in schema:
            shown = {parameter.default, *(str(entry.get(parameter.name)) for entry in entries)}
            value = next((v for v in schema["enum"] if v not in shown), schema["enum"][0])
        elif "minLength" in schema or "maxLength" in schema:
            value = "zyxwvq"
        else:
            value = value_of({n: v for n, v in schema.items() if n != "default"})
        yield {parameter.name: str(value)}


def _entries(exchange: Exchange) -> Any:
    """Return the content of a list: the ids of its entries, and its other properties.

    The order and the scores of results of a search may vary, so only their number counts.
    """
    shown = exchange.document
    return {
        name: _ids_or_number(shown[name]) if isinstance(shown[name], list) else shown[name]
        for name in answer_properties(operations()[exchange.operation])
        if name in shown
    }


def _ids_or_number(items: Sequence[Any]) -> Any:
    """Return the ids of items in their order, or the number of items if one has no id."""
    ids = [item["id"] for item in items if isinstance(item, Mapping) and "id" in item]
    return ids if len(ids) == len(items) else len(items)


def _succeeded(*exchanges: Exchange) -> bool:
    return all(exchange.status in SUCCESS for exchange in exchanges)


def _mark() -> str:
    return f"mark-{uuid.uuid4().hex[:12]}"


def _marks(text: str) -> Sequence[str]:
    return _MARK.findall(text)


def _marked(value: Any) -> Any:
    """Return a body with a mark in each ``content``."""
    if isinstance(value, Mapping):
        return {
            name: f"{item} {_mark()}" if name == "content" else _marked(item)
            for name, item in value.items()
        }
    return [_marked(item) for item in value] if isinstance(value, list) else value
