"""Faults in the status or the media type of responses."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.faults import probes
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server
from tests.faults.mutant import Faults
from tests.faults.probing import EMOJI, Api
from tests.values import API_KEY, PROJECT_ID

__all__ = ["FAULTS"]

FAULTS = Faults("status")
_add = FAULTS.add


def _success(operations: str, how: Callable[[Exchange], None]) -> Build:
    """Return a fault in every success of ``operations``."""

    def hook(exchange: Exchange) -> None:
        if exchange.succeeded:
            how(exchange)

    return lambda server: server.after(operations, hook)


def _status(
    operations: str, status: int, when: Callable[[Exchange], bool] = lambda _: True
) -> Build:
    """Return a fault that some successes of ``operations`` have another status."""

    def how(exchange: Exchange) -> None:
        if when(exchange):
            exchange.status = status
            if status == 204:
                exchange.body = b""
                del exchange.headers["content-type"]
                del exchange.headers["content-length"]

    return _success(operations, how)


def _media(operations: str, media_type: str) -> Build:
    """Return a fault that the successes of ``operations`` declare another media type."""

    def how(exchange: Exchange) -> None:
        exchange.headers["content-type"] = media_type

    return _success(operations, how)


def _three_listed(api: Api) -> None:
    visitor = api.visitor()
    for _ in range(3):
        visitor.start()
    assert 2 == len(visitor.ids(limit=2))


def _emoji_stored(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk(EMOJI)
    assert EMOJI == visitor.texts(conversation)[0]


def _no_messages(api: Api) -> None:
    visitor = api.visitor()
    assert [] == visitor.messages(visitor.start())


_add(
    "new-device-200",
    "init returns 200 for a new device.",
    "openapi.yaml init 201 (F-init, R-26)",
    _status("init", 200),
    probes.init,
)
_add(
    "known-device-201",
    "init returns 201 for a known device.",
    "openapi.yaml init 200 (F-init, R-26)",
    _status("init", 201),
    probes.init,
)
_add(
    "start-200",
    "startConversation returns 200.",
    "R-2",
    _status("startConversation", 200),
    probes.started,
)
_add(
    "send-201",
    "sendMessage returns 201.",
    "R-2",
    _status("sendMessage", 201),
    probes.sent,
)
_add(
    "send-202-json",
    "sendMessage returns 202 with the complete answer as JSON.",
    "openapi.yaml sendMessage 202",
    _status("sendMessage", 202),
    probes.sent,
)
_add(
    "chat-202",
    "createChatCompletion returns 202.",
    "openapi.yaml createChatCompletion responses",
    _status("createChatCompletion", 202),
    probes.chatted,
)
_add(
    "close-204",
    "closeConversation returns 204 without a body.",
    "openapi.yaml closeConversation 200 (P4)",
    _status("closeConversation", 204),
    probes.closed,
)
_add(
    "feedback-201",
    "sendMessageFeedback returns 201.",
    "openapi.yaml sendMessageFeedback responses (F-feedback)",
    _status("sendMessageFeedback", 201),
    probes.rated,
)
_add(
    "feedback-removed-204",
    "sendMessageFeedback returns 204 when feedback is removed.",
    "openapi.yaml sendMessageFeedback 200 (F-feedback)",
    _status("sendMessageFeedback", 204, lambda exchange: exchange.json["feedback"] is None),
    probes.unrated,
    rare=True,
)
_add(
    "first-page-206",
    "getConversations returns 206 if there are further pages.",
    "openapi.yaml getConversations responses",
    _status(
        "getConversations",
        206,
        lambda exchange: exchange.json["total"] > len(exchange.json["data"]),
    ),
    _three_listed,
    rare=True,
)
_add(
    "no-messages-204",
    "getMessages returns 204 for a conversation without messages.",
    "openapi.yaml getMessages 200",
    _status("getMessages", 204, lambda exchange: not exchange.json["data"]),
    _no_messages,
    rare=True,
)
_add(
    "nothing-found-204",
    "search returns 204 if there are no results.",
    "openapi.yaml search responses",
    _status("search", 204, lambda exchange: not exchange.json["results"]),
    probes.found_nothing,
    rare=True,
)
_add(
    "me-as-text",
    "getMe sends its JSON as text/plain.",
    "openapi.yaml getMe 200 content",
    _media("getMe", "text/plain; charset=utf-8"),
    probes.me,
)
_add(
    "list-as-html",
    "getConversations sends its JSON as text/html.",
    "openapi.yaml getConversations 200 content",
    _media("getConversations", "text/html; charset=utf-8"),
    probes.listed,
)
_add(
    "project-as-vendor-json",
    "getProject sends application/vnd.api+json.",
    "openapi.yaml getProject 200 content",
    _media("getProject", "application/vnd.api+json"),
    probes.project,
)
_add(
    "close-as-javascript",
    "closeConversation sends its JSON as text/javascript.",
    "openapi.yaml closeConversation 200 content",
    _media("closeConversation", "text/javascript"),
    probes.closed,
)


@FAULTS.fault(
    "messages-in-utf-16",
    "getMessages sends its JSON in UTF-16, and declares it.",
    "openapi.yaml getMessages 200 content: JSON is UTF-8 (RFC 8259, 8.1)",
    _emoji_stored,
)
def _messages_in_utf_16(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        exchange.body = exchange.body.decode().encode("utf-16")
        exchange.headers["content-type"] = "application/json; charset=utf-16"

    _success("getMessages", how)(server)


@FAULTS.fault(
    "conversation-in-latin-1",
    "getConversation sends its JSON in Latin-1.",
    "openapi.yaml getConversation 200 content: JSON is UTF-8 (RFC 8259, 8.1)",
    lambda api: _read_in_latin_1(api),
    rare=True,
)
def _conversation_in_latin_1(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        exchange.body = exchange.body.decode().encode("latin-1", "replace")

    _success("getConversation", how)(server)


def _read_in_latin_1(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Grüße")
    assert "Grüße" == visitor.read(conversation)["messages"][0]["parts"][0]["text"]


@FAULTS.fault(
    "media-type-missing",
    "getMessages sends its JSON without a media type.",
    "openapi.yaml getMessages 200 content",
    probes.messages,
)
def _media_type_missing(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        del exchange.headers["content-type"]

    _success("getMessages", how)(server)


@FAULTS.fault(
    "qna-redirected",
    "getQna redirects to a URL with a trailing slash.",
    "openapi.yaml getQna responses",
    probes.qna,
)
def _qna_redirected(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        exchange.status = 308
        exchange.headers["location"] = f"/v2/projects/{PROJECT_ID}/qnas/{exchange.path['qnaId']}/"

    _success("getQna", how)(server)


@FAULTS.fault(
    "json-with-byte-order-mark",
    "getQnas sends a byte order mark before its JSON.",
    "openapi.yaml getQnas 200 content: no byte order mark (RFC 8259, 8.1)",
    probes.qnas,
)
def _byte_order_mark(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        exchange.body = b"\xef\xbb\xbf" + exchange.body

    _success("getQnas", how)(server)


@FAULTS.fault(
    "json-not-a-number",
    "search writes NaN, which is not JSON, for fractional scores.",
    "openapi.yaml search 200 content: JSON has no NaN (RFC 8259, 6)",
    lambda api: _scores(api),
)
def _not_a_number(server: Server) -> None:
    def how(exchange: Exchange) -> None:
        value = exchange.json
        for result in value["results"]:
            if not float(result["score"]).is_integer():
                result["score"] = float("nan")
        exchange.body = json.dumps(value).encode()

    _success("search", how)(server)


def _scores(api: Api) -> None:
    text = api.send("search", q="How long does shipping take?", apiKey=API_KEY).text
    json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise AssertionError(name)
