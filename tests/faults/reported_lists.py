"""Faults of the lists of conversations: their order, pages, totals, filters and entries."""

from __future__ import annotations

import html
import json
import time
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from siteassist_mock.storage.store import ORDERS
from tests.faults.edits import change, edit, put, together, whole
from tests.faults.mutant import Faults

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler
    from siteassist_mock.storage.store import Records
    from tests.faults.faulty import Server
    from tests.faults.probing import Api

    Original = Callable[..., Any]

__all__ = ["FAULTS"]

FAULTS = Faults("reported")
_add = FAULTS.add
_fault = FAULTS.fault

_LIST = "getConversations"
_CACHED_SECONDS = 5


# Pages.


def _total_beyond_the_end(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(2):
        visitor.start()
    page = visitor.list(offset=5)
    assert ([], 2) == (page["data"], page["total"])


_add(
    "total-zero-beyond-the-end",
    "On a page beyond the last conversation, total is 0.",
    "R-17; ConversationList.properties.total (F-list)",
    edit(_LIST, "total", put(0), where=lambda page: not page["data"]),
    _total_beyond_the_end,
)


def _pages_with_ties(api: Api) -> None:
    visitor = api.visitor()
    started = [visitor.start() for _ in range(4)]
    pages = [visitor.ids(orderBy="status", limit=2, offset=offset) for offset in (0, 2)]
    assert sorted(started) == sorted(pages[0] + pages[1])


@_fault(
    "ties-flip-on-later-pages",
    "On pages after the first, conversations with equal values of orderBy are in the opposite"
    " order.",
    "openapi.yaml getConversations orderBy; Parameter Offset (P3); R-17",
    _pages_with_ties,
)
def _ties_flip(server: Server) -> None:
    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        offset, limit = more["offset"], more["limit"]
        if not offset:
            return original(*who, **more)
        total, rows = original(*who, **{**more, "limit": 10**6, "offset": 0})
        column = ORDERS[more["order_by"]].name
        flipped: list[Any] = []
        for _, ties in groupby(rows, key=lambda row: getattr(row, column)):
            flipped += reversed(list(ties))
        return total, flipped[offset : offset + limit]

    server.records("conversations", query)


# Filters.


def _all_after_closed(api: Api) -> None:
    visitor = api.visitor()
    still_open, closed = visitor.start(), visitor.start()
    visitor.close(closed)
    assert [closed] == visitor.ids(status="closed")
    assert {still_open, closed} == set(visitor.ids())


@_fault(
    "status-filter-sticks",
    "getConversations without a status takes the last status that the visitor asked for.",
    "openapi.yaml getConversations status (P3)",
    _all_after_closed,
)
def _status_sticks(server: Server) -> None:
    last: dict[str, str] = {}

    def query(_records: Records, original: Original, visitor: str, **more: Any) -> Any:
        if more["status"] is None:
            more["status"] = last.get(visitor)
        else:
            last[visitor] = more["status"]
        return original(visitor, **more)

    server.records("conversations", query)


def _list_follows_closing(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    assert ["open"] == [item["status"] for item in visitor.list()["data"]]
    visitor.close(conversation)
    assert ["closed"] == [item["status"] for item in visitor.list()["data"]]


@_fault(
    "list-cache-survives-close",
    "getConversations repeats an answer for five seconds, unless the visitor starts a conversation,"
    " sends a message or gives feedback.",
    "openapi.yaml closeConversation.description (F-close); O-22",
    _list_follows_closing,
)
def _cache_survives_close(server: Server) -> None:
    cached: dict[tuple[str, str], tuple[float, bytes]] = {}

    def listed(call: Call, handler: Handler) -> ASGIApp:
        key = (call.visitor.id, json.dumps(call.query, sort_keys=True))
        until, body = cached.get(key, (0.0, b""))
        if time.monotonic() < until:
            return Response(body, media_type="application/json")
        response = handler(call)
        assert isinstance(response, Response)
        cached[key] = time.monotonic() + _CACHED_SECONDS, bytes(response.body)
        return response

    def dropping(call: Call, handler: Handler) -> ASGIApp:
        for key in [key for key in cached if key[0] == call.visitor.id]:
            del cached[key]
        return handler(call)

    server.handler(_LIST, listed)
    server.handler("startConversation sendMessage sendMessageFeedback", dropping)


# Entries.


def _own_last_messages(api: Api) -> None:
    visitor = api.visitor()
    for content in ("Hi", "Hello"):
        visitor.talk(content)
    page = visitor.list()["data"]
    assert visitor.ids() == [item["lastMessage"]["chatId"] for item in page]


def _misaligned(page: dict[str, Any]) -> dict[str, Any]:
    conversations = page["data"]
    # Equal times stay in the order of creation, opposite to that of the list.
    found = [item["lastMessage"] for item in reversed(conversations) if item["lastMessage"]]
    found.sort(key=lambda message: message["createdAt"])
    pairs = zip_longest(conversations, found)
    return {**page, "data": [{**item, "lastMessage": message} for item, message in pairs]}


_add(
    "last-messages-misaligned",
    "The last messages of a page of conversations are in order of creation, and each conversation"
    " shows the one at its own position.",
    "ConversationSummary.properties.lastMessage (F-list); R-14; O-22",
    whole(_LIST, _misaligned),
    _own_last_messages,
)


def _rated_last_message(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.rate(visitor.messages(conversation)[-1]["id"], "dislike")
    rated = visitor.messages(conversation)[-1]
    assert "dislike" == rated["feedback"]
    assert rated == visitor.list()["data"][0]["lastMessage"]


_add(
    "last-message-without-feedback",
    "The lastMessage of a conversation shows no feedback.",
    "Message.properties.feedback (F-feedback); O-22",
    together(
        *(
            edit(_LIST, f"data.*.lastMessage.{name}", put(None))
            for name in ("feedback", "feedbackAt")
        )
    ),
    _rated_last_message,
)


def _same_reason_in_list(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    reason = "That's it & done"
    visitor.close(conversation, reason)
    assert reason == visitor.read(conversation)["closeReason"]
    assert reason == visitor.list()["data"][0]["closeReason"]


_add(
    "close-reason-escaped-in-list",
    "getConversations shows closeReason with the characters of HTML escaped.",
    "ConversationSummary.properties.closeReason; R-31; O-22",
    edit(_LIST, "data.*.closeReason", change(html.escape), where=lambda item: item["closeReason"]),
    _same_reason_in_list,
)
