"""Faults of validation: invalid requests that are accepted, and valid ones that are refused."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from siteassist_mock.http.errors import ApiError, error_response
from tests.faults import probes
from tests.faults.edits import assuming
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import EMOJI, Api
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("validation")
_add = FAULTS.add


def _schema(path: str, name: str, value: Any) -> Build:
    """Return a fault that changes a keyword of a schema, or removes it if ``value`` is None."""
    return lambda server: _put(server.schema(path), name, value)


def _parameter(operation: str, parameter: str, name: str, value: Any) -> Build:
    """Return a fault that changes a keyword of the schema of a query parameter."""
    return lambda server: _put(server.parameter(operation, parameter), name, value)


def _put(schema: dict[str, Any], name: str, value: Any) -> None:
    del schema[name]
    if value is not None:
        schema[name] = value


def _mend(operation: str, mend: Callable[[dict[str, Any]], object]) -> Build:
    """Return a fault that corrects an invalid body instead of refusing it."""

    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        if isinstance(sent, dict):
            mend(sent)
            exchange.request_json = sent

    return lambda server: server.before(operation, ask)


def _ignore(operation: str, parameter: str, known: set[str] | Callable[[str], bool]) -> Build:
    """Return a fault that ignores unknown values of a query parameter."""

    def ask(exchange: Exchange) -> None:
        value = exchange.query.get(parameter)
        if value is not None and not (value in known if isinstance(known, set) else known(value)):
            del exchange.query[parameter]

    return lambda server: server.before(operation, ask)


def _refuse(
    operations: str, when: Callable[[Exchange], bool], status: int = 400, code: str | None = None
) -> Build:
    """Return a fault that refuses the requests selected by ``when``."""

    def ask(exchange: Exchange) -> ASGIApp | None:
        if when(exchange):
            return error_response(ApiError(status, code=code))
        return None

    return lambda server: server.before(operations, ask)


def _talking(answer: Callable[[Api, str], object]) -> Probe:
    """Return a probe of one request by a visitor with a conversation."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        answer(visitor, visitor.start())

    return probe


def _bad_body(operation: str, body: Any, *path: str) -> Probe:
    """Return a probe that a body is refused."""

    def probe(api: Api) -> None:
        who = probes.caller(api, operation)
        steps = path
        if operation in {"sendMessage", "closeConversation"}:
            visitor = api.visitor()
            who, steps = visitor, (visitor.start(),)
        elif operation == "sendMessageFeedback":
            visitor = api.visitor()
            who, steps = visitor, (visitor.messages(visitor.talk())[-1]["id"],)
        who.invalid(operation, *steps, body=body)

    return probe


