"""A limit on time holds for the whole of a call, however slowly its pieces come."""

from __future__ import annotations

import asyncio
import os
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

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class FakeTime:
    """A clock that moves only when a test says so."""

    def __init__(self) -> None:
        """Begin somewhere."""
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings and proxies of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.startswith("SITEASSIST_")]:
        monkeypatch.delenv(name)
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    """Give deadlines a clock of the test's."""
    clock = FakeTime()
    monkeypatch.setattr(deadlines, "time", clock)
    monkeypatch.setattr(network, "time", clock)
    return clock


def current() -> float:
    """Return the moment by which this thread must be done."""
    return deadlines.current.at


# By itself


def test_remaining_counts_down_to_zero(clock: FakeTime) -> None:
    """Never below it."""
    deadline = Deadline(5)
    assert (5.0, 1005.0, 5) == (deadline.remaining(), deadline.at, deadline.seconds)
    clock.now += 3
    assert 2.0 == deadline.remaining()
    clock.now += 3
    assert 0.0 == deadline.remaining()


def test_no_deadline_is_for_ever(clock: FakeTime) -> None:
    """And httpx is told the same: None, not a number."""
    deadline = Deadline(None)
    clock.now += 10**9
    assert (NEVER, NEVER, None) == (deadline.remaining(), deadline.at, deadline.seconds)
    nothing = {"connect": None, "read": None, "write": None, "pool": None}
    assert nothing == deadline.httpx_timeout()
    with deadline as entered:
        assert (deadline, NEVER) == (entered, current())


def test_httpx_is_told_what_is_left(clock: FakeTime) -> None:
    """For each of the four things that it limits."""
    deadline = Deadline(5)
    clock.now += 1.5
    left = {"connect": 3.5, "read": 3.5, "write": 3.5, "pool": 3.5}
    assert left == deadline.httpx_timeout()


def test_deadlines_can_be_nested(clock: FakeTime) -> None:
    """The inner one holds inside, the outer one again afterwards, whatever happened."""
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
    """One moment, however often it is looked at."""
    deadline = Deadline(5)
    for _ in range(2):
        with deadline:
            assert deadline.at == current()
        assert NEVER == current()


def test_deadline_can_begin_anew(clock: FakeTime) -> None:
    """With the seconds that it had; what is for ever stays so."""
    deadline, never = Deadline(5), Deadline(None)
    clock.now += 4
    deadline.restart()
    never.restart()
    assert (5.0, NEVER) == (deadline.remaining(), never.remaining())


def test_deadline_is_for_its_own_thread() -> None:
    """Another thread is in no hurry."""
    seen: list[float] = []
    with Deadline(5):
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join(10)
    assert [NEVER] == seen


# On a connection


class FakeStream(httpcore.NetworkStream):
    """A connection that notes the limits that it is given."""

    def __init__(self) -> None:
        """Begin without any."""
        self.limits: list[tuple[str, float | None]] = []

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read nothing."""
        self.limits.append(("read", timeout))
        return b"x" * max_bytes

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write nothing."""
        self.limits.append((f"write {buffer!r}", timeout))

    def close(self) -> None:
        """Close."""
        self.limits.append(("close", None))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Stay as it is."""
        self.limits.append((f"tls {server_hostname}", timeout))
        return self

    def get_extra_info(self, info: str) -> Any:
        """Repeat what is asked for."""
        return info


class FakeBackend(httpcore.NetworkBackend):
    """Opens `FakeStream`s."""

    def __init__(self) -> None:
        """Begin without any."""
        self.stream = FakeStream()
        self.opened: list[tuple[Any, ...]] = []

    def connect_tcp(self, *args: Any, **rest: Any) -> httpcore.NetworkStream:
        """Open one."""
        self.opened.append((*args, *rest.values()))
        return self.stream

    def connect_unix_socket(self, *args: Any, **rest: Any) -> httpcore.NetworkStream:
        """Open one."""
        self.opened.append((*args, *rest.values()))
        return self.stream

    def sleep(self, seconds: float) -> None:
        """Note it."""
        self.opened.append(("sleep", seconds))


def guarded(backend: httpcore.NetworkBackend) -> httpcore.NetworkBackend:
    """Return what `guard` makes of a backend."""
    client = httpx.Client()
    pool_of(client)._network_backend = backend
    found: httpcore.NetworkBackend = pool_of(guard(client))._network_backend
    client.close()
    return found


def pool_of(client: httpx.Client, transport: Any = None) -> Any:
    """Return the connections of a client."""
    found: Any = transport or client._transport
    return found._pool


def test_every_step_gets_what_is_left(clock: FakeTime) -> None:
    """Or its own limit, if that is less."""
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
def test_without_a_deadline_nothing_changes() -> None:
    """A connection that outlives its call has the limits that httpx gives it."""
    backend = FakeBackend()
    stream = guarded(backend).connect_unix_socket("/nowhere", 60.0, None)
    stream.read(1, 7.0)
    stream.write(b"x", None)
    stream.close()
    guarded(backend).sleep(0.5)
    assert [("/nowhere", 60.0, None), ("sleep", 0.5)] == backend.opened
    assert [("read", 7.0), ("write b'x'", None), ("close", None)] == backend.stream.limits
    assert "server_addr" == stream.get_extra_info("server_addr")


def test_after_the_deadline_nothing_is_begun(clock: FakeTime) -> None:
    """Each step raises httpcore's own exception for it, which httpx knows."""
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
    assert (1, []) == (len(backend.opened), backend.stream.limits)


