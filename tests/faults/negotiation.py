"""Faults in what clients and servers agree on: media types, codings, framing, connections."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from siteassist_mock.http.errors import ApiError, error_response
from tests.faults import probes
from tests.faults.connections import Rewrite, chunks, responding, rewriting
from tests.faults.exchange import Exchange
from tests.faults.faulty import Build, Server, operations
from tests.faults.mutant import Faults, Probe
from tests.faults.probes import CHAT
from tests.faults.probing import Api, answer_to, text_of
from tests.values import API_KEY, PROJECT_ID

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["FAULTS"]

FAULTS = Faults("negotiation", socket=True)
_add = FAULTS.add
_fault = FAULTS.fault

_EVERY = " ".join(operations())
_STREAMING = "sendMessage createChatCompletion"
_JSON = {"Content-Type": "application/json"}
_TIMEOUT = 1.0
"""Seconds of silence after which a server does not answer."""


# Media types that a client accepts.


def _asking(name: str, value: str) -> Probe:
    """Return a probe that a header of clients changes nothing in several operations."""

    def probe(api: Api) -> None:
        sent: dict[str, Any] = {"headers": {name: value}}
        visitor = api.visitor()
        assert visitor.id == visitor.expect("getMe", **sent)["id"]
        conversation = visitor.expect("startConversation", wanted=201, **sent)["id"]
        body = {"content": "How long does shipping take?", "stream": False}
        assert text_of(visitor.expect("sendMessage", conversation, body=body, **sent))
        assert 2 == len(visitor.expect("getMessages", conversation, **sent)["data"])
        chat = {**CHAT, "stream": False}
        assert text_of(visitor.expect("createChatCompletion", body=chat, **sent))
        assert api.expect("search", q="desk", apiKey=API_KEY, **sent)["results"]
        assert api.expect("getQnas", PROJECT_ID, **sent)["data"]

    return probe


_BROWSER = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
_LIBRARY = "application/json, text/plain, */*"
_BOTH = "application/json, text/event-stream"


def _for_header(name: str, wanted: Callable[[str], bool], answer: Response) -> Build:
    """Return a fault: ``answer`` is the response if a header of the request is ``wanted``."""

    def ask(exchange: Exchange) -> ASGIApp | None:
        return answer if wanted(exchange.request_headers.get(name, "").lower()) else None

    return lambda server: server.before(_EVERY, ask)


@_fault(
    "accept-picks-the-stream",
    "An answer is streamed if the client accepts event streams, although stream is false.",
    "openapi.yaml sendMessage.description (P2); createChatCompletion",
    _asking("Accept", _BOTH),
)
def _picks_stream(server: Server) -> None:
    def ask(exchange: Exchange) -> None:
        sent = exchange.request_json
        if "text/event-stream" in exchange.request_headers.get("accept", "") and sent:
            exchange.request_json = {**sent, "stream": True}

    server.before(_STREAMING, ask)


def _charset(exchange: Exchange) -> None:
    wanted = exchange.request_headers.get("accept-charset", "").lower()
    if "iso-8859-1" in wanted and exchange.headers.get("content-type") == "application/json":
        text = exchange.body.decode()
        exchange.body = text.encode("latin-1", errors="replace")
        exchange.headers["content-type"] = "application/json; charset=iso-8859-1"


for _name, _description, _evidence, _build, _probe in (
    (
        "accept-list-400",
        "A request that accepts a list of media types is refused with 400.",
        "openapi.yaml getMe 200: application/json; RFC 9110, 12.5.1",
        _for_header("accept", lambda value: "," in value, error_response(ApiError(400))),
        _asking("Accept", _LIBRARY),
    ),
    (
        "accept-html-page",
        "A client that prefers HTML but takes JSON gets a page for people.",
        "openapi.yaml getMe 200: application/json",
        _for_header(
            "accept",
            lambda value: value.startswith("text/html"),
            HTMLResponse("<h1>SiteAssist API</h1>"),
        ),
        _asking("Accept", _BROWSER),
    ),
    (
        "accept-with-weights-500",
        "A request that accepts a media type with a weight gets a 500.",
        "openapi.yaml getMe 200: application/json; RFC 9110, 12.4.2",
        _for_header("accept", lambda value: ";q=" in value, error_response(ApiError(500))),
        _asking("Accept", "application/json;q=0.9, application/*;q=0.5"),
    ),
    (
        "accept-charset-latin-1",
        "JSON is encoded in ISO-8859-1 if the client prefers it.",
        "openapi.yaml getQnas 200: application/json; RFC 8259, 8.1",
        lambda server: server.after(_EVERY, _charset),
        _asking("Accept-Charset", "iso-8859-1, utf-8;q=0.7"),
    ),
    (
        "upgrade-to-http-2-refused",
        "A request that offers an upgrade to HTTP/2 is refused with 400.",
        "openapi.yaml getMe 200; RFC 9110, 7.8: a server may ignore the header Upgrade",
        _for_header("upgrade", lambda value: value == "h2c", PlainTextResponse("Bad", 400)),
        lambda api: _upgrading(api),
    ),
):
    _add(_name, _description, _evidence, _build, _probe)


def _upgrading(api: Api) -> None:
    headers = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMA"}
    assert api.expect("getProject", apiKey=API_KEY, headers=headers)["name"]


# Content codings.


def _accepts_gzip(exchange: Exchange) -> bool:
    """Return whether the client accepts gzip, by the way of a server that reads no weights."""
    return "gzip" in exchange.request_headers.get("accept-encoding", "")


def _zipped(exchange: Exchange) -> None:
    exchange.body = gzip.compress(exchange.body)
    exchange.headers["content-encoding"] = "gzip"


def _accepting(coding: str) -> Probe:
    """Return a probe that JSON has a coding that the client accepts, or none."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        for _ in range(2):
            sent: Any = {"headers": {"Accept-Encoding": coding}}
            request: Any = {"apiKey": API_KEY, **sent}
            responses = [visitor.send("getMe", **sent), api.send("getProject", **request)]
            for response in responses:
                found = response.headers.get("content-encoding", "identity")
                assert found == "identity" or (found in coding and ";q=0" not in coding), found
                assert json.loads(response.content)["id"]

    return probe


