"""Servers that differ from the mock in ways that HTTP, JSON and event streams allow.

The standards are RFC 9110 and RFC 9112 (HTTP), RFC 8259 (JSON), RFC 3339 (times), the Fetch
standard (CORS) and "Server-sent events" in the HTML standard (event streams).
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING, Any

from sqlalchemy import update
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, Response

from siteassist_mock.content.assistant import Reply
from siteassist_mock.handlers import views
from siteassist_mock.http.call import Call, Handler, Services
from siteassist_mock.storage.tables import conversations
from tests.faults.connections import Rewrite, chunks, is_head, rewriting
from tests.faults.edits import change, deep, edit, times, together
from tests.faults.exchange import Event, Exchange
from tests.faults.faulty import Build, Middleware, Server, Step, operations, readable
from tests.faults.probes import CHAT
from tests.faults.probing import Api, answer_to
from tests.faults.variant import Shows, Variants
from tests.values import API_KEY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from siteassist_mock.storage.store import Records
    from tests.faults.variant import Variant

__all__ = ["TRANSPORT_VARIANTS"]

_variants = Variants()
_add = _variants.add
_variant = _variants.variant

_EVERY = " ".join(operations())
_STREAMING = "sendMessage createChatCompletion"
_SECONDS_OF_SESSION = 2.0
_SECONDS_OF_TITLE = 0.3
_ORIGIN = "https://shop.example"


# What the variants show.


def _raw(api: Api, operation: str = "getProject", **headers: str) -> bytes:
    """Return the bytes of a response, on a connection that the client asks to be closed."""
    body = json.dumps({**CHAT, "stream": True}).encode() if operation != "getProject" else b""
    query = f"?apiKey={API_KEY}" if operation == "getProject" else ""
    called = operations()[operation]
    lines = [
        f"{called.method} {api.http.base_url.path.rstrip('/')}{called.path}{query} HTTP/1.1",
        f"Host: {api.http.base_url.netloc.decode()}",
        "Connection: close",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return answer_to(api, "\r\n".join([*lines, "", ""]).encode() + body)


def _raw_stream(api: Api) -> bytes:
    return _raw(api, "createChatCompletion", **api.visitor().bearer())


def _head(raw: bytes) -> bytes:
    return raw.partition(b"\r\n\r\n")[0]


def _streamed(api: Api) -> str:
    response = api.visitor().send("createChatCompletion", body={**CHAT, "stream": True})
    return response.content.decode()


def _me(api: Api) -> Any:
    return api.visitor().send("getMe")


def _has_header(name: str, value: str) -> Shows:
    """Return a check that a response has ``value`` in a header."""

    def shows(api: Api) -> None:
        assert value in _me(api).headers.get(name, "")

    return shows


def _in(needle: Any, read: Callable[[Api], Any]) -> Shows:
    def shows(api: Api) -> None:
        assert needle in read(api)

    return shows


# The bytes of a connection.


def _heads(change: Callable[[bytes], bytes]) -> Build:
    """Return a difference in the bytes of the head of each response."""

    def begin(_scope: Scope) -> Rewrite:
        return lambda data: change(data) if is_head(data) else data

    return lambda server: server.middleware(rewriting(begin))


def _fields(change: Callable[[bytes, bytes], bytes]) -> Build:
    """Return a difference in how each header field is written."""

    def head(data: bytes) -> bytes:
        first, *fields = data.removesuffix(b"\r\n\r\n").split(b"\r\n")
        changed = [change(*field.split(b": ", 1)) for field in fields]
        return b"\r\n".join([first, *changed, b"", b""])

    return _heads(head)


def _with_headers(
    *more: tuple[str, str], when: Callable[[Scope], bool] | None = None
) -> Middleware:
    """Return a middleware that adds headers to responses."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start" and (when is None or when(scope)):
                    headers = MutableHeaders(raw=[*message["headers"]])
                    for name, value in more:
                        headers.append(name, value)
                    message = {**message, "headers": headers.raw}
                await send(message)

            await app(scope, receive, changed)

        return middleware

    return wrap


def _adding(*more: tuple[str, str]) -> Build:
    return lambda server: server.middleware(_with_headers(*more))


_CLOSE = ("Connection", "close")
_CHUNKED = b"transfer-encoding: chunked\r\n"


@_variant(
    "http-1-0",
    "Responses are those of HTTP/1.0, and end with their connection.",
    "RFC 9112, 6.3; RFC 9110, 2.5",
    lambda api: _is_http_1_0(api),
    socket=True,
)
def _http_1_0(server: Server) -> None:
    def begin(_scope: Scope) -> Rewrite:
        chunked = False

        def change(data: bytes) -> bytes:
            nonlocal chunked
            if is_head(data):
                chunked = _CHUNKED in data.lower()
                head = re.sub(_CHUNKED, b"", data, flags=re.IGNORECASE)
                return head.replace(b"HTTP/1.1", b"HTTP/1.0", 1)
            if not chunked or data.startswith(b"HTTP/"):
                return data
            return data.partition(b"\r\n")[2].removesuffix(b"\r\n")

        return change

    server.middleware(rewriting(begin))
    server.middleware(_with_headers(_CLOSE))


