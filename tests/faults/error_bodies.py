"""Faults in errors of rare causes: missing tokens and objects at once, long ids, other layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from siteassist_mock.content.assistant import Reply
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.http.event_stream import EventStreamResponse
from tests.faults import probes
from tests.faults.edits import error_body, errors, in_error
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.probes import CHAT
from tests.faults.probing import Api
from tests.values import PROJECT_ID, UNKNOWN_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from siteassist_mock.http.call import Call, Handler

__all__ = ["FAULTS"]

FAULTS = Faults("error-bodies")
_add = FAULTS.add
_fault = FAULTS.fault

_EVERY = " ".join(operations())
_LONG_ID = "a" * 300
_BODY = "Error; F-errors"
_UNAUTHORIZED = "openapi.yaml Unauthorized (F-status)"
_NOT_FOUND = "openapi.yaml NotFound (F-status)"


def _before(names: str, answer: Callable[[Exchange], ASGIApp | None]) -> Build:
    return lambda server: server.before(names, answer)


# Which error comes first.


def _without_token(name: str, *path: str, **more: Any) -> Probe:
    """Return a probe that unknown objects are a 401 without a token, and with a wrong one."""

    def probe(api: Api) -> None:
        for client in (api, api.bearing("wrong")):
            client.refused(name, *path, by=(401,), **more)

    return probe


def _exists(server: Server, exchange: Exchange) -> bool:
    """Return whether anybody has the object that a request names."""
    message = exchange.path.get("messageId", "").lower()
    conversation = exchange.path.get("conversationId", "").lower()
    with server.store.read() as records:
        found = records.message(message) if message else records.any_conversation(conversation)
    return found is not None


def _unknown_first(operation: str) -> Build:
    """Return a fault: an object is looked up before the credential is checked."""

    def build(server: Server) -> None:
        def ask(exchange: Exchange) -> ASGIApp | None:
            return None if _exists(server, exchange) else error_response(ApiError(404))

        server.before(operation, ask)

    return build


for _operation, _name, _more in (
    ("getConversation", "conversation-before-token", {}),
    ("sendMessageFeedback", "message-before-token", {"body": {"feedback": "like"}}),
):
    _add(
        _name,
        f"{_operation} returns 404 for an unknown object without a token, in place of 401.",
        _UNAUTHORIZED,
        _unknown_first(_operation),
        _without_token(_operation, UNKNOWN_ID, **_more),
    )


# Identifiers and credentials that other layers do not expect.


def _long(operation: str, *before: str, **more: Any) -> Probe:
    """Return a probe that a long id is refused like any other that is malformed."""

    def probe(api: Api) -> None:
        client = probes.caller(api, operation)
        for identifier in (_LONG_ID, "1" * 40, "x" * 2_000):
            client.refused(operation, *before, identifier, by=(400, 404, 422), **more)

    return probe


def _if_long(parameter: str, response: Response) -> Callable[[Exchange], ASGIApp | None]:
    return lambda exchange: response if len(exchange.path[parameter]) > 255 else None


_HTML = HTMLResponse("<html><body><h1>400 Bad Request</h1></body></html>", status_code=400)
_NEST = {
    "statusCode": 400,
    "message": "Validation failed (uuid is expected)",
    "error": "Bad Request",
}

for _name, _description, _evidence, _build, _probe in (
    (
        "long-conversation-id-500",
        "getConversation returns 500 for an id of more than 255 characters.",
        "openapi.yaml getConversation (P5); NotFound",
        _before("getConversation", _if_long("conversationId", error_response(ApiError(500)))),
        _long("getConversation"),
    ),
    (
        "long-message-id-500",
        "sendMessageFeedback returns 500 for an id of more than 255 characters.",
        "openapi.yaml sendMessageFeedback (F-feedback); NotFound",
        _before("sendMessageFeedback", _if_long("messageId", error_response(ApiError(500)))),
        _long("sendMessageFeedback", body={"feedback": "like"}),
    ),
    (
        "long-qna-id-in-html",
        "A proxy refuses a long id of a Q&A with an HTML page.",
        _BODY,
        _before("getQna", _if_long("qnaId", _HTML)),
        _long("getQna", PROJECT_ID),
    ),
    (
        "malformed-id-in-words-of-a-framework",
        "getMessages refuses a malformed id with the body of a framework, where error is a text.",
        "Error.required; ErrorBody.type",
        _before(
            "getMessages",
            lambda exchange: (
                None
                if exchange.path["conversationId"].count("-") == 4
                else JSONResponse(_NEST, status_code=400)
            ),
        ),
        lambda api: api.visitor().refused("getMessages", "42", by=(400, 404, 422)),
    ),
    (
        "emoji-in-id-500",
        "closeConversation returns 500 for an id with characters beyond ASCII.",
        "openapi.yaml closeConversation (P4); NotFound",
        _before(
            "closeConversation",
            lambda exchange: (
                None if exchange.path["conversationId"].isascii() else error_response(ApiError(500))
            ),
        ),
        lambda api: api.visitor().refused("closeConversation", "%F0%9F%91%8B", by=(400, 404, 422)),
    ),
    (
        "scheme-without-token-500",
        "getMe returns 500 for the header Authorization with a scheme alone.",
        _UNAUTHORIZED,
        _before(
            "getMe",
            lambda exchange: (
                error_response(ApiError(500)) if exchange.bearer.strip() == "Bearer" else None
            ),
        ),
        lambda api: [
            api.refused("getMe", by=(401,), headers={"Authorization": value})
            for value in ("Bearer", "Bearer ", "bearer")
        ],
    ),
    (
        "long-token-500",
        "getConversations returns 500 for a token of more than 1,000 characters.",
        _UNAUTHORIZED,
        _before(
            "getConversations",
            lambda exchange: (
                error_response(ApiError(500)) if len(exchange.bearer) > 1_007 else None
            ),
        ),
        lambda api: api.bearing("ab.c-" * 400).refused("getConversations", by=(401,)),
    ),
    (
        "long-key-500",
        "init returns 500 for a publishable key of more than 255 characters.",
        "C-18; openapi.yaml init (F-init)",
        _before(
            "init",
            lambda exchange: error_response(ApiError(500)) if len(_key(exchange)) > 255 else None,
        ),
        lambda api: api.refused(
            "init", by=(400, 401, 403, 422), body={"apiKey": "pk_" * 500, "saVid": "a"}
        ),
    ),
    (
        "wrong-scheme-in-plain-text",
        "createChatCompletion refuses another scheme of authorization as plain text.",
        _BODY,
        _before(
            "createChatCompletion",
            lambda exchange: (
                PlainTextResponse("Unsupported authorization scheme", status_code=401)
                if exchange.bearer.startswith(("Basic ", "Token "))
                else None
            ),
        ),
        lambda api: api.refused(
            "createChatCompletion", by=(401,), body=CHAT, headers={"Authorization": "Basic YTpi"}
        ),
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


def _key(exchange: Exchange) -> str:
    """Return the publishable key of a request; empty without one."""
    sent = exchange.request_json
    key = sent.get("apiKey") if isinstance(sent, dict) else None
    return key if isinstance(key, str) else ""


# Bodies that are not JSON.


def _malformed(operation: str, raw: bytes, *, conversation: bool = False) -> Probe:
    """Return a probe that a body that is not JSON is refused with the documented body."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        path = [visitor.start()] if conversation else []
        visitor.invalid(operation, *path, raw=raw)

    return probe


