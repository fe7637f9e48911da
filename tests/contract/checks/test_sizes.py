"""Lists, histories and texts of more than common lengths."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_contract.checks import sizes
from siteassist_contract.checks.behaviour.visitor import MOST
from siteassist_contract.profiles import FIRST, PROFILES, Size

if TYPE_CHECKING:
    from siteassist_contract.checks.context import CheckContext
    from tests.contract.conftest import Fault, Forward, InProcess, MakeContext

pytestmark = pytest.mark.one_interpreter

Json = dict[str, Any]
Params = dict[str, str]
LISTS, HISTORY, ONE, QNAS = (
    "/v2/conversations",
    "/v2/conversations/[^/]*/messages",
    "/v2/conversations/[^/]*",
    "/v2/projects/[^/]*/qnas",
)


def answering(path: str, change: Callable[[Json, Params], None]) -> Fault:
    """Return a fault that changes the answers of a list."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        answer = forward(request)
        read = request.method == "GET" and re.fullmatch(path, request.url.path)
        if not read or answer.status_code != 200:
            return answer
        document = answer.json()
        change(document, dict(request.url.params))
        return httpx.Response(200, json=document)

    return fault


def asking(path: str, change: Callable[[Params], Params]) -> Fault:
    """Return a fault that reads another query than was sent."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.method != "GET" or not re.fullmatch(path, request.url.path):
            return forward(request)
        url = request.url.copy_with(params=change(dict(request.url.params)))
        return forward(httpx.Request("GET", url, headers=request.headers))

    return fault


def refusing(is_refused: Callable[[Json], bool], status: int = 400) -> Fault:
    """Return a server that refuses some bodies."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        if is_refused(body):
            return httpx.Response(status, json={"error": {"message": "No", "code": "NO"}})
        return forward(request)

    return fault


def cutting(most: int, *names: str) -> Fault:
    """Return a fault that cuts fields of the page of a message."""

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        body = json.loads(request.content) if request.content else {}
        page = body.get("pageContext") or {}
        if not page:
            return forward(request)
        body["pageContext"] = {n: v[:most] if n in names else v for n, v in page.items()}
        headers = {n: v for n, v in request.headers.items() if n != "content-length"}
        return forward(httpx.Request("POST", request.url, headers=headers, json=body))

    return fault


def at_most(most: int) -> Callable[[Json, Params], None]:
    """Return a change that shows at most a number of entries."""

    def change(document: Json, _: Params) -> None:
        document["data"] = document["data"][:most]

    return change


def total(count: Callable[[Json, Params], int]) -> Callable[[Json, Params], None]:
    """Return a change that reports another total."""

    def change(document: Json, params: Params) -> None:
        document["total"] = count(document, params)

    return change


def shuffled(document: Json, params: Params) -> None:
    """Change the places of equal entries from page to page."""
    if params.get("orderBy") == "status":
        random.Random(params.get("offset")).shuffle(document["data"])


def far(params: Params, most: int) -> Params:
    """Reduce an offset that is too far."""
    offset = int(params.get("offset", 0))
    return {**params, "offset": str(min(offset, most))}