def _is_http_1_0(api: Api) -> None:
    raw = _raw_stream(api)
    assert raw.startswith(b"HTTP/1.0 200")
    assert b"chunked" not in _head(raw)
    assert raw.endswith(b"\n\ndata: [DONE]\n\n")


_add(
    "reason-phrases",
    "The reason phrases of statuses are in other words, or empty.",
    "RFC 9112, 4: the reason phrase is to be ignored",
    _heads(
        lambda head: re.sub(
            rb"^(HTTP/1.1 (\d)\d\d)[^\r]*",
            lambda found: found[1] + (b" Aber gerne" if found[2] == b"2" else b" "),
            head,
        )
    ),
    _in(b"HTTP/1.1 200 Aber gerne\r\n", _raw),
    socket=True,
)
_add(
    "header-names-in-capitals",
    "The names of headers are in capitals.",
    "RFC 9110, 5.1: field names have no case",
    _fields(lambda name, value: name.upper() + b": " + value),
    _in(b"\r\nCONTENT-TYPE: ", _raw),
    socket=True,
)
_add(
    "header-values-spaced",
    "Header values have no space before them, and tabs and spaces after them.",
    "RFC 9112, 5.1: optional white space around values",
    _fields(lambda name, value: name.title() + b":" + value + b"\t "),
    _in(b"\r\nContent-Type:application/json\t \r\n", _raw),
    socket=True,
)


def _before_heads(interim: bytes) -> Build:
    return _heads(lambda head: interim + head)


_add(
    "early-hints",
    "An interim response 103 comes before each response.",
    "RFC 9110, 15.2: clients must be able to parse interim responses; RFC 8297",
    _before_heads(b"HTTP/1.1 103 Early Hints\r\nLink: </widget.css>; rel=preload\r\n\r\n"),
    lambda api: _hinted(api),
    socket=True,
)


def _hinted(api: Api) -> None:
    raw = _raw(api)
    assert raw.startswith(b"HTTP/1.1 103 Early Hints\r\n")
    assert b"HTTP/1.1 200" in raw


def _chunk_lines(change: Callable[[bytes], bytes], *, end: bytes = b"0\r\n\r\n") -> Build:
    """Return a difference in the first line of each chunk, and in the last chunk."""

    def begin(_scope: Scope) -> Rewrite:
        chunked = False

        def rewrite(data: bytes) -> bytes:
            nonlocal chunked
            if data.startswith(b"HTTP/"):
                chunked = _CHUNKED in data.lower()
                return data
            if not chunked or not data:
                return data
            if data == b"0\r\n\r\n":
                return end
            size, _, rest = data.partition(b"\r\n")
            return change(size) + b"\r\n" + rest

        return rewrite

    return lambda server: server.middleware(rewriting(begin))


_add(
    "chunk-extensions",
    "Each chunk of a stream has extensions.",
    "RFC 9112, 7.1.1: unknown chunk extensions must be ignored",
    _chunk_lines(lambda size: size + b';part=1;by="a \\"proxy\\""'),
    lambda api: _contains(_raw_stream(api), b';part=1;by="a \\"proxy\\""\r\ndata: '),
    socket=True,
)
_add(
    "chunk-sizes-padded",
    "The sizes of chunks are in capitals, with zeros before them.",
    "RFC 9112, 7.1: a chunk size is any number of hexadecimal digits",
    _chunk_lines(lambda size: size.upper().zfill(8)),
    lambda api: _contains(_raw_stream(api), b"\r\n000000"),
    socket=True,
)


@_variant(
    "trailers",
    "Streams end with trailer fields.",
    "RFC 9112, 7.1.2; RFC 9110, 6.5",
    lambda api: _contains(_raw_stream(api), b"0\r\nServer-Timing: total;dur=12\r\n\r\n"),
    socket=True,
)
def _trailers(server: Server) -> None:
    end = b"0\r\nServer-Timing: total;dur=12\r\n\r\n"
    _chunk_lines(lambda size: size, end=end)(server)
    server.head(_STREAMING, lambda exchange: exchange.headers.update({"Trailer": "Server-Timing"}))


def _bodies(change: Callable[[Scope, Message, Message], Iterable[Message]]) -> Middleware:
    """Return a middleware that replaces each message of the body of a response.

    ``change`` gets the scope, the start of the response and the message.
    """

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            start: dict[str, Any] = {}

            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    start.update(message)
                    await send(message)
                    return
                for piece in change(scope, start, message):
                    await send(piece)
                    # Lets the server write the piece before the next one.
                    await asyncio.sleep(0)

            await app(scope, receive, changed if scope["type"] == "http" else send)

        return middleware

    return wrap


def _threes(_scope: Scope, _start: Message, message: Message) -> Iterable[Message]:
    body, more = message.get("body", b""), message.get("more_body", False)
    for index in range(0, len(body), 3):
        yield {"type": message["type"], "body": body[index : index + 3], "more_body": True}
    if not more:
        yield {"type": message["type"], "body": b""}


