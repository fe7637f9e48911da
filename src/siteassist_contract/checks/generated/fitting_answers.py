"""Comparison of an answer with its own request.

The checks find faults that schemas cannot describe, but that a single exchange shows: an
ignored filter, a page that is too long, a wrong order, another object than the requested
one. Data of the wrong shape are left to the schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from siteassist_contract.description import (
    answer_properties,
    operations,
    resolve,
    takes_feedback,
)
from siteassist_contract.tolerance import GeneratedCall, sent_query, whole_number
from siteassist_spec import Json, Operation

_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def is_one_object(operation: Operation) -> bool:
    """Whether an operation reads the object that the last segment of its path names."""
    last = operation.path.rpartition("/")[2]
    return (
        operation.method == "GET" and last.startswith("{") and "id" in answer_properties(operation)
    )


def filters(operation: Operation) -> dict[str, Sequence[Any]]:
    """Return the values of each query parameter that filters a list by a property."""
    if operation.paging is None:
        return {}
    items = resolve(answer_properties(operation)[operation.paging.items]).get("items", {})
    entry = resolve(items).get("properties", {})
    return {
        parameter.name: parameter.resolved["enum"]
        for parameter in operation.places("query")
        if "enum" in parameter.resolved and parameter.name in entry
    }


def has_filter(operation: Operation) -> bool:
    """Whether an operation returns a list that can be filtered by a property of its entries."""
    return bool(filters(operation))


def is_judged(operation: Operation) -> bool:
    """Whether one answer of an operation can be compared with its request."""
    derived = is_one_object(operation) or operation.paging is not None or takes_feedback(operation)
    return derived or operation.operation_id in _RULES


def faults(exchange: GeneratedCall) -> list[str]:
    """Return the faults in the answer to an accepted request."""
    if not isinstance(exchange.answer, Mapping):
        return []
    return list(_faults(exchange, exchange.answer))


def _faults(exchange: GeneratedCall, answer: Json) -> Iterator[str]:
    operation = operations()[exchange.operation_id]
    paging = operation.paging
    if is_one_object(operation):
        yield from _asked_for(operation, exchange, answer)
    if paging is not None:
        default = operation.parameter(paging.limit).default
        yield from _page(exchange, answer, paging.items, paging.limit, default=default)
        if paging.total is not None:
            yield from _total(answer, paging.items, paging.total)
        for name in filters(operation):
            yield from _filtered(exchange, answer, paging.items, name)
    if takes_feedback(operation):
        yield from _feedback(exchange, answer)
    if exchange.operation_id in _RULES:
        yield from _RULES[exchange.operation_id](exchange, answer)


def _started(_: GeneratedCall, answer: Json) -> Iterator[str]:
    if answer.get("status") != "open":
        yield "a new conversation must be open"


def _feedback(exchange: GeneratedCall, answer: Json) -> Iterator[str]:
    if isinstance(exchange.body, Mapping) and "feedback" in exchange.body:
        given, stored = exchange.body["feedback"], answer.get("feedback")
        if given in ("like", "dislike", None) and given != stored:
            yield f"expected the feedback {given!r}, got {stored!r}"


def _asked_for(operation: Operation, exchange: GeneratedCall, answer: Json) -> Iterator[str]:
    parameter = operation.path.rpartition("/")[2].strip("{}")
    asked, got = str(exchange.path.get(parameter)), str(answer.get("id"))
    if asked.lower() != got.lower():
        yield f"expected the object {asked}, got {got}"


def _messages(_: GeneratedCall, answer: Json) -> Iterator[str]:
    times = [str(item.get("createdAt")) for item in _items(answer, "data")]
    # Timestamps in other formats may not sort as text: docs/evidence.md, O-7.
    if all(_MILLISECONDS.fullmatch(time) for time in times):
        yield from (
            f"messages must be sorted oldest first, got {later} after {earlier}"
            for earlier, later in pairwise(times)
            if later < earlier
        )


def _found(exchange: GeneratedCall, answer: Json) -> Iterator[str]:
    yield from _page(exchange, answer, "results", "size", default=10)


def _page(
    exchange: GeneratedCall, answer: Json, name: str, parameter: str, *, default: int | None
) -> Iterator[str]:
    sent = sent_query(exchange.url).get(parameter)
    limit = default if sent is None else whole_number(sent)
    count = len(_items(answer, name))
    if limit is not None and count > limit:
        yield f"`{parameter}` allows {limit} entries, got {count}"


def _total(answer: Json, items: str, name: str) -> Iterator[str]:
    total, count = answer.get(name), len(_items(answer, items))
    if isinstance(total, int | float) and total < count:
        yield f"`{name}` is {total}, but one page has {count} entries"


def _filtered(exchange: GeneratedCall, answer: Json, items: str, name: str) -> Iterator[str]:
    wanted = sent_query(exchange.url).get(name, [])
    if len(wanted) == 1:
        others = [i for i in _items(answer, items) if i.get(name) != wanted[0]]
        if others:
            yield f"expected `{name}` {wanted[0]}, got {others[0].get(name)}"


def _items(answer: Json, name: str) -> list[Json]:
    items = answer.get(name)
    return [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []


_RULES: dict[str, Callable[[GeneratedCall, Json], Iterator[str]]] = {
    "getMessages": _messages,
    "search": _found,
    "startConversation": _started,
}
"""Checks of promises in the prose of an operation that no schema or extension states."""
