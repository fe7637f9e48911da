"""Checks of every operation that follow from the description alone.

A valid request is accepted; pages, filters and streams are as requested; no visitor can
access another visitor's object. A new operation is checked as soon as it is described.
The journeys test the further promises of the documents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siteassist_contract import tolerance
from siteassist_contract.checks.answers import MOST_HELD_BACK
from siteassist_contract.checks.behaviour.visitor import Visitor
from siteassist_contract.checks.context import SECOND, Check, CheckContext
from siteassist_contract.checks.generated import fitting_answers
from siteassist_contract.checks.objects import ObjectMaker
from siteassist_contract.description import ends_object, operations
from siteassist_contract.http.recorder import SUCCESS, Exchange
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.rules import EVERY_ANSWER, RULES, STREAMS
from siteassist_spec import Operation


def check_operations(context: CheckContext) -> None:
    """Check each operation with a valid request, its pages, filters and streams."""
    checks = _Checks(context)
    for operation in operations().values():
        checks.accepted(operation)


def check_isolation(context: CheckContext) -> None:
    """Try each operation as a second visitor on an object of the first one."""
    isolated = RULES["isolation"].operations
    if not context.target.has_two_visitors:
        context.without_second_visitor(*(("isolation", name) for name in isolated))
        return
    checks = _Checks(context)
    stranger = context.visitor(SECOND)
    for name in isolated:
        checks.isolated(operations()[name], stranger)
    for name in RULES["own-list"].operations:
        checks.own_list(operations()[name], stranger)


DERIVED: tuple[Check, ...] = (
    (
        "every operation",
        check_operations,
        STREAMS
        | {"fits-request", "list-filter", "list-page", "list-total", "no-token-needed"}
        | {"same-object"},
    ),
    (
        "every operation on another visitor's object",
        check_isolation,
        EVERY_ANSWER | {"isolation", "own-list", "no-token-needed"},
    ),
)


class _Checks:
    """The checks of operations, with one visitor."""

    def __init__(self, context: CheckContext) -> None:
        self._context = context
        self._findings = context.findings
        self._history = context.recorder.history
        self._visitor = context.visitor()
        self._session_start = list(self._history)
        self._key = context.target.api_key
        self._maker = ObjectMaker(self._send, self._key)
        self._ids: dict[str, str] = {}

    def accepted(self, operation: Operation) -> None:
        """Check that a valid request is accepted, and that its answers match the description."""
        request, made = self._request(operation, fresh=ends_object(operation))
        if not ends_object(operation):
            self._ids = made
        if request is None or (self._context.profile.gentle and request.costs):
            return  # `Refusals` and `streams` record why
        exchange = self._send(request)
        if not self._is_accepted(exchange):
            return
        if fitting_answers.is_judged(operation):
            faults = fitting_answers.faults(_generated(request, exchange))
            expected = "an answer that matches its request"
            self._judge(not faults, "fits-request", exchange, expected, "; ".join(faults))
        if operation.stream is not None and isinstance(request.body, Mapping):
            self._streams(request, operation.stream.request_flag)
        if fitting_answers.is_one_object(operation):
            (asked,) = list(request.path.values())[-1:]
            got = str(exchange.document.get("id"))
            self._judge(asked.lower() == got.lower(), "same-object", exchange, asked, got)
        if operation.paging is not None:
            self._pages(request, operation)

    def isolated(self, operation: Operation, stranger: Visitor) -> None:
        """Check that a stranger's request is refused, and does not change the object."""
        self._history[:] = self._session_start
        # A new object, since a faulty server may change or delete it.
        request, ids = self._request(operation, fresh=operation.method != "GET")
        if request is None:
            self._findings.prevent(
                "isolation", operation.operation_id, "no object for the request could be created"
            )
            return
        made = list(self._history)
        before = self._views(ids)
        self._history[:] = made
        exchange = self._send(request, stranger.session)
        if exchange.status in tolerance.CIRCUMSTANCES:
            return
        self._judge(
            exchange.status in tolerance.HIDDEN,
            "isolation",
            exchange,
            "403 or 404 for another visitor's object",
            str(exchange.status),
        )
        if operation.method == "GET":
            return
        for name, (status, shown) in self._views(ids).items():
            self._judge(
                (status, shown) == before.get(name, (status, shown)),
                "isolation",
                exchange,
                f"{name} returns the same to the owner as before",
                f"{status}, with another body" if status in SUCCESS else str(status),
            )

    def own_list(self, operation: Operation, stranger: Visitor) -> None:
        """Check that a stranger's list contains no object of the visitor."""
        request, _ = self._request(operation, fresh=False)
        if request is None or operation.paging is None:
            return
        own = _ids(self._send(request).document.get(operation.paging.items))
        exchange = self._send(request, stranger.session)
        if own and exchange.status in SUCCESS:
            shared = own & _ids(exchange.document.get(operation.paging.items))
            expected = "no entry of another visitor's list"
            self._judge(not shared, "own-list", exchange, expected, ", ".join(sorted(shared)))

    def _views(self, ids: Mapping[str, str]) -> dict[str, tuple[int, Any]]:
        """Return the status and the body that the owner gets for objects, by operation.

        Answers that were refused by circumstances are left out.
        """
        found = {}
        for name, operation in operations().items():
            names = {parameter.name for parameter in operation.places("path")}
            if operation.method == "GET" and operation.owned and names <= set(ids):
                request = valid_request(operation, ids, self._key)
                if request is not None:
                    exchange = self._send(request)
                    if not exchange.refused:
                        found[name] = exchange.status, tolerance.lasting(exchange.json)
        return found

    def _streams(self, request: RequestParts, flag: str) -> None:
        name = request.operation
        for streamed in (True, False):
            for attempt in range(MOST_HELD_BACK):
                if attempt and not (streamed and self._visitor.needs_stream(name)):
                    break
                exchange = self._send(request.changed(body={**request.body, flag: streamed}))
                if not self._is_accepted(exchange):
                    break
                self._visitor.judge_answer(exchange, streamed)

    def _pages(self, request: RequestParts, operation: Operation) -> None:
        paging = operation.paging
        if paging is None:
            return
        pages = []
        for offset in (0, 1):
            query = {paging.limit: "1", paging.offset: str(offset)}
            exchange = self._send(request.changed(query=query))
            if not self._is_accepted(exchange):
                return
            items = exchange.document.get(paging.items)
            entries = items if isinstance(items, list) else []
            self._judge(
                len(entries) <= 1, "list-page", exchange, "at most one entry", f"{len(entries)}"
            )
            pages.append((entries, exchange.document.get(paging.total or "")))
        (first, total), (second, again) = pages
        self._judge(
            not first or first != second,
            "list-page",
            exchange,
            f"another entry for `{paging.offset}` 1 than for 0",
            "the same",
        )
        if paging.total is not None:
            expected = f"`{paging.total}` {total} on each page"
            self._judge(total == again, "list-total", exchange, expected, str(again))
        for name, values in fitting_answers.filters(operation).items():
            for value in values:
                exchange = self._send(request.changed(query={name: str(value)}))
                shown = exchange.document.get(paging.items)
                wrong = [
                    item
                    for item in (shown if isinstance(shown, list) else [])
                    if isinstance(item, Mapping) and item.get(name) != value
                ]
                if self._is_accepted(exchange):
                    expected = f"only entries with `{name}` {value!r}"
                    self._judge(
                        not wrong, "list-filter", exchange, expected, f"{len(wrong)} others"
                    )

    def _request(
        self, operation: Operation, *, fresh: bool
    ) -> tuple[RequestParts | None, dict[str, str]]:
        """Return a valid request and the ids in it.

        ``fresh`` is whether to create new objects for the request.
        """
        made = self._maker.make(operation, {} if fresh else self._ids)
        return valid_request(operation, made, self._key), made

    def _send(self, request: RequestParts, session: Session | None = None) -> Exchange:
        if session is None:
            session = self._context.session(request, self._visitor)
        exchange = session.send(request)
        self._findings.see(exchange, self._history)
        return exchange

    def _is_accepted(self, exchange: Exchange) -> bool:
        """Check that a valid request was accepted, and return whether it was."""
        if exchange.status in tolerance.CIRCUMSTANCES:
            return False
        kept = exchange.status in SUCCESS
        status = str(exchange.status)
        self._judge(kept, "accepted", exchange, "a valid request is accepted", status)
        if not operations()[exchange.operation].needs_token:
            self._judge(kept, "no-token-needed", exchange, "a success without a token", status)
        return kept

    def _judge(
        self, kept: object, rule: str, exchange: Exchange, expected: str, actual: str
    ) -> None:
        self._findings.judge(kept, rule, exchange.operation, expected, actual, self._history)


def _generated(request: RequestParts, exchange: Exchange) -> tolerance.GeneratedCall:
    return tolerance.GeneratedCall(
        operation_id=exchange.operation,
        url=exchange.target,
        path=request.path,
        body=request.body,
        altered=frozenset(),
        status=exchange.status,
        answer=exchange.json,
    )


def _ids(items: Any) -> set[str]:
    """Return the ids of the entries of a list."""
    entries = items if isinstance(items, list) else []
    return {str(entry["id"]) for entry in entries if isinstance(entry, Mapping) and "id" in entry}
