"""Requests that are written to a connection as a check chooses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
import pytest

from siteassist_contract.description import operations
from siteassist_contract.http import framing
from siteassist_contract.http.framing import FRAMING, ContinueTimeout, FramedTransport, Framing
from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import Exchange, GoneError, Recorder, UnansweredError
from siteassist_contract.http.session import Session
from tests.contract.conftest import HANDLER

if TYPE_CHECKING:
    from tests.contract.conftest import Serve

URL = "http://127.0.0.1:1/v2"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Stream(httpcore.NetworkStream):
    """A connection that yields fixed answers, or raises an error, and keeps what was written."""

    def __init__(self, *answers: bytes | Exception, write: Exception | None = None) -> None:
        """Yield ``answers``, then the end; raise ``write`` at each write."""
        self.answers = list(answers)
        self.failure = write
        self.written: list[bytes] = []
        self.closed = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next answer."""
        found = self.answers.pop(0) if self.answers else b""
        if isinstance(found, Exception):
            raise found
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Keep what is written."""
        if self.failure is not None:
            raise self.failure
        self.written.append(buffer)

    def close(self) -> None:
        """Note the end."""
        self.closed = True


class Backend(httpcore.NetworkBackend):
    """A network of fixed connections."""

    def __init__(self, *streams: Stream | Exception) -> None:
        """Return ``streams`` in order."""
        self.streams = list(streams)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        """Return the next connection."""
        found = self.streams.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def send(
    transport: FramedTransport, way: Framing | None = None, content: bytes | None = None
) -> httpx.Response:
    """Send a request, and read its answer."""
    method = "GET" if content is None else "POST"
    extensions = {FRAMING: way or Framing(), "timeout": {"read": 5.0, "connect": 5.0}}
    request = httpx.Request(
        method,
        f"{URL}/identity/me?a=b",
        headers={"Accept": "*/*", "X-One": "1"},
        content=content,
        extensions=extensions,
    )
    response = transport.handle_request(request)
    response.read()
    response.close()
    return response


def written(way: Framing, content: bytes | None = None) -> list[bytes]:
    """Return the pieces of a request as they were written."""
    stream = Stream(b"HTTP/1.1 100 Continue\r\n\r\n", ANSWER)
    response = send(FramedTransport(None, Backend(stream)), way, content)
    assert (200, b"{}") == (response.status_code, response.content)
    assert stream.closed != way.kept
    return stream.written


START = b"GET /v2/identity/me?a=b HTTP/1.1\r\nHost: 127.0.0.1:1\r\nAccept: */*\r\nX-One: 1\r\n"


@pytest.mark.parametrize(
    ("way", "expected"),
    [
        (Framing(), START + b"\r\n"),
        (Framing(kept=True), START + b"Connection: keep-alive\r\n\r\n"),
        (Framing(close=True), START + b"Connection: close\r\n\r\n"),
        (Framing(version="1.0"), START.replace(b"1.1\r\n", b"1.0\r\n", 1) + b"\r\n"),
        (Framing(query="&"), START.replace(b"a=b", b"a=b&") + b"\r\n"),
        (Framing(without=frozenset({"accept"})), START.replace(b"Accept: */*\r\n", b"") + b"\r\n"),
        (
            Framing((("Accept", "a/b"), ("Accept", "c/d"))),
            START.replace(b"Accept: */*\r\n", b"") + b"Accept: a/b\r\nAccept: c/d\r\n\r\n",
        ),
        (
            Framing(letters="upper", colon=":\t"),
            START.upper()
            .replace(b"/V2/IDENTITY/ME?A=B", b"/v2/identity/me?a=b")
            .replace(b": ", b":\t")
            + b"\r\n",
        ),
    ],
)
def test_head_is_written_as_chosen(way: Framing, expected: bytes) -> None:
    """The request line and each header have the chosen form."""
    assert [expected] == written(way)


def test_body_is_written_as_chosen() -> None:
    """A body comes with its length, in chunks, or after the server has asked for it."""
    (whole,) = written(Framing(), b"abcde")
    assert whole.endswith(b"Content-Length: 5\r\n\r\nabcde")
    (chunked,) = written(Framing(chunk=3), b"abcde")
    assert chunked.endswith(b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    head, body = written(Framing(expect=True), b"abcde")
    assert b"Expect: 100-continue\r\n" in head
    assert b"abcde" == body


@pytest.mark.parametrize("content", [None, b'{"a": "b"}', '{"a": "日本"}'.encode()])
def test_pieces_are_the_whole_request(content: bytes | None) -> None:
    """The pieces divide lines and characters, and are together the request."""
    (whole,) = written(Framing(), content)
    pieces = written(Framing(pieces=True), content)
    assert whole == b"".join(pieces)
    assert 5 <= len(pieces)
    assert any(piece.endswith(b"\r") for piece in pieces)
    if content is not None and not content.isascii():
        with pytest.raises(UnicodeDecodeError):
            pieces[-2].decode()


def test_body_waits_for_the_server() -> None:
    """A client sends no body to a server that says nothing, or that has refused it."""
    stream = Stream(httpcore.ReadTimeout(), ANSWER)
    with pytest.raises(ContinueTimeout, match=r"^no `100 Continue` within 5 s$"):
        send(FramedTransport(None, Backend(stream)), Framing(expect=True), b"abcde")
    assert (1, True) == (len(stream.written), stream.closed)
    refusal = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n"
    stream = Stream(refusal)
    answer = send(FramedTransport(None, Backend(stream)), Framing(expect=True), b"abcde")
    assert (417, 1) == (answer.status_code, len(stream.written))


def test_connection_is_used_again() -> None:
    """The next request uses the connection that was kept, unless the server has closed it."""
    first, second = Stream(ANSWER, ANSWER), Stream(ANSWER)
    transport = FramedTransport(None, Backend(first, second))
    for number in (1, 2):
        send(transport, Framing(kept=True))
        assert number == len(first.written)
    # Another request leaves the kept connection alone; the server ends it afterwards.
    assert 200 == send(transport, Framing(kept=True)).status_code
    assert (1, True) == (len(second.written), first.closed)
    transport.close()
    assert second.closed
    transport.close()


def test_answer_that_breaks_off_is_not_repeated() -> None:
    """A request on a kept connection is sent again only if nothing was answered."""
    stream = Stream(ANSWER, b"HTTP/1.1 200", httpcore.ReadError())
    transport = FramedTransport(None, Backend(stream))
    send(transport, Framing(kept=True))
    with pytest.raises(httpx.ReadError):
        send(transport, Framing(kept=True))


def test_refusal_before_the_end_of_a_request_is_read() -> None:
    """A server may refuse a request and close before it has read the body."""
    refusal = b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    stream = Stream(refusal, write=httpcore.WriteError())
    assert 413 == send(FramedTransport(None, Backend(stream)), Framing(), b"x").status_code


@pytest.mark.parametrize(
    ("streams", "expected"),
    [
        ([httpcore.ConnectTimeout()], httpx.ConnectTimeout),
        ([httpcore.ConnectError()], httpx.ConnectError),
        ([Stream(httpcore.ReadTimeout())], httpx.ReadTimeout),
        ([Stream(httpcore.ReadError())], httpx.ReadError),
        ([Stream(b"")], httpx.RemoteProtocolError),
        ([Stream(b"SSH-2.0\r\n\r\n")], httpx.RemoteProtocolError),
        ([Stream(write=httpcore.WriteTimeout())], httpx.WriteTimeout),
        ([Stream(write=httpcore.WriteError())], httpx.WriteError),
        ([Stream(httpcore.ReadError(), write=httpcore.WriteError())], httpx.WriteError),
    ],
)
def test_errors_are_those_of_httpx(
    streams: Sequence[Stream | Exception], expected: type[Exception]
) -> None:
    """The recorder decides by the classes of httpx, and each connection is closed."""
    with pytest.raises(expected):
        send(FramedTransport(None, Backend(*streams)))
    assert all(each.closed for each in streams if isinstance(each, Stream))


def ask(url: str, way: Framing, network: Network | None = None) -> Exchange:
    """Send a request with a recorder."""
    recorder = Recorder(base_url=url, network=network or Network())
    try:
        session = Session(url, recorder, "first", "token")
        return session.raw("getMe", "GET", operations()["getMe"].path, framing=way)
    finally:
        recorder.close()


def test_requests_are_recorded(loopback: Serve, ca_file: Path) -> None:
    """A framed request goes the same way as others: TLS, gateway headers, credentials."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    server = loopback(answer, tls=True)
    network = Network((("X-Gateway", "secret"),), str(ca_file))
    exchange = ask(server.url, Framing((("Accept", "a/b"),), version="1.0"), network)
    assert (200, "HTTP/1.1", {"Accept": "a/b"}) == (
        exchange.status,
        exchange.version,
        exchange.sent_headers,
    )
    (request,) = seen
    assert "HTTP/1.0" == request.extensions[HANDLER].request_version
    assert {"x-gateway": "secret", "authorization": "Bearer token", "accept": "a/b"}.items() <= (
        request.headers.items()
    )


@contextmanager
def listening() -> Iterator[str]:
    """Yield the address of a server that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2"


def test_deadlines_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent server is left after the patience of the request, an absent one at once."""
    monkeypatch.setattr(framing, "_CONTINUE", 0.01)
    with (
        listening() as url,
        pytest.raises(UnansweredError, match=r"^no `100 Continue` within 0 s$"),
    ):
        ask(url, Framing(patience=0.05, expect=True))
    with listening() as url, pytest.raises(UnansweredError, match=r"^no answer within 0 s$"):
        ask(url, Framing(patience=0.05))
    with pytest.raises(GoneError):
        ask(URL, Framing())


def test_headers_that_repeat_a_request() -> None:
    """A report shows what another client has to send."""
    shown: Callable[..., dict[str, str]] = lambda **way: Framing(**way).shown  # noqa: E731
    assert {"Connection": "close"} == shown(close=True)
    assert {"Expect": "100-continue", "Transfer-Encoding": "chunked"} == shown(expect=True, chunk=1)
