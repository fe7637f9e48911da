"""Tests for the limits of connections and headers, and for leaks in failures."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.server import base_url, is_loopback, listen, make_server
from siteassist_mock.testing import serving
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import Receive, Scope, Send

    from siteassist_mock.http.call import Call

SECRET = "SELECT secret FROM /var/lib"


@contextmanager
def limited(spec: dict[str, Any], max_connections: int) -> Iterator[str]:
    """Run a server with a maximum number of connections."""
    app = create_app(spec=spec)
    server = make_server(app, max_connections=max_connections)
    listening = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield base_url(app, listening)
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
        app.state.store.close()


def test_an_excess_connection_gets_a_503(spec: dict[str, Any]) -> None:
    """The response has a time to wait, and the other connections stay open."""
    with limited(spec, 2) as url, ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=url, headers=BEARER)) for _ in range(3)
        ]
        assert [200, 200, 503] == [client.get("/identity/me").status_code for client in clients]
        reply = clients[2].get("/identity/me")
        assert {"retryAfter": 1} == reply.json()["error"]["details"]
        assert ("1", "close") == (reply.headers["retry-after"], reply.headers["connection"])
        assert 200 == clients[0].get("/identity/me").status_code
        clients[1].close()
        # The server notices the closed connection after a while.
        while clients[2].get("/identity/me").status_code == 503:
            pass


def test_headers_have_a_limit(spec: dict[str, Any]) -> None:
    """Large headers are refused before they are read completely."""
    app = create_app(spec=spec)
    with serving(app) as url:
        assert 200 == httpx.get(f"{url}/openapi", headers={"X": "x" * 30_000}).status_code
        host, port = httpx.URL(url).host, httpx.URL(url).port
        with socket.create_connection((host, port or 0), 10) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000)
            assert peer.recv(100).startswith(b"HTTP/1.1 400 ")


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