def aligned(params: Params) -> Params:
    """Round an offset down to a whole page."""
    limit, offset = int(params.get("limit", 10)), int(params.get("offset", 0))
    return {**params, "offset": str(offset // limit * limit)}


def last_few(document: Json, _: Params) -> None:
    """Show the latest messages of a conversation only."""
    document["messages"] = document["messages"][-50:]


def filtered_late(document: Json, params: Params) -> None:
    """Apply the limit before the filter."""
    if params.get("role") == "assistant" and "limit" in params:
        document["data"] = document["data"][: int(params["limit"]) // 2]


def shortened(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Store only the last 20 messages of a conversation for the list."""
    answer = forward(request)
    if request.method == "GET" and re.fullmatch(HISTORY, request.url.path):
        entries = answer.json()["data"]
        if len(entries) > 40:
            return httpx.Response(200, json={"object": "list", "data": entries[-20:]})
    return answer


def gone_beyond(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Respond with 404 to a page beyond the end."""
    answer = forward(request)
    if (
        request.method == "GET"
        and request.url.path == LISTS
        and int(request.url.params.get("offset", 0))
        and not answer.json()["data"]
    ):
        return httpx.Response(404, json={"error": {"message": "No page", "code": "NO"}})
    return answer


lists, histories, large, queries = (check for _, check, _ in sizes.CHECKS)

FAULTS: dict[str, tuple[Callable[[CheckContext], None], bool, Fault, str]] = {
    "default-of-20": (
        lists,
        False,
        asking(LISTS, lambda params: {"limit": "20", **params}),
        "getConversations list-page",
    ),
    "nothing-beyond-10": (
        lists,
        False,
        answering(LISTS, at_most(10)),
        "getConversations list-page",
    ),
    "limit-capped-at-50": (
        lists,
        True,
        answering(LISTS, at_most(50)),
        "getConversations list-page",
    ),
    "limit-of-99": (lists, True, answering(LISTS, at_most(99)), "getConversations list-page"),
    "total-capped": (
        lists,
        True,
        answering(LISTS, total(lambda document, _: min(document["total"], 100))),
        "getConversations list-total",
    ),
    "total-without-filter": (
        lists,
        True,
        answering(LISTS, total(lambda *_: 102)),
        "getConversations list-total",
    ),
    "total-zero-beyond-the-end": (
        lists,
        False,
        answering(LISTS, total(lambda document, _: document["total"] if document["data"] else 0)),
        "getConversations list-total",
    ),
    "far-offset-reduced": (
        lists,
        True,
        asking(LISTS, lambda params: far(params, 100)),
        "getConversations list-page",
    ),
    "offset-aligned": (lists, True, asking(LISTS, aligned), "getConversations list-page"),
    "not-found-beyond-the-end": (lists, False, gone_beyond, "getConversations accepted"),
    "ties-change-places": (lists, True, answering(LISTS, shuffled), "getConversations list-order"),
    "history-of-50": (
        histories,
        True,
        answering(HISTORY, at_most(50)),
        "sendMessage stored-message",
    ),
    "limit-of-50-messages": (
        histories,
        True,
        asking(
            HISTORY, lambda p: {**p, **({"limit": "50"} if int(p.get("limit", 0)) > 50 else {})}
        ),
        "getMessages list-page",
    ),
    "latest-20": (histories, True, shortened, "sendMessage stored-message"),
    "conversation-has-50": (
        histories,
        True,
        answering(ONE, last_few),
        "getConversation one-history",
    ),
    "filter-after-limit": (
        histories,
        True,
        answering(HISTORY, filtered_late),
        "getMessages list-page",
    ),
    "title-cut-at-255": (
        large,
        False,
        cutting(255, "title"),
        "sendMessage texts-kept pageContext/title 2,000 characters",
    ),
    "url-cut-at-2048": (
        large,
        True,
        cutting(2048, "url"),
        "sendMessage texts-kept pageContext/url 5,000 characters",
    ),
    "selection-cut-at-65535": (
        large,
        True,
        cutting(65_535, "textSelection"),
        "sendMessage texts-kept pageContext/textSelection 66,000 characters",
    ),
    "title-refused-at-256": (
        large,
        False,
        refusing(lambda body: len((body.get("pageContext") or {}).get("title") or "") > 255),
        "sendMessage texts-accepted pageContext/title 2,000 characters",
    ),
    "long-page-500": (
        large,
        True,
        refusing(
            lambda body: len((body.get("pageContext") or {}).get("content") or "") > 60_000,
            status=500,
        ),
        "sendMessage no-server-error",
    ),
    "many-messages-refused": (
        large,
        True,
        refusing(lambda body: len(body.get("messages", ())) > 150),
        "createChatCompletion accepted",
    ),
    "query-without-offset": (
        queries,
        True,
        asking(QNAS, lambda p: {n: v for n, v in p.items() if n != "offset" or "query" not in p}),
        "getQnas list-page",
    ),
    "query-in-a-statement": (
        queries,
        True,
        asking(QNAS, lambda p: {n: v for n, v in p.items() if n != "query" or "'" not in v}),
        "getQnas qnas-search",
    ),
    "total-without-query": (
        queries,
        True,
        answering(QNAS, total(lambda d, p: 3 if p.get("limit") == "1" else d["total"])),
        "getQnas list-total",
    ),
}


def found(
    mock: InProcess,
    make_context: MakeContext,
    check: Callable[[CheckContext], None],
    fault: Fault | None,
    *,
    whole: bool = True,
) -> CheckContext:
    """Return the context after a check on a mock with a fault."""
    mock.fault = fault
    mock.requests.clear()
    context = make_context(mock, profile=PROFILES["default"])
    if not whole:
        context.size = FIRST
    check(context)
    return context


def shown(context: CheckContext) -> dict[str, str]:
    """Return the violations of a run, with the actual values."""
    return {key: each.actual for key, each in context.findings.violations.items()}


@pytest.mark.sweep(12)
@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_found(name: str, shared: InProcess, make_context: MakeContext) -> None:
    """Each fault is found by its check."""
    check, whole, fault, expected = FAULTS[name]
    assert expected in shown(found(shared, make_context, check, fault, whole=whole))


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(("words", "check", "rules"), sizes.CHECKS)
def test_correct_server_keeps_the_rules(
    words: str,
    check: Callable[[CheckContext], None],
    rules: frozenset[str],
    whole: bool,
    shared: InProcess,
    make_context: MakeContext,
) -> None:
    """There is no violation, and only the declared rules are tested."""
    context = found(shared, make_context, check, None, whole=whole)
    assert {} == shown(context)
    assert {rule for rule, _ in context.findings.tested} <= rules
    asked = len(shared.requests)
    assert asked <= (200 if whole else 25)
    assert whole or bool(asked) == (words in ("long lists", "large texts"))


def upper(document: Any) -> Any:
    """Return JSON with ids in capitals, and with fractions in place of whole numbers."""
    if isinstance(document, dict):
        return {
            name: value.upper() if name in ("id", "chatId") else upper(value)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [upper(item) for item in document]
    return (
        float(document)
        if isinstance(document, int) and not isinstance(document, bool)
        else document
    )


def differing(request: httpx.Request, forward: Forward) -> httpx.Response:
    """Respond as a server in another language might."""
    answer = forward(request)
    if "json" in answer.headers["content-type"] and request.url.path.startswith(LISTS):
        return httpx.Response(answer.status_code, json=upper(answer.json()))
    return answer


LARGE_TITLE = refusing(
    lambda body: len((body.get("pageContext") or {}).get("title") or "") > 2000, status=413
)
LEGAL: dict[str, tuple[Callable[[CheckContext], None], Fault]] = {
    "capitals-lists": (lists, differing),
    "capitals-histories": (histories, differing),
    "large-title": (large, LARGE_TITLE),
    "large-messages": (
        large,
        refusing(lambda body: any(len(m["content"]) > 2000 for m in body.get("messages", ())), 422),
    ),
}


@pytest.mark.parametrize("name", LEGAL)
def test_tolerated_server_keeps_the_rules(
    name: str, shared: InProcess, make_context: MakeContext
) -> None:
    """What the documents leave open is no violation."""
    check, fault = LEGAL[name]
    assert {} == shown(found(shared, make_context, check, fault))


def test_live_profile_creates_nothing(shared: InProcess, make_context: MakeContext) -> None:
    """Sizes are not tested on a server in production."""
    shared.fault = None
    shared.requests.clear()
    for _, check, _ in sizes.CHECKS:
        check(make_context(shared, profile=PROFILES["live"]))
    assert [] == shared.requests


def test_given_visitor_gets_no_long_list(shared: InProcess, make_context: MakeContext) -> None:
    """The visitor of a token may be used by others; only one conversation is added, and closed."""
    shared.fault = None
    body = {"apiKey": "sa_pk_1234567890abcdef", "saVid": "sizes"}
    started = shared.forward(httpx.Request("POST", "http://mock.test/v2/identity/init", json=body))
    context = make_context(shared, api_key=None, token=started.json()["sessionToken"])
    sizes.check_lists(context)
    assert {} == context.started
    sizes.check_histories(context)
    assert {} == shown(context)
    sizes.check_queries(context)
    assert {"getQnas"}.isdisjoint(name for _, name in context.findings.tested)


@pytest.mark.parametrize(("messages", "count"), [(4, 11), (6, 11), (12, 26), (30, 51)])
def test_history_grows_with_the_profile(messages: int, count: int) -> None:
    """Each message costs money, so a history is just longer than a common page."""
    assert count == sizes.number_of_messages(Size(MOST, messages))


def test_refused_message_ends_the_history(shared: InProcess, make_context: MakeContext) -> None:
    """A message that is refused by circumstances proves nothing."""
    sent: list[int] = []

    def fault(request: httpx.Request, forward: Forward) -> httpx.Response:
        if request.method == "POST" and request.url.path.endswith("/messages"):
            sent.append(1)
            if len(sent) == 5:
                error = {"message": "Pay", "code": "PAYMENT_REQUIRED"}
                return httpx.Response(402, json={"error": error})
        return forward(request)

    context = found(shared, make_context, histories, fault)
    assert {} == shown(context)
    assert ("stored-message", "sendMessage") not in context.findings.tested
