"""Faults of sizes: many objects, long texts and large pages, where small ones are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from starlette.types import ASGIApp

from siteassist_mock.http.call import Call, Handler
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.storage.store import Records
from tests.faults.edits import change, edit, received, whole
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import Api, Visitor, text_of
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("sizes")
_add = FAULTS.add
_fault = FAULTS.fault

_LIST = "openapi.yaml getConversations.description (P3)"
_ALL = "openapi.yaml getMessages.description (F-messages)"


def _started(api: Api, number: int) -> tuple[Visitor, list[str]]:
    """Start conversations of one visitor, and return them with the latest first."""
    visitor = api.visitor()
    return visitor, [visitor.start() for _ in range(number)][::-1]


# Many conversations.

_probe: Probe


def _all_on_one_page(api: Api) -> None:
    visitor, ids = _started(api, 51)
    assert ids == visitor.ids(limit=100)


def _total(api: Api) -> None:
    visitor, ids = _started(api, 26)
    assert len(ids) == visitor.list(limit=1)["total"]


def _oldest_read(api: Api) -> None:
    visitor, ids = _started(api, 31)
    visitor.read(ids[-1])


def _each_with_last_message(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(11):
        visitor.talk("Hi")
    assert all(item["lastMessage"] is not None for item in visitor.list(limit=20)["data"])


def _status_over_pages(api: Api) -> None:
    visitor, ids = _started(api, 5)
    for conversation in ids[:2]:
        visitor.close(conversation)
    assert ids[2:4] == visitor.ids(status="open", orderBy="createdAt", limit=2)
    assert ids[4:] == visitor.ids(status="open", orderBy="createdAt", limit=2, offset=2)


def _order_over_pages(api: Api) -> None:
    visitor, ids = _started(api, 4)
    query = {"orderBy": "createdAt", "orderDir": "asc", "limit": 2}
    assert ids[:1:-1] == visitor.ids(**query)
    assert ids[1::-1] == visitor.ids(**query, offset=2)


def _bounded(_records: Records, original: Any, *who: str, limit: int, **more: Any) -> Any:
    return original(*who, limit=min(limit, 50), **more)


def _filtered_later(
    records: Records, original: Any, who: str, *, status: str | None, **more: Any
) -> Any:
    total, page = original(who, status=None, **more)
    if status is None:
        return total, page
    matching = [conversation for conversation in page if conversation.status == status]
    return records.count_conversations(who, status=status), matching


def _sorted_later(
    _records: Records, original: Any, who: str, *, order_by: str, descending: bool, **more: Any
) -> Any:
    if order_by != "createdAt":
        return original(who, order_by=order_by, descending=descending, **more)
    total, page = original(who, order_by="lastInteractionAt", descending=True, **more)
    return total, page if descending else page[::-1]


for _name, _description, _build, _probe, _rare in (
    (
        "page-of-fifty-conversations-at-most",
        "A page has 50 conversations at most, even if limit is larger.",
        lambda server: server.records("conversations", _bounded),
        _all_on_one_page,
        True,
    ),
    (
        "total-of-conversations-capped",
        "total counts 25 conversations at most.",
        edit("getConversations", "total", change(lambda total: min(total, 25))),
        _total,
        True,
    ),
    (
        "last-message-for-ten-conversations",
        "Only the first ten conversations of a page have their lastMessage.",
        whole("getConversations", lambda page: _without_later_messages(page)),
        _each_with_last_message,
        True,
    ),
    (
        "status-chosen-within-page",
        "getConversations applies the filter status after it has cut the page.",
        lambda server: server.records("conversations", _filtered_later),
        _status_over_pages,
        False,
    ),
    (
        "order-by-creation-within-page",
        "getConversations sorts by createdAt after it has cut the page.",
        lambda server: server.records("conversations", _sorted_later),
        _order_over_pages,
        True,
    ),
):
    _add(_name, _description, _LIST, _build, _probe, rare=_rare)


def _without_later_messages(page: dict[str, Any]) -> dict[str, Any]:
    for item in page["data"][10:]:
        item["lastMessage"] = None
    return page


@_fault(
    "thirty-conversations-kept",
    "getConversation finds only the latest 30 conversations of a visitor.",
    "openapi.yaml getConversation.description (P5)",
    _oldest_read,
    rare=True,
)
def _thirty_kept(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            _, latest = records.conversations(
                call.visitor.id,
                status=None,
                order_by="createdAt",
                descending=True,
                limit=30,
                offset=0,
            )
        kept = [conversation.id for conversation in latest]
        if len(kept) == 30 and call.path["conversationId"] not in kept:
            raise ApiError(404)
        return handler(call)

    server.handler("getConversation", answer)


# Many messages.


def _exchanged(number: int, **request: Any) -> Probe:
    """Return a probe that all messages of a long conversation are listed in their order."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        said = [f"Hi {index}" for index in range(number)]
        conversation = visitor.talk(*said)
        assert said == visitor.texts(conversation, **request)[::2]

    return probe


