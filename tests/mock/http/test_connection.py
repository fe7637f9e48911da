"""Tests for the limits of connections and headers, and for leaks in failures."""

from __future__ import annotations

import json
import resource
import socket
import sys
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.file_limit import greatest_connections, raise_file_limit
from siteassist_mock.http.server import is_loopback, listen
from siteassist_mock.http.stalled_connections import SECONDS as SECONDS_OF
from siteassist_mock.http.stalled_connections import StalledConnections
from siteassist_mock.testing import serving
from tests.mock.command import MODULE, limited, started
from tests.values import BEARER

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from siteassist_mock.http.call import Call

# The timeout of a failing test; a passing test does not wait for it.
SECONDS = 30
SECRET = "SELECT secret FROM /var/lib"


def connected(url: str) -> socket.socket:
    """Return a connection to a server."""
    return socket.create_connection((httpx.URL(url).host, httpx.URL(url).port or 0), SECONDS)


def asked(url: str, request: bytes) -> bytes:
    """Send ``request`` as it is, and return the response up to the end of the connection."""
    with connected(url) as peer:
        peer.sendall(request)
        return b"".join(iter(lambda: peer.recv(65_536), b""))


# A request that takes as long as the test needs.
BUSY = (
    b"GET /v2/identity/me HTTP/1.1\r\nHost: localhost\r\nMock-Fault: delay=3600\r\n"
    b"Authorization: " + BEARER["Authorization"].encode() + b"\r\n\r\n"
)


def test_an_excess_connection_gets_a_503(spec: dict[str, Any]) -> None:
    """The response has a time to wait, and running requests go on."""
    with limited(spec, max_connections=2) as url, ExitStack() as stack:
        busy = [stack.enter_context(connected(url)) for _ in range(2)]
        for peer in busy:
            peer.sendall(BUSY)
        # The requests have arrived when no connection can be closed for a new one.
        while (reply := httpx.get(f"{url}/openapi")).status_code != 503:
            pass
        assert {"retryAfter": 1} == reply.json()["error"]["details"]
        assert ("1", "close") == (reply.headers["retry-after"], reply.headers["connection"])
        for peer in busy:
            peer.setblocking(False)
            with pytest.raises(BlockingIOError):
                peer.recv(1)
        busy[0].close()
        # The server notices the closed connection after a while.
        while httpx.get(f"{url}/openapi").status_code == 503:
            pass


def test_a_new_connection_takes_the_place_of_an_idle_one(spec: dict[str, Any]) -> None:
    """The oldest connection without any request is closed first."""
    with limited(spec, max_connections=3) as url, ExitStack() as stack:
        used = stack.enter_context(httpx.Client(base_url=url))
        assert 200 == used.get("/openapi").status_code
        silent = [stack.enter_context(connected(url)) for _ in range(2)]
        assert 200 == httpx.get(f"{url}/openapi").status_code
        assert b"" == silent[0].recv(1)
        assert 200 == used.get("/openapi").status_code


@pytest.mark.parametrize(
    ("owed", "sent"),
    [
        ("head", b""),
        ("head", b"GET /v2/openapi HTTP/1.1\r\nHost: x\r\nX: "),
        ("body", b"POST /v2/conversations HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"),
    ],
)
def test_a_stalled_request_is_ended(spec: dict[str, Any], owed: str, sent: bytes) -> None:
    """A client has a limited time for a request."""
    seconds = {**dict.fromkeys(SECONDS_OF, 3600.0), owed: 0.0}
    with limited(spec, stalled_seconds=seconds) as url, connected(url) as peer:
        peer.sendall(sent)
        with suppress(ConnectionResetError):
            assert b"" == peer.recv(1)


def test_an_unread_response_is_ended(spec: dict[str, Any]) -> None:
    """A client that does not read its response makes room for others after a while."""
    size = 50_000_000
    request = BUSY.replace(b"delay=3600", b"oversized-body=%d" % size)
    seconds = {**dict.fromkeys(SECONDS_OF, 3600.0), "response": 0.0}
    with limited(spec, stalled_seconds=seconds, max_connections=1) as url, connected(url) as peer:
        peer.sendall(request)
        # The response has begun, so the connection is not closed as an idle one.
        received = len(peer.recv(1))
        while httpx.get(f"{url}/openapi").status_code == 503:
            pass
        with suppress(ConnectionResetError):
            while piece := peer.recv(65_536):
                received += len(piece)
        assert received < size


