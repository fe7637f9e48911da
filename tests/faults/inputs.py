"""Faults of input: near misses of what is documented are taken, and odd but valid input is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from starlette.types import ASGIApp

from siteassist_mock.http.errors import ApiError, error_response
from tests.faults import probes
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.identifiers import taking
from tests.faults.mutant import Faults, Probe
from tests.faults.probing import Api
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("inputs")
_add = FAULTS.add
_fault = FAULTS.fault

_JSON = "openapi.yaml BadRequest (F-status)"


# How requests are changed before the mock validates them.


def change_body(operation: str, change: Callable[[Any], Any]) -> Build:
    """Return a fault that replaces JSON bodies with ``change(body)``; None changes nothing."""

    def ask(exchange: Exchange) -> None:
        body = exchange.request_json
        changed = change(body)
        if changed is not None and changed != body:
            exchange.request_json = changed

    return lambda server: server.before(operation, ask)


def _raw(operation: str, change: Callable[[bytes], bytes]) -> Build:
    """Return a fault that replaces the bytes of bodies."""

    def ask(exchange: Exchange) -> None:
        exchange.request_body = change(exchange.request_body)

    return lambda server: server.before(operation, ask)


def change_query(operation: str, name: str, change: Callable[[str], str | None]) -> Build:
    """Return a fault that replaces a query parameter, or drops it if ``change`` returns None."""

    def ask(exchange: Exchange) -> None:
        if name in exchange.query:
            query = dict(exchange.query)
            changed = change(query.pop(name))
            exchange.query = query if changed is None else {**query, name: changed}

    return lambda server: server.before(operation, ask)


def change_field(name: str, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a change of one field of a body."""

    def changed(body: Any) -> Any:
        if not isinstance(body, dict) or name not in body:
            return None
        return {**body, name: change(body[name])}

    return changed


# How they are probed.


def _refused_body(operation: str, body: Any = None, *, raw: bytes | None = None) -> Probe:
    """Return a probe that an operation refuses a body as invalid."""

    def probe(api: Api) -> None:
        caller = probes.caller(api, operation)
        path = []
        if operation in {"sendMessage", "closeConversation", "sendMessageFeedback"}:
            visitor = api.visitor()
            caller, conversation = visitor, visitor.talk()
            path = [conversation]
            if operation == "sendMessageFeedback":
                path = [visitor.messages(conversation)[-1]["id"]]
        request = {"body": body} if raw is None else {"raw": raw}
        caller.invalid(operation, *path, **request)

    return probe


# Enums.

for _name, _description, _change, _feedback in (
    (
        "feedback-in-capitals-taken",
        "sendMessageFeedback takes feedback in capitals.",
        lambda value: value.lower() if isinstance(value, str) else value,
        "LIKE",
    ),
    (
        "feedback-by-number-taken",
        "sendMessageFeedback takes the number of a value for the value.",
        lambda value: {"0": "like", "1": "dislike"}.get(repr(value), value),
        1,
    ),
):
    _add(
        _name,
        _description,
        "Feedback (F-feedback)",
        change_body("sendMessageFeedback", change_field("feedback", _change)),
        _refused_body("sendMessageFeedback", {"feedback": _feedback}),
    )


def _only_first(messages: Any) -> Any:
    """Return ``messages`` without later ones that the mock would refuse."""
    if not isinstance(messages, list):
        return messages
    return messages[:1] + [
        item
        for item in messages[1:]
        if isinstance(item, dict)
        and item.get("role") in ("system", "user", "assistant")
        and isinstance(item.get("content"), str)
    ]


_add(
    "second-chat-message-unchecked",
    "createChatCompletion checks only the first of several messages.",
    "ChatCompletionRequest.properties.messages.items (F-chat)",
    change_body("createChatCompletion", change_field("messages", _only_first)),
    _refused_body(
        "createChatCompletion",
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "bot", "content": 5}]},
    ),
    rare=True,
)
_COLUMNS = {
    "created_at": "createdAt",
    "updated_at": "updatedAt",
    "last_interaction_at": "lastInteractionAt",
    "closed_at": "closedAt",
}
_add(
    "order-by-column-taken",
    "getConversations takes the names of columns of its database as orderBy.",
    "ConversationOrderBy (P3)",
    change_query("getConversations", "orderBy", lambda value: _COLUMNS.get(value, value)),
    probes.refused("getConversations", orderBy="created_at"),
    rare=True,
)