def _not_json(exchange: Exchange) -> bool:
    return bool(exchange.request_body) and exchange.request_json is None


_EXPRESS = HTMLResponse(
    "<!DOCTYPE html><html><body><pre>SyntaxError: Unexpected token } in JSON</pre></body></html>",
    status_code=400,
)
_add(
    "malformed-json-in-html",
    "Malformed JSON for init is refused with an HTML page.",
    _BODY,
    _before("init", lambda exchange: _EXPRESS if _not_json(exchange) else None),
    _malformed("init", b'{"apiKey": }'),
)
_add(
    "malformed-json-as-detail",
    "Malformed JSON for createChatCompletion is refused with details outside of the error.",
    "Error.required",
    _before(
        "createChatCompletion",
        lambda exchange: (
            JSONResponse({"detail": "There was an error parsing the body"}, status_code=400)
            if exchange.bearer and _not_json(exchange)
            else None
        ),
    ),
    _malformed("createChatCompletion", b"{'messages': []}"),
)


# Messages, codes and details in another form.


def _invalid_list(api: Api) -> None:
    api.visitor().invalid("getConversations", limit="0")


def _described(operation: str, **more: Any) -> Probe:
    """Return a probe that an unknown object is described in words."""

    def probe(api: Api) -> None:
        error = api.visitor().refused(operation, UNKNOWN_ID, by=(404,), **more)
        assert any(letter.isalpha() for letter in error["message"]), error
        assert not error["message"].startswith("["), error

    return probe