def test_progress_keeps_a_connection() -> None:
    """Only a connection that waits for the same thing for the whole time is ended."""

    class Connection:
        ended = False

        def __init__(self, *states: tuple[str, object] | None) -> None:
            self.states = iter(states)

        def awaited(self) -> tuple[str, object] | None:
            return next(self.states)

        def end(self) -> None:
            self.ended = True

    waiting = ("head", None)
    stalled, busy = Connection(*[waiting] * 3), Connection(waiting, None, waiting)
    other = Connection(waiting, ("head", 1), ("head", 2))
    watch = StalledConnections({"head": 10})
    for now in (0.0, 5.0, 10.0):
        watch.end([stalled, busy, other], now)
    assert (True, False, False) == (stalled.ended, busy.ended, other.ended)


def test_2000_silent_clients_do_not_affect_a_new_one() -> None:
    """A new client is served, and the log stays short."""
    raise_file_limit()
    # The second has fewer files than clients.
    for files in (4000, 400):
        shell = ("sh", "-c", f'ulimit -n {files}; exec "$@"', "sh", *MODULE, "--port", "0")
        with started("--quiet", command=shell) as (process, url, _), ExitStack() as stack:
            for _ in range(2000):
                stack.enter_context(connected(url))
            for _ in range(3):
                reply = httpx.get(f"{url}/identity/me", headers=BEARER, timeout=SECONDS)
                assert 200 == reply.status_code
            process.terminate()
            _, errors = process.communicate(timeout=SECONDS)
            # One line, if many arrive at the same moment.
            assert errors in {"", NO_FILES}


NO_FILES = "new connections have to wait: Too many open files\n"
SCARCE = """
import resource, sys
from siteassist_mock.app import create_app
from siteassist_mock.http.file_limit import greatest_connections, raise_file_limit
from siteassist_mock.http.server import base_url, listen, make_server
app, listening = create_app(), listen("127.0.0.1", 0)
server = make_server(app, max_connections=10_000, stalled_seconds=dict.fromkeys(
    ("head", "body", "response", "socket", "end"), 0.5))
print("-", "-", "-", base_url(app, listening), flush=True)
resource.setrlimit(resource.RLIMIT_NOFILE, (60, 60))
server.run(sockets=[listening])
"""


def test_a_lack_of_files_is_one_line() -> None:
    """Connections that cannot be accepted wait until others end."""
    program = (sys.executable, "-c", SCARCE)
    with started(command=program) as (process, url, _), ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(connected(url))
        assert 200 == httpx.get(f"{url}/openapi", timeout=SECONDS).status_code
        process.terminate()
        _, errors = process.communicate(timeout=SECONDS)
    assert NO_FILES == errors