def _good_body(operation: str, body: Any, status: int = 200) -> Probe:
    """Return a probe that a body is accepted."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        steps: tuple[str, ...] = ()
        if operation in {"sendMessage", "closeConversation"}:
            steps = (visitor.start(),)
        visitor.expect(operation, *steps, wanted=status, body=body)

    return probe


def _dictionary(exchange: Exchange) -> dict[str, Any]:
    sent = exchange.request_json
    return sent if isinstance(sent, dict) else {}


def _content(exchange: Exchange) -> str:
    content = _dictionary(exchange).get("content")
    return content if isinstance(content, str) else ""


def _accepting_bodies() -> None:
    chat = {"messages": [{"role": "user", "content": "Hi"}]}
    for name, description, evidence, build, probe in (
        (
            "empty-content-taken",
            "sendMessage accepts an empty content.",
            "SendMessageRequest.properties.content.minLength",
            _schema("SendMessageRequest.properties.content", "minLength", None),
            _bad_body("sendMessage", {"content": ""}),
        ),
        (
            "content-one-too-long-taken",
            "sendMessage accepts a content of 10,001 characters.",
            "SendMessageRequest.properties.content.maxLength (P2)",
            _schema("SendMessageRequest.properties.content", "maxLength", 10_001),
            _bad_body("sendMessage", {"content": "x" * 10_001}),
        ),
        (
            "content-unbounded",
            "sendMessage accepts a content of any length.",
            "SendMessageRequest.properties.content.maxLength (P2)",
            _schema("SendMessageRequest.properties.content", "maxLength", None),
            _bad_body("sendMessage", {"content": "x" * 12_000}),
        ),
        (
            "number-as-content-taken",
            "sendMessage converts a numeric content to a string.",
            "SendMessageRequest.properties.content.type",
            _mend(
                "sendMessage",
                lambda sent: sent.update(
                    {"content": str(sent["content"])}
                    if isinstance(sent.get("content"), int | float)
                    else {}
                ),
            ),
            _bad_body("sendMessage", {"content": 42}),
        ),
        (
            "missing-content-taken",
            "sendMessage accepts a message without a content.",
            "SendMessageRequest.required",
            _mend("sendMessage", lambda sent: sent.setdefault("content", "Hello")),
            _bad_body("sendMessage", {"stream": False}),
        ),
        (
            "stream-as-text-taken",
            "sendMessage ignores a stream that is not a boolean.",
            "SendMessageRequest.properties.stream.type",
            _mend("sendMessage", lambda sent: _only(sent, "stream", bool)),
            _bad_body("sendMessage", {"content": "Hi", "stream": "yes"}),
        ),
        (
            "page-context-as-text-taken",
            "sendMessage ignores a pageContext that is a string.",
            "SendMessageRequest.properties.pageContext",
            _mend("sendMessage", lambda sent: _only(sent, "pageContext", dict, type(None))),
            _bad_body("sendMessage", {"content": "Hi", "pageContext": "/help"}),
        ),
        (
            "page-title-as-number-taken",
            "sendMessage accepts a number as the title of the page.",
            "PageContext.properties.title.type",
            _mend("sendMessage", _title_as_text),
            _bad_body("sendMessage", {"content": "Hi", "pageContext": {"title": 5}}),
        ),
        (
            "unknown-feedback-taken",
            "sendMessageFeedback treats any word as a like.",
            "Feedback.enum (F-feedback)",
            _mend(
                "sendMessageFeedback",
                lambda sent: sent.update(
                    {"feedback": "like"}
                    if sent.get("feedback", None) not in (None, "like", "dislike")
                    else {}
                ),
            ),
            _bad_body("sendMessageFeedback", {"feedback": "love"}),
        ),
        (
            "missing-feedback-taken",
            "sendMessageFeedback treats an empty object as null.",
            "MessageFeedbackRequest.required (F-feedback)",
            _mend("sendMessageFeedback", lambda sent: sent.setdefault("feedback", None)),
            _bad_body("sendMessageFeedback", {}),
        ),
        (
            "close-reason-one-too-long-taken",
            "closeConversation accepts a reason of 257 characters.",
            "R-16",
            _schema("CloseConversationRequest.properties.closeReason", "maxLength", 257),
            _bad_body("closeConversation", {"closeReason": "x" * 257}),
        ),
        (
            "close-reason-as-number-taken",
            "closeConversation ignores a reason that is a number.",
            "CloseConversationRequest.properties.closeReason.type",
            _mend("closeConversation", lambda sent: _only(sent, "closeReason", str)),
            _bad_body("closeConversation", {"closeReason": 7}),
        ),
        (
            "device-one-too-long-taken",
            "init accepts a saVid of 101 characters.",
            "InitRequest.properties.saVid.maxLength (F-init)",
            _schema("InitRequest.properties.saVid", "maxLength", 101),
            _bad_body("init", {"apiKey": API_KEY, "saVid": "x" * 101}),
        ),
        (
            "empty-device-taken",
            "init accepts an empty saVid.",
            "InitRequest.properties.saVid.minLength (F-init)",
            _schema("InitRequest.properties.saVid", "minLength", None),
            _bad_body("init", {"apiKey": API_KEY, "saVid": ""}),
        ),
        (
            "missing-device-taken",
            "init accepts a body without saVid, and uses a default device.",
            "InitRequest.required (F-init)",
            _mend("init", lambda sent: sent.setdefault("saVid", "default")),
            _bad_body("init", {"apiKey": API_KEY}),
        ),
        (
            "unknown-chat-role-taken",
            "createChatCompletion accepts a message of any role.",
            "ChatRole.enum (F-chat)",
            _schema("ChatRole", "enum", None),
            _bad_body("createChatCompletion", {"messages": [{"role": "bot", "content": "Hi"}]}),
        ),
        (
            "missing-messages-taken",
            "createChatCompletion accepts a body without messages.",
            "ChatCompletionRequest.required (F-chat)",
            _mend("createChatCompletion", lambda sent: sent.setdefault("messages", [])),
            _bad_body("createChatCompletion", {"stream": False}),
        ),
        (
            "chat-content-missing-taken",
            "createChatCompletion accepts messages without a content.",
            "ChatMessage.required (F-chat)",
            _mend("createChatCompletion", _fill_contents),
            _bad_body("createChatCompletion", {"messages": [{"role": "user"}]}),
        ),
        (
            "malformed-assistant-taken",
            "createChatCompletion ignores an assistantId that is not a UUID.",
            "AssistantId.format (F-chat)",
            _mend(
                "createChatCompletion",
                lambda sent: (
                    None
                    if len(str(sent.get("assistantId"))) == 36
                    else sent.pop("assistantId", None)
                ),
            ),
            _bad_body("createChatCompletion", {**chat, "assistantId": "default"}),
        ),
        (
            "page-url-that-is-none-taken",
            "startConversation accepts a pageUrl that is not a URI.",
            "ConversationContext.properties.pageUrl.format (R-18)",
            _schema("ConversationContext.properties.pageUrl", "format", None),
            _bad_body("startConversation", {"context": {"pageUrl": "not a uri"}}),
        ),
    ):
        _add(name, description, evidence, build, probe)


def _accepting_anything() -> None:
    _add(
        "no-json-taken",
        "sendMessage treats a body that is not JSON as a greeting.",
        "openapi.yaml BadRequest",
        lambda server: server.before("sendMessage", _as_message),
        _talking(lambda visitor, it: visitor.invalid("sendMessage", it, raw=b"{content: Hi}")),
    )
    _add(
        "malformed-id-shows-the-latest",
        "getConversation returns the latest conversation for an id that is not a UUID.",
        "ConversationId.format; openapi.yaml BadRequest",
        _show_the_latest,
        _malformed_after_start,
    )


def _accepting_queries() -> None:
    listing = "getConversations"
    fields = {"id", "createdAt", "updatedAt", "lastInteractionAt", "status", "closedAt"}
    fields |= {"isHumanHandled", "title"}
    for name, description, evidence, build, probe in (
        (
            "limit-101-taken",
            "getConversations accepts a limit of 101.",
            "Parameter Limit.maximum (P3)",
            _parameter(listing, "limit", "maximum", 101),
            probes.refused(listing, limit="101"),
        ),
        (
            "limit-0-taken",
            "getQnas accepts a limit of 0.",
            "Parameter Limit.minimum (F-qnas)",
            _parameter("getQnas", "limit", "minimum", 0),
            probes.refused("getQnas", PROJECT_ID, limit="0"),
        ),
        (
            "messages-limit-1001-taken",
            "getMessages accepts a limit of 1,001.",
            "openapi.yaml getMessages limit.maximum (F-messages)",
            _parameter("getMessages", "limit", "maximum", None),
            _talking(lambda visitor, it: visitor.invalid("getMessages", it, limit="1001")),
        ),
        (
            "negative-offset-taken",
            "getConversations accepts a negative offset.",
            "Parameter Offset.minimum (P3)",
            _parameter(listing, "offset", "minimum", None),
            probes.refused(listing, offset="-1"),
        ),
        (
            "unknown-order-taken",
            "getConversations ignores an unknown orderBy.",
            "ConversationOrderBy.enum",
            _ignore(listing, "orderBy", fields),
            probes.refused(listing, orderBy="visitorId"),
        ),
        (
            "unknown-direction-taken",
            "getConversations ignores an unknown orderDir.",
            "OrderDirection.enum",
            _ignore(listing, "orderDir", {"asc", "desc"}),
            probes.refused(listing, orderDir="up"),
        ),
        (
            "unknown-status-taken",
            "getConversations ignores an unknown status.",
            "ConversationStatus.enum",
            _ignore(listing, "status", {"open", "closed"}),
            probes.refused(listing, status="archived"),
        ),
        (
            "unknown-role-taken",
            "getMessages returns an empty list for an unknown role.",
            "MessageRole.enum",
            _parameter("getMessages", "role", "enum", None),
            _talking(lambda visitor, it: visitor.invalid("getMessages", it, role="system")),
        ),
        (
            "limit-in-words-taken",
            "getConversations ignores a limit that is not a number.",
            "Parameter Limit.type (P3)",
            _ignore(listing, "limit", _is_number),
            probes.refused(listing, limit="ten"),
        ),
        (
            "empty-search-taken",
            "search accepts an empty query.",
            "openapi.yaml search q.minLength (F-search)",
            _parameter("search", "q", "minLength", None),
            probes.refused("search", q="", apiKey=API_KEY),
        ),
        (
            "long-search-taken",
            "search accepts a query of 501 characters.",
            "openapi.yaml search q.maxLength (F-search)",
            _parameter("search", "q", "maxLength", 501),
            probes.refused("search", q="x" * 501, apiKey=API_KEY),
        ),
        (
            "missing-search-taken",
            "search returns no results if the query is missing.",
            "openapi.yaml search q.required (F-search)",
            assuming("search", q="-"),
            probes.refused("search", apiKey=API_KEY),
        ),
        (
            "size-51-taken",
            "search accepts a size of 51.",
            "openapi.yaml search size.maximum (F-search)",
            _parameter("search", "size", "maximum", 51),
            probes.refused("search", q="desk", size="51", apiKey=API_KEY),
        ),
        (
            "long-question-taken",
            "getQnas accepts a query of 301 characters.",
            "openapi.yaml getQnas query.maxLength (F-qnas)",
            _parameter("getQnas", "query", "maxLength", None),
            probes.refused("getQnas", PROJECT_ID, query="x" * 301),
        ),
    ):
        _add(name, description, evidence, build, probe)


def _failing() -> None:
    crash = 500
    _add(
        "malformed-id-500",
        "getConversation returns 500 for an id that is not a UUID.",
        "ConversationId.format; openapi.yaml BadRequest",
        _refuse(
            "getConversation", lambda exchange: not _is_uuid(exchange.path["conversationId"]), crash
        ),
        lambda api: api.visitor().refused("getConversation", "x", by=(400, 404, 422)),
    )
    _add(
        "huge-offset-500",
        "getConversations returns 500 for an offset beyond 32 bits.",
        "Parameter Offset: no maximum (P3)",
        _refuse(
            "getConversations", lambda exchange: _is_above(exchange, "offset", 2**31 - 1), crash
        ),
        probes.accepted("getConversations", offset="4294967296"),
        rare=True,
    )
    _add(
        "no-json-500",
        "sendMessage returns 500 for a body that is not JSON.",
        "openapi.yaml BadRequest",
        _refuse("sendMessage", lambda exchange: exchange.request_json is None, crash),
        _talking(lambda visitor, it: visitor.invalid("sendMessage", it, raw=b"{content: Hi}")),
    )
    _add(
        "array-500",
        "createChatCompletion returns 500 for a body that is an array.",
        "ChatCompletionRequest.type; openapi.yaml BadRequest",
        _refuse(
            "createChatCompletion", lambda exchange: isinstance(exchange.request_json, list), crash
        ),
        _bad_body("createChatCompletion", []),
    )
    _add(
        "emoji-500",
        "sendMessage returns 500 for characters beyond the basic plane.",
        "SendMessageRequest.properties.content.type",
        _refuse("sendMessage", _has_emoji, crash),
        probes.stored(EMOJI),
    )
    _add(
        "null-in-body-500",
        "init returns 500 if saVid is null.",
        "InitRequest.properties.saVid.type; openapi.yaml BadRequest",
        _refuse("init", lambda exchange: _dictionary(exchange).get("saVid", 0) is None, crash),
        _bad_body("init", {"apiKey": API_KEY, "saVid": None}),
    )
    _add(
        "nul-500",
        "sendMessage returns 500 for a content with the character NUL.",
        "SendMessageRequest.properties.content.type",
        _refuse("sendMessage", lambda exchange: "\0" in _content(exchange), crash),
        probes.stored("a\0b"),
        rare=True,
    )
    _add(
        "percent-in-search-500",
        "search returns 500 for a query with a quote or a percent sign.",
        "openapi.yaml search q.type",
        _refuse(
            "search", lambda exchange: not {"'", "%"}.isdisjoint(exchange.query.get("q", "")), crash
        ),
        lambda api: [
            api.expect("search", q=words, apiKey=API_KEY) for words in ("100%", "what's new")
        ],
        rare=True,
    )


def _refusing() -> None:
    emoji = _refuse("sendMessage", _has_emoji)
    _add(
        "emoji-refused",
        "sendMessage refuses characters beyond the basic plane, such as emoji.",
        "SendMessageRequest.properties.content.type",
        emoji,
        probes.stored(EMOJI),
        rare=True,
    )
    _add(
        "longest-content-refused",
        "sendMessage refuses a content of 10,000 characters.",
        "SendMessageRequest.properties.content.maxLength (P2)",
        _schema("SendMessageRequest.properties.content", "maxLength", 9_999),
        probes.stored("x" * 10_000),
    )
    _add(
        "content-counted-in-bytes",
        "sendMessage limits bytes instead of characters, and refuses 5,001 umlauts.",
        "SendMessageRequest.properties.content.maxLength (P2)",
        _refuse("sendMessage", lambda exchange: len(_content(exchange).encode()) > 10_000, 422),
        probes.stored("ä" * 10_000),
        rare=True,
    )
    _add(
        "null-page-context-refused",
        "sendMessage refuses a pageContext that is null.",
        "C-08",
        _refuse(
            "sendMessage", lambda exchange: _dictionary(exchange).get("pageContext", 0) is None
        ),
        _good_body("sendMessage", {"content": "Hi", "pageContext": None}),
    )
    _add(
        "null-in-page-context-refused",
        "sendMessage refuses a page whose title is null.",
        "PageContext.properties.title.type (P2)",
        _schema("PageContext.properties.title", "type", "string"),
        _good_body("sendMessage", {"content": "Hi", "pageContext": {"url": "/", "title": None}}),
        rare=True,
    )
    _add(
        "start-without-body-refused",
        "startConversation refuses a request without a body.",
        "C-07",
        _refuse("startConversation", lambda exchange: not exchange.request_body),
        lambda api: api.visitor().expect("startConversation", wanted=201),
    )
    _add(
        "start-with-empty-body-refused",
        "startConversation refuses an empty object.",
        "C-07",
        _refuse("startConversation", lambda exchange: exchange.request_body == b"{}", 422),
        lambda api: api.visitor().expect("startConversation", wanted=201, body={}),
    )
    _add(
        "close-without-body-refused",
        "closeConversation refuses a request without a body.",
        "C-06",
        _refuse("closeConversation", lambda exchange: not exchange.request_body),
        _talking(lambda visitor, it: visitor.expect("closeConversation", it)),
    )
    _add(
        "close-without-reason-refused",
        "closeConversation refuses a body without a reason.",
        "C-06",
        _refuse("closeConversation", lambda exchange: exchange.request_json == {}),
        _good_body("closeConversation", {}),
    )
    _add(
        "empty-close-reason-refused",
        "closeConversation refuses an empty reason.",
        "CloseConversationRequest.properties.closeReason: no minLength",
        _refuse(
            "closeConversation",
            lambda exchange: _dictionary(exchange).get("closeReason") == "",
            422,
        ),
        _good_body("closeConversation", {"closeReason": ""}),
        rare=True,
    )
    _add(
        "longest-close-reason-refused",
        "closeConversation refuses a reason of 256 characters.",
        "R-16",
        _schema("CloseConversationRequest.properties.closeReason", "maxLength", 255),
        _good_body("closeConversation", {"closeReason": "x" * 256}),
    )
    _add(
        "limit-100-refused",
        "getConversations refuses a limit of 100.",
        "Parameter Limit.maximum (P3)",
        _parameter("getConversations", "limit", "maximum", 99),
        probes.accepted("getConversations", limit="100"),
    )
    _add(
        "limit-1-refused",
        "getQnas refuses a limit of 1.",
        "Parameter Limit.minimum (F-qnas)",
        _parameter("getQnas", "limit", "minimum", 2),
        probes.accepted("getQnas", PROJECT_ID, limit="1"),
    )
    _add(
        "messages-limit-1000-refused",
        "getMessages refuses a limit above 100.",
        "openapi.yaml getMessages limit.maximum (F-messages)",
        _parameter("getMessages", "limit", "maximum", 100),
        _talking(lambda visitor, it: visitor.expect("getMessages", it, limit="1000")),
    )
    _add(
        "order-by-closed-at-refused",
        "getConversations refuses orderBy=closedAt.",
        "ConversationOrderBy.enum",
        _refuse("getConversations", lambda exchange: exchange.query.get("orderBy") == "closedAt"),
        probes.accepted("getConversations", orderBy="closedAt"),
        rare=True,
    )
    _add(
        "longest-search-refused",
        "search refuses a query of 500 characters.",
        "openapi.yaml search q.maxLength (F-search)",
        _parameter("search", "q", "maxLength", 499),
        probes.accepted("search", q="x" * 500, apiKey=API_KEY),
    )
    _add(
        "size-50-refused",
        "search refuses a size of 50.",
        "openapi.yaml search size.maximum (F-search)",
        _parameter("search", "size", "maximum", 49),
        probes.accepted("search", q="desk", size="50", apiKey=API_KEY),
    )
    _add(
        "longest-device-refused",
        "init refuses a saVid of 100 characters.",
        "InitRequest.properties.saVid.maxLength (F-init)",
        _schema("InitRequest.properties.saVid", "maxLength", 99),
        lambda api: api.visitor(api.visitor().id.ljust(100, "x")),
    )
    _add(
        "null-feedback-refused",
        "sendMessageFeedback refuses null.",
        "MessageFeedbackRequest.properties.feedback (F-feedback)",
        _refuse(
            "sendMessageFeedback", lambda exchange: _dictionary(exchange).get("feedback", 0) is None
        ),
        probes.unrated,
    )
    _add(
        "system-message-refused",
        "createChatCompletion refuses a message of the role system.",
        "ChatRole.enum (F-chat)",
        _schema("ChatRole", "enum", ["user", "assistant"]),
        _good_body(
            "createChatCompletion",
            {
                "messages": [
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Hi"},
                ]
            },
        ),
    )
    _add(
        "role-human-agent-refused",
        "getMessages refuses the role human_agent.",
        "MessageRole.enum",
        _refuse("getMessages", lambda exchange: exchange.query.get("role") == "human_agent"),
        _talking(lambda visitor, it: visitor.expect("getMessages", it, role="human_agent")),
        rare=True,
    )


def _only(sent: dict[str, Any], name: str, *types: type) -> None:
    if name in sent and not isinstance(sent[name], types):
        del sent[name]


def _fill_contents(sent: dict[str, Any]) -> None:
    messages = sent.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            message.setdefault("content", "")


def _title_as_text(sent: dict[str, Any]) -> None:
    page = sent.get("pageContext")
    if isinstance(page, dict) and isinstance(page.get("title"), int | float):
        page["title"] = str(page["title"])


def _has_emoji(exchange: Exchange) -> bool:
    return max(_content(exchange), default="") > "\uffff"


def _as_message(exchange: Exchange) -> None:
    try:
        json.loads(exchange.request_body)
    except ValueError:
        exchange.request_json = {"content": "Hello"}


def _show_the_latest(server: Server) -> None:
    def show(exchange: Exchange) -> None:
        if started and not _is_uuid(exchange.path["conversationId"]):
            exchange.status = 200
            exchange.json = started[-1]

    started: list[Any] = []
    server.after(
        "startConversation",
        lambda exchange: started.append(exchange.json) if exchange.succeeded else None,
    )
    server.after("getConversation", show)


def _malformed_after_start(api: Api) -> None:
    visitor = api.visitor()
    visitor.start()
    visitor.refused("getConversation", "x", by=(400, 404, 422))


def _is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_above(exchange: Exchange, name: str, bound: float) -> bool:
    text = exchange.query.get(name, "0")
    return _is_number(text) and float(text) > bound


_accepting_bodies()
_accepting_queries()
_accepting_anything()
_failing()
_refusing()
