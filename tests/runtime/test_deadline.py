"""Deadlines: a timeout limits a whole call, however slowly the response arrives."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from siteassist import APITimeoutError, AsyncSiteAssist, NotFoundError, SiteAssist
from siteassist_runtime import deadline as deadlines
from siteassist_runtime import network
from siteassist_runtime.deadline import NEVER, Deadline
from siteassist_runtime.network import guard
from tests.runtime.helpers import FakeTime, Run, Service, me, visitor

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's proxies from the tests."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def current() -> float:
    """Return the moment by which this thread must be done."""
    return deadlines.current.at


# The deadline itself


def test_remaining_counts_down_to_zero(clock: FakeTime) -> None:
    """The remaining time decreases and is never negative."""
    deadline = Deadline(5)
    assert (5.0, 1005.0, 5) == (deadline.remaining(), deadline.at, deadline.seconds)
    clock.now += 3
    assert 2.0 == deadline.remaining()
    clock.now += 3
    assert 0.0 == deadline.remaining()


def test_deadline_without_a_limit_never_ends(clock: FakeTime) -> None:
    """Without a limit the remaining time is infinite, and every timeout of httpx is None."""
    deadline = Deadline(None)
    clock.now += 10**9
    assert (NEVER, NEVER, None) == (deadline.remaining(), deadline.at, deadline.seconds)
    nothing = {"connect": None, "read": None, "write": None, "pool": None}
    assert nothing == deadline.httpx_timeout()
    with deadline as entered:
        assert (deadline, NEVER) == (entered, current())


def test_httpx_timeout_is_the_remaining_time(clock: FakeTime) -> None:
    """The remaining time becomes each of httpx's four timeouts."""
    deadline = Deadline(5)
    clock.now += 1.5
    left = {"connect": 3.5, "read": 3.5, "write": 3.5, "pool": 3.5}
    assert left == deadline.httpx_timeout()


def test_deadlines_can_be_nested(clock: FakeTime) -> None:
    """The inner deadline applies inside its block; then, even after an exception, the outer one."""
    outer, inner = Deadline(5), Deadline(3)
    with outer:
        assert clock.now + 5 == current()
        with suppress(ValueError), inner:
            assert clock.now + 3 == current()
            raise ValueError
        assert clock.now + 5 == current()
        with Deadline(None):
            assert NEVER == current()
        assert clock.now + 5 == current()
    assert NEVER == current()


@pytest.mark.usefixtures("clock")
def test_deadline_can_be_entered_again() -> None:
    """A deadline entered twice ends at the same moment."""
    deadline = Deadline(5)
    for _ in range(2):
        with deadline:
            assert deadline.at == current()
        assert NEVER == current()


def test_deadline_can_be_restarted(clock: FakeTime) -> None:
    """`restart` restores the full number of seconds; no limit stays no limit."""
    deadline, never = Deadline(5), Deadline(None)
    clock.now += 4
    deadline.restart()
    never.restart()
    assert (5.0, NEVER) == (deadline.remaining(), never.remaining())


def test_deadline_can_be_resumed(clock: FakeTime) -> None:
    """A resumed deadline has the seconds that were left; one without a limit has no end."""
    deadline, never = Deadline(10), Deadline(None)
    clock.now += 100
    deadline.resume(4)
    never.resume(4)
    assert (4, float("inf")) == (deadline.remaining(), never.remaining())


def test_deadline_applies_to_its_own_thread() -> None:
    """A deadline does not apply in other threads."""
    seen: list[float] = []
    with Deadline(5):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join(10)
    assert [NEVER] == seen


# On a connection


class FakeStream(httpcore.NetworkStream):
    """A connection that records the timeouts it is given."""

    def __init__(self) -> None:
        self.limits: list[tuple[str, float | None]] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Record the timeout and return `max_bytes` bytes."""
        self.limits.append(("read", timeout))
        return b"x" * max_bytes

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Record the data and the timeout."""
        self.limits.append((f"write {buffer!r}", timeout))

    def close(self) -> None:
        """Record the call."""
        self.limits.append(("close", None))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Record the host and the timeout."""
        self.limits.append((f"tls {server_hostname}", timeout))
        return self

    def get_extra_info(self, info: str) -> Any:
        """Return the name of the requested information."""
        return info


class FakeBackend(httpcore.NetworkBackend):
    """A backend that records its calls and opens a `FakeStream`."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        self.opened: list[tuple[Any, ...]] = []

    def connect_tcp(self, *args: Any, **rest: Any) -> httpcore.NetworkStream:
        """Record the arguments and return the stream."""
        self.opened.append((*args, *rest.values()))
        return self.stream

    def connect_unix_socket(self, *args: Any, **rest: Any) -> httpcore.NetworkStream:
        """Record the arguments and return the stream."""
        self.opened.append((*args, *rest.values()))
        return self.stream

    def sleep(self, seconds: float) -> None:
        """Record the duration."""
        self.opened.append(("sleep", seconds))