def test_the_number_of_connections_follows_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some files are kept for other uses, and there is a maximum."""
    limits = {1024: 800, 300: 150, 20_000: 10_000, resource.RLIM_INFINITY: 10_000}
    for soft, connections in limits.items():
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert connections == greatest_connections()


@pytest.mark.parametrize(
    "headers",
    [
        {"X": "x" * 40_000},
        {"X": "x" * 120_000},
        {f"X{number}": "x" * 1000 for number in range(40)},
    ],
)
def test_headers_have_a_limit(spec: dict[str, Any], headers: dict[str, str]) -> None:
    """Large headers are refused, whether they arrive at once or not."""
    with limited(spec) as url:
        assert 200 == httpx.get(f"{url}/openapi", headers={"X": "x" * 30_000}).status_code
        assert 400 == httpx.get(f"{url}/openapi", headers=headers).status_code
        assert 400 == httpx.get(f"{url}/openapi?{'x' * 40_000}").status_code
        with connected(url) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
            assert peer.recv(100).startswith(b"HTTP/1.1 400 ")


def test_an_ambiguous_length_is_refused(spec: dict[str, Any]) -> None:
    """A request with two lengths gets a 400, and its rest is not another request."""
    smuggled = b"0\r\n\r\nGET /v2/openapi HTTP/1.1\r\nHost: x\r\n\r\n"
    request = (
        b"POST /v2/conversations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Length: 5\r\n\r\n"
    )
    old = request.replace(b"1.1", b"1.0").replace(b"Content-Length: 5\r\n", b"")
    with limited(spec) as url:
        for sent in (request, old):
            reply = asked(url, sent + smuggled)
            assert (True, 1) == (reply.startswith(b"HTTP/1.1 400 "), reply.count(b"HTTP/1.1"))


def test_an_absolute_target_is_served(spec: dict[str, Any]) -> None:
    """The target of a request to a proxy has a host, which replaces the header."""
    end = b" HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    with limited(spec) as url:
        for target, status in {
            b"http://localhost:1/v2/openapi?x=1": b"200",
            b"HTTPS://localhost/v2/openapi": b"200",
            b"http://localhost/_mock/state": b"200",
            b"http://evil.example/_mock/state": b"403",
            b"ftp://localhost/v2/openapi": b"404",
            b"http://localhost": b"200",
        }.items():
            reply = asked(url, b"GET " + target + end)
            assert (target, status) == (target, reply.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (b"/v2/%69dentity/me", 200),
        (b"/v2/identity%2Fme", 404),
        # A segment with a slash is an invalid identifier.
        (b"/v2/conversations/a%2fb", 400),
        (b"/v2/conversations/%2F", 400),
        (b"/v2/conversations/%ff", 400),
        (b"/v2/conversations/", 404),
        (b"/v2/conversations//messages", 404),
        (b"/v2//identity/me", 404),
        (b"/v2/identity/me/", 404),
        (b"/v2/identity/me%0A", 404),
        (b"/%76%32/identity/me", 200),
    ],
)
def test_segments_are_decoded_one_by_one(spec: dict[str, Any], path: bytes, status: int) -> None:
    """An encoded slash is part of a segment, and other encodings have no effect."""
    with limited(spec) as url:
        reply = asked(
            url,
            b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b"Authorization: " + BEARER["Authorization"].encode() + b"\r\n\r\n",
        )
    assert str(status).encode() == reply.split(b" ", 2)[1]


@pytest.mark.parametrize("late", [False, True])
def test_no_stack_trace_is_sent(spec: dict[str, Any], *, late: bool) -> None:
    """A failing handler causes the documented 500, or a cut connection after its start."""

    def fail(_call: Call) -> Any:
        if not late:
            raise RuntimeError(SECRET)
        return fail_late

    async def fail_late(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"99")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise RuntimeError(SECRET)

    app = create_app(spec=spec, handlers={**HANDLERS, "getMe": fail})
    with serving(app) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port
        with socket.create_connection((host, port or 0), 10) as peer:
            headers = "\r\n".join(f"{name}: {value}" for name, value in BEARER.items())
            request = f"GET /v2/identity/me HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
            peer.sendall(f"{request}Connection: close\r\n\r\n".encode())
            received = b""
            while piece := peer.recv(65_536):
                received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    if late:
        assert (True, b"{") == (head.startswith(b"HTTP/1.1 200 "), body)
    else:
        assert head.startswith(b"HTTP/1.1 500 ")
        assert "INTERNAL_SERVER_ERROR" == json.loads(body)["error"]["code"]
    for word in (SECRET.encode(), b"Traceback", b"RuntimeError", b".py"):
        assert word not in received


def test_a_loopback_address_is_recognized() -> None:
    """The address decides, not the name; other machines can reach any other address."""

    class Bound:
        def __init__(self, address: str) -> None:
            self.address = address

        def getsockname(self) -> tuple[str, int]:
            return self.address, 80

    for host in ("127.0.0.1", "localhost"):
        with listen(host, 0) as listening:
            assert is_loopback(listening)
    addresses = ("0.0.0.0", "::", "192.0.2.1", "fe80::1%eth0", "::1", "127.9.9.9")
    assert [False, False, False, False, True, True] == [
        is_loopback(Bound(address))  # type: ignore[arg-type] # only `getsockname` is used
        for address in addresses
    ]