@_fault(
    "hundred-messages-without-limit",
    "getMessages returns the first 100 messages unless there is a limit.",
    _ALL,
    _exchanged(51),
    rare=True,
)
def _hundred_messages(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        query = {**call.query, "limit": call.query["limit"] or 100}
        return handler(replace(call, query=query))

    server.handler("getMessages", answer)


_add(
    "messages-sorted-as-texts",
    "getMessages sorts by the numbers of messages as texts, so that the tenth follows the first.",
    _ALL,
    edit(
        "getMessages",
        "data",
        change(lambda data: [data[int(it) - 1] for it in sorted(map(str, _numbers(data)))]),
    ),
    _exchanged(6),
)


def _numbers(data: list[Any]) -> range:
    return range(1, len(data) + 1)


@_fault(
    "twenty-first-question-refused",
    "A message to a conversation with 40 messages is refused as too much for the model.",
    "openapi.yaml sendMessage.description (P2)",
    _exchanged(21),
    rare=True,
)
def _too_much_for_the_model(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        with call.services.store.read() as records:
            own = records.conversation(call.path["conversationId"], call.visitor.id)
            if own is not None and len(records.messages(own.id)) >= 40:
                raise ApiError(400, code="CONTEXT_LENGTH_EXCEEDED", message="Too many messages")
        return handler(call)

    server.handler("sendMessage", answer)


# Long texts.


def _kept(text: str) -> Probe:
    """Return a probe that a long message comes back."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        assert text == visitor.texts(visitor.talk(text))[0]

    return probe


def _in_bytes(length: int) -> Callable[[str], str]:
    """Return a function that cuts a text to a number of bytes of UTF-8."""
    return lambda text: text.encode(errors="surrogatepass")[:length].decode(errors="ignore")


_add(
    "message-cut-at-16-kilobytes",
    "Messages are cut to 16,383 bytes of UTF-8.",
    "SendMessageRequest.properties.content.maxLength (R-31)",
    received("sendMessage", "content", _in_bytes(16_383)),
    _kept("送" * 10_000),
    rare=True,
)


def _shown(field: str, name: str, text: str) -> Probe:
    """Return a probe that a long text of the page context comes back."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.start()
        visitor.say(conversation, "Hi", pageContext={field: text})
        shown = visitor.messages(conversation)[0][name]
        assert text == shown

    return probe


for _name, _description, _field, _make, _probe in (
    (
        "page-title-cut-at-255",
        "Titles of pages are cut to 255 characters.",
        "title",
        lambda text: text[:255],
        _shown("title", "pageTitle", "word " * 60),
    ),
    (
        "long-page-url-dropped",
        "Addresses of pages with more than 2,048 characters are stored as null.",
        "url",
        lambda text: text if len(text) <= 2_048 else None,
        _shown("url", "pageUrl", f"https://example.com/?{'q=1&' * 600}"),
    ),
    (
        "selection-cut-at-64-kilobytes",
        "A selection is cut to 65,535 bytes of UTF-8.",
        "textSelection",
        _in_bytes(65_535),
        _shown("textSelection", "textSelection", "東京 " * 10_000),
    ),
):
    _add(
        _name,
        _description,
        f"PageContext.properties.{_field} (R-31)",
        received("sendMessage", f"pageContext.{_field}", _make),
        _probe,
        rare=True,
    )


def _failing(operation: str, status: int, when: Callable[[Any], bool]) -> Build:
    """Return a fault that some bodies get an error ``status``."""

    def ask(exchange: Exchange) -> ASGIApp | None:
        body = exchange.request_json
        failed = isinstance(body, dict) and when(body)
        return error_response(ApiError(status)) if failed else None

    return lambda server: server.before(operation, ask)


def _completed(*contents: str) -> Probe:
    """Return a probe that a list of messages is answered."""

    def probe(api: Api) -> None:
        messages = [{"role": "user", "content": content} for content in contents]
        assert text_of(api.visitor().expect("createChatCompletion", body={"messages": messages}))

    return probe


def _long_page(api: Api) -> None:
    visitor = api.visitor()
    visitor.say(visitor.start(), "Hi", pageContext={"content": "word " * 12_000})


def _text(value: Any, *path: str) -> str:
    """Return the text at ``path``, or an empty one."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def _messages(body: dict[str, Any]) -> list[Any]:
    messages = body.get("messages")
    return messages if isinstance(messages, list) else []


_add(
    "long-page-content-500",
    "sendMessage fails with 500 if the content of the page has more than 50,000 characters.",
    "PageContext.properties.content (P2)",
    _failing("sendMessage", 500, lambda body: len(_text(body, "pageContext", "content")) > 50_000),
    _long_page,
    rare=True,
)
_add(
    "completion-of-many-messages-refused",
    "createChatCompletion refuses more than 50 messages.",
    "ChatCompletionRequest.properties.messages (F-chat)",
    _failing("createChatCompletion", 400, lambda body: len(_messages(body)) > 50),
    _completed(*["Hi"] * 51),
    rare=True,
)


# Lengths in other units.


def _longest_device(api: Api) -> None:
    api.session("機" * 100, wanted=201)


def _longest_reason(api: Api) -> None:
    visitor = api.visitor()
    visitor.close(visitor.start(), "🎉" * 256)


_add(
    "device-counted-in-bytes",
    "init refuses a device's identifier of more than 100 bytes of UTF-8.",
    "InitRequest.properties.saVid.maxLength (F-init)",
    _failing(
        "init", 422, lambda body: len(_text(body, "saVid").encode(errors="surrogatepass")) > 100
    ),
    _longest_device,
    rare=True,
)
_add(
    "reason-counted-in-utf-16",
    "closeConversation refuses a reason of more than 256 UTF-16 units.",
    "CloseConversationRequest.properties.closeReason.maxLength (R-16)",
    _failing(
        "closeConversation",
        422,
        lambda body: (
            len(_text(body, "closeReason").encode("utf-16-le", errors="surrogatepass")) > 512
        ),
    ),
    _longest_reason,
    rare=True,
)


# Q&As.


def _all_qnas(api: Api) -> None:
    first = api.expect("getQnas", PROJECT_ID, limit=1)
    page = api.expect("getQnas", PROJECT_ID, limit=100)
    assert min(100, first["total"]) == len(page["data"])


def _later_matches(api: Api) -> None:
    matches = api.expect("getQnas", PROJECT_ID, query="shipping")["data"]
    later = api.expect("getQnas", PROJECT_ID, query="shipping", offset=1)
    assert matches[1:] == later["data"]


_add(
    "ten-qnas-at-most",
    "A page has ten Q&As at most, even if limit is larger.",
    "openapi.yaml getQnas.description; parameter Limit (F-qnas)",
    edit("getQnas", "data", change(lambda data: data[:10])),
    _all_qnas,
)


@_fault(
    "qnas-offset-ignored-with-query",
    "getQnas ignores the offset if there is a query.",
    "openapi.yaml getQnas; parameter Offset (F-qnas)",
    _later_matches,
    rare=True,
)
def _offset_ignored_with_query(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        searched = call.query["query"] is not None
        return handler(replace(call, query={**call.query, "offset": 0}) if searched else call)

    def show(exchange: Exchange) -> None:
        offset = exchange.query.get("offset", "")
        if exchange.succeeded and "query" in exchange.query and offset.isdecimal():
            exchange.json = {**exchange.json, "offset": int(offset)}

    server.handler("getQnas", answer)
    server.after("getQnas", show)


# Search.


@_fault(
    "search-words-limited",
    "search fails with 500 if the query has more than 32 words.",
    "openapi.yaml search parameter q (F-search)",
    lambda api: api.expect("search", q="how long " * 20, apiKey=API_KEY),
    rare=True,
)
def _words_limited(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        many = len(exchange.query.get("q", "").split()) > 32
        return error_response(ApiError(500)) if many else None

    server.before("search", ask)