def guarded(backend: httpcore.NetworkBackend) -> httpcore.NetworkBackend:
    """Return the network backend with which `guard` replaces ``backend``."""
    client = httpx.Client()
    pool_of(client)._network_backend = backend
    found: httpcore.NetworkBackend = pool_of(guard(client))._network_backend
    client.close()
    return found


def pool_of(client: httpx.Client, transport: Any = None) -> Any:
    """Return the connection pool of a client or transport."""
    found: Any = transport or client._transport
    return found._pool


def test_each_network_operation_gets_the_remaining_time(clock: FakeTime) -> None:
    """Each network operation gets the remaining time, or its own timeout if that is shorter."""
    backend = FakeBackend()
    context = ssl.create_default_context()
    with Deadline(5):
        stream = guarded(backend).connect_tcp("127.0.0.1", 80, 60.0, None, [])
        clock.now += 1
        stream = stream.start_tls(context, "example.com", None)
        clock.now += 1
        stream.write(b"ask", 2.0)
        clock.now += 1
        assert b"xxx" == stream.read(3, 60.0)
        stream.read(1)
    assert [("127.0.0.1", 80, 5.0, None, [])] == backend.opened
    expected = [("tls example.com", 4.0), ("write b'ask'", 2.0), ("read", 2.0), ("read", 2.0)]
    assert expected == backend.stream.limits


@pytest.mark.usefixtures("clock")
def test_timeouts_are_unchanged_without_a_deadline() -> None:
    """Outside a deadline, connections keep the timeouts that httpx passes."""
    backend = FakeBackend()
    stream = guarded(backend).connect_unix_socket("/nowhere", 60.0, None)
    stream.read(1, 7.0)
    stream.write(b"x", None)
    stream.close()
    guarded(backend).sleep(0.5)
    assert [("/nowhere", 60.0, None), ("sleep", 0.5)] == backend.opened
    assert [("read", 7.0), ("write b'x'", None), ("close", None)] == backend.stream.limits
    assert "server_addr" == stream.get_extra_info("server_addr")


def test_no_network_operation_begins_after_the_deadline(clock: FakeTime) -> None:
    """After the deadline each operation raises the httpcore exception that httpx expects."""
    backend = FakeBackend()
    late = guarded(backend)
    stream = late.connect_tcp("127.0.0.1", 80)
    steps: list[tuple[Callable[[], object], type[Exception]]] = [
        (lambda: late.connect_tcp("127.0.0.1", 80), httpcore.ConnectTimeout),
        (lambda: late.connect_unix_socket("/nowhere"), httpcore.ConnectTimeout),
        (lambda: stream.start_tls(ssl.create_default_context()), httpcore.ConnectTimeout),
        (lambda: stream.write(b"x", None), httpcore.WriteTimeout),
        (lambda: stream.read(1, None), httpcore.ReadTimeout),
    ]
    with Deadline(5):
        clock.now += 5
        for step, error in steps:
            with pytest.raises(error):
                step()
    # The connection without a handshake has no other owner that could close it.
    assert (1, [("close", None)]) == (len(backend.opened), backend.stream.limits)


# The private attributes of httpx that `guard` uses


