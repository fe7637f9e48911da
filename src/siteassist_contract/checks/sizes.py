"""Lists, histories and texts that are larger than every page, default and common limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.behaviour.knowledge import WORD
from siteassist_contract.checks.behaviour.model import KnownMessage
from siteassist_contract.checks.behaviour.visitor import MOST, PAGE, Visitor
from siteassist_contract.checks.context import CheckContext
from siteassist_contract.checks.hard_values import ASTRAL, HardText
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.checks.text_fields import TextField, text_fields
from siteassist_contract.checks.texts import Letter, Writer
from siteassist_contract.description import operations, page_due, page_query, page_words
from siteassist_contract.findings import faults_of
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_contract.profiles import Size
from siteassist_contract.rules import EVERY_ANSWER, LISTS, TEXTS
from siteassist_spec import Operation

Json = Mapping[str, Any]
OK = 200
_CLOSED_EVERY = 9
"""Every ninth conversation is closed, which makes more than a page of closed ones."""
_PAGES = (20, 50, 100)
"""Lengths of pages that servers often have without a documented default."""
_MANY = 201
"""Number of messages of a completion."""
_LONG_ANSWER = "Count from 1 to 150, one number per line, without any other words."
_LONG, _LONGEST = 5_000, 66_000
_INJECTION = "zyxwvq' OR 'q'='q"
_QUERIES = 6
"""Maximum number of words to search for."""
_TIED = ("status", "closedAt", "title")
"""Fields by which many conversations are equal."""


def check_lists(context: CheckContext) -> None:
    """List more conversations than fit on any page."""
    if context.profile.gentle or not context.has_key:
        return  # the visitor of a token may be used by others
    visitor = context.visitor()
    whole = context.size.whole
    for _ in range(MOST + 2 if whole else PAGE + 2):
        if visitor.start(read=False) is None:
            return
    visitor.page()
    if not whole:
        for limit, offset in ((PAGE + 1, None), (None, PAGE), (MOST, 0), (PAGE, 5 * PAGE)):
            visitor.page(limit=limit, offset=offset)
        return
    conversations = list(visitor.known.values())
    for known in conversations[::_CLOSED_EVERY]:
        visitor.close(known)
    visitor.send(conversations[1], "How long does shipping take?", stream=False)
    visitor.read(conversations[0])
    _slices(context, visitor)
    visitor.pages(PAGE)
    visitor.pages(MOST // 3, status="open", order_by="createdAt", order_dir="asc")
    for limit, offset in ((None, None), (None, PAGE), (MOST, None), (PAGE, 2 * PAGE), (1, 1)):
        visitor.page(limit=limit, offset=offset, status="closed")
    for field in _TIED:
        visitor.orders(field)


def _slices(context: CheckContext, visitor: Visitor) -> None:
    """Check that each page is the slice of the whole list at its offset."""
    order = {"order_by": "id", "order_dir": "asc"}
    whole = visitor.pages(MOST, **order)
    if whole is None:
        return
    ids, count = _ids(whole), len(visitor.known)
    lengths = (PAGE + 1, 2 * PAGE, MOST // 2, MOST - 1, MOST)
    windows = [(limit, limit) for limit in lengths]
    windows += [(MOST, 1), (7, MOST - 3), (3, count - 2)]
    windows += [(PAGE, count), (PAGE, count + 1), (MOST, 10 * MOST)]
    for limit, offset in windows:
        shown = visitor.page(limit=limit, offset=offset, **order)
        due = ids[offset : offset + limit]
        context.findings.judge(
            # A refusal shows nothing, which `page` judges.
            not shown or _ids(shown) == due,
            "list-page",
            "getConversations",
            f"entries {offset} to {offset + len(due)} of the whole list",
            f"others, from {_place(ids, shown)}",
            context.recorder.history,
        )


def check_histories(context: CheckContext) -> None:
    """List more messages of a conversation than fit on a page of common length."""
    if context.profile.gentle or not context.size.whole:
        return
    visitor = context.visitor()
    known = visitor.start(read=False)
    if known is None:
        return
    history = _History(context, visitor, known.id)
    if history.grow(number_of_messages(context.size)):
        history.check()
        known.stale = True  # the model lacks the messages
        visitor.read(known)
        for message in [each for each in known.messages if each.role == "assistant"][-1:]:
            visitor.rate(known, message, "like")
        visitor.close(known)


def number_of_messages(size: Size) -> int:
    """Return the number of messages that fill the longest common page within a size, and more.

    Each has an answer, so half of a page is enough.
    """
    fitting = [length // 2 + 1 for length in _PAGES if length // 2 <= 2 * size.messages + 1]
    return max(fitting, default=_PAGES[0] // 2 + 1)


class _History:
    """A long conversation, with the messages sent and the answers to them."""

    def __init__(self, context: CheckContext, visitor: Visitor, conversation: str) -> None:
        self._context = context
        self._visitor = visitor
        self._path = {"conversationId": conversation}
        self._sent: list[tuple[str, str | None]] = []
        """The messages with their answers; None for an answer that broke off."""

    def grow(self, count: int) -> bool:
        """Send messages, and return whether all were answered."""
        for number in range(count):
            long = number in (1, 2)
            content = f"{number}: {_LONG_ANSWER}" if long else f"Question {number}: say OK."
            stream = number % 5 == 1
            body = {"content": content, "stream": stream}
            exchange = self._call("sendMessage", body=body)
            if exchange.refused or exchange.repeats:
                return False
            self._judge(
                exchange.status in SUCCESS,
                "accepted",
                "sendMessage",
                f"message {number + 1} of a conversation is accepted",
                str(exchange.status),
            )
            if exchange.status != OK or faults_of(exchange):
                return False
            self._sent.append((content, self._visitor.judge_answer(exchange, stream)))
        return True

    def check(self) -> None:
        """List all messages, pages of them and filtered ones, and read the conversation."""
        whole = self._list()
        if whole is None:
            return
        self._stored(whole)
        exchange = self._call("getConversation")
        if exchange.status == OK and not faults_of(exchange):
            shown = exchange.document.get("messages", [])
            self._judge(
                _ids(shown) == _ids(whole),
                "one-history",
                "getConversation",
                f"all {len(whole)} messages",
                f"{len(shown)}",
            )
        count = len(whole)
        maximum = operations()["getMessages"].parameter("limit").resolved["maximum"]
        limits = [*(length for length in _PAGES if length < count), count - 1, count, count + 1]
        windows: list[tuple[int | None, int | None]] = [(limit, 0) for limit in limits]
        windows += [(maximum, 0), (maximum, count - 1), (10, count - 5), (20, 20)]
        windows += [(None, 1), (None, count - 1), (None, count), (5, count + 1)]
        for limit, offset in windows:
            self._window(whole, limit, offset)
        for role in ("user", "assistant"):
            own = [each for each in whole if each.get("role") == role]
            half = max(len(own) // 2, 1)
            for limit, offset in ((None, None), (half, 0), (half, half - 1), (maximum, len(own))):
                self._window(own, limit, offset, role=role)
        complete = [each for each in whole if each.get("status") == "complete"]
        for limit, offset in ((None, None), (maximum, 1), (3, max(len(complete) - 2, 0))):
            self._window(complete, limit, offset, status="complete")

    def _stored(self, whole: Sequence[Json]) -> None:
        """Compare all stored messages with the sent ones and with the answers."""
        messages = [KnownMessage.of(dict(each)) for each in whole]
        own = [number for number, each in enumerate(messages) if each.role == "user"]
        contents = [content for content, _ in self._sent]
        stored = [messages[number].text for number in own]
        self._judge(
            stored == contents,
            "stored-message",
            "sendMessage",
            f"{len(contents)} messages of the visitor in their order",
            f"{len(stored)}, {sum(map(str.__eq__, stored, contents))} of them as they were sent",
        )
        if stored != contents:
            return
        ends = [*own[1:], len(messages)]
        for begin, end, (_, answer) in zip(own, ends, self._sent, strict=True):
            text = "".join(each.text for each in messages[begin + 1 : end])
            self._judge(
                answer is None or text == answer,
                "stored-answer",
                "sendMessage",
                f"the answer as it was sent, {len(answer or '')} characters",
                f"{len(text)} characters",
            )

    def _window(
        self, matching: Sequence[Json], limit: int | None, offset: int | None, **filters: str
    ) -> None:
        """List one page of the messages that match filters, and compare it with all of them."""
        shown = self._list(limit=limit, offset=offset, **filters)
        if shown is None:
            return
        begin = offset or 0
        due = matching[begin : None if limit is None else begin + limit]
        given = {"limit": limit, "offset": offset, **filters}
        words = ", ".join(f"{name}={value}" for name, value in given.items() if value is not None)
        self._judge(
            _ids(shown) == _ids(due),
            "list-page",
            "getMessages",
            f"{len(due)} messages for {words or 'no parameters'}",
            f"{len(shown)}, from {_place(_ids(matching), shown)}",
        )

    def _list(
        self, *, limit: int | None = None, offset: int | None = None, **filters: str
    ) -> list[Json] | None:
        """List messages; return None if the answer does not show them."""
        query = {**page_query("getMessages", limit=limit, offset=offset), **filters}
        exchange = self._call("getMessages", query=query)
        self._judge(
            exchange.status == OK,
            "accepted",
            "getMessages",
            "a valid request is accepted",
            str(exchange.status),
        )
        if exchange.status != OK or faults_of(exchange):
            return None
        shown: list[Json] = exchange.document.get("data", [])
        return shown

    def _call(
        self,
        operation: str,
        *,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
    ) -> Exchange:
        session = self._visitor.session
        exchange = session.call(operation, path=self._path, query=query, body=body)
        self._context.findings.see(exchange, self._context.recorder.history)
        return exchange

    def _judge(self, kept: object, rule: str, operation: str, expected: str, actual: str) -> None:
        history = self._context.recorder.history
        self._context.findings.judge(kept, rule, operation, expected, actual, history)


def check_large_texts(context: CheckContext) -> None:
    """Send long texts in the fields without a documented maximum, and many messages at once."""
    if context.profile.gentle:
        return
    writer = Writer(context)
    for operation in operations().values():
        fields = [f for f in text_fields(operation) if f.most is None and not f.in_query]
        shown = [field for field in fields if field.shown is not None]
        if shown and not context.size.whole:
            writer.send(operation, _large(shown, tolerance.LONGEST_TEXT))
        if context.size.whole and fields:
            writer.send(operation, _large(fields, _LONG))
        if not context.size.whole:
            continue
        # More bytes than a column of 16 bits, in one field that is shown, and in each that only
        # the assistant reads: together they would exceed the usual limit of a body.
        for field in (*shown[-1:], *(each for each in fields if each.shown is None)):
            writer.send(operation, _large([field], _LONGEST))
    if context.size.whole:
        before = [
            {"role": role, "content": f"{number} of many messages"}
            for number in range(_MANY // 2)
            for role in ("user", "assistant")
        ]
        context.visitor().complete("How many messages were there?", stream=False, before=before)


def _large(fields: Sequence[TextField], length: int) -> Letter:
    # Characters of four bytes, so that a limit in bytes or in UTF-16 units may cut one.
    between = ASTRAL if length <= _LONG else " "
    words = between.join(f"word{number}" for number in range(length // 5))
    text = HardText(f"{length:,} characters", f"{words[: length - 1]}{ASTRAL}", "a limit")
    refused = tolerance.LARGE if length > tolerance.LONGEST_TEXT else ()
    return Letter(dict.fromkeys(fields, text), refused_with=refused)


def check_queries(context: CheckContext) -> None:
    """List pages of the entries that match a query."""
    if context.profile.gentle or not context.size.whole or not context.has_key:
        return
    context.recorder.history.clear()
    reader = _Searcher(context)
    for operation in operations().values():
        queried = any(field.in_query for field in text_fields(operation))
        if operation.paging is not None and queried and not operation.needs_token:
            reader.check(operation)


class _Searcher:
    """A reader of lists that are searched by a query, without a credential."""

    def __init__(self, context: CheckContext) -> None:
        self._findings = context.findings
        self._history = context.recorder.history
        self._session = context.anonymous
        self._key = context.target.api_key
        self._maker = ObjectMaker(self._send, self._key)

    def check(self, operation: Operation) -> None:
        """Look for a word that several entries have, and list its entries page by page."""
        paging, request = operation.paging, self._maker.request(operation)
        if paging is None or request is None:
            return
        (name,) = (str(f.steps[0]) for f in text_fields(operation) if f.in_query)
        start = list(self._history)
        entries = self._page(request, operation, limit=MOST, offset=0)
        self._inject(request.changed(query={name: _INJECTION}), operation, len(entries or []))
        for word in _common_words(entries or []):
            self._history[:] = start
            queried = request.changed(query={name: word})
            whole = self._page(queried, operation, limit=MOST, offset=0)
            if whole is not None and 1 < len(whole) < MOST:
                self._pages(queried, operation, _ids(whole))
                return

    def _inject(self, request: RequestParts, operation: Operation, count: int) -> None:
        """Check that a query does not become a part of a statement, which matches everything."""
        self._history[:] = self._history[:-1]
        shown = self._page(request, operation, limit=MOST, offset=0)
        if shown is not None and count > 1:
            self._judge(
                len(shown) < count,
                "qnas-search",
                operation,
                f"less than all {count} entries for {_INJECTION!r}",
                f"{len(shown)}",
            )

    def _pages(self, request: RequestParts, operation: Operation, ids: list[str]) -> None:
        """Compare pages with the whole list; equal entries may change places."""
        count = len(ids)
        for limit, offset in ((MOST, 1), (1, count), (PAGE, count + 5)):
            self._page(request, operation, limit=limit, offset=offset, count=count)
        found = []
        for offset in range(min(count, 5)):
            page = self._page(request, operation, limit=1, offset=offset, count=count)
            if page is None:
                return
            found += _ids(page)
        self._judge(
            len(set(found)) == min(count, 5) and set(found) <= set(ids),
            "list-page",
            operation,
            f"{min(count, 5)} entries, each on one page of 1",
            ", ".join(found),
        )

    def _page(
        self,
        request: RequestParts,
        operation: Operation,
        *,
        limit: int,
        offset: int,
        count: int | None = None,
    ) -> list[Json] | None:
        """Return the entries of a page, or None; ``count`` is the number of matching entries."""
        paging = operation.paging
        if paging is None or paging.total is None:
            return None
        query = {paging.limit: str(limit), paging.offset: str(offset)}
        exchange = self._send(request.changed(query=query))
        if exchange.status != OK or faults_of(exchange):
            self._judge(
                exchange.status == OK,
                "accepted",
                operation,
                "a valid request is accepted",
                str(exchange.status),
            )
            return None
        document = exchange.document
        shown: list[Json] = document.get(paging.items, [])
        if count is None and len(shown) < limit and offset == 0:
            count = len(shown)
        if count is not None:
            expected = {
                paging.total: count,
                **page_due(operation.operation_id, limit=limit, offset=offset),
            }
            actual = {name: document.get(name) for name in expected}
            words, got = page_words(expected), page_words(actual)
            total = document.get(paging.total)
            self._judge(total == count, "list-total", operation, words, got)
            due = max(0, min(limit, count - offset))
            self._judge(
                len(shown) == due and (actual == expected or total != count),
                "list-page",
                operation,
                f"{due} entries, {words}",
                f"{len(shown)}, {got}",
            )
        return shown

    def _send(self, request: RequestParts) -> Exchange:
        exchange = self._session.send(request)
        self._findings.see(exchange, self._history)
        return exchange

    def _judge(
        self, kept: object, rule: str, operation: Operation, expected: str, actual: str
    ) -> None:
        name = operation.operation_id
        self._findings.judge(kept, rule, name, expected, actual, self._history)


def _common_words(entries: Sequence[Json]) -> Iterator[str]:
    """Yield the words that most entries have in one of their texts, but not all entries."""
    counted = Counter(
        word
        for entry in entries
        for word in {
            word
            for value in entry.values()
            if isinstance(value, str)
            for word in WORD.findall(value.lower())
        }
    )
    shared = [word for word, count in counted.most_common() if 1 < count < len(entries)]
    yield from shared[:_QUERIES]


def _ids(items: Sequence[Json]) -> list[str]:
    return [str(item.get("id")).lower() for item in items]


def _place(ids: Sequence[str], shown: Sequence[Json]) -> str:
    """Return the place of the first entry of a page in the whole list, as text."""
    first = next(iter(_ids(shown)), None)
    if first is None:
        return "nowhere"
    return f"entry {ids.index(first)}" if first in ids else "outside of the list"


CHECKS = (
    ("long lists", check_lists, LISTS),
    ("long histories", check_histories, LISTS),
    ("large texts", check_large_texts, TEXTS),
    ("pages of a search", check_queries, EVERY_ANSWER | {"list-page", "list-total", "qnas-search"}),
)
