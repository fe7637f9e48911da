"""Requests that are written to a connection in the way that a check chooses.

HTTP libraries write each request in one way. Other clients send bodies in chunks, wait for
`100 Continue`, use HTTP/1.0, or spell the names of headers in another case.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import h11
import httpcore
import httpx

FRAMING = "siteassist_contract_framing"
"""The name of the `Framing` among the extensions of a request."""
_PAUSE = 0.01
"""Time between two pieces of a request, in seconds."""
_CONTINUE = 5.0
"""Maximum wait, in seconds, for the answer to `Expect`, which needs no work of the server."""
_ANSWERED = 1.0
"""Maximum wait, in seconds, for the answer of a server that closes before a request is whole."""
_BLOCK = 64 * 1024
_HEAD = 256 * 1024
"""Maximum size of the head of an answer, in bytes."""
_CLOSED = "Server disconnected without sending a response."
_OF_THE_FRAME = frozenset({b"connection", b"content-length", b"expect", b"transfer-encoding"})


@dataclass(frozen=True)
class Framing:
    """The way in which a request is written."""

    headers: tuple[tuple[str, str], ...] = ()
    """Headers that replace those of the request."""
    without: frozenset[str] = frozenset()
    """The names, in lower case, of headers that are left out."""
    version: str = "1.1"
    """The version of HTTP."""
    chunk: int = 0
    """Size of the chunks of the body in bytes; 0 sends its length instead."""
    expect: bool = False
    """Whether to wait for `100 Continue` before the body."""
    pieces: bool = False
    """Whether to write the request in pieces, with pauses, and to divide lines and characters."""
    letters: str = ""
    """The case of the names of headers, `upper` or `lower`; by default as written."""
    colon: str = ": "
    """The separator between the name and the value of a header."""
    query: str = ""
    """Characters that are appended to the target."""
    kept: bool = False
    """Whether to use the connection of the previous request, and to leave it open."""
    close: bool = False
    """Whether to ask for the end of the connection."""
    patience: float | None = None
    """Timeout, in seconds, for the next bytes of the answer, if it is shorter than the usual."""

    @property
    def shown(self) -> dict[str, str]:
        """The headers that repeat the request with another client."""
        found = dict(self.headers)
        if self.close:
            found["Connection"] = "close"
        if self.expect:
            found["Expect"] = "100-continue"
        if self.chunk:
            found["Transfer-Encoding"] = "chunked"
        return found


class ContinueTimeout(httpx.ReadTimeout):
    """A server that answers neither `100 Continue` nor anything else to `Expect`.

    A server has to answer before it gets the body (RFC 9110, 10.1.1).
    """

    def __init__(self, request: httpx.Request) -> None:
        super().__init__(f"no `100 Continue` within {_CONTINUE:.0f} s", request=request)


class FramedTransport(httpx.BaseTransport):
    """A transport that writes each request as its `Framing` says."""

    def __init__(
        self, tls: ssl.SSLContext | None, backend: httpcore.NetworkBackend | None = None
    ) -> None:
        """Connect over ``backend``, with ``tls`` to the addresses of HTTPS."""
        self._tls = tls
        self._backend = backend or httpcore.SyncBackend()
        self._kept: _Connection | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the answer is read as it is iterated over."""
        framing: Framing = request.extensions[FRAMING]
        if framing.kept and self._kept is not None:
            connection, self._kept = self._kept, None
            try:
                return self._send(connection, request, framing)
            except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError):
                if connection.answered:
                    raise
                # The server may close an idle connection at any time.
        return self._send(self._connect(request), request, framing)

    def close(self) -> None:
        """Close the connection that was left open."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _connect(self, request: httpx.Request) -> _Connection:
        url, timeout = request.url, request.extensions.get("timeout", {}).get("connect")
        try:
            port = url.port or (443 if url.scheme == "https" else 80)
            stream = self._backend.connect_tcp(url.host, port, timeout)
            if url.scheme == "https" and self._tls is not None:
                self._tls.set_alpn_protocols(["http/1.1"])
                stream = stream.start_tls(self._tls, url.host, timeout)
        except httpcore.TimeoutException as error:
            raise httpx.ConnectTimeout(str(error), request=request) from None
        except (httpcore.NetworkError, OSError) as error:
            raise httpx.ConnectError(str(error), request=request) from None
        return _Connection(stream)

    def _send(
        self, connection: _Connection, request: httpx.Request, framing: Framing
    ) -> httpx.Response:
        try:
            response = connection.send(request, framing)
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            response.status_code,
            headers=list(response.headers),
            stream=_Body(self, connection, request, keeps=framing.kept),
            extensions={"http_version": b"HTTP/" + response.http_version},
        )

    def keep(self, connection: _Connection) -> None:
        """Keep a connection for the next request."""
        self.close()
        self._kept = connection


class _Connection:
    """One connection, and the state of HTTP on it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEAD)
        self.answered = False
        """Whether the answer to the current request has begun."""

    @property
    def is_reusable(self) -> bool:
        """Whether another request can be sent."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def send(self, request: httpx.Request, framing: Framing) -> h11.Response:
        """Write a request, and return the head of its answer."""
        if self.is_reusable:
            self._http.start_next_cycle()
        self.answered = False
        # Only the method matters for reading the answer; the bytes are our own.
        self._http.send(
            h11.Request(method=request.method, target="/", headers=[("Host", "unused")])
        )
        self._http.send(h11.EndOfMessage())
        timeout = read_timeout(request)
        head, body = _head(request, framing), _body(request, framing)
        if framing.expect:
            self._write(request, [head], timeout)
            response = self._continued(request)
            if response is not None:
                return response
            self._write(request, [body], timeout)
        elif framing.pieces:
            self._write(request, _pieces(head, body), timeout)
        else:
            self._write(request, [head + body], timeout)
        return self._response(request, timeout)

    def events(self, request: httpx.Request) -> Iterator[bytes]:
        """Yield the body of the answer, piece by piece."""
        timeout = read_timeout(request)
        while True:
            event = self._event(request, timeout)
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return

    def _continued(self, request: httpx.Request) -> h11.Response | None:
        """Wait for `100 Continue`; return the answer if there is one already."""
        try:
            event = self._event(request, _CONTINUE)
        except httpx.ReadTimeout:
            raise ContinueTimeout(request) from None
        return event if isinstance(event, h11.Response) else None

    def _response(self, request: httpx.Request, timeout: float | None) -> h11.Response:
        while True:
            event = self._event(request, timeout)
            if isinstance(event, h11.Response):
                return event

    def _event(self, request: httpx.Request, timeout: float | None) -> h11.Event:
        while True:
            try:
                event = self._http.next_event()
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error), request=request) from None
            if event is not h11.NEED_DATA:
                assert isinstance(event, h11.Event)  # noqa: S101  # paused connections are not read
                return event
            try:
                data = self._stream.read(_BLOCK, timeout)
            except httpcore.TimeoutException as error:
                raise httpx.ReadTimeout(str(error), request=request) from None
            except (httpcore.NetworkError, OSError) as error:
                raise httpx.ReadError(str(error), request=request) from None
            if not data and self._http.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError(_CLOSED, request=request)
            self.answered = True
            self._http.receive_data(data)

    def _write(
        self, request: httpx.Request, pieces: Sequence[bytes], timeout: float | None
    ) -> None:
        try:
            for number, piece in enumerate(pieces):
                if number:
                    time.sleep(_PAUSE)
                self._stream.write(piece, timeout)
        except httpcore.TimeoutException as error:
            raise httpx.WriteTimeout(str(error), request=request) from None
        except (httpcore.NetworkError, OSError) as error:
            # The server may have refused the request before its end, and closed.
            if not self._has_answer():
                raise httpx.WriteError(str(error), request=request) from None

    def _has_answer(self) -> bool:
        """Whether the server has answered before the end of the request."""
        try:
            data = self._stream.read(_BLOCK, _ANSWERED)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError):
            return False
        if data:
            self.answered = True
            self._http.receive_data(data)
        return bool(data)


class _Body(httpx.SyncByteStream):
    """The body of an answer, which is read from its connection."""

    def __init__(
        self,
        transport: FramedTransport,
        connection: _Connection,
        request: httpx.Request,
        *,
        keeps: bool,
    ) -> None:
        self._transport = transport
        self._connection = connection
        self._request = request
        self._keeps = keeps

    def __iter__(self) -> Iterator[bytes]:
        yield from self._connection.events(self._request)

    def close(self) -> None:
        """Keep the connection if the answer is complete, else close it."""
        if self._keeps and self._connection.is_reusable:
            self._transport.keep(self._connection)
        else:
            self._connection.close()


def read_timeout(request: httpx.Request) -> float | None:
    """Return the timeout, in seconds, for the next bytes of an answer, or None for none."""
    framing: Framing = request.extensions.get(FRAMING, Framing())
    usual: float | None = request.extensions.get("timeout", {}).get("read")
    given = [seconds for seconds in (usual, framing.patience) if seconds is not None]
    return min(given, default=None)


def _head(request: httpx.Request, framing: Framing) -> bytes:
    """Return the request line and the headers of a request."""
    target = request.url.raw_path + framing.query.encode("ascii")
    lines = [b"%s %s HTTP/%s" % (request.method.encode(), target, framing.version.encode())]
    lines += [
        _spelled(name, framing) + framing.colon.encode() + value
        for name, value in _headers(request, framing)
    ]
    return b"\r\n".join([*lines, b"", b""])


def _headers(request: httpx.Request, framing: Framing) -> Iterator[tuple[bytes, bytes]]:
    replaced = {name.lower().encode() for name, _ in framing.headers}
    left_out = {name.encode() for name in framing.without} | replaced | _OF_THE_FRAME
    yield from (
        (name, value) for name, value in request.headers.raw if name.lower() not in left_out
    )
    for name, value in framing.headers:
        yield name.encode(), value.encode()
    if framing.kept or framing.close:
        yield b"Connection", b"close" if framing.close else b"keep-alive"
    if framing.expect:
        yield b"Expect", b"100-continue"
    if framing.chunk:
        yield b"Transfer-Encoding", b"chunked"
    elif request.content or "content-length" in request.headers:
        yield b"Content-Length", str(len(request.content)).encode()


def _spelled(name: bytes, framing: Framing) -> bytes:
    return {"upper": name.upper(), "lower": name.lower()}.get(framing.letters, name)


def _body(request: httpx.Request, framing: Framing) -> bytes:
    content = request.content
    if not framing.chunk:
        return content
    chunks = [
        content[start : start + framing.chunk] for start in range(0, len(content), framing.chunk)
    ]
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"


def _pieces(head: bytes, body: bytes) -> list[bytes]:
    """Divide a request in the places where a server could expect it to be whole."""
    whole = head + body
    character = next((at for at, byte in enumerate(body) if byte > 0xBF), len(body) // 2)
    cuts = {
        2,  # in the method
        head.index(b"\r\n") + 1,  # between CR and LF
        head.index(b":") + 4,  # in a value
        len(head) - 2,  # before the empty line
        len(head),
        len(head) + character + 1,  # in a character
        len(whole) - 1,
    }
    places = [0, *sorted(cut for cut in cuts if 0 < cut < len(whole)), len(whole)]
    return [whole[start:end] for start, end in pairwise(places)]