_LOST = "ErrorBody.properties.message.description: in words, for people"

for _name, _description, _evidence, _build, _probe in (
    (
        "details-as-id",
        "The details of an unknown conversation are its id alone.",
        "ErrorDetails.type",
        errors(
            "getConversation",
            error_body(lambda error: {"error": {**error, "details": UNKNOWN_ID}}),
            404,
        ),
        probes.unknown("getConversation"),
    ),
    (
        "details-as-list-of-issues",
        "The details of an invalid list of conversations are a list of issues.",
        "ErrorDetails.type",
        errors(
            "getConversations",
            in_error(details=[{"path": ["limit"], "code": "too_small"}]),
            400,
            422,
        ),
        _invalid_list,
    ),
    (
        "details-as-json-in-a-text",
        "The details of an unknown message are JSON within a text.",
        "ErrorDetails.type",
        errors("sendMessageFeedback", in_error(details='{"messageId":"…"}'), 404),
        probes.unknown("sendMessageFeedback", body={"feedback": "like"}),
    ),
    (
        "code-null",
        "The code of an unknown conversation is null.",
        "ErrorBody.properties.code.type",
        errors("getMessages", in_error(code=None), 404),
        probes.unknown("getMessages"),
    ),
    (
        "code-in-an-object",
        "The code of a refused completion is an object.",
        "ErrorBody.properties.code.type",
        errors("createChatCompletion", in_error(code={"id": "INVALID"}), 400, 422),
        lambda api: api.visitor().invalid("createChatCompletion", body={}),
    ),
    (
        "message-empty",
        "The message of an unknown conversation is empty.",
        _LOST,
        errors("closeConversation", in_error(message=""), 404),
        _described("closeConversation", body={}),
    ),
    (
        "message-of-an-object",
        "The message of an unknown message is [object Object].",
        _LOST,
        errors("sendMessageFeedback", in_error(message="[object Object]"), 404),
        _described("sendMessageFeedback", body={"feedback": None}),
    ),
    (
        "error-in-a-list",
        "The error of an invalid message is in a list.",
        "Error.properties.error; ErrorBody.type",
        errors("sendMessage", error_body(lambda error: {"error": [error]}), 400, 422),
        lambda api: _invalid_message(api),
    ),
    (
        "errors-beside-data",
        "sendMessage reports an unknown conversation in a list of errors, beside data.",
        "Error.required",
        errors(
            "sendMessage",
            error_body(
                lambda error: {"success": False, "data": None, "errors": [error["message"]]}
            ),
            404,
        ),
        probes.unknown("sendMessage", body={"content": "Hi"}),
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


def _invalid_message(api: Api) -> None:
    visitor = api.visitor()
    visitor.invalid("sendMessage", visitor.start(), body={"content": "x" * 10_001})


# Errors that are sent as a success.


def _confirming(server: Server, operation: str, result: Callable[[Exchange], Any]) -> None:
    """Add a fault: an unknown object gets 200 with ``result(exchange)``, unless it is None."""

    def hook(exchange: Exchange) -> None:
        # The objects of other visitors must still be refused: that is another fault.
        value = None if _exists(server, exchange) else result(exchange)
        if value is not None:
            exchange.status, exchange.json = 200, value

    errors(operation, hook, 404)(server)


@_fault(
    "unknown-conversation-closed",
    "closeConversation confirms that it closed a conversation that does not exist.",
    _NOT_FOUND,
    probes.unknown("closeConversation", body={}),
)
def _closed(server: Server) -> None:
    _confirming(server, "closeConversation", lambda _: {"success": True})


@_fault(
    "messages-of-unknown-conversation-empty",
    "getMessages returns an empty list for a conversation that does not exist.",
    _NOT_FOUND,
    probes.unknown("getMessages"),
)
def _empty(server: Server) -> None:
    _confirming(server, "getMessages", lambda _: {"object": "list", "data": []})


@_fault(
    "unknown-conversation-in-a-stream",
    "sendMessage streams an error event for a conversation that does not exist.",
    "openapi.yaml NotFound (F-status); sendMessage",
    probes.unknown("sendMessage", body={"content": "Hi", "stream": True}),
)
def _in_a_stream(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        try:
            return handler(call)
        except ApiError as error:
            if error.status != 404 or call.body.get("stream") is not True:
                raise
            failed = {"type": "error", "errorText": error.message}
            return EventStreamResponse(Reply((failed,), 0).events())

    server.handler("sendMessage", answer)


@_fault(
    "invalid-completion-in-a-stream",
    "createChatCompletion streams an error event for messages that are invalid.",
    "O-2; ChatCompletionRequest",
    lambda api: api.visitor().invalid(
        "createChatCompletion", body={"messages": [{"role": "user"}], "stream": True}
    ),
)
def _invalid_in_a_stream(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        exchange.notes["streams"] = isinstance(sent, dict) and sent.get("stream") is True

    def hook(exchange: Exchange) -> None:
        if exchange.status in {400, 422} and exchange.notes["streams"]:
            exchange.status = 200
            exchange.body = b'data: {"type":"error","errorText":"invalid"}\n\ndata: [DONE]\n\n'
            exchange.headers["content-type"] = "text/event-stream"

    server.before("createChatCompletion", ask)
    server.after("createChatCompletion", hook)


@_fault(
    "error-of-stream-as-event-stream",
    "A refused message that asks for a stream has the media type of event streams.",
    "openapi.yaml BadRequest; sendMessage",
    lambda api: _refused_stream(api),
)
def _as_event_stream(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        exchange.notes["streams"] = isinstance(sent, dict) and sent.get("stream") is True

    def hook(exchange: Exchange) -> None:
        if exchange.status >= 400 and exchange.notes["streams"]:
            exchange.headers["content-type"] = "text/event-stream"

    server.before("sendMessage", ask)
    server.after("sendMessage", hook)


def _refused_stream(api: Api) -> None:
    visitor = api.visitor()
    visitor.invalid("sendMessage", visitor.start(), body={"content": "", "stream": True})


@_fault(
    "feedback-removed-from-unknown-message",
    "The removal of feedback from a message that does not exist is confirmed.",
    _NOT_FOUND,
    probes.unknown("sendMessageFeedback", body={"feedback": None}),
    rare=True,
)
def _unrated(server: Server) -> None:
    def result(exchange: Exchange) -> Any:
        return {"feedback": None} if exchange.request_json == {"feedback": None} else None

    _confirming(server, "sendMessageFeedback", result)


@_fault(
    "qnas-of-unknown-project-empty",
    "getQnas returns an empty list for a project that does not exist.",
    _NOT_FOUND,
    lambda api: api.refused("getQnas", UNKNOWN_ID, by=(404,)),
)
def _no_qnas(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        page = {"object": "list", "total": 0, "limit": 10, "offset": 0, "data": []}
        exchange.status, exchange.json = 200, page

    errors("getQnas", hook, 404)(server)
