"""Tells where an answer does not fit its own request.

What shapes cannot say and one request is enough to see: a filter that is
ignored, a page that is too long, an order that is wrong, another object than
the one that was asked for. Whatever has the wrong shape is left to the schemas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from siteassist_contract.tolerance import Exchange, sent_query

_MILLISECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
Json = Mapping[str, Any]


def faults(exchange: Exchange) -> list[str]:
    """Say what is wrong with the answer of a request that was accepted."""
    rule = _RULES.get(exchange.operation_id)
    answer = exchange.answer
    if rule is None or not isinstance(answer, Mapping):
        return []
    return list(rule(exchange, answer))


def _started(_: Exchange, answer: Json) -> Iterator[str]:
    if answer.get("status") != "open":
        yield "a conversation that was just started is open"


def _feedback(exchange: Exchange, answer: Json) -> Iterator[str]:
    if isinstance(exchange.body, Mapping) and "feedback" in exchange.body:
        given, stored = exchange.body["feedback"], answer.get("feedback")
        if given in ("like", "dislike", None) and given != stored:
            yield f"the feedback was {given!r}, stored is {stored!r}"


def _asked_for(parameter: str) -> Callable[[Exchange, Json], Iterator[str]]:
    def rule(exchange: Exchange, answer: Json) -> Iterator[str]:
        asked, got = str(exchange.path.get(parameter)), str(answer.get("id"))
        if asked.lower() != got.lower():
            yield f"{asked} was asked for, {got} came"

    return rule


def _conversations(exchange: Exchange, answer: Json) -> Iterator[str]:
    yield from _page(exchange, answer, "data", "limit", default=10)
    yield from _total(answer)
    yield from _filtered(exchange, answer, "status")


def _messages(exchange: Exchange, answer: Json) -> Iterator[str]:
    yield from _page(exchange, answer, "data", "limit", default=None)
    yield from _filtered(exchange, answer, "status")
    yield from _filtered(exchange, answer, "role")
    times = [str(item.get("createdAt")) for item in _items(answer, "data")]
    # Other formats are not known to sort as text: docs/evidence.md, O-7.
    if all(_MILLISECONDS.fullmatch(time) for time in times):
        yield from (
            f"messages come oldest first, {later} came after {earlier}"
            for earlier, later in pairwise(times)
            if later < earlier
        )


def _qnas(exchange: Exchange, answer: Json) -> Iterator[str]:
    yield from _page(exchange, answer, "data", "limit", default=10)
    yield from _total(answer)


def _found(exchange: Exchange, answer: Json) -> Iterator[str]:
    yield from _page(exchange, answer, "results", "size", default=10)


def _page(
    exchange: Exchange, answer: Json, name: str, parameter: str, *, default: int | None
) -> Iterator[str]:
    sent = sent_query(exchange.url).get(parameter)
    limit = default if sent is None else _whole(sent)
    count = len(_items(answer, name))
    if limit is not None and count > limit:
        yield f"`{parameter}` allows {limit}, {count} came"


def _total(answer: Json) -> Iterator[str]:
    total, count = answer.get("total"), len(_items(answer, "data"))
    if isinstance(total, int | float) and total < count:
        yield f"`total` is {total}, {count} came on one page"


def _filtered(exchange: Exchange, answer: Json, name: str) -> Iterator[str]:
    wanted = sent_query(exchange.url).get(name, [])
    if len(wanted) == 1:
        others = [i for i in _items(answer, "data") if i.get(name) != wanted[0]]
        if others:
            yield f"`{name}` was to be {wanted[0]}, {others[0].get(name)} came"


def _items(answer: Json, name: str) -> list[Json]:
    items = answer.get(name)
    return [i for i in items if isinstance(i, Mapping)] if isinstance(items, list) else []


def _whole(texts: list[str]) -> int | None:
    """Return the number that was sent, if there is one that nobody reads otherwise."""
    plain = len(texts) == 1 and texts[0].isascii() and texts[0].isdigit()
    return int(texts[0]) if plain else None


_RULES: dict[str, Callable[[Exchange, Json], Iterator[str]]] = {
    "getConversation": _asked_for("conversationId"),
    "getConversations": _conversations,
    "getMessages": _messages,
    "getQna": _asked_for("qnaId"),
    "getQnas": _qnas,
    "search": _found,
    "sendMessageFeedback": _feedback,
    "startConversation": _started,
}