_add(
    "pieces-of-three-bytes",
    "Bodies are sent in pieces of three bytes.",
    "RFC 9112, 7.1: the division into chunks has no meaning",
    lambda server: server.middleware(_bodies(_threes)),
    lambda api: _largest_chunk(api, 3),
    socket=True,
)


def _largest_chunk(api: Api, size: int) -> None:
    assert size == max(map(len, chunks(_raw_stream(api))))


def _unsized(app: ASGIApp) -> ASGIApp:
    """Send responses without their length, so that they are chunked."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, changed)

    return middleware


_add(
    "chunked-json",
    "Responses with JSON are chunked, and have no length.",
    "RFC 9112, 6.1",
    lambda server: server.middleware(_unsized),
    _in(b"transfer-encoding: chunked", lambda api: _head(_raw(api)).lower()),
    socket=True,
)


@_variant(
    "stream-in-one-packet",
    "The events of a stream are sent in one piece, which has a length.",
    "RFC 9112, 6.2; openapi.yaml states no times",
    lambda api: _contains(_head(_raw_stream(api)).lower(), b"content-length: "),
    socket=True,
)
def _one_packet(server: Server) -> None:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            kept: list[Message] = []

            async def keep(message: Message) -> None:
                kept.append(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    start, *pieces = kept
                    body = b"".join(piece.get("body", b"") for piece in pieces)
                    headers = MutableHeaders(raw=[*start["headers"]])
                    headers["content-length"] = str(len(body))
                    await send({**start, "headers": headers.raw})
                    await send({"type": "http.response.body", "body": body})

            await app(scope, receive, keep if scope["type"] == "http" else send)

        return middleware

    server.middleware(wrap)


_add(
    "connection-closed-each-time",
    "The server closes the connection after each response.",
    "RFC 9112, 9.6",
    _adding(_CLOSE),
    _has_header("connection", "close"),
    socket=True,
)


@_variant(
    "connection-closed-at-times",
    "The server closes the connection after each third response.",
    "RFC 9112, 9.6",
    lambda api: _contains([_me(api).headers.get("connection") for _ in range(3)], "close"),
    socket=True,
)
def _closed_at_times(server: Server) -> None:
    numbers = count(1)
    server.middleware(_with_headers(_CLOSE, when=lambda _: next(numbers) % 3 == 0))


# Headers.

_add(
    "headers-of-a-gateway",
    "Responses have the headers of proxies and caches.",
    "RFC 9110, 7.6.3; RFC 9111, 5.1",
    _adding(
        ("Via", "1.1 varnish, 2 edge"),
        ("Age", "0"),
        ("X-Cache", "MISS, MISS"),
        ("Server", "cloud-edge"),
        ("Alt-Svc", 'h3=":443"; ma=86400'),
        ("Keep-Alive", "timeout=5, max=100"),
    ),
    _has_header("via", "varnish"),
)
_add(
    "headers-of-security",
    "Responses have HSTS, a long content policy and other headers of security.",
    "RFC 6797; RFC 9110, 5.4: no limit of the size of headers",
    _adding(
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "cross-origin"),
        ("Content-Security-Policy", "; ".join(f"img-src cdn{i}.example" for i in range(200))),
    ),
    _has_header("strict-transport-security", "preload"),
)
_add(
    "cookies",
    "Each response sets two cookies.",
    "RFC 6265, 4.1: a client may ignore cookies",
    _adding(
        ("Set-Cookie", "AWSALB=abc+/=; Path=/; Expires=Fri, 01 Jan 2038 00:00:00 GMT"),
        ("Set-Cookie", "__cf_bm=x.y; Path=/; HttpOnly; Secure; SameSite=None"),
    ),
    _has_header("set-cookie", "AWSALB"),
)
_add(
    "vary",
    "Responses vary by origin, coding and credential, and must be validated by caches.",
    "RFC 9110, 12.5.5; RFC 9111, 5.2.2",
    _adding(
        ("Vary", "Accept-Encoding, Authorization"),
        ("Vary", "Origin"),
        ("Cache-Control", "private, no-cache"),
        ("Pragma", "no-cache"),
        ("Expires", "0"),
    ),
    _has_header("vary", "Authorization"),
)


@_variant(
    "entity-tags",
    "Successful reads have an entity tag.",
    "RFC 9110, 8.8: validators do not change a response to an unconditional request",
    _has_header("etag", 'W/"'),
)
def _entity_tags(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        if exchange.succeeded and operations()[exchange.operation].method == "GET":
            exchange.headers["ETag"] = f'W/"{zlib.crc32(exchange.body):x}"'
            exchange.headers["Cache-Control"] = "no-cache"

    server.after(_EVERY, hook)


@_variant(
    "location-of-new-objects",
    "A new conversation has its address in the header Location.",
    "RFC 9110, 10.2.2 and 8.7",
    lambda api: _contains(api.visitor().send("startConversation").headers, "location"),
)
def _location(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        if exchange.status == 201:
            address = f"/v2/conversations/{exchange.json['id']}"
            exchange.headers.update({"Location": address, "Content-Location": address})

    server.after("startConversation", hook)


_add(
    "challenge-in-full",
    "A 401 names the realm, the error and a second scheme in WWW-Authenticate.",
    "RFC 9110, 11.6.1; RFC 6750, 3",
    lambda server: server.after(_EVERY, _challenge),
    lambda api: _contains(api.send("getMe").headers["www-authenticate"], "realm="),
)


def _challenge(exchange: Exchange) -> None:
    if exchange.status == 401:
        exchange.headers["WWW-Authenticate"] = (
            'Bearer realm="siteassist", error="invalid_token", Newauth realm="apps"'
        )


@_variant(
    "media-types-in-other-case",
    "Media types are in capitals, with a quoted charset.",
    "RFC 9110, 8.3.1: media types and charsets have no case",
    lambda api: _contains(_me(api).headers["content-type"], 'Charset="UTF-8"'),
)
def _other_case(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        names = {
            "application/json": 'Application/JSON;Charset="UTF-8"',
            "text/event-stream": "Text/Event-Stream",
        }
        found = exchange.headers.get("content-type", "")
        exchange.headers["content-type"] = names.get(found, found)

    server.after(_EVERY, hook)
    server.head(_STREAMING, hook)


# Codings.


def _accepts(scope: Scope, coding: str) -> bool:
    found = Headers(scope=scope).get("accept-encoding", "")
    wanted = [one.strip().replace(" ", "") for one in found.lower().split(",")]
    return coding in wanted or any(
        one.startswith(f"{coding};q=") and float(one.partition("=")[2]) > 0 for one in wanted
    )


def _coded(coding: str, window: int) -> Build:
    """Return a difference: bodies have a content coding, if the client accepts it."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or not _accepts(scope, coding):
                await app(scope, receive, send)
                return
            compressor = zlib.compressobj(6, zlib.DEFLATED, window)

            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = MutableHeaders(raw=[*message["headers"]])
                    del headers["content-length"]
                    headers["content-encoding"] = coding
                    headers.add_vary_header("Accept-Encoding")
                    message = {**message, "headers": headers.raw}
                else:
                    more = message.get("more_body", False)
                    mode = zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH
                    body = compressor.compress(message.get("body", b"")) + compressor.flush(mode)
                    message = {**message, "body": body}
                await send(message)

            await app(scope, receive, changed)

        return middleware

    return lambda server: server.middleware(wrap)


