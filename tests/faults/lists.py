"""Faults in pages, filters and orders."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from siteassist_mock.http.call import Call, Handler
from siteassist_mock.storage.store import Records
from siteassist_mock.storage.tables import MessageRow
from tests.faults import probes
from tests.faults.edits import change, edit, put, whole
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import Api, Visitor
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

__all__ = ["FAULTS"]

FAULTS = Faults("state")
_add = FAULTS.add
Original = Callable[..., Any]
# Declared for the loops below.
_probe: Probe

_ALL = "openapi.yaml getMessages.description (F-messages)"
_LIST = "openapi.yaml getConversations.description (P3)"


def _many(api: Api, number: int = 5) -> tuple[Visitor, list[str]]:
    """Create a visitor with conversations; return it and their ids, latest first."""
    visitor = api.visitor()
    started = [visitor.talk("Hi") for _ in range(number)]
    return visitor, started[::-1]


def _paged(api: Api) -> None:
    visitor, ids = _many(api)
    assert ids == visitor.ids()
    for limit in (1, 2, 5):
        pages = [visitor.list(limit=limit, offset=offset) for offset in range(0, 5, limit)]
        assert ids == [item["id"] for page in pages for item in page["data"]]
        assert {5} == {page["total"] for page in pages}
        assert {limit} == {page["limit"] for page in pages}
        assert list(range(0, 5, limit)) == [page["offset"] for page in pages]


def _default_limit(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(12):
        visitor.start()
    page = visitor.list()
    assert (10, 10, 12) == (len(page["data"]), page["limit"], page["total"])


def _filtered(api: Api) -> None:
    visitor, ids = _many(api)
    for conversation in ids[:2]:
        visitor.close(conversation)
    for status, expected in (("closed", ids[:2]), ("open", ids[2:])):
        page = visitor.list(status=status)
        assert (len(expected), set(expected)) == (
            page["total"],
            {item["id"] for item in page["data"]},
        )
        assert {status} == {item["status"] for item in page["data"]}
        assert 1 == len(visitor.ids(status=status, limit=1))


def _ordered(api: Api) -> None:
    visitor, ids = _many(api, 3)
    visitor.close(ids[1])
    visitor.say(ids[2], "Anything else?")
    expected = [ids[2], ids[0], ids[1]]
    assert expected == visitor.ids()
    assert expected[::-1] == visitor.ids(orderDir="asc")
    assert ids == visitor.ids(orderBy="createdAt")
    assert ids[::-1] == visitor.ids(orderBy="createdAt", orderDir="asc")
    for field in ("id", "updatedAt", "status", "title"):
        for direction in ("asc", "desc"):
            page = visitor.list(orderBy=field, orderDir=direction)["data"]
            values = [item[field] for item in page]
            assert sorted(values, reverse=direction == "desc") == values


def _closed_pages(api: Api) -> None:
    visitor, ids = _many(api, 4)
    for conversation in ids[:2]:
        visitor.close(conversation)
    assert ids[:2] == visitor.ids(status="closed", limit=3)


def _titled(api: Api) -> None:
    visitor = api.visitor()
    for title in ("Beta", "Alpha", "Gamma"):
        visitor.talk(title)
    titles = [item["title"] for item in visitor.list(orderBy="title", orderDir="asc")["data"]]
    assert sorted(titles) == titles


def _listing(how: Callable[[dict[str, Any]], dict[str, Any]]) -> Build:
    """Return a fault that changes the arguments of the query for conversations."""

    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        return original(*who, **{**more, **how(more)})

    return lambda server: server.records("conversations", query)


def _counting(how: Callable[[int, list[Any]], tuple[int, list[Any]]]) -> Build:
    """Return a fault that changes the result of the query for conversations."""

    def query(_records: Records, original: Original, *who: str, **more: Any) -> Any:
        return how(*original(*who, **more))

    return lambda server: server.records("conversations", query)


def _total_of_any_status(_records: Records, original: Original, *who: str, **more: Any) -> Any:
    return original(*who, **{**more, "status": None})[0], original(*who, **more)[1]


_OPPOSITE = {"open": "closed", "closed": "open", None: None}

for _name, _description, _evidence, _build, _probe, _rare in (
    (
        "total-of-page",
        "The total of conversations counts only the current page.",
        "R-17",
        _counting(lambda _total, page: (len(page), page)),
        _paged,
        False,
    ),
    (
        "total-ignores-status",
        "The total of conversations ignores the status filter.",
        "R-17",
        lambda server: server.records("conversations", _total_of_any_status),
        _filtered,
        True,
    ),
    (
        "offset-ignored",
        "getConversations ignores the offset.",
        "Parameter Offset (P3)",
        _listing(lambda _: {"offset": 0}),
        _paged,
        False,
    ),
    (
        "offset-one-too-high",
        "getConversations skips one conversation too many on all pages but the first.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": more["offset"] and more["offset"] + 1}),
        _paged,
        False,
    ),
    (
        "offset-counts-pages",
        "getConversations interprets the offset as a number of pages.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": more["offset"] * more["limit"]}),
        _paged,
        True,
    ),
    (
        "limit-ignored",
        "getConversations ignores the limit.",
        "Parameter Limit (P3)",
        _listing(lambda _: {"limit": 10}),
        _paged,
        False,
    ),
    (
        "limit-one-too-many",
        "getConversations returns one conversation more than the limit.",
        "Parameter Limit (P3)",
        _listing(lambda more: {"limit": more["limit"] + 1}),
        _paged,
        False,
    ),
    (
        "default-limit-20",
        "getConversations has a default limit of 20.",
        "Parameter Limit.default (P3)",
        lambda server: server.parameter("getConversations", "limit").update(default=20),
        _default_limit,
        True,
    ),
    (
        "limit-said-wrong",
        "getConversations always reports a limit of 10.",
        "ConversationList.properties.limit",
        edit("getConversations", "limit", put(10)),
        _paged,
        False,
    ),
    (
        "offset-said-wrong",
        "getConversations always reports an offset of 0.",
        "ConversationList.properties.offset",
        edit("getConversations", "offset", put(0)),
        _paged,
        False,
    ),
    (
        "order-ignored",
        "getConversations ignores orderBy.",
        "openapi.yaml getConversations orderBy (F-list)",
        _listing(lambda _: {"order_by": "lastInteractionAt"}),
        _ordered,
        False,
    ),
    (
        "order-by-title-ignored",
        "getConversations ignores orderBy=title.",
        "ConversationOrderBy.enum (F-list)",
        _listing(
            lambda more: {"order_by": "lastInteractionAt"} if more["order_by"] == "title" else {}
        ),
        _titled,
        True,
    ),
    (
        "direction-ignored",
        "getConversations ignores orderDir.",
        "OrderDirection (P3)",
        _listing(lambda _: {"descending": True}),
        _ordered,
        False,
    ),
    (
        "direction-turned-round",
        "getConversations swaps asc and desc if orderBy is given.",
        "OrderDirection.description (P3)",
        _listing(
            lambda more: (
                {}
                if more["order_by"] == "lastInteractionAt"
                else {"descending": not more["descending"]}
            )
        ),
        _ordered,
        True,
    ),
    (
        "default-direction-asc",
        "getConversations has the default orderDir asc.",
        "OrderDirection.default (P3)",
        lambda server: server.parameter("getConversations", "orderDir").update(default="asc"),
        _ordered,
        False,
    ),
    (
        "default-order-by-creation",
        "getConversations has the default orderBy createdAt.",
        "ConversationOrderBy.default",
        lambda server: server.parameter("getConversations", "orderBy").update(default="createdAt"),
        _ordered,
        False,
    ),
    (
        "status-ignored",
        "getConversations ignores the status.",
        "openapi.yaml getConversations status (P3)",
        _listing(lambda _: {"status": None}),
        _filtered,
        False,
    ),
    (
        "status-turned-round",
        "getConversations swaps the statuses open and closed.",
        "openapi.yaml getConversations status (P3)",
        _listing(lambda more: {"status": _OPPOSITE[more["status"]]}),
        _filtered,
        False,
    ),
    (
        "status-closed-ignored",
        "getConversations ignores the status closed if a limit is given.",
        "openapi.yaml getConversations status (P3)",
        _listing(
            lambda more: (
                {"status": None} if more["limit"] != 10 and more["status"] == "closed" else {}
            )
        ),
        _closed_pages,
        True,
    ),
    (
        "closed-not-listed",
        "getConversations omits closed conversations.",
        _LIST,
        _listing(lambda more: {"status": more["status"] or "open"}),
        probes.closed_and_kept,
        False,
    ),
    (
        "twice-on-later-pages",
        "Each page repeats the last conversation of the previous page.",
        "Parameter Offset (P3)",
        _listing(lambda more: {"offset": max(more["offset"] - 1, 0)}),
        _paged,
        False,
    ),
    (
        "last-interaction-never-noted",
        "A message does not move its conversation to the top of the list.",
        _LIST,
        lambda server: server.records(
            "touch_conversation", lambda _records, _original, *_words: None
        ),
        _ordered,
        False,
    ),
):
    _add(_name, _description, _evidence, _build, _probe, rare=_rare)


# Messages of a conversation.


def _pages_of_messages(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hi", "Hello", "Hey")
    every = [message["id"] for message in visitor.messages(conversation)]

    def ids(**query: Any) -> list[str]:
        return [message["id"] for message in visitor.messages(conversation, **query)]

    assert 6 == len(every)
    assert every[:2] == ids(limit=2)
    assert every[2:] == ids(offset=2)
    assert every[3:5] == ids(offset=3, limit=2)
    assert [] == ids(offset=6)
    assert every[::2] == ids(role="user")
    assert every[1::2] == ids(role="assistant", status="complete")
    assert every[3:4] == ids(role="assistant", offset=1, limit=1)
    assert every == ids(status="complete")
    assert [] == ids(status="error")
    assert [] == ids(status="streaming", role="user")


def _history(how: Callable[..., Any]) -> Build:
    return lambda server: server.records("messages", how)


def _asking(how: Callable[[dict[str, Any]], dict[str, Any]]) -> Build:
    """Return a fault that changes the arguments of the query for messages."""

    def query(_records: Records, original: Original, *which: str, **more: Any) -> Any:
        # Other operations query the messages without filters.
        return original(*which, **({**more, **how(more)} if more else {}))

    return _history(query)


def _page_then_role(
    _records: Records, original: Original, *which: str, **more: Any
) -> list[MessageRow]:
    role = more.pop("role", None)
    return [message for message in original(*which, **more) if role in {None, message.role}]


for _name, _description, _evidence, _build, _probe, _rare in (
    (
        "messages-newest-first",
        "getMessages returns the newest message first.",
        _ALL,
        edit("getMessages", "data", change(lambda data: data[::-1])),
        _pages_of_messages,
        False,
    ),
    (
        "messages-limit-ignored",
        "getMessages ignores the limit.",
        _ALL,
        _asking(lambda _: {"limit": None}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-limit-from-the-end",
        "getMessages returns the latest messages if there is a limit.",
        _ALL,
        _history(
            lambda _records, original, *which, **more: (
                original(*which, **{**more, "limit": None})[-more["limit"] :]
                if more.get("limit") and not more.get("offset")
                else original(*which, **more)
            )
        ),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-ignored",
        "getMessages ignores the offset.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda _: {"offset": 0}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-one-too-low",
        "getMessages skips one message too few.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda more: {"offset": max(more["offset"] - 1, 0)}),
        _pages_of_messages,
        False,
    ),
    (
        "messages-offset-needs-limit",
        "getMessages ignores the offset if there is no limit.",
        "openapi.yaml getMessages offset (F-messages)",
        _asking(lambda more: {"offset": more["offset"] if more["limit"] else 0}),
        _pages_of_messages,
        True,
    ),
    (
        "role-ignored",
        "getMessages ignores the role.",
        "openapi.yaml getMessages role (F-messages)",
        _asking(lambda _: {"role": None}),
        _pages_of_messages,
        False,
    ),
    (
        "role-ignored-with-status",
        "getMessages ignores the role if there is also a status.",
        "openapi.yaml getMessages role, status (F-messages)",
        _asking(lambda more: {"role": None} if more["status"] else {}),
        _pages_of_messages,
        True,
    ),
    (
        "message-status-ignored",
        "getMessages ignores the status.",
        "openapi.yaml getMessages status (F-messages)",
        _asking(lambda _: {"status": None}),
        _pages_of_messages,
        False,
    ),
    (
        "page-before-role",
        "getMessages filters by role after paging.",
        "openapi.yaml getMessages offset, role (F-messages)",
        _history(_page_then_role),
        _pages_of_messages,
        True,
    ),
    (
        "only-ten-messages",
        "getMessages has a default limit of ten.",
        _ALL,
        _asking(lambda more: {"limit": more["limit"] or 10}),
        probes.exchanged(6),
        True,
    ),
):
    _add(_name, _description, _evidence, _build, _probe, rare=_rare)


# Q&As, search and the project.


def _pages_of_qnas(api: Api) -> None:
    every = api.expect("getQnas", PROJECT_ID, limit=100)
    ids = [item["id"] for item in every["data"]]
    assert 12 == len(ids) == every["total"]
    pages = [api.expect("getQnas", PROJECT_ID, limit=5, offset=offset) for offset in (0, 5, 10)]
    assert ids == [item["id"] for page in pages for item in page["data"]]
    assert {12} == {page["total"] for page in pages}


def _qnas_matched(api: Api) -> None:
    page = api.expect("getQnas", PROJECT_ID, query="shipping")
    assert 2 == page["total"] == len(page["data"])
    assert all("shipping" in item["question"] for item in page["data"])


def _each_qna(api: Api) -> None:
    for item in api.expect("getQnas", PROJECT_ID)["data"]:
        assert item == api.expect("getQna", PROJECT_ID, item["id"])


def _foreign_project(api: Api) -> None:
    api.refused("getQnas", UNKNOWN_ID, by=(403, 404))
    api.refused("getQna", UNKNOWN_ID, QNA_ID, by=(403, 404))


def _sizes(api: Api) -> None:
    words = "shipping returns payment account contact desk shop order"
    every = api.expect("search", q=words, apiKey=API_KEY)["results"]
    assert len(every) > 3
    for size in (1, 3):
        assert size == len(api.expect("search", q=words, size=size, apiKey=API_KEY)["results"])


def _query(operation: str, **values: str) -> Build:
    """Return a fault that overrides query parameters."""
    return lambda server: server.before(operation, lambda exchange: exchange.query.update(values))


_add(
    "qnas-query-ignored",
    "getQnas ignores the query.",
    "openapi.yaml getQnas query (F-qnas)",
    _query("getQnas", query=""),
    _qnas_matched,
)
_add(
    "qnas-total-ignores-query",
    "The total of Q&As includes those that do not match.",
    "R-17",
    edit("getQnas", "total", put(12)),
    _qnas_matched,
    rare=True,
)
_add(
    "qnas-offset-ignored",
    "getQnas ignores the offset.",
    "Parameter Offset (F-qnas)",
    _query("getQnas", offset="0"),
    _pages_of_qnas,
)
_add(
    "qnas-total-of-page",
    "The total of Q&As counts only the current page.",
    "R-17",
    lambda server: server.after("getQnas", lambda exchange: _total_of_page(exchange)),
    _pages_of_qnas,
)
_add(
    "qnas-last-page-full",
    "The last page of Q&As is filled up with Q&As of the previous page.",
    "Parameter Offset (F-qnas)",
    lambda server: server.handler("getQnas", lambda call, handler: _filled_up(call, handler)),
    _pages_of_qnas,
    rare=True,
)
_add(
    "qna-always-the-first",
    "getQna returns the first Q&A for every id.",
    "openapi.yaml getQna.description",
    lambda server: server.handler(
        "getQna",
        lambda call, handler: handler(replace(call, path={**call.path, "qnaId": QNA_ID})),
    ),
    _each_qna,
)
_add(
    "qnas-of-any-project",
    "getQnas and getQna accept any projectId.",
    "openapi.yaml getQnas 404; getQna.description",
    lambda server: server.handler(
        "getQnas getQna",
        lambda call, handler: handler(replace(call, path={**call.path, "projectId": PROJECT_ID})),
    ),
    _foreign_project,
)
_add(
    "size-ignored",
    "search ignores the size.",
    "openapi.yaml search size (F-search)",
    _query("search", size="50"),
    _sizes,
)
_add(
    "size-one-too-many",
    "search returns one result more than size.",
    "openapi.yaml search size (F-search)",
    lambda server: server.handler(
        "search",
        lambda call, handler: handler(
            replace(call, query={**call.query, "size": call.query["size"] + 1})
        ),
    ),
    _sizes,
)


def _total_of_page(exchange: Any) -> None:
    if exchange.succeeded:
        value = exchange.json
        value["total"] = len(value["data"])
        exchange.json = value


def _filled_up(call: Call, handler: Handler) -> ASGIApp:
    last = max(len(call.services.knowledge.qnas) - call.query["limit"], 0)
    offset = min(call.query["offset"], last)
    return handler(replace(call, query={**call.query, "offset": offset}))


def _one_project(api: Api) -> None:
    first, second = (api.expect("getProject", apiKey=API_KEY) for _ in range(2))
    assert first == second


def _search_nothing(exchange: Exchange) -> None:
    if "query" in exchange.query:
        exchange.query["query"] = "xyzzyx"


_add(
    "project-renamed",
    "The name of the project changes with each request.",
    "openapi.yaml getProject.description (F-project)",
    whole("getProject", lambda found: {**found, "name": uuid.uuid4().hex}),
    _one_project,
)
_add(
    "qnas-query-finds-nothing",
    "getQnas finds no Q&A with any query.",
    "openapi.yaml getQnas query (F-qnas)",
    lambda server: server.before("getQnas", _search_nothing),
    _qnas_matched,
)
_add(
    "qnas-total-one-too-many",
    "The total of Q&As is one too high.",
    "R-17",
    edit("getQnas", "total", change(lambda total: total + bool(total))),
    _qnas_matched,
)
