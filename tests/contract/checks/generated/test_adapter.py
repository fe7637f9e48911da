"""The engine's transport: headers, certificates, proxies and limits of every session."""

from __future__ import annotations

import gzip
import socket
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import schemathesis.transport.requests as transport
from schemathesis.core.errors import AuthenticationError

from siteassist_contract.checks.generated import adapter
from siteassist_contract.checks.generated.configuration import way
from siteassist_contract.http.network import Network
from siteassist_contract.http.patience import Patience, Refusal, Waits
from siteassist_contract.http.preflight import Target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.contract.conftest import Serve

HEADERS = (("X-Gateway", "pass-${word}"),)
Sessions = Callable[[], requests.Session]


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let no adapter and no proxy outlast its test."""
    monkeypatch.setattr(requests.sessions, "HTTPAdapter", requests.adapters.HTTPAdapter)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with warnings.catch_warnings():
        yield


def install(url: str, **network: Any) -> None:
    """Install the adapter for a server, as the engine does."""
    adapter.install(way(Target(url, "key", network=Network(**network))))


SESSIONS = pytest.mark.parametrize(
    "make", [requests.Session, transport.ManagedCookiesSession, transport.SameHostRedirectsSession]
)


@SESSIONS
def test_each_session_sends_the_headers(make: Sessions, loopback: Serve) -> None:
    """Every kind of session that schemathesis opens sends the headers, as they were given."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    server = loopback(respond)
    install(server.url, headers=HEADERS)
    with make() as session:
        session.get(server.url, headers={"X-Gateway": "other"})
    requests.request("POST", server.url, timeout=9)
    assert 2 * ["pass-${word}"] == [request.headers["X-Gateway"] for request in seen]


