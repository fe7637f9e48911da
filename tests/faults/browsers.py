"""Faults that show to pages of other websites: preflights and the headers of CORS."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from siteassist_mock.http.errors import ApiError, error_response
from tests.faults import probes
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.probes import CHAT
from tests.faults.probing import Api
from tests.values import API_KEY, PROJECT_ID, QNA_ID, UNKNOWN_ID

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from siteassist_spec import Operation

__all__ = ["FAULTS", "read_from"]

FAULTS = Faults("browsers")
_add = FAULTS.add
_fault = FAULTS.fault

_EVERY = " ".join(operations())
_PREFLIGHTS = "C-28 (F-auth): preflights"
_READABLE = "C-28 (F-auth): each answer"
_ORIGINS = ("https://shop.example", "http://localhost:3000", "https://www.zoo.example:8443")
_ALLOW = "Access-Control-Allow-Origin"

Answer: TypeAlias = "Callable[[Scope, Headers], Response | None]"


# What a browser checks, by the Fetch standard.


def _readable(response: httpx.Response, origin: str) -> None:
    """Check that a page of ``origin`` can read a response."""
    values = response.headers.get_list(_ALLOW)
    assert values in (["*"], [origin]), (response.status_code, values)


def _needed(operation: Operation) -> list[str]:
    """Return the headers for which a browser sends a preflight, in order."""
    needed = ["authorization"] if operation.needs_token else []
    return [*needed, "content-type"] if operation.body is not None else needed


def _allowed(api: Api, name: str, origin: str = _ORIGINS[0]) -> None:
    """Check that a browser may send an operation after its preflight."""
    operation = operations()[name]
    needed = _needed(operation)
    response = api.http.options(
        re.sub(r"\{\w+\}", UNKNOWN_ID, operation.path),
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": operation.method,
            "Access-Control-Request-Headers": ",".join(needed),
        },
    )
    assert 200 <= response.status_code < 300, (name, response.status_code)
    _readable(response, origin)
    listed = response.headers.get("access-control-allow-headers", "").lower().split(",")
    allowed = {one.strip() for one in listed}
    # The asterisk does not stand for the header Authorization.
    any_other = {"content-type"} if "*" in allowed else set()
    assert set() == {*needed} - allowed - any_other, (name, allowed)


def _all_allowed(api: Api) -> None:
    for name, operation in operations().items():
        # A handshake of a socket has no preflight, nor has a GET without further headers.
        if 101 not in operation.responses and _needed(operation):
            for origin in _ORIGINS:
                _allowed(api, name, origin)


def read_from(*origins: str) -> Probe:
    """Return a probe that pages of ``origins`` can read a success of several operations."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        for origin in origins:
            sent: Any = {"headers": {"Origin": origin}}
            device = {"apiKey": API_KEY, "saVid": visitor.device}
            for response in (
                api.send("init", body=device, **sent),
                visitor.send("getMe", **sent),
                api.send("getProject", apiKey=API_KEY, **sent),
                api.send("getQna", PROJECT_ID, QNA_ID, **sent),
                visitor.send("startConversation", **sent),
                visitor.send("getConversations", **sent),
            ):
                assert response.is_success
                _readable(response, origin)

    return probe


def _error_readable(*statuses: int, ask: Callable[[Api, Any], httpx.Response]) -> Probe:
    """Return a probe that a page can read an error."""

    def probe(api: Api) -> None:
        response = ask(api, {"headers": {"Origin": _ORIGINS[0]}})
        assert response.status_code in statuses, response.text
        _readable(response, _ORIGINS[0])

    return probe


# Preflights.


def _is_preflight(scope: Scope, headers: Headers) -> bool:
    return scope["method"] == "OPTIONS" and "access-control-request-method" in headers