def _decodable(probe: Probe) -> Probe:
    """Return a probe that fails if a response cannot be decoded, or is cut off."""

    def decoded(api: Api) -> None:
        try:
            probe(api)
        except (httpx.DecodingError, httpx.RemoteProtocolError, ValueError) as error:
            raise AssertionError(str(error)) from None

    return decoded


def _refused(exchange: Exchange) -> None:
    if _accepts_gzip(exchange):
        _zipped(exchange)


def _unnamed(exchange: Exchange) -> None:
    if _accepts_gzip(exchange) and exchange.succeeded:
        exchange.body = gzip.compress(exchange.body)


def _named_only(exchange: Exchange) -> None:
    if _accepts_gzip(exchange) and exchange.succeeded:
        exchange.headers["content-encoding"] = "gzip"


def _half(exchange: Exchange) -> None:
    if _accepts_gzip(exchange) and exchange.succeeded:
        _zipped(exchange)
        exchange.body = exchange.body[: len(exchange.body) // 2]


_DECODED = "openapi.yaml getMe 200, getProject 200: application/json; RFC 9110, 8.4"

for _name, _description, _change, _operations, _coding in (
    (
        "gzip-though-refused",
        "Bodies are compressed if the name gzip occurs, even to say that it is not accepted.",
        _refused,
        _EVERY,
        "identity, gzip;q=0",
    ),
    (
        "gzip-unannounced",
        "Compressed bodies have no header that says so.",
        _unnamed,
        "getMe getProject",
        "gzip",
    ),
    (
        "gzip-in-name-only",
        "A header says that bodies are compressed, and they are not.",
        _named_only,
        "getMe getProject",
        "gzip",
    ),
    ("gzip-cut-off", "Compressed bodies are cut off.", _half, "getMe getProject", "gzip"),
):

    def _code(
        server: Server,
        names: str = _operations,
        hook: Callable[[Exchange], None] = _change,
    ) -> None:
        server.after(names, hook)

    _add(_name, _description, _DECODED, _code, _decodable(_accepting(_coding)))


@_fault(
    "gzip-cached-for-all",
    "A cache sends the compressed project also to clients that do not accept compression.",
    _DECODED,
    lambda api: _decodable(_cached_plainly)(api),
)
def _cached(server: Server) -> None:
    kept: list[bytes] = []

    def hook(exchange: Exchange) -> None:
        if not exchange.succeeded:
            return
        if _accepts_gzip(exchange):
            kept[:] = [gzip.compress(exchange.body)]
        if kept:
            exchange.body = kept[0]
            exchange.headers["content-encoding"] = "gzip"

    server.after("getProject", hook)


def _cached_plainly(api: Api) -> None:
    for coding in ("gzip", "identity"):
        response = api.send("getProject", apiKey=API_KEY, headers={"Accept-Encoding": coding})
        assert response.headers.get("content-encoding", "identity") in {coding, "identity"}


@_fault(
    "gzip-holds-streams-back",
    "A compressed stream is sent in one piece at its end.",
    "openapi.yaml sendMessage.description: while it is being written; createChatCompletion",
    lambda api: _compressed_stream(api),
)
def _holds_back(server: Server) -> None:
    server.settings["stream_delay"] = 0.03

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            accepted = scope["type"] == "http" and "gzip" in Headers(scope=scope).get(
                "accept-encoding", ""
            )
            compressor = zlib.compressobj(6, zlib.DEFLATED, 31)
            streams = False

            async def changed(message: Message) -> None:
                nonlocal streams
                if message["type"] == "http.response.start":
                    headers = MutableHeaders(raw=[*message["headers"]])
                    streams = headers.get("content-type", "").startswith("text/event-stream")
                    if streams:
                        headers["content-encoding"] = "gzip"
                        message = {**message, "headers": headers.raw}
                elif streams:
                    # Without a flush after each event.
                    body = compressor.compress(message.get("body", b""))
                    if not message.get("more_body", False):
                        body += compressor.flush()
                    message = {**message, "body": body}
                await send(message)

            await app(scope, receive, changed if accepted else send)

        return middleware

    server.middleware(wrap)


def _compressed_stream(api: Api) -> None:
    visitor = api.visitor()
    body = {**CHAT, "stream": True}
    headers = {**visitor.bearer(), "Accept-Encoding": "gzip"}
    with api.http.stream("POST", "/chat/completions", json=body, headers=headers) as response:
        pieces = [piece for piece in response.iter_raw() if len(piece) > 12]
    assert len(pieces) > 2, [len(piece) for piece in pieces]


# Bodies of requests.


def _in_chunks(api: Api, body: Any, size: int, **headers: str) -> httpx.Response:
    """Begin a session with a body in chunks of ``size`` bytes."""
    raw = json.dumps(body).encode()

    def pieces() -> Iterator[bytes]:
        for index in range(0, len(raw), size):
            yield raw[index : index + size]

    return api.http.post("/identity/init", content=pieces(), headers={**_JSON, **headers})


def _chunked(size: int) -> Probe:
    """Return a probe that a body in chunks is read like one with a length."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        body = {"apiKey": API_KEY, "saVid": visitor.device}
        response = _in_chunks(api, body, size)
        assert response.status_code in {200, 405, 406, 411, 415, 417, 501}, response.text
        if response.status_code == 200:
            assert visitor.id == response.json()["visitor"]["id"]

    return probe


def _bodies(change: Callable[[list[bytes]], list[bytes]]) -> Build:
    """Return a fault in the pieces of requests whose body is chunked."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or "transfer-encoding" not in Headers(scope=scope):
                await app(scope, receive, send)
                return
            pieces: list[bytes] = []
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                pieces.append(message.get("body", b""))
                more = message.get("more_body", False)
            waiting = [b"".join(change(_chunk_sizes(scope, pieces)))]

            async def again() -> Message:
                if waiting:
                    return {"type": "http.request", "body": waiting.pop(), "more_body": False}
                return await receive()

            await app(scope, again, send)

        return middleware

    return lambda server: server.middleware(wrap)


def _chunk_sizes(_scope: Scope, pieces: list[bytes]) -> list[bytes]:
    """Return a body in pieces of 16 bytes: the server may have joined those of the client."""
    body = b"".join(pieces)
    return [body[index : index + 16] for index in range(0, len(body), 16)]


_TAKEN = "openapi.yaml init.description (F-init); RFC 9112, 7.1"

_add(
    "chunked-body-lost",
    "A body that is chunked counts as missing.",
    _TAKEN,
    _bodies(lambda _: []),
    _chunked(1_000),
)
_add(
    "chunked-body-cut",
    "Only the first chunks of a body are read.",
    _TAKEN,
    _bodies(lambda pieces: pieces[:2]),
    _chunked(16),
)


def _with_type(value: str) -> Probe:
    """Return a probe that a spelling of the media type of JSON is understood."""

    def probe(api: Api) -> None:
        visitor = api.visitor()
        conversation = visitor.start()
        response = visitor.send(
            "sendMessage", conversation, body={"content": "Hi"}, headers={"Content-Type": value}
        )
        assert response.status_code in {200, 415}, response.text
        if response.status_code == 200:
            assert "Hi" == visitor.texts(conversation)[0]

    return probe


def _unknown_type(known: Callable[[str], bool]) -> Build:
    """Return a fault: bodies of types that are not ``known`` count as empty objects."""

    def ask(exchange: Exchange) -> None:
        value = exchange.request_headers.get("content-type", "application/json")
        if not known(value):
            exchange.request_json = {}

    return lambda server: server.before(_EVERY, ask)


_add(
    "charset-parameter-unknown",
    "The body of a request is ignored if its media type has a charset.",
    "openapi.yaml sendMessage (P2): application/json; RFC 9110, 8.3.1",
    _unknown_type(lambda value: value.lower() == "application/json"),
    _with_type("application/json; charset=utf-8"),
)
_add(
    "media-type-in-other-case-unknown",
    "The body of a request is ignored if its media type has capitals.",
    "openapi.yaml sendMessage (P2): application/json; RFC 9110, 8.3.1",
    _unknown_type(lambda value: value.startswith("application/json")),
    _with_type("Application/JSON"),
)


@_fault(
    "no-body-of-type-json-400",
    "closeConversation and startConversation refuse a request that has the media type of JSON but"
    " no body.",
    "C-06; C-07",
    lambda api: _typed_without_body(api),
)
def _no_body(server: Server) -> None:
    def ask(exchange: Exchange) -> ASGIApp | None:
        typed = exchange.request_headers.get("content-type", "").startswith("application/json")
        refused = typed and not exchange.request_body
        message = "Body cannot be empty when content-type is set to 'application/json'"
        return error_response(ApiError(400, message=message)) if refused else None

    server.before("closeConversation startConversation", ask)


def _typed_without_body(api: Api) -> None:
    visitor = api.visitor()
    found = visitor.expect("startConversation", wanted=201, headers=_JSON)
    visitor.expect("closeConversation", found["id"], headers=_JSON)
    assert "closed" == visitor.read(found["id"])["status"]


# Expectations.


def _request(api: Api, line: str, *headers: str, body: bytes = b"") -> tuple[bytes, bytes]:
    """Return the head and the body of a request, whose path follows that of the API."""
    method, path, version = line.split()
    url = api.http.base_url
    lines = [
        f"{method} {url.path.rstrip('/')}{path} {version}",
        f"Host: {url.netloc.decode()}",
        *headers,
        *([f"Content-Length: {len(body)}", "Content-Type: application/json"] if body else []),
    ]
    return "\r\n".join([*lines, "", ""]).encode(), body


def _device(number: int = 1) -> bytes:
    return json.dumps({"apiKey": API_KEY, "saVid": f"expecting-{number}"}).encode()


def _expecting(api: Api) -> None:
    sent = _request(
        api,
        "POST /identity/init HTTP/1.1",
        "Expect: 100-continue",
        "Connection: close",
        body=_device(),
    )
    found = answer_to(api, *sent, seconds=_TIMEOUT)
    first, _, rest = found.partition(b"\r\n\r\n")
    if first.startswith(b"HTTP/1.1 417"):
        return
    assert first.startswith(b"HTTP/1.1 100"), first
    assert rest.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")), rest


_EXPECT = "openapi.yaml init.description (F-init); RFC 9110, 10.1.1"

_add(
    "expectation-500",
    "A request that expects 100 Continue gets a 500.",
    _EXPECT,
    _for_header("expect", bool, error_response(ApiError(500))),
    _expecting,
)


@_fault(
    "expectation-unanswered",
    "A client that waits for 100 Continue waits in vain.",
    _EXPECT,
    _expecting,
)
def _unanswered(server: Server) -> None:
    def begin(_scope: Scope) -> Rewrite:
        return lambda data: b"" if data.startswith(b"HTTP/1.1 100") else data

    server.middleware(rewriting(begin))


# Connections.


@_fault(
    "request-after-an-error-400",
    "After an error, the next request of the same connection is refused as malformed.",
    "openapi.yaml getProject 200; RFC 9112, 9.3",
    lambda api: _after_an_error(api),
)
def _after_error(server: Server) -> None:
    failed: set[object] = set()

    def ask(exchange: Exchange) -> ASGIApp | None:
        if exchange.client not in failed:
            return None
        failed.discard(exchange.client)
        # As if the body of the last request were the beginning of this one.
        return PlainTextResponse("Invalid HTTP request received.", status_code=400)

    def after(exchange: Exchange) -> None:
        if exchange.status >= 400 and exchange.request_body:
            failed.add(exchange.client)

    server.before(_EVERY, ask)
    server.after(_EVERY, after)


def _after_an_error(api: Api) -> None:
    with httpx.Client(
        base_url=api.http.base_url,
        limits=httpx.Limits(max_connections=1),
        trust_env=False,
    ) as http:
        one = Api(http)
        for _ in range(2):
            one.refused("sendMessage", PROJECT_ID, by=(401,), body={"content": "Hi"})
            one.expect("getProject", apiKey=API_KEY)


def _old_client(api: Api) -> None:
    path = f"/projects/current?apiKey={API_KEY}"
    head, _ = _request(api, f"GET {path} HTTP/1.0")
    found = answer_to(api, head, seconds=_TIMEOUT)
    start, _, body = found.partition(b"\r\n\r\n")
    assert b" 200" in start.partition(b"\r\n")[0], start
    assert b"transfer-encoding" not in start.lower(), start
    assert PROJECT_ID == json.loads(body)["id"]


def _chunked_anyway(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    kept = [name + b": " + value for name, value in headers if name != b"content-length"]
    lines = [f"HTTP/1.1 {status} OK".encode(), *kept, b"Transfer-Encoding: chunked", b"", b""]
    return b"\r\n".join(lines) + f"{len(body):x}".encode() + b"\r\n" + body + b"\r\n0\r\n\r\n"


_add(
    "chunks-for-http-1-0",
    "Clients of HTTP/1.0 get chunked bodies, which they do not know.",
    "openapi.yaml getProject 200; RFC 9112, 6.1",
    lambda server: server.middleware(
        responding(lambda scope: bool(scope["http_version"] == "1.0"), _chunked_anyway)
    ),
    _old_client,
    rare=True,
)


@_fault(
    "length-of-the-uncompressed-body",
    "A compressed body has the length of the uncompressed one, so that clients wait.",
    _DECODED,
    lambda api: _sized(api),
)
def _old_length(server: Server) -> None:
    def when(scope: Scope) -> bool:
        accepted = Headers(scope=scope).get("accept-encoding", "")
        return "gzip" in accepted and str(scope["path"]).endswith("/projects/current")

    def write(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
        lines = [f"HTTP/1.1 {status} OK".encode()]
        lines += [name + b": " + value for name, value in headers]
        lines += [b"Content-Encoding: gzip", b"", b""]
        return b"\r\n".join(lines) + gzip.compress(body)

    server.middleware(responding(when, write))


def _sized(api: Api) -> None:
    path = f"/projects/current?apiKey={API_KEY}"
    head, _ = _request(api, f"GET {path} HTTP/1.1", "Accept-Encoding: gzip", "Connection: close")
    found = answer_to(api, head, seconds=_TIMEOUT)
    start, _, body = found.partition(b"\r\n\r\n")
    sizes = [
        int(line.split(b":")[1])
        for line in start.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    ]
    if sizes:
        assert [len(body)] == sizes
    else:
        assert chunks(found)


# Conditional requests.


@_fault(
    "entity-tag-never-changes",
    "getConversation answers 304 to a client that has an older state of a conversation.",
    "openapi.yaml getConversation 200 (P5); RFC 9110, 13.1.2",
    lambda api: _changed_since(api),
)
def _never_changes(server: Server) -> None:
    def hook(exchange: Exchange) -> None:
        if not exchange.succeeded:
            return
        tag = f'"{exchange.path["conversationId"].lower()}"'
        exchange.headers["etag"] = tag
        if exchange.request_headers.get("if-none-match") == tag:
            exchange.status, exchange.body = 304, b""
            del exchange.headers["content-length"]

    server.after("getConversation", hook)


def _changed_since(api: Api) -> None:
    visitor = api.visitor()
    conversation = visitor.talk()
    tag = visitor.send("getConversation", conversation).headers.get("etag", '"none"')
    visitor.say(conversation, "Hi")
    found = visitor.expect("getConversation", conversation, headers={"If-None-Match": tag})
    assert 4 == len(found["messages"])
    probes.read(api)
