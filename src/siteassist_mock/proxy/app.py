"""The proxy: passes requests on to a server, and its answers back, piece by piece.

Each whole answer is compared with the description. The recording is for
``siteassist-contract check``, which judges more than one answer shows.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from posixpath import normpath
from typing import Any
from urllib.parse import unquote

import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from siteassist_mock.http.access_log import AccessLog, loggable
from siteassist_mock.http.connection import TRANSPORT
from siteassist_mock.http.errors import ApiError, error_response
from siteassist_mock.http.redaction import Redactor
from siteassist_mock.http.response_validation import Strict
from siteassist_mock.http.router import Router
from siteassist_mock.proxy.har_file import HarFile, Traffic
from siteassist_spec import Document, base_path, read_operations

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""The headers that belong to one connection (RFC 9110, 7.6.1)."""
_LARGEST_BODY = 16 * 2**20
"""Maximum size of the body of a request, and of the recorded part of an answer, in bytes."""
_TIMEOUT = httpx.Timeout(30.0, read=120.0)
_OPERATION = "siteassist.operation"
_STATUSES = range(200, 600)
"""The statuses that a server of HTTP can send at the end (RFC 9110, 15)."""
_LOOP = "The address of the server leads back to the proxy"


@dataclass
class ProxySettings:
    """The settings of a proxy."""

    upstream: str
    """The base URL of the server, without a slash at its end."""
    say: Callable[[str], object]
    """Called with each sentence about the traffic."""
    recording: HarFile | None = None
    transport: httpx.AsyncBaseTransport | None = None
    """The way to the server; by default over the network."""


def create_proxy(settings: ProxySettings, document: Document | None = None) -> Starlette:
    """Return the proxy as an application for `siteassist_mock.http.server.make_server`.

    ``app.state.proxy`` counts the answers that do not match the description.
    """
    proxy = Proxy(settings, document or Document.load())
    app = Starlette()
    app.middleware_stack = AccessLog(proxy, Redactor(()))
    app.state.base_path = proxy.prefix
    app.state.sockets = proxy
    app.state.proxy = proxy
    return app


class Proxy:
    """An ASGI application that passes requests on."""

    def __init__(self, settings: ProxySettings, document: Document) -> None:
        """Pass the requests below the path of the API on to the server of ``settings``."""
        self.prefix = base_path(document)
        self.violations = 0
        self._settings = settings
        self._strict = Strict(document)
        paths: dict[str, dict[str, ASGIApp]] = {}
        for name, operation in read_operations(document).items():
            paths.setdefault(self.prefix + operation.path, {})[operation.method] = _naming(name)
        self._router = Router(paths, {})
        self._client: httpx.AsyncClient | None = None
        # In `Via`, which names the proxies that passed a request on (RFC 9110, 7.6.3).
        self._name = f"siteassist-mock-{secrets.token_hex(8)}"
        self._has_said_loop = False

    def close(self) -> None:
        """Do nothing: the name is that of the sockets of the mock, which a stop closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse the handshake of a socket."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1011})
            return
        if scope["type"] != "http":
            return
        url = self._url(scope)
        if url is None:
            problem = ApiError(404, message=f"The proxy passes {self.prefix}/ on, and nothing else")
            await error_response(problem)(scope, receive, send)
            return
        if _passed_by(self._name, scope["headers"]):
            problem = ApiError(502, message=_LOOP, headers={"Via": f"1.1 {self._name}"})
            await error_response(problem)(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            await error_response(ApiError(413))(scope, receive, send)
            return
        if self._client is None:
            # In the event loop that it will be used in.
            self._client = httpx.AsyncClient(transport=self._settings.transport)
        request = _request(scope, url, body, self._name)
        call = _Call(self._client, self._settings.say, request, receive, send)
        await call.run(scope)
        if call.traffic.status and _passed_by(self._name, call.answer_headers):
            call.traffic.error = "the address of the server leads back to the proxy"
            if not self._has_said_loop:
                self._has_said_loop = True
                self._settings.say(call.traffic.error)
        operation = await self._operation(scope)
        self._judge(operation, call.traffic)
        self._record(call.traffic)

    def _url(self, scope: Scope) -> httpx.URL | None:
        """Return the URL at the server, or None if the path is not below that of the API."""
        path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii")
        query = scope.get("query_string", b"").decode("latin-1")
        # Each character of the prefix may be encoded, as three characters.
        for end in range(len(self.prefix), 3 * len(self.prefix) + 1):
            if path[end : end + 1] == "/" and unquote(path[:end]) == self.prefix:
                rest = path[end:]
                break
        else:
            return None
        url = httpx.URL(self._settings.upstream + rest + (f"?{query}" if query else ""))
        # Both this URL and the server may resolve dots.
        base = normpath(httpx.URL(self._settings.upstream).path).rstrip("/")
        return url if f"{normpath(url.path)}/".startswith(f"{base}/") else None

    async def _operation(self, scope: Scope) -> str | None:
        """Return the operation of a request, or None."""
        found: Scope = {**scope}
        with suppress(ApiError):
            await self._router(found, _nothing, _ignored)
        name: str | None = found.get(_OPERATION)
        return name

    def _judge(self, operation: str | None, traffic: Traffic) -> None:
        """Compare a whole answer with the description."""
        if operation is None or traffic.error or not traffic.status:
            return
        headers = {name.lower(): value for name, value in traffic.answer_headers}
        problem = self._strict.problem(
            operation, traffic.status, headers.get("content-type", ""), traffic.content
        )
        if problem is not None:
            self.violations += 1
            self._settings.say(problem)

    def _record(self, traffic: Traffic) -> None:
        recording = self._settings.recording
        if recording is None:
            return
        try:
            recording.add(traffic)
        except (OSError, ValueError) as error:
            self._settings.recording = None
            reason = getattr(error, "strerror", None) or error
            self._settings.say(f"the recording ends here: {reason}")


def _passed_by(name: str, headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Return whether ``Via`` names a proxy."""
    return any(key.lower() == b"via" and name.encode() in value for key, value in headers)


