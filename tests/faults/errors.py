"""Faults in the body or the status of errors."""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.responses import JSONResponse

from tests.faults import probes
from tests.faults.edits import error_body, errors, in_error
from tests.faults.exchange import Exchange
from tests.faults.faulty import Server, operations
from tests.faults.mutant import Faults
from tests.faults.probing import Api
from tests.values import API_KEY, UNKNOWN_ID

__all__ = ["FAULTS"]

FAULTS = Faults("errors")
_add = FAULTS.add
_fault = FAULTS.fault

_EVERY = " ".join(operations())


def _raw(body: str, media_type: str) -> Callable[[Exchange], None]:
    def how(exchange: Exchange) -> None:
        exchange.body = body.encode()
        exchange.headers["content-type"] = media_type

    return how


def _status(status: int) -> Callable[[Exchange], None]:
    def how(exchange: Exchange) -> None:
        exchange.status = status

    return how


_BODY = "Error; F-errors"
_HTML = "<html><body><h1>Not Found</h1></body></html>"
_unknown = probes.unknown
_unauthorized = probes.unauthorized
_bad_message = {"body": {"content": 5}}


def _invalid_message(api: Api) -> None:
    visitor = api.visitor()
    visitor.invalid("sendMessage", visitor.start(), **_bad_message)


def _hidden(text: str) -> Callable[[Api], None]:
    """Return a probe that the error of an unknown conversation does not contain ``text``."""

    def probe(api: Api) -> None:
        error = api.visitor().refused("getConversation", UNKNOWN_ID, by=(404,))
        assert text not in json.dumps(error)

    return probe