# In httpx, whose private attributes it takes


def test_httpx_has_what_guard_needs() -> None:
    """If httpx is built differently one day, this says so."""
    with httpx.Client() as client:
        assert isinstance(client._transport, httpx.HTTPTransport)
        assert isinstance(client._mounts, dict)
        pool = pool_of(client)
        assert isinstance(pool, httpcore.ConnectionPool)
        assert isinstance(pool._network_backend, httpcore.NetworkBackend)
        before = pool._network_backend
        assert client is guard(client)
        after = pool._network_backend
        assert isinstance(after, httpcore.NetworkBackend)
        assert before is not after
        guard(client)
        assert after is pool._network_backend


@pytest.mark.parametrize("name", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"])
def test_proxies_are_guarded_as_well(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Those of the environment keep deadlines too; hosts without a proxy do no harm."""
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
    """What is not httpx's own has its own ways."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    with guard(httpx.Client(transport=transport)) as client:
        assert 200 == client.get("http://127.0.0.1/").status_code


def test_shared_transport_is_guarded_once() -> None:
    """Two clients over one transport do not wrap it twice."""
    transport = httpx.HTTPTransport()
    first, second = httpx.Client(transport=transport), httpx.Client(transport=transport)
    guard(first)
    once = pool_of(first)._network_backend
    guard(second)
    assert once is pool_of(second)._network_backend
    transport.close()


# Over real connections


class Drip:
    """A server that sends a byte from time to time, and never ends; also as a proxy."""

    def __init__(self, listening: socket.socket, head: bytes) -> None:
        """Take where to listen, and what to send at first."""
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
        """End it."""
        self._stop.set()
        with suppress(OSError):
            # Wakes up who waits for a connection.
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(10)
        assert not self._thread.is_alive()


BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
ERROR = b"HTTP/1.1 404 Not Found\r\nContent-Length: 100000\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\nX-Slow: "


@pytest.fixture
def drip() -> Iterator[Callable[..., str]]:
    """Start servers that drip, and return their addresses."""
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
def test_answer_that_drips_is_cut_off(drip: Callable[[bytes], str], head: bytes, kind: str) -> None:
    """Each byte comes in time; the call does not. Without the limit it would never end."""
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


def test_proxy_that_drips_is_cut_off(
    drip: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxy is used, and has no more time than the service."""
    monkeypatch.setenv("HTTP_PROXY", drip(BODY))
    client = SiteAssist(token="t", base_url="http://example.invalid/v2", timeout=0.1)
    with client, pytest.raises(APITimeoutError):
        client.get_me()


def test_proxy_of_a_secure_service_that_drips_is_cut_off(
    drip: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it makes the tunnel."""
    monkeypatch.setenv("HTTPS_PROXY", drip(HEAD))
    client = SiteAssist(token="t", base_url="https://example.invalid/v2", timeout=0.1)
    with client, pytest.raises(APITimeoutError):
        client.get_me()


def test_handshake_that_hangs_is_cut_off(drip: Callable[[bytes], str]) -> None:
    """A server that talks, but not TLS's words, has no more time either."""
    # The head of a record of 16 KB, of which a byte comes from time to time.
    url = drip(b"\x16\x03\x03\x40\x00").replace("http:", "https:")
    client = SiteAssist(token="t", base_url=url, timeout=0.1)
    with client, pytest.raises(APITimeoutError):
        client.get_me()


def test_local_socket_that_drips_is_cut_off(tmp_path: Path) -> None:
    """A transport of httpx's own that the program brings is guarded as well."""
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


def test_connection_serves_the_next_call_after_one_in_time() -> None:
    """The limit of one call does not stay on its connection."""
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"

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