def test_httpx_has_what_guard_needs() -> None:
    """The private attributes that `guard` uses exist; a new version of httpx may change them."""
    with httpx.Client() as client:
        assert isinstance(client._transport, httpx.HTTPTransport)
        assert isinstance(client._mounts, dict)
        pool = pool_of(client)
        assert isinstance(pool, httpcore.ConnectionPool)
        assert isinstance(pool._network_backend, httpcore.NetworkBackend)
        before = pool._network_backend
        assert client is guard(client)
        after = pool._network_backend
        assert isinstance(after, network._Backend)
        assert before is not after
        guard(client)
        assert after is pool._network_backend


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_proxies_are_guarded(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Proxies from the environment are guarded; hosts without a proxy are skipped."""
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with guard(httpx.Client()) as client:
        mounts = list(client._mounts.values())
        proxies = [found for found in mounts if found is not None]
        assert None in mounts
        assert proxies
        for transport in proxies:
            pool = pool_of(client, transport)
            assert isinstance(pool, httpcore.HTTPProxy)
            assert isinstance(pool._network_backend, network._Backend)


def test_other_transports_are_left_alone() -> None:
    """Transports other than httpx's own are left unchanged."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with guard(httpx.Client(transport=transport)) as client:
        assert 200 == client.get("http://127.0.0.1/").status_code


def test_shared_transport_is_guarded_once() -> None:
    """Two clients that share a transport do not wrap it twice."""
    transport = httpx.HTTPTransport()
    first, second = httpx.Client(transport=transport), httpx.Client(transport=transport)
    guard(first)
    once = pool_of(first)._network_backend
    guard(second)
    assert once is pool_of(second)._network_backend
    transport.close()


# Over real connections


class Drip:
    """A server, or proxy, that sends one byte at a time and never finishes."""

    def __init__(self, listening: socket.socket, head: bytes) -> None:
        """Take a listening socket and the first bytes of each response."""
        self._listening = listening
        self._head = head
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                with connection, suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(self._head)
                    while not self._stop.wait(0.01):
                        connection.sendall(b"x")

    def stop(self) -> None:
        """Stop the server."""
        self._stop.set()
        with suppress(OSError):
            # Wakes up the thread that waits in accept().
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
ERROR = b"HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nX-Slow: "


@pytest.fixture
def drip() -> Iterator[Callable[..., str]]:
    """Return a function that starts such a server and returns its URL."""
    started: list[Drip] = []

    def drip(head: bytes) -> str:
        listening = socket.create_server(("127.0.0.1", 0))
        started.append(Drip(listening, head))
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield drip
    for server in started:
        server.stop()


@pytest.mark.parametrize("head", [BODY, ERROR, HEAD], ids=["body", "error body", "head"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_slow_response_is_cut_off(drip: Callable[[bytes], str], head: bytes, kind: str) -> None:
    """The timeout ends a call whose every byte arrives in time but whose response never ends."""
    url = drip(head)

    async def main() -> None:
        async with AsyncSiteAssist(token="t", base_url=url, timeout=0.1) as client:
            await client.get_me()

    def blocking() -> None:
        with SiteAssist(token="t", base_url=url, timeout=0.1) as client:
            client.get_me()

    with pytest.raises(APITimeoutError, match=r"^getMe: no answer from .* within 0.1 s$"):
        blocking() if kind == "sync" else asyncio.run(main())
    assert NEVER == current()


@pytest.mark.parametrize(
    ("variable", "head", "scheme"),
    [("HTTP_PROXY", BODY, "http"), ("HTTPS_PROXY", HEAD, "https")],
    ids=["request", "tunnel"],
)
def test_slow_proxy_is_cut_off(
    drip: Callable[[bytes], str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    head: bytes,
    scheme: str,
) -> None:
    """The deadline covers a proxy from the environment, and the opening of its tunnel."""
    monkeypatch.setenv(variable, drip(head))
    client = SiteAssist(token="t", base_url=f"{scheme}://example.invalid/v2", timeout=0.1)
    with client, pytest.raises(APITimeoutError):
        client.get_me()


def test_hanging_handshake_is_cut_off(drip: Callable[[bytes], str]) -> None:
    """The timeout covers a TLS handshake that never completes."""
    # The header of a TLS record of 16 KB, whose bytes then arrive one by one.
    url = drip(b"\x16\x03\x03\x40\x00").replace("http:", "https:")
    client = SiteAssist(token="t", base_url=url, timeout=0.1)
    with client, pytest.raises(APITimeoutError):
        client.get_me()


def test_slow_unix_socket_is_cut_off(tmp_path: Path) -> None:
    """A transport of httpx that the program passes is guarded as well."""
    path = str(tmp_path / "s")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    server = Drip(listening, BODY)
    try:
        transport = httpx.HTTPTransport(uds=path)
        client = SiteAssist(token="t", transport=transport, base_url="http://x", timeout=0.1)
        with client, pytest.raises(APITimeoutError):
            client.get_me()
    finally:
        server.stop()


def test_connection_is_reused_by_a_call_with_another_timeout() -> None:
    """The deadline of one call does not remain on its connection."""
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            for _ in range(2):
                assert connection.recv(65536)
                connection.sendall(answer)
            served.append(True)

    served: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with SiteAssist(token="t", base_url=url) as client:
            for timeout in (5, None):
                with pytest.raises(NotFoundError):
                    client.get_me(timeout=timeout)
        thread.join(10)
    assert [True] == served


@pytest.mark.parametrize("where", ["client", "call"])
def test_httpx_timeout_limits_the_steps(run_steps: Run, where: str) -> None:
    """An `httpx.Timeout` reaches httpx as it is, in every attempt."""
    limit = httpx.Timeout(7, connect=2, pool=None)
    busy = httpx.Response(429, headers={"Retry-After": "0"})
    service = Service(busy, visitor())
    own, call = ({"timeout": limit}, {}) if where == "client" else ({}, {"timeout": limit})
    run_steps(service, lambda client: me(client, **call), token="t", **own)
    expected = {"connect": 2.0, "read": 7.0, "write": 7.0, "pool": None}
    assert [expected] * 2 == [request.extensions["timeout"] for request in service.requests]


def test_httpx_timeout_ends_a_step() -> None:
    """A service that does not answer is a time-out after the limit for reading."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        limit = httpx.Timeout(None, read=0.05)
        with (
            SiteAssist(token="t", base_url=url, max_retries=0, timeout=limit) as client,
            pytest.raises(APITimeoutError, match="no answer from"),
        ):
            client.get_me()