# Numbers.


def _parsed_int(value: str) -> str:
    """Return the number with which ``value`` begins, as parseInt does."""
    number = re.match(r"\s*[+-]?\d+", value)
    return str(int(number[0])) if number else value


def _python_int(value: str) -> str:
    with suppress(ValueError):
        return str(int(value))
    return value


_add(
    "limit-with-unit-taken",
    "getQnas reads the number at the beginning of limit, and ignores the rest.",
    "openapi.yaml getQnas; parameter Limit (F-qnas)",
    change_query("getQnas", "limit", _parsed_int),
    probes.refused("getQnas", PROJECT_ID, limit="5items"),
    rare=True,
)
_add(
    "offset-in-python-taken",
    "getMessages takes every notation of an integer that Python has as offset.",
    "openapi.yaml getMessages (F-messages)",
    change_query("getMessages", "offset", _python_int),
    lambda api: _python_offsets(api),
    rare=True,
)


def _python_offsets(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    for offset in ("1_0", "\uff11"):
        visitor.invalid("getMessages", conversation, offset=offset)


# Types.

_sent: Any

for _name, _description, _change, _sent in (
    (
        "content-in-array-taken",
        "sendMessage takes an array of one text for the text.",
        change_field(
            "content",
            lambda value: value[0] if isinstance(value, list) and len(value) == 1 else value,
        ),
        {"content": ["Hi"]},
    ),
    (
        "page-context-as-empty-array-taken",
        "sendMessage takes an empty array for an empty page context.",
        change_field("pageContext", lambda value: {} if value == [] else value),
        {"content": "Hi", "pageContext": []},
    ),
):
    _add(
        _name,
        _description,
        "SendMessageRequest (P2)",
        change_body("sendMessage", _change),
        _refused_body("sendMessage", _sent),
        rare=True,
    )


def _listed(messages: Any) -> Any:
    """Return the values of an object with the keys 0, 1 and so on as a list."""
    if isinstance(messages, dict) and list(messages) == [str(it) for it in range(len(messages))]:
        return list(messages.values())
    return messages


_HI = {"role": "user", "content": "Hi"}

for _name, _description, _change, _sent in (
    (
        "numbered-messages-taken",
        "createChatCompletion takes an object with numbers as names for an array of messages.",
        change_field("messages", _listed),
        {"messages": {"0": _HI}},
    ),
    (
        "null-stream-taken",
        "createChatCompletion takes null for a stream of false.",
        change_field("stream", lambda value: False if value is None else value),
        {"messages": [_HI], "stream": None},
    ),
):
    _add(
        _name,
        _description,
        "ChatCompletionRequest (F-chat)",
        change_body("createChatCompletion", _change),
        _refused_body("createChatCompletion", _sent),
        rare=True,
    )


@_fault(
    "content-zero-refused",
    "sendMessage refuses the message 0 as if it were missing.",
    "SendMessageRequest.properties.content (P2)",
    lambda api: api.visitor().talk("0"),
    rare=True,
)
def _zero_refused(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        body = exchange.request_json
        zero = isinstance(body, dict) and body.get("content") == "0"
        return error_response(ApiError(400)) if zero else None

    server.before("sendMessage", ask)


# JSON.


def _first_value(raw: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        text = raw.decode().lstrip()
        return text[: json.JSONDecoder().raw_decode(text)[1]].encode()
    return raw


def _json_or_nothing(raw: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        json.loads(raw)
        return raw
    return b""


def _decoded_twice(body: Any) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(body) if isinstance(body, str) else None
    return None


def _small_names(body: Any) -> Any:
    return {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else None


for _name, _description, _operation, _build, _bytes in (
    (
        "data-after-json-taken",
        "sendMessage reads the first JSON value of a body, and ignores what follows.",
        "sendMessage",
        _raw("sendMessage", _first_value),
        b'{"content": "Hi"} {"content": "Ho"}',
    ),
    (
        "malformed-body-taken-for-none",
        "closeConversation takes a body that is not JSON for none.",
        "closeConversation",
        _raw("closeConversation", _json_or_nothing),
        b'{"closeReason": "Solved"',
    ),
    (
        "body-encoded-twice-taken",
        "init takes a JSON text that contains the JSON of its body.",
        "init",
        change_body("init", _decoded_twice),
        json.dumps(json.dumps({"apiKey": API_KEY, "saVid": "device-in-a-text"})).encode(),
    ),
    (
        "names-in-capitals-taken",
        "sendMessageFeedback ignores the case of names in its body.",
        "sendMessageFeedback",
        change_body("sendMessageFeedback", _small_names),
        b'{"Feedback": "like"}',
    ),
    (
        "trailing-comma-taken",
        "startConversation takes a comma after the last member of an object.",
        "startConversation",
        _raw("startConversation", lambda raw: re.sub(rb",\s*([\]}])", rb"\1", raw)),
        b'{"context": {"pageUrl": "https://example.com/"},}',
    ),
    (
        "invalid-utf-8-taken",
        "createChatCompletion replaces bytes that are not UTF-8 instead of refusing them.",
        "createChatCompletion",
        _raw("createChatCompletion", lambda raw: raw.decode(errors="replace").encode()),
        b'{"messages": [{"role": "user", "content": "Gr\xfc\xdfe"}]}',
    ),
):
    _add(
        _name,
        _description,
        _JSON,
        _build,
        _refused_body(_operation, raw=_bytes),
        rare=True,
    )


def _failing(operation: str, when: Callable[[Exchange], bool], status: int) -> Build:
    """Return a fault that some requests get an error ``status``."""

    def ask(exchange: Exchange) -> ASGIApp | None:
        return error_response(ApiError(status)) if when(exchange) else None

    return lambda server: server.before(operation, ask)


def _deep(api: Api) -> None:
    nested = b"[" * 80 + b"]" * 80
    response = api.visitor().send("startConversation", raw=b'{"more": ' + nested + b"}")
    assert response.status_code in {201, 400, 422}, response.text


def _half(api: Api) -> None:
    raw = json.dumps({"apiKey": API_KEY, "saVid": "device-\ud83d"}).encode()
    response = api.send("init", raw=raw)
    assert response.status_code in {200, 201, 400, 422}, response.text


def _has_half(exchange: Exchange) -> bool:
    body = exchange.request_json
    device = body.get("saVid") if isinstance(body, dict) else None
    return isinstance(device, str) and re.search("[\ud800-\udfff]", device) is not None


_add(
    "deep-json-500",
    "startConversation fails with 500 if a body has more than 60 nested arrays.",
    "openapi.yaml startConversation (F-status), R-19",
    _failing("startConversation", lambda exchange: exchange.request_body.count(b"[") > 60, 500),
    _deep,
    rare=True,
)
_add(
    "half-of-character-500",
    "init fails with 500 if a device's identifier has half of a surrogate pair.",
    "InitRequest.properties.saVid, R-31",
    _failing("init", _has_half, 500),
    _half,
    rare=True,
)


# Media types and paths.


def _with_charset(api: Api) -> None:
    api.visitor().expect(
        "startConversation",
        wanted=201,
        raw=b"{}",
        headers={"Content-Type": "application/json; charset=UTF-8"},
    )


_add(
    "json-with-charset-refused",
    "startConversation refuses JSON whose media type has a parameter.",
    "openapi.yaml startConversation requestBody (P1)",
    _failing(
        "startConversation",
        lambda exchange: ";" in exchange.request_headers.get("content-type", ""),
        400,
    ),
    _with_charset,
    rare=True,
)


def _with_format(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    visitor.refused("getConversation", f"{conversation}.json", by=(400, 404, 422))


_add(
    "id-with-format-taken",
    "getConversation takes an id with the ending .json.",
    "ConversationId.format",
    taking(
        "getConversation",
        "conversationId",
        lambda _call, given: given.removesuffix(".json") if given.endswith(".json") else None,
    ),
    _with_format,
    rare=True,
)