for _name, _description, _evidence, _build, _probe in (
    (
        "error-in-plain-text",
        "getMe sends its 401 as plain text.",
        _BODY,
        errors("getMe", _raw("Unauthorized", "text/plain; charset=utf-8")),
        _unauthorized("getMe"),
    ),
    (
        "error-in-html",
        "getConversation sends an HTML page for an unknown conversation.",
        _BODY,
        errors("getConversation", _raw(_HTML, "text/html"), 404),
        _unknown("getConversation"),
    ),
    (
        "html-named-json",
        "getQna sends HTML labelled as JSON for an unknown Q&A.",
        _BODY,
        errors("getQna", _raw(_HTML, "application/json"), 404),
        _unknown("getQna"),
    ),
    (
        "error-as-detail",
        "Errors of invalid messages have the body of a web framework, with detail.",
        "Error.required (F-errors)",
        errors(
            "sendMessage",
            error_body(lambda error: {"detail": [{"loc": ["body"], "msg": error["message"]}]}),
            400,
            422,
        ),
        _invalid_message,
    ),
    (
        "error-without-message",
        "Errors of closeConversation have a code but lack the message.",
        "ErrorBody.required",
        errors("closeConversation", error_body(lambda error: {"error": {"code": error["code"]}})),
        _unknown("closeConversation", body={}),
    ),
    (
        "error-not-nested",
        "Errors of getConversations have message and code at the top level.",
        "Error.required",
        errors("getConversations", error_body(lambda error: error)),
        _unauthorized("getConversations"),
    ),
    (
        "error-as-text",
        "The error of getMessages is a string.",
        "ErrorBody.type",
        errors("getMessages", error_body(lambda error: {"error": error["message"]})),
        _unknown("getMessages"),
    ),
    (
        "errors-as-array",
        "search returns an array of errors.",
        "Error.required",
        errors("search", error_body(lambda error: {"errors": [error]})),
        lambda api: api.refused("search", q="desk", apiKey="wrong", by=(401,)),
    ),
    (
        "error-wrapped",
        "Errors of getQnas are wrapped in data.",
        "Error.required",
        errors("getQnas", error_body(lambda error: {"data": {"error": error}})),
        lambda api: api.refused("getQnas", UNKNOWN_ID, by=(404,)),
    ),
    (
        "error-message-null",
        "The message of an error of sendMessageFeedback is null.",
        "ErrorBody.properties.message.type",
        errors("sendMessageFeedback", in_error(message=None)),
        _unknown("sendMessageFeedback", body={"feedback": "like"}),
    ),
    (
        "error-message-as-list",
        "The message of an invalid request to init is a list.",
        "ErrorBody.properties.message.type",
        errors("init", in_error(message=["saVid must be a string"])),
        lambda api: api.invalid("init", body={"apiKey": API_KEY, "saVid": 1}),
    ),
    (
        "error-code-as-number",
        "The code of an error of getProject is the status.",
        "ErrorBody.properties.code.type",
        errors("getProject", in_error(code=401)),
        lambda api: api.refused("getProject", apiKey="wrong", by=(401,)),
    ),
    (
        "error-details-as-text",
        "The details of an invalid search are a string.",
        "ErrorDetails.type",
        errors("search", in_error(details="q is required"), 400, 422),
        lambda api: api.invalid("search", apiKey=API_KEY),
    ),
    (
        "error-details-null",
        "Errors of startConversation have null in place of missing details.",
        "C-20",
        errors("startConversation", in_error(details=None)),
        _unauthorized("startConversation"),
    ),
    (
        "error-details-as-array",
        "The details of an invalid message are an array.",
        "ErrorDetails.type",
        errors("sendMessage", in_error(details=[{"field": "content"}]), 400, 422),
        _invalid_message,
    ),
    (
        "error-empty",
        "getMe sends its 401 without a body.",
        _BODY,
        errors("getMe", _raw("", "application/json"), 401),
        _unauthorized("getMe"),
    ),
    (
        "error-empty-object",
        "createChatCompletion sends its 401 with an empty object.",
        "Error.required",
        errors("createChatCompletion", error_body(lambda _: {}), 401),
        _unauthorized("createChatCompletion", body=probes.CHAT),
    ),
    (
        "error-in-python",
        "Errors of getConversation are Python literals, with single quotes.",
        _BODY,
        errors(
            "getConversation",
            lambda exchange: _raw(str(exchange.json), "application/json")(exchange),
        ),
        _unknown("getConversation"),
    ),
    (
        "error-as-problem-json",
        "Errors have the media type application/problem+json.",
        "openapi.yaml Unauthorized, NotFound and so on: application/json",
        errors(
            _EVERY,
            lambda exchange: exchange.headers.update({"content-type": "application/problem+json"}),
        ),
        _unauthorized("getMe"),
    ),
    (
        "error-of-another-vendor",
        "Errors of createChatCompletion have msg and param, like those of another service.",
        "ErrorBody.required",
        errors(
            "createChatCompletion",
            error_body(
                lambda error: {"error": {"msg": error["message"], "type": "invalid", "param": None}}
            ),
        ),
        _unauthorized("createChatCompletion", body=probes.CHAT),
    ),
    (
        "error-with-stack-trace",
        "The error of an unknown conversation contains a stack trace.",
        "ErrorBody.properties.message.description: in words, for people",
        errors(
            "getConversation",
            in_error(
                message="Traceback (most recent call last):\n"
                '  File "/srv/api/conversations.py", line 88, in get\nLookupError'
            ),
            404,
        ),
        _hidden("Traceback"),
    ),
    (
        "error-with-sql",
        "The error of an unknown conversation contains the SQL query.",
        "ErrorBody.properties.message.description: in words, for people",
        errors(
            "getConversation",
            in_error(message='no row: SELECT * FROM "conversations" WHERE id = $1 LIMIT 1'),
            404,
        ),
        _hidden("SELECT"),
    ),
    (
        "no-token-403",
        "getConversations returns 403 for a missing or wrong token.",
        "openapi.yaml Unauthorized (F-status)",
        errors("getConversations", _status(403), 401),
        _unauthorized("getConversations"),
    ),
    (
        "no-token-400",
        "createChatCompletion returns 400 for a missing token.",
        "openapi.yaml Unauthorized (F-status)",
        errors("createChatCompletion", _status(400), 401),
        _unauthorized("createChatCompletion", body=probes.CHAT),
    ),
    (
        "no-token-500",
        "getMessages returns 500 for a missing or wrong token.",
        "openapi.yaml Unauthorized (F-status)",
        errors("getMessages", _status(500), 401),
        lambda api: [
            client.refused("getMessages", UNKNOWN_ID, by=(401,))
            for client in (api, api.bearing("x.y.z"))
        ],
    ),
    (
        "unknown-conversation-500",
        "getConversation returns 500 for an unknown conversation.",
        "openapi.yaml NotFound (F-status)",
        errors("getConversation", _status(500), 404),
        _unknown("getConversation"),
    ),
    (
        "unknown-conversation-410",
        "closeConversation returns 410 for an unknown conversation.",
        "openapi.yaml closeConversation responses (F-errors)",
        errors("closeConversation", _status(410), 404),
        _unknown("closeConversation", body={}),
    ),
    (
        "unknown-qna-500",
        "getQna returns 500 for an unknown Q&A.",
        "openapi.yaml NotFound (F-status)",
        errors("getQna", _status(500), 404),
        _unknown("getQna"),
    ),
    (
        "wrong-key-500",
        "search returns 500 for a wrong publishable key.",
        "C-18; openapi.yaml Unauthorized",
        errors("search", _status(500), 401),
        lambda api: api.refused("search", q="desk", apiKey="wrong", by=(401, 403)),
    ),
    (
        "not-found-as-200",
        "getConversation returns 200 with the body of an error.",
        "openapi.yaml getConversation 200",
        errors("getConversation", _status(200), 404),
        _unknown("getConversation"),
    ),
    (
        "invalid-message-as-200",
        "sendMessage returns 200 with the body of an error for an invalid message.",
        "openapi.yaml sendMessage 200",
        errors("sendMessage", _status(200), 400, 422),
        _invalid_message,
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


def _unknown_feedback(api: Api) -> None:
    api.visitor().refused("sendMessageFeedback", UNKNOWN_ID, by=(404,), body={"feedback": "like"})


@_fault(
    "unknown-message-rated",
    "sendMessageFeedback confirms feedback for a message that does not exist.",
    "openapi.yaml NotFound (F-status)",
    _unknown_feedback,
)
def _unknown_message_rated(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        # The messages of other visitors must still be refused: that is another fault.
        if exchange.status == 404 and exchange.path["messageId"] not in known:
            exchange.status = 200
            exchange.json = {"feedback": exchange.request_json["feedback"]}

    known: set[str] = set()
    server.after("getMessages", lambda exchange: known.update(_ids(exchange)))
    server.after("sendMessageFeedback", hook)


def _ids(exchange: Exchange) -> set[str]:
    return {message["id"] for message in exchange.json["data"]} if exchange.succeeded else set()


@_fault(
    "unknown-qna-null",
    "getQna returns 200 with null for an unknown Q&A.",
    "openapi.yaml NotFound (F-status)",
    _unknown("getQna"),
)
def _unknown_qna_null(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        exchange.status = 200
        exchange.json = None

    errors("getQna", hook, 404)(server)


@_fault(
    "login-page",
    "startConversation redirects to a login page if there is no token.",
    "openapi.yaml Unauthorized (F-status)",
    _unauthorized("startConversation"),
)
def _login_page(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        exchange.status = 302
        exchange.headers["location"] = "/login"

    errors("startConversation", hook, 401)(server)


@_fault(
    "error-tells-token",
    "The error of a wrong token repeats the token.",
    "ErrorBody.properties.message.description: in words, for people",
    lambda api: _wrong_token_not_told(api),
)
def _error_tells_token(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        header = exchange.request_headers.get("authorization", "")
        in_error(message=f"Invalid header: {header}")(exchange)

    errors("getMe getConversations", hook, 401)(server)


def _wrong_token_not_told(api: Api) -> None:
    error = api.bearing("made-up-token").refused("getMe", by=(401,))
    assert "made-up-token" not in json.dumps(error)


# Faults in rare branches.


def _long_message(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.invalid("sendMessage", conversation, body={"content": "x" * 10_001})


@_fault(
    "long-message-413",
    "A message that is too long is refused with the 413 of a proxy.",
    "O-8; O-2",
    _long_message,
    rare=True,
)
def _long_message_413(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        if len(exchange.request_body) > 10_000:
            exchange.status = 413
            _raw("<h1>413 Request Entity Too Large</h1>", "text/html")(exchange)

    errors("sendMessage", hook, 400, 422)(server)


_add(
    "project-422",
    "getProject returns 422, which its page does not list, for a missing key.",
    "C-21; O-8",
    errors("getProject", _status(422), 400),
    lambda api: api.invalid("getProject"),
    rare=True,
)


@_fault(
    "foreign-conversation-empty",
    "getMessages refuses access to conversations of other visitors without a body.",
    "O-1; Error.required",
    lambda api: _foreign(api),
    rare=True,
)
def _foreign_empty(server: Server) -> None:
    seen: set[str] = set()

    def note(exchange: Exchange) -> None:
        if exchange.succeeded:
            seen.add(exchange.json["id"])

    def hook(exchange: Exchange) -> None:
        if exchange.path["conversationId"] in seen:
            exchange.body = b""

    server.after("startConversation", note)
    errors("getMessages", hook, 404)(server)


def _foreign(api: Api) -> None:
    first, second = api.visitor(), api.visitor()
    second.refused("getMessages", first.start(), by=(403, 404))


def _search_too_long(api: Api) -> None:
    error = api.invalid("search", q="x" * 501, apiKey=API_KEY)
    assert error["message"]


_add(
    "long-search-error-as-text",
    "The error of a search query that is too long is a string.",
    "ErrorBody.type",
    errors(
        "search",
        lambda exchange: (
            error_body(lambda error: {"error": error["message"]})(exchange)
            if len(exchange.query.get("q", "")) > 500
            else None
        ),
        400,
        422,
    ),
    _search_too_long,
    rare=True,
)


@_fault(
    "closed-message-error-in-html",
    "The refusal of a message to a closed conversation is an HTML page.",
    "O-3; Error",
    lambda api: _message_to_closed(api),
    rare=True,
)
def _closed_html(server: Server) -> None:
    errors("sendMessage", _raw("<h1>Conflict</h1>", "text/html"), 409)(server)


def _message_to_closed(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.start()
    visitor.close(conversation)
    visitor.refused("sendMessage", conversation, by=(409,), body={"content": "Hi"})


@_fault(
    "unknown-path-answered",
    "An undocumented path returns 200 with an empty object.",
    "openapi.yaml NotFound (F-status)",
    lambda api: _unknown_path(api),
)
def _unknown_path_answered(server: Server) -> None:
    server.fallback = JSONResponse({})


def _unknown_path(api: Api) -> None:
    assert 404 == api.http.get("no-such-path").status_code