_add(
    "gzip",
    "Bodies and streams are compressed with gzip if the client accepts it.",
    "RFC 9110, 8.4 and 12.5.3",
    _coded("gzip", 31),
    lambda api: _decoded(api, "gzip"),
)
_add(
    "deflate",
    "Bodies and streams are compressed with deflate if the client accepts it.",
    "RFC 9110, 8.4.1.2 and 12.5.3",
    _coded("deflate", 15),
    lambda api: _decoded(api, "deflate"),
)


def _decoded(api: Api, coding: str) -> None:
    visitor = api.visitor()
    response = visitor.send("getMe", headers={"Accept-Encoding": coding})
    assert coding == response.headers.get("content-encoding")
    assert visitor.id == response.json()["id"]
    plain = visitor.send("getMe", headers={"Accept-Encoding": f"{coding};q=0, identity"})
    assert "content-encoding" not in plain.headers


# Other methods, paths and ways to ask.


def _answering(answer: Callable[[Scope, Headers], Response | None]) -> Build:
    """Return a difference in the response to some requests, of any path and method."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            found = answer(scope, Headers(scope=scope)) if scope["type"] == "http" else None
            await (app if found is None else readable(found))(scope, receive, send)

        return middleware

    return lambda server: server.middleware(wrap)


def _refusal(status: int, message: str) -> Response:
    headers = {"Connection": "close"} if status in {411, 417} else {}
    return JSONResponse({"error": {"message": message}}, status_code=status, headers=headers)


@_variant(
    "head-answered",
    "HEAD is answered like GET, without a body.",
    "O-11",
    lambda api: _equal((200, b""), _head_of_me(api)),
)
def _head_answered(server: Server) -> None:
    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            async def without_body(message: Message) -> None:
                if message["type"] == "http.response.body":
                    message = {**message, "body": b""}
                await send(message)

            if scope["type"] == "http" and scope["method"] == "HEAD":
                await app({**scope, "method": "GET"}, receive, without_body)
            else:
                await app(scope, receive, send)

        return middleware

    server.middleware(wrap)


def _head_of_me(api: Api) -> tuple[int, bytes]:
    response = api.http.head("/identity/me", headers=api.visitor().bearer())
    return response.status_code, response.content


_add(
    "options-answered",
    "OPTIONS without CORS is answered with 204 and the methods, on every path.",
    "O-11; RFC 9110, 9.3.7",
    _answering(
        lambda scope, headers: (
            Response(status_code=204, headers={"Allow": "GET, POST, OPTIONS"})
            if scope["method"] == "OPTIONS" and "origin" not in headers
            else None
        )
    ),
    lambda api: _equal(204, api.http.options("/identity/me").status_code),
)


def _redirect(scope: Scope, _headers: Headers) -> Response | None:
    path: str = scope["path"]
    if not path.endswith("/") or path == "/":
        return None
    query = scope["query_string"].decode("ascii")
    address = path.rstrip("/") + (f"?{query}" if query else "")
    return Response(status_code=307, headers={"Location": address})


_add(
    "slash-redirected",
    "A path with a slash at its end is redirected to the one without it.",
    "openapi.yaml has no such path; RFC 9110, 15.4.8",
    _answering(_redirect),
    lambda api: _equal(307, api.http.get("/identity/me/").status_code),
)
_add(
    "chunked-request-411",
    "A request whose body has no length is refused with 411.",
    "O-8; RFC 9110, 15.5.12",
    _answering(
        lambda _scope, headers: (
            _refusal(411, "A length is required") if "transfer-encoding" in headers else None
        )
    ),
    lambda api: _equal(411, _chunked_request(api).status_code),
    socket=True,
)


def _chunked_request(api: Api) -> Any:
    body = json.dumps({"apiKey": API_KEY, "saVid": "a"}).encode()
    headers = {"Content-Type": "application/json"}
    return api.http.post("/identity/init", content=iter([body]), headers=headers)


def _unacceptable(_scope: Scope, headers: Headers) -> Response | None:
    accepted = [one.split(";")[0].strip() for one in headers.get("accept", "*/*").split(",")]
    served = ("*/*", "application/*", "application/json", "text/event-stream", "text/plain")
    if any(one.lower() in served for one in accepted):
        return None
    return _refusal(406, "Only JSON and event streams can be served")


_add(
    "accept-406",
    "A request that accepts nothing that the server has is refused with 406.",
    "O-8; RFC 9110, 15.5.7",
    _answering(_unacceptable),
    lambda api: _equal(406, api.send("getMe", headers={"Accept": "text/html"}).status_code),
)
_add(
    "expect-417",
    "A request with an expectation is refused with 417.",
    "O-8; RFC 9110, 15.5.18",
    _answering(
        lambda _scope, headers: (
            _refusal(417, "Nothing can be expected") if "expect" in headers else None
        )
    ),
    lambda api: _equal(417, api.send("getMe", headers={"Expect": "100-continue"}).status_code),
    socket=True,
)


# CORS.


def _cors(change: Callable[[Scope, Headers, MutableHeaders], None], *, status: int = 200) -> Build:
    """Return a difference in the CORS headers of responses, and the status of preflights."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            asked = Headers(scope=scope) if scope["type"] == "http" else Headers()
            preflight = "access-control-request-method" in asked

            async def changed(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = MutableHeaders(raw=[*message["headers"]])
                    change(scope, asked, headers)
                    message = {**message, "headers": headers.raw}
                    if preflight:
                        del headers["content-length"]
                        message = {**message, "status": status, "headers": headers.raw}
                elif preflight:
                    message = {**message, "body": b""}
                await send(message)

            await app(scope, receive, changed if "origin" in asked else send)

        return middleware

    return lambda server: server.middleware(wrap)


def _preflight(api: Api) -> Any:
    headers = {
        "Origin": _ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    return api.http.options("/identity/me", headers=headers)


def _echo(_scope: Scope, asked: Headers, headers: MutableHeaders) -> None:
    headers["Access-Control-Allow-Origin"] = asked["origin"]
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = "X-Request-Id, Retry-After"
    headers["Timing-Allow-Origin"] = "*"
    headers.add_vary_header("Origin")


_add(
    "cors-echoes-origin",
    "CORS names the origin of the request, with credentials and further headers.",
    "O-11; Fetch standard, openapi.yaml states no CORS headers",
    _cors(_echo),
    lambda api: _equal(
        _ORIGIN,
        api.send("getMe", headers={"Origin": _ORIGIN}).headers["access-control-allow-origin"],
    ),
)


def _explicit(scope: Scope, _asked: Headers, headers: MutableHeaders) -> None:
    if scope["method"] == "OPTIONS":
        # GET and POST need not be listed.
        del headers["Access-Control-Allow-Methods"]
        headers["Access-Control-Allow-Headers"] = "Authorization,Content-Type , X-Client"
        headers["Access-Control-Max-Age"] = "7200"
        headers["Access-Control-Allow-Private-Network"] = "true"


_add(
    "preflight-204",
    "Preflights get 204 with a fixed list of headers, and without methods.",
    "O-11; Fetch standard, openapi.yaml states no CORS headers",
    _cors(_explicit, status=204),
    lambda api: _equal(204, _preflight(api).status_code),
)


# Event streams.


def _framed(make: Callable[[Event, int], bytes]) -> Build:
    """Return a difference in the encoding of events, which are numbered from 0."""

    def begin(_exchange: Exchange) -> Step:
        numbers = count()
        return lambda event: [make(event, next(numbers))]

    return lambda server: server.stream(_STREAMING, begin)


_SSE = "C-10: what server-sent events allow"
_ENDS = (b"\n", b"\r", b"\r\n")

_add(
    "stream-lines-end-with-cr",
    "The lines of a stream end with CR.",
    _SSE,
    _framed(lambda event, _number: f"data: {event.data}\r\r".encode()),
    lambda api: _contains(_streamed(api), "data: [DONE]\r\r"),
)
_add(
    "stream-lines-end-variously",
    "The lines of a stream end with LF, CR and CRLF by turns.",
    _SSE,
    _framed(lambda event, number: f"data:{event.data}".encode() + 2 * _ENDS[number % len(_ENDS)]),
    lambda api: _contains(_streamed(api), "}\r\rdata:{"),
)
_add(
    "stream-with-byte-order-mark",
    "A stream begins with a byte order mark.",
    _SSE,
    _framed(lambda event, number: (b"" if number else b"\xef\xbb\xbf") + event.frame()),
    lambda api: _equal("\ufeff", _streamed(api)[0]),
)
_add(
    "stream-with-comments-and-unknown-fields",
    "Streams have empty comments, blank lines, and fields that no standard knows.",
    _SSE,
    _framed(
        lambda event, number: (
            f":\n\n: ping {number}\n\n\nfoo: bar\nfoo\nDATA: x\n data: y\ndata:{event.data}\n:\n\n"
        ).encode()
    ),
    lambda api: _contains(_streamed(api), "\nDATA: x\n"),
)
_add(
    "stream-events-numbered",
    "Events have the type message, rising ids, and times to reconnect.",
    _SSE,
    _framed(
        lambda event, number: (
            f"id: {number}\nretry: 1500\nevent: message\ndata: {event.data}\nid:{number}\n\n"
        ).encode()
    ),
    lambda api: _contains(_streamed(api), "event: message\ndata: [DONE]\nid:"),
)


def _indented(event: Event, _number: int) -> bytes:
    text = json.dumps(event.payload, indent=1) if event.payload else event.data
    return "".join(f"data: {line}\n" for line in text.split("\n")).encode() + b"\n"


_add(
    "stream-payloads-indented",
    "The payload of an event is indented, with one line of data for each of its lines.",
    _SSE,
    _framed(_indented),
    lambda api: _contains(_streamed(api), 'data: {\ndata:  "type": "start"\ndata: }\n\n'),
)


_WORDS = "Grüße 👋🏽 из 東京"


def _answering_with(text: Callable[[str], str]) -> Build:
    def patch(services: Services) -> None:
        assistant = services.assistant
        original = assistant.answer

        def answer(question: str, context: Iterable[str | None] = ()) -> Reply:
            found = original(question, context)
            return replace(found, items=({"text": text(found.text)},))

        assistant.answer = answer  # type: ignore[method-assign] # replaces the method of the class

    return lambda server: server.services(patch)


def _inside_characters(_scope: Scope, _start: Message, message: Message) -> Iterable[Message]:
    """Split a piece after the first byte of each character that has several."""
    pieces = re.split(rb"(?<=[\xc2-\xf4])(?=[\x80-\xbf])", message.get("body", b""))
    for piece in pieces[:-1]:
        yield {"type": message["type"], "body": piece, "more_body": True}
    yield {**message, "body": pieces[-1]}


@_variant(
    "characters-split",
    "Pieces of a body end within characters, in streams and in JSON.",
    "RFC 9112, 7.1: the division into chunks has no meaning",
    lambda api: _split(api),
    socket=True,
)
def _characters_split(server: Server) -> None:
    _answering_with(lambda text: f"{text}\n\n{_WORDS}")(server)
    server.middleware(_bodies(_inside_characters))


def _split(api: Api) -> None:
    found = chunks(_raw_stream(api))
    assert _WORDS.split()[0] in b"".join(found).decode()
    assert any(chunk[-1] >= 0xC2 for chunk in found)


@_variant(
    "characters-in-two-deltas",
    "The halves of a character beyond the basic plane come in two deltas.",
    "TextDeltaPayload.properties.delta; R-29",
    lambda api: _contains(_streamed(api), '"delta":"\\ud83d"'),
)
def _in_two_deltas(server: Server) -> None:
    _answering_with(lambda text: f"👋 {text}")(server)

    def step(event: Event) -> Iterable[Event]:
        delta = event.payload.get("delta", "")
        if event.type != "text-delta" or not delta.startswith("👋"):
            return [event]
        halves = ("\ud83d", "\udc4b" + delta[1:])
        return [
            Event(json.dumps({**event.payload, "delta": half}, separators=(",", ":")))
            for half in halves
        ]

    server.stream(_STREAMING, lambda _: step)


# JSON.


def _written(write: Callable[[Any], str], event: Callable[[Any], str] | None = None) -> Build:
    """Return a difference in how JSON is written, also in events if ``event`` is given."""

    def hook(exchange: Exchange) -> None:
        if exchange.headers.get("content-type") == "application/json":
            exchange.body = write(exchange.json).encode()

    def step(one: Event) -> Iterable[Event]:
        return [Event(event(one.payload)) if event and one.payload else one]

    def build(server: Server) -> None:
        server.after(_EVERY, hook)
        server.stream(_STREAMING, lambda _: step)

    return build


def _escaped(value: Any) -> str:
    text = json.dumps(value).replace("/", "\\/")
    # Letters may be escaped as well; those of names are.
    return re.sub(r'"(\w)(\w*)":', lambda found: f'"\\u{ord(found[1]):04X}{found[2]}":', text)


def _reversed(value: Any) -> str:
    turned = deep(value, lambda item: dict(reversed(item.items())))
    text = json.dumps(turned, indent="\t", ensure_ascii=False, separators=(" ,", " : "))
    return f" \r\n{text}\r\n\t "


def _numbers(make: Callable[[int], Any]) -> Callable[[Any], Any]:
    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: changed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        return make(value) if isinstance(value, int) and not isinstance(value, bool) else value

    return changed


def _exponents(value: Any) -> str:
    # Marked with a character that texts do not have.
    marked = _numbers(lambda number: f"\0{number}")(value)
    text = json.dumps(marked, ensure_ascii=False)
    return re.sub(r'"\\u0000(-?\d+)"', r"\1.0E+0", text)


def _listed(api: Api) -> str:
    """Return the list of a visitor with one conversation, as it is written."""
    visitor = api.visitor()
    visitor.start()
    return visitor.send("getConversations").content.decode()


_add(
    "json-escaped",
    "JSON has escapes for everything that may have one.",
    "RFC 8259, 7",
    _written(_escaped, _escaped),
    _in('"\\u006Fbject": ', _listed),
)
_add(
    "json-in-another-order",
    "JSON has its names in another order, and white space of every kind.",
    "RFC 8259, 2 and 4",
    _written(_reversed),
    _in('"object" : "conversation"', _listed),
)
_add(
    "whole-numbers-as-fractions",
    "Whole numbers are written like 1.0.",
    "RFC 8259, 6; ConversationList.properties.total",
    _written(lambda value: json.dumps(_numbers(float)(value), ensure_ascii=False)),
    _in('"total": 1.0', _listed),
)
_add(
    "whole-numbers-with-exponents",
    "Whole numbers are written like 1.0E+0.",
    "RFC 8259, 6; ConversationList.properties.total",
    _written(_exponents),
    _in('"total": 1.0E+0', _listed),
)


# Objects.


def _nanoseconds(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds").replace("+00:00", "000Z")


def _small_letters(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "z").replace("T", "t")


for _name, _description, _write, _end in (
    ("times-with-nanoseconds", "Times have nine digits after the second.", _nanoseconds, "000000Z"),
    ("times-in-small-letters", "Times have the letters t and z.", _small_letters, "z"),
):

    def _ends(api: Api, end: str = _end) -> None:
        started = api.visitor().expect("startConversation", wanted=201)
        assert started["createdAt"].endswith(end)

    _add(_name, _description, "O-7; RFC 3339, 5.6", times(_write), _ends)


_add(
    "sessions-of-two-seconds",
    "Sessions end after two seconds without a request.",
    "openapi.yaml init.description (F-auth): after a period of inactivity",
    lambda server: server.settings.update(session_seconds=_SECONDS_OF_SESSION),
    lambda api: _expired(api),
)


def _expired(api: Api) -> None:
    visitor = api.visitor()
    time.sleep(_SECONDS_OF_SESSION + 0.1)
    visitor.refused("getMe", by=(401,))
    api.session(visitor.device, wanted=200)


_LONG = "." + "A-_" * 700


@_variant(
    "tokens-of-two-kilobytes",
    "Session tokens are longer than two kilobytes.",
    "VisitorSession.properties.sessionToken",
    lambda api: _long_token(api),
)
def _long_tokens(server: Server) -> None:
    def after(exchange: Exchange) -> None:
        if exchange.succeeded:
            found = exchange.json
            exchange.json = {**found, "sessionToken": found["sessionToken"] + _LONG}

    def ask(exchange: Exchange) -> None:
        if exchange.bearer.endswith(_LONG):
            exchange.request_headers["authorization"] = exchange.bearer.removesuffix(_LONG)

    server.after("init", after)
    server.before(_EVERY, ask)


def _long_token(api: Api) -> None:
    visitor = api.visitor()
    assert len(visitor.token) > 2_000
    visitor.expect("getMe")


@_variant(
    "title-comes-late",
    "The title of a conversation is set some time after its first message, with updatedAt.",
    "O-19",
    lambda api: _untitled(api),
)
def _title_late(server: Server) -> None:
    due: dict[str, tuple[float, str]] = {}

    def touch(
        records: Records, original: Callable[..., Any], conversation: str, title: str | None = None
    ) -> None:
        if title is not None:
            due.setdefault(conversation, (time.monotonic() + _SECONDS_OF_TITLE, title))
        original(conversation, None)

    def ask(_exchange: Exchange) -> None:
        for conversation, (when, title) in [*due.items()]:
            if when < time.monotonic():
                # Kept as the one that is set, so that a later message does not change it.
                due[conversation] = (float("inf"), title)
                _set_title(server, conversation, title)

    server.records("touch_conversation", touch)
    server.before(_EVERY, ask)


def _set_title(server: Server, conversation: str, title: str) -> None:
    with server.store.write() as records:
        records._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation)
            .values(title=title, updated_at=server.store.clock.timestamp())
        )


def _untitled(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk("Hello")
    assert visitor.read(conversation)["title"] is None
    time.sleep(_SECONDS_OF_TITLE + 0.1)
    assert "Hello" == visitor.read(conversation)["title"]


@_variant(
    "greeting",
    "A new conversation begins with a greeting of the assistant.",
    "Conversation.properties.messages; openapi.yaml startConversation.description",
    lambda api: _equal(["assistant"], _roles_of_new(api)),
)
def _greeting(server: Server) -> None:
    def answer(call: Call, handler: Handler) -> ASGIApp:
        response = handler(call)
        assert isinstance(response, JSONResponse)
        conversation = json.loads(bytes(response.body))["id"]
        with call.services.store.write() as records:
            greeting = records.add_message(conversation, "assistant", "Welcome! 👋")
            found = records.any_conversation(conversation)
        assert found is not None
        return JSONResponse(views.conversation(found, [greeting]), status_code=201)

    server.handler("startConversation", answer)


def _roles_of_new(api: Api) -> list[str]:
    visitor = api.visitor()
    return [message["role"] for message in visitor.messages(visitor.start())]


# Answers in other parts.


def _with_sources(event: Event) -> Iterable[Event]:
    call = {"toolCallId": "c1", "toolName": "lookup"}
    if event.type == "start":
        return [event.but(messageMetadata={"model": "m"})]
    if event.type == "text-start":
        return [
            Event.of({"type": "tool-input-start", **call, "dynamic": True}),
            Event.of({"type": "tool-input-delta", "toolCallId": "c1", "inputTextDelta": "{}"}),
            Event.of({"type": "tool-input-available", **call, "input": {}, "dynamic": True}),
            Event.of({"type": "tool-output-error", "toolCallId": "c1", "errorText": "nothing"}),
            event,
        ]
    if event.type == "text-end":
        document = {"sourceId": "s2", "mediaType": "text/plain", "title": "Terms"}
        return [
            event,
            Event.of({"type": "source-url", "sourceId": "s1", "url": "https://example.com/a"}),
            Event.of({"type": "source-document", **document}),
            Event.of({"type": "file", "url": "data:,x", "mediaType": "text/plain"}),
        ]
    if event.type == "finish":
        return [event.but(finishReason="stop", messageMetadata={"tokens": 3})]
    return [event]


_PARTS: Sequence[dict[str, Any]] = (
    {"type": "step-start"},
    {"type": "tool-lookup", "state": "output-error", "toolCallId": "c1", "errorText": "nothing"},
    {"type": "source-url", "sourceId": "s1", "url": "https://example.com/a"},
)


@_variant(
    "sources-and-failed-tools",
    "Answers have sources, files and a tool that fails, in streams and in messages.",
    "R-10; R-29",
    lambda api: _contains(_streamed(api), '"source-document"'),
)
def _sources(server: Server) -> None:
    server.stream(_STREAMING, lambda _: _with_sources)
    _parts_around(lambda parts: [_PARTS[0], _PARTS[1], *parts, _PARTS[2]])(server)


def _parts_around(make: Callable[[list[Any]], list[Any]]) -> Build:
    """Return a difference in the parts of stored answers."""
    parts = change(make)
    answers: dict[str, Any] = {"where": lambda message: message["role"] == "assistant"}
    return together(
        edit("getMessages", "data.*.parts", parts, **answers),
        edit("getConversation", "messages.*.parts", parts, **answers),
        edit("getConversations", "data.*.lastMessage.parts", parts, **answers),
    )


@_variant(
    "text-in-two-parts",
    "An answer consists of two texts, each with its own start, end and identifier.",
    "Message.properties.parts; TextStartPayload; R-13",
    lambda api: _equal(2, _streamed(api).count('"text-start"')),
)
def _two_texts(server: Server) -> None:
    def begin(_exchange: Exchange) -> Step:
        numbers = count(1)

        def step(event: Event) -> Iterable[Event]:
            if event.type == "text-delta":
                number = next(numbers)
                if number == 2:
                    first = {"id": event.payload["id"]}
                    return [
                        Event.of({"type": "text-end", **first}),
                        Event.of({"type": "text-start", "id": "second"}),
                        event.but(id="second"),
                    ]
                return [event if number < 2 else event.but(id="second")]
            return [event.but(id="second") if event.type == "text-end" else event]

        return step

    server.stream(_STREAMING, begin)
    _parts_around(_halves)(server)
    edit(_STREAMING, "steps.*.content", change(_halves))(server)


def _halves(parts: list[Any]) -> list[Any]:
    """Return a text as two parts, split where a stream has its second piece."""
    (part,) = parts
    found = re.match(r"\s*\S+\s*", part["text"])
    middle = found.end() if found else 0
    return [{**part, "text": part["text"][:middle]}, {**part, "text": part["text"][middle:]}]


def _equal(expected: Any, actual: Any) -> None:
    assert expected == actual


def _contains(value: Any, item: Any) -> None:
    assert item in value


TRANSPORT_VARIANTS: Sequence[Variant] = tuple(_variants.variants)
"""The variants of this module."""
