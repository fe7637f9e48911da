"""The engine's transport: headers, certificates, proxies and limits of every session."""

from __future__ import annotations

import gzip
import warnings
from collections.abc import Callable, Iterator
from itertools import repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
import schemathesis.transport.requests as transport

from siteassist_contract.checks.generated import adapter
from siteassist_contract.checks.generated.configuration import way
from siteassist_contract.http.network import Network
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
    with pytest.raises(requests.RequestException, match="the answer does not end"):
        events(server.url)


def test_answer_that_drips_is_limited(loopback: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """No body may last longer than the limit, although each byte comes in time."""
    times = iter([0.0, 60.0, 121.0])
    fake = SimpleNamespace(monotonic=lambda: next(times))
    monkeypatch.setattr(adapter, "time", fake)
    server = loopback(lambda _: iter([HEAD + b"text/plain\r\nContent-Length: 9\r\n\r\n", b"a"]))
    install(server.url)
    with pytest.raises(requests.RequestException):
        requests.get(server.url, timeout=9)


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


@pytest.mark.parametrize(
    "cut", [b"Content-Length: 9\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"]
)
def test_truncated_answer_is_an_error(cut: bytes, loopback: Serve) -> None:
    """A body that ends early is recognised, as without the limits."""
    server = loopback(lambda _: HEAD + b"text/plain\r\n" + cut)
    install(server.url)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        requests.get(server.url, timeout=9)