@SESSIONS
def test_certificates_are_those_of_the_run(
    make: Sessions, loopback: Serve, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--ca` and `--insecure` count, and not what requests reads from the environment."""
    server = loopback(lambda _: httpx.Response(204), tls=True)
    install(server.url)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(ca_file))
    with make() as session, pytest.raises(requests.exceptions.SSLError):
        session.get(server.url)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/missing")
    install(server.url, ca=str(ca_file))
    with make() as session:
        assert 204 == session.get(server.url).status_code
    install(server.url, insecure=True)
    with make() as session:
        assert 204 == session.get(server.url, verify=True).status_code


@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_proxy_is_the_one_of_the_run(
    name: str, loopback: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy that the other layers use is used, and none if they use none."""
    proxy = loopback(lambda _: httpx.Response(203))
    server = loopback(lambda _: httpx.Response(204))
    monkeypatch.setenv(name, proxy.url.removesuffix("/v2"))
    install("http://api.example/v2")
    assert 203 == requests.get("http://api.example/v2", timeout=9).status_code
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    install(server.url)
    monkeypatch.delenv("no_proxy")
    assert 204 == requests.get(server.url, timeout=9).status_code


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
LIMIT = 2**20


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Encode a body in chunks, without an end."""
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)


def events(url: str) -> bytes:
    """Read an answer as schemathesis reads an event stream."""
    with requests.Session() as session:
        data = {"method": "GET", "url": url, "timeout": 20}
        return transport._request(session, data, 10**6).content


BODIES: dict[str, tuple[bytes, Callable[[], Iterator[bytes]]]] = {
    "plain": (b"text/plain\r\n\r\n", lambda: repeat(LIMIT * b"x", 9)),
    "chunked": (
        b"text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
        lambda: chunked(repeat(5000 * b"x")),
    ),
    "compressed": (
        b"text/plain\r\nContent-Encoding: gzip\r\n\r\n",
        lambda: iter([gzip.compress(100 * LIMIT * b"x")]),
    ),
    "events": (
        b"text/event-stream\r\n\r\n",
        lambda: repeat(b"data: {}\n\n" + 5000 * b":"),
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_answer_is_limited(kind: str, loopback: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """No body may be larger than the limit, however it is encoded and read."""
    monkeypatch.setattr(adapter, "LARGEST_ANSWER", LIMIT)
    head, body = BODIES[kind]

    def respond(_: httpx.Request) -> Iterator[bytes]:
        yield HEAD + head
        yield from body()

    server = loopback(respond)
    install(server.url)
    with pytest.raises(requests.RequestException, match="the answer does not end") as raised:
        events(server.url)
    # schemathesis keeps the error of each request to the end.
    assert LIMIT > sum(kept_bytes(raised.value))


def kept_bytes(error: BaseException | None) -> Iterator[int]:
    """Yield the size of each text that an error and its causes keep in their tracebacks."""
    while error is not None:
        for frame, _ in traceback.walk_tb(error.__traceback__):
            texts = (bytes, bytearray)
            yield from (len(each) for each in frame.f_locals.values() if isinstance(each, texts))
        error = error.__cause__ or error.__context__


DRIPS = {
    "status line": b"HTTP/1.1 200 OK",
    "header": b"HTTP/1.1 200 OK\r\nX-Long: abc",
    "chunk size": HEAD + b"text/plain\r\nTransfer-Encoding: chunked\r\n\r\n0",
    "body": HEAD + b"text/plain\r\nContent-Length: 9999\r\n\r\nx",
}


@pytest.mark.parametrize("place", DRIPS)
def test_answer_that_drips_is_limited(
    place: str, loopback: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer may last longer than the limit, although each byte comes in time."""
    monkeypatch.setattr(adapter, "LONGEST_ANSWER", 0.3)
    monkeypatch.setattr(adapter, "_LOOK", 0.02)
    begun = []

    def respond(_: httpx.Request) -> Iterator[bytes]:
        begun.append(place)
        yield DRIPS[place]
        for _number in range(200):
            time.sleep(0.05)
            yield DRIPS[place][-1:]

    server = loopback(respond)
    install(server.url)
    with pytest.raises(requests.RequestException, match="the answer does not end"):
        requests.get(server.url, timeout=9)
    assert [place] == begun


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_answer_within_the_limits_is_read(encoding: str, loopback: Serve) -> None:
    """An answer is read whole, compressed or not, and so is an empty one."""
    content = 3 * 2**20 * b"x"
    sent = gzip.compress(content) if encoding == "gzip" else content
    headers = {"Content-Encoding": encoding, "Content-Type": "text/plain"}
    # Not `content=`, which httpx would decode.
    head = b"".join(f"{n}: {v}\r\n".encode() for n, v in headers.items())
    whole = b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(sent) + sent
    server = loopback(lambda request: whole if request.method == "GET" else httpx.Response(204))
    install(server.url)
    assert content == events(server.url)
    assert b"" == requests.delete(server.url, timeout=9).content


def test_token_that_no_header_can_contain_is_a_failed_login() -> None:
    """No server is asked."""
    install("http://127.0.0.1:1/v2")
    headers = {"Authorization": "Bearer \ud800"}
    with pytest.raises(AuthenticationError, match="no header can contain its token"):
        requests.get("http://127.0.0.1:1/v2/identity/me", headers=headers, timeout=9)


def test_event_stream_is_read(loopback: Serve) -> None:
    """The reader of event streams, which reads the raw answer, gets all of it."""
    content = b"data: 1\n\ndata: 2\n\n"
    server = loopback(lambda _: HEAD + b"text/event-stream\r\nContent-Length: 18\r\n\r\n" + content)
    install(server.url)
    assert content == events(server.url)


LOST = {
    "status line": b"",
    "length": HEAD + b"text/plain\r\nContent-Length: 9\r\n\r\nabc",
    "chunk": HEAD + b"text/plain\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "chunk size": HEAD + b"text/plain\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
}


@pytest.mark.parametrize("place", LOST)
@pytest.mark.parametrize("times", [2, 3])
def test_lost_request_is_sent_again(place: str, times: int, loopback: Serve) -> None:
    """A request that is lost twice is answered, and one that is lost three times is not."""
    script: list[bytes | httpx.Response] = [*times * [LOST[place]], httpx.Response(204)]
    server = loopback(lambda _: script.pop(0))
    install(server.url)
    adapter.repeats.take()
    if times == 2:
        assert 204 == requests.post(server.url, timeout=9).status_code
    else:
        with pytest.raises(requests.RequestException) as caught:
            requests.post(server.url, timeout=9)
        assert caught.value.request is not None
    assert (2, []) == adapter.repeats.take()
    assert (times == 3) == bool(script)


@pytest.mark.parametrize(
    "answer",
    [
        b"no HTTP\r\n\r\n",
        HEAD + b"text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_invalid_answer_is_not_sent_again(answer: bytes, loopback: Serve) -> None:
    """An answer that is not HTTP is a fault of the server, and no lost request."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> bytes:
        seen.append(request)
        return answer

    server = loopback(respond)
    install(server.url)
    with pytest.raises(requests.RequestException):
        requests.get(server.url, timeout=9)
    assert 1 == len(seen)


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" * 3,
    ],
)
def test_interim_answers_are_skipped(interim: bytes, loopback: Serve) -> None:
    """The answer is the final one, as in the other layers."""
    final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    server = loopback(lambda _: interim + final)
    install(server.url)
    answer = requests.get(server.url, timeout=9)
    assert (200, "{}") == (answer.status_code, answer.text)


def test_silent_server_is_not_asked_again(loopback: Serve) -> None:
    """A request without an answer is not sent again, since it takes too long."""
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> Iterator[bytes]:
        seen.append(request)
        time.sleep(0.5)
        yield b""

    server = loopback(respond)
    install(server.url)
    with pytest.raises(requests.Timeout):
        requests.get(server.url, timeout=0.1)
    with pytest.raises(requests.Timeout):
        requests.get(server.url, timeout=(5, 0.1))
    assert 2 == len(seen)


def test_refused_connection_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server may restart within some seconds."""
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    install(f"http://127.0.0.1:{port}/v2")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/v2", timeout=9)
    assert [0.5, 1.0, 2.0] == [wait for wait in slept if wait != adapter._LOOK]


def test_refusal_by_circumstances_is_waited_for(
    loopback: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusals are kept for a report; the operation is the one of the description."""
    waited: list[tuple[str, int]] = []

    class Eager(Patience):
        def wait(self, operation: str, earlier: Waits, refusal: Refusal) -> float | None:
            seconds = super().wait(operation, earlier, refusal)
            waited.append((operation, refusal.status))
            return None if seconds is None else 0.0

    monkeypatch.setattr(adapter, "_patience", Eager())
    script = [httpx.Response(429), httpx.Response(503), httpx.Response(200, text="late")]
    server = loopback(lambda _: script.pop(0))
    install(server.url)
    adapter.repeats.take()
    assert "late" == requests.get(f"{server.url}/conversations/x/messages?limit=1", timeout=9).text
    assert [("getMessages", 429), ("getMessages", 503), ("getMessages", 200)] == waited
    lost, refused = adapter.repeats.take()
    assert (0, [429, 503]) == (lost, [response.status_code for response in refused])


def test_request_of_no_operation_has_no_name() -> None:
    """Another path or method belongs to no operation."""
    for method, path in (("GET", "/v2/no"), ("PATCH", "/v2/identity/me")):
        request = requests.Request(method, f"http://h{path}").prepare()
        assert "" == adapter.operation_of(request, "/v2")