def _preflights(answer: Answer) -> Build:
    """Return a fault in the response to preflights; None leaves it to the mock."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
            found = None
            if scope["type"] == "http" and _is_preflight(scope, headers):
                found = answer(scope, headers)
            await (found or app)(scope, receive, send)

        return middleware

    return lambda server: server.middleware(wrap)


def _error(status: int) -> Callable[..., Response]:
    return lambda *_: error_response(ApiError(status))


def _needing_token(_scope: Scope, headers: Headers) -> Response | None:
    asked = headers.get("access-control-request-headers", "")
    return error_response(ApiError(401)) if "authorization" in asked else None


def _of_objects(scope: Scope, _headers: Headers) -> Response | None:
    if "/conversations/" in scope["path"] or "/messages/" in scope["path"]:
        return error_response(ApiError(404))
    return None


def _redirected(scope: Scope, _headers: Headers) -> Response:
    headers = {"Location": f"{scope['path']}/", _ALLOW: "*"}
    return Response(status_code=308, headers=headers)


def _allowing(allow: Callable[[str], str]) -> Answer:
    """Return a preflight response whose allowed headers are ``allow(requested headers)``."""

    def answer(_scope: Scope, headers: Headers) -> Response:
        asked = headers.get("access-control-request-headers", "")
        return Response(
            status_code=204,
            headers={
                _ALLOW: "*",
                "Access-Control-Allow-Methods": "GET, POST",
                "Access-Control-Allow-Headers": allow(asked),
            },
        )

    return answer


for _name, _description, _answer in (
    ("preflights-405", "Preflights are refused with 405.", _error(405)),
    (
        "preflights-need-a-token",
        "Preflights of operations with a token are refused with 401.",
        _needing_token,
    ),
    (
        "preflights-of-objects-404",
        "Preflights are refused with 404 if their path names an object.",
        _of_objects,
    ),
    ("preflights-redirected", "Preflights are redirected to a path with a slash.", _redirected),
    (
        "preflights-with-wildcard",
        "Preflights allow all headers with an asterisk, which leaves out Authorization.",
        _allowing(lambda _: "*"),
    ),
    (
        "preflights-without-authorization",
        "Preflights do not allow the header Authorization.",
        _allowing(lambda _: "Content-Type, Accept, X-Requested-With"),
    ),
    (
        "preflights-without-content-type",
        "Preflights do not allow the header Content-Type.",
        _allowing(lambda _: "Authorization, X-Api-Key"),
    ),
    (
        "preflights-for-one-header",
        "Preflights allow only the first of the headers that they ask for.",
        _allowing(lambda asked: asked.split(",")[0]),
    ),
):
    _add(_name, _description, _PREFLIGHTS, _preflights(_answer), _all_allowed)


# Responses.


def _unreadable(exchange: Exchange) -> None:
    del exchange.headers[_ALLOW]


def _errors(operations: str, *statuses: int) -> Build:
    """Return a fault: errors with ``statuses`` lack the headers of CORS."""

    def hook(exchange: Exchange) -> None:
        if exchange.status in statuses:
            _unreadable(exchange)

    return lambda server: server.after(operations, hook)


def _invalid_message(api: Api, sent: Any) -> httpx.Response:
    visitor = api.visitor()
    return visitor.send("sendMessage", visitor.start(), body={"content": ""}, **sent)


for _name, _description, _build, _probe in (
    (
        "unauthorized-without-cors",
        "Pages of other websites cannot read a 401.",
        _errors(_EVERY, 401),
        _error_readable(401, ask=lambda api, sent: api.send("getMe", **sent)),
    ),
    (
        "invalid-without-cors",
        "Pages of other websites cannot read why a request is invalid.",
        _errors(_EVERY, 400, 422),
        _error_readable(400, 422, ask=_invalid_message),
    ),
    (
        "not-found-without-cors",
        "Pages of other websites cannot read that a conversation does not exist.",
        _errors("getConversation getMessages closeConversation", 404),
        _error_readable(
            404, ask=lambda api, sent: api.visitor().send("getMessages", UNKNOWN_ID, **sent)
        ),
    ),
    (
        "sessions-without-cors",
        "Pages of other websites cannot read the response of init, only its preflight.",
        lambda server: server.after("init", _unreadable),
        read_from(_ORIGINS[0]),
    ),
    (
        "streams-without-cors",
        "Pages of other websites cannot read streams.",
        lambda server: server.head("sendMessage createChatCompletion", _unreadable),
        lambda api: _stream_readable(api),
    ),
):
    _add(_name, _description, _READABLE, _build, _probe)


def _stream_readable(api: Api) -> None:
    body = {**CHAT, "stream": True}
    response = api.visitor().send(
        "createChatCompletion", body=body, headers={"Origin": _ORIGINS[0]}
    )
    assert response.headers["content-type"].startswith("text/event-stream")
    _readable(response, _ORIGINS[0])


def _origins(change: Callable[[str, MutableHeaders], None]) -> Build:
    """Return a fault in the origin that responses and preflights allow."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            origin = Headers(scope=scope).get("origin") if scope["type"] == "http" else None

            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start" and origin is not None:
                    headers = MutableHeaders(raw=[*message["headers"]])
                    change(origin, headers)
                    message = {**message, "headers": headers.raw}
                await send(message)

            await app(scope, receive, changed)

        return middleware

    return lambda server: server.middleware(wrap)