def _request(scope: Scope, url: httpx.URL, body: bytes, proxy: str) -> httpx.Request:
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name.decode("latin-1").lower() not in _HOP_BY_HOP | {"host", "accept-encoding"}
    ]
    headers.append((b"via", f"1.1 {proxy}".encode()))
    # Unpacking would hold pieces of a stream back.
    headers.append((b"accept-encoding", b"identity"))
    return httpx.Request(
        scope["method"],
        url,
        headers=headers,
        content=body or None,
        extensions={"timeout": _TIMEOUT.as_dict()},
    )


def _naming(operation: str) -> ASGIApp:
    async def endpoint(scope: Scope, _receive: Receive, _send: Send) -> None:
        scope[_OPERATION] = operation

    return endpoint


async def _nothing() -> Any:
    return {"type": "http.disconnect"}


async def _ignored(_message: Any) -> None:
    """Do nothing."""


async def _body(receive: Receive) -> bytes | None:
    """Return the body of a request, or None if it is too large."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            return None
        if message["type"] == "http.disconnect" or not message.get("more_body", False):
            return bytes(body)


class _Call:
    """One request on its way to the server, and the answer on its way back."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        say: Callable[[str], object],
        request: httpx.Request,
        receive: Receive,
        send: Send,
    ) -> None:
        self._client = client
        self._say = say
        self._request = request
        self._receive = receive
        self._send = send
        self._size = 0
        self._content = bytearray()
        self._has_begun = False
        self.answer_headers: list[tuple[bytes, bytes]] = []
        self.traffic = Traffic(
            method=request.method,
            url=str(request.url),
            headers=_texts(request.headers),
            body=request.content,
            started=datetime.now(UTC),
        )

    async def run(self, scope: Scope) -> None:
        """Pass the request on, and the answer back; stop when the client leaves."""
        begun = time.monotonic()
        left = asyncio.ensure_future(self._client_leaves())
        passing = asyncio.ensure_future(self._pass(scope, begun))
        try:
            await asyncio.wait({left, passing}, return_when=asyncio.FIRST_COMPLETED)
            if passing.done():
                await passing
            else:
                self.traffic.error = "the client left"
        except httpx.HTTPError as error:
            await self._fail(scope, error, left)
        finally:
            self.traffic.seconds = time.monotonic() - begun
            for task in (left, passing):
                task.cancel()
            await asyncio.gather(left, passing, return_exceptions=True)
        self._unpack()

    async def _client_leaves(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _pass(self, scope: Scope, begun: float) -> None:
        response = await self._client.send(self._request, stream=True)
        traffic = self.traffic
        async with aclosing(response):
            traffic.status = response.status_code
            traffic.answer_headers = _texts(response.headers)
            self.answer_headers = response.headers.raw
            send = self._send if traffic.status in _STATUSES else _ignored
            await send(
                {
                    "type": "http.response.start",
                    "status": response.status_code,
                    "headers": [
                        (name.lower(), value)
                        for name, value in response.headers.raw
                        if name.decode("latin-1").lower() not in _HOP_BY_HOP
                    ],
                }
            )
            self._has_begun = send == self._send
            pieces: AsyncIterator[bytes] = response.aiter_raw()
            async for piece in pieces:
                self._size += len(piece)
                if self._size <= _LARGEST_BODY:
                    traffic.arrivals.append((time.monotonic() - begun, len(piece)))
                    self._content += piece
                else:
                    self._content.clear()
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        if not self._has_begun:
            await self._refuse(scope)

    async def _refuse(self, scope: Scope) -> None:
        """Answer in place of a server whose answer cannot be passed on."""
        reason = f"the server answered with the invalid status {self.traffic.status}"
        self._say(f"{_shown(self._request)}: {reason}")
        problem = ApiError(502, message=f"The proxy passes nothing on: {reason}")
        await error_response(problem)(scope, self._receive, self._send)

    async def _fail(self, scope: Scope, error: httpx.HTTPError, left: asyncio.Future[None]) -> None:
        """Answer in place of a server that cannot be reached, or cut its unfinished answer."""
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        begun = self._has_begun
        self.traffic.error = f"the server {'broke off' if begun else 'gave no answer'}: {reason}"
        self._say(f"{_shown(self._request)}: {self.traffic.error}")
        if not begun:
            problem = ApiError(502, message=f"The proxy got no answer from the server: {reason}")
            await error_response(problem)(scope, self._receive, self._send)
        elif (transport := scope.get(TRANSPORT)) is not None:
            # The client must see that the answer is not whole.
            transport.abort()
            # Otherwise the server would log an incomplete response.
            await left

    def _unpack(self) -> None:
        """Unpack the body of a server that compresses it although it was not asked to."""
        traffic = self.traffic
        traffic.content = bytes(self._content)
        if self._size > _LARGEST_BODY:
            traffic.error = traffic.error or "the answer is too long to record"
        packed = {name.lower() for name, _ in traffic.answer_headers} & {"content-encoding"}
        if packed and traffic.content and not traffic.error:
            try:
                answer = httpx.Response(
                    traffic.status, headers=traffic.answer_headers, content=traffic.content
                )
                traffic.content = answer.content
            except (httpx.DecodingError, zlib.error):
                traffic.error = "the answer cannot be unpacked"


def _shown(request: httpx.Request) -> str:
    """Return the method and the path of a request, without credentials."""
    return f"{loggable(request.method)} {loggable(Redactor(()).path(request.url.path))}"


def _texts(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw]