def _set(value: Callable[[str], str]) -> Callable[[str, MutableHeaders], None]:
    def change(origin: str, headers: MutableHeaders) -> None:
        headers[_ALLOW] = value(origin)

    return change


def _twice(origin: str, headers: MutableHeaders) -> None:
    headers.append(_ALLOW, origin)


for _name, _description, _change in (
    (
        "origin-of-the-vendor",
        "CORS allows the website of the vendor only.",
        _set(lambda _: "https://app.siteassist.io"),
    ),
    ("origin-null", "CORS allows the origin null.", _set(lambda _: "null")),
    ("origin-with-slash", "CORS allows the origin with a slash.", _set(lambda it: f"{it}/")),
    (
        "origin-twice",
        "The header that allows an origin is there twice, from a proxy and from the server.",
        _twice,
    ),
    (
        "origin-in-a-list",
        "CORS allows an origin in a list, which browsers do not understand.",
        _set(lambda it: f"https://app.siteassist.io, {it}"),
    ),
):
    _add(_name, _description, _READABLE, _origins(_change), read_from(_ORIGINS[0]))


@_fault(
    "origin-of-the-first-page",
    "A cache keeps the origin that the project was first read from, and allows no other.",
    _READABLE,
    read_from(*_ORIGINS),
)
def _first_origin(server: Server) -> None:
    first: dict[str, str] = {}

    def hook(exchange: Exchange) -> None:
        origin = exchange.request_headers.get("origin")
        if origin is not None and exchange.succeeded:
            exchange.headers[_ALLOW] = first.setdefault(exchange.operation, origin)

    server.after("getProject getQnas getQna", hook)


@_fault(
    "search-for-any-website",
    "A key whose websites are checked by init and getProject is for any website in search.",
    "C-28 (F-auth); openapi.yaml search 403",
    lambda api: _same_for_website(api),
)
def _any_website(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        origin = exchange.request_headers.get("origin", _ORIGINS[0])
        return None if origin == _ORIGINS[0] else error_response(ApiError(403))

    server.before("init getProject", ask)


def _same_for_website(api: Api) -> None:
    """Check that a page is refused by all operations with a key, or by none."""
    probes.found(api)
    sent = {"Origin": "https://unlisted.example"}
    responses = (
        api.send("init", body={"apiKey": API_KEY, "saVid": "website"}, headers=sent),
        api.send("getProject", apiKey=API_KEY, headers=sent),
        api.send("search", apiKey=API_KEY, q="desk", headers=sent),
    )
    refused = [response.status_code in {401, 403} for response in responses]
    assert 1 == len(set(refused)), refused
