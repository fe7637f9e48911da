"""Servers and clients shared by the end-to-end tests.

`FaultServer` speaks plain sockets, so that it can stop, stall or send invalid data at any byte.
It records the requests it received and which side closed each connection.

`ClientKind` runs one scenario with `SiteAssist` and with `AsyncSiteAssist`, and then looks for
connections left open.

`Waits` records the waits between two attempts instead of waiting.
"""

from __future__ import annotations

import asyncio
import gc
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar, cast

import pytest

from siteassist import AsyncSiteAssist, SiteAssist
from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import serving
from siteassist_runtime import async_driver, sync_driver

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

ResultT = TypeVar("ResultT")

LIMIT = 20.0
"""Seconds after which a call counts as hung, even on a slow machine."""
PACE = 0.003
"""Seconds between two pieces of a slow response."""
VISITOR = {
    "object": "visitor",
    "id": "5d1f1f0e-3c39-4c0c-9a3e-0b6c3e0a7d51",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}


class _Ended(Exception):
    """Raised to end a connection."""


@dataclass(frozen=True)
class Received:
    """A complete request as received by the server."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    """The number of its connection, counted from 1."""

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Connection:
    """The server's side of a connection; the methods that end it raise an exception."""

    def __init__(self, server: FaultServer, sock: socket.socket, number: int) -> None:
        """Take an accepted socket."""
        self.server = server
        self.number = number
        self._socket = sock
        self._buffer = bytearray()

    def send(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self._socket.sendall(data)

    def drip(self, pieces: Iterable[bytes]) -> None:
        """Send one piece after the other, slowly, until the client disconnects."""
        for piece in pieces:
            self.send(piece)
            if select.select([self._socket], [], [], PACE)[0] and not self._socket.recv(65536):
                raise _Ended

    def hold(self) -> NoReturn:
        """Send nothing more, and wait until the client disconnects."""
        while self._socket.recv(65536):
            pass
        raise _Ended

    def close(self) -> NoReturn:
        """Close the sending side, and wait until the client disconnects."""
        self._socket.shutdown(socket.SHUT_WR)
        self.server.note_close()
        self.hold()

    def wait(self) -> None:
        """Wait until the test sets `FaultServer.go`."""
        self.server.go.wait(LIMIT)

    def reset(self) -> NoReturn:
        """Abort the connection with a TCP reset."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _Ended

    def read_request(self) -> Received | None:
        """Return the next request, or None if the client has disconnected."""
        while b"\r\n\r\n" not in self._buffer:
            if not self._read():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", "0"))
        while len(self._buffer) < length:
            if not self._read():
                return None
        body, self._buffer = bytes(self._buffer[:length]), self._buffer[length:]
        return Received(method, path, headers, body, self.number)

    def _read(self) -> bool:
        if self.server.slow:
            self.server.stopping.wait(PACE)
        data = self._socket.recv(65536)
        self.server.received += len(data)
        self._buffer += data
        return bool(data)


Step = bytes | Callable[[Connection], object]


class FaultServer:
    """A server that answers each request with the next script, and repeats the last one.

    A script is a sequence of steps: bytes, which are sent unchanged, and functions of the
    connection, such as ``Connection.reset``. After the last step the connection waits for
    another request.
    """

    def __init__(self, *, slow: bool = False, listening: bool = True) -> None:
        """Bind a free port; a ``slow`` server reads requests slowly."""
        self.slow = slow
        self.stopping = threading.Event()
        self.go = threading.Event()
        """Set by a test to end `Connection.wait`."""
        self.requests: list[Received] = []
        """The complete requests received, in order."""
        self.received = 0
        """Number of bytes received; exact while there is one connection."""
        self.opened = 0
        """Number of connections opened."""
        self.left = 0
        """Number of connections closed by the server."""
        self.ended = 0
        """Number of connections that have ended."""
        self._changed = threading.Condition()
        self._scripts: list[Sequence[Step]] = []
        self._init_scripts: list[Sequence[Step]] = []
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if slow:
            # A small buffer keeps the kernel from receiving on the server's behalf.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/v2"
        if listening:
            self.listen()

    def listen(self) -> None:
        """Start to accept connections."""
        self._listener.listen(256)
        self._start(self._accept)

    def answer(self, *scripts: Sequence[Step]) -> None:
        """Set the scripts of the next requests."""
        self._scripts = list(scripts)

    def answer_init(self, *scripts: Sequence[Step]) -> None:
        """Set the scripts for ``/identity/init``, which starts sessions by default."""
        self._init_scripts = list(scripts)

    def of(self, path: str) -> list[Received]:
        """Return the requests for a path, given without its prefix."""
        return [request for request in self.requests if request.path == f"/v2{path}"]

    @property
    def open(self) -> int:
        """Number of open connections."""
        return self.opened - self.ended

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until ``condition`` holds; fail if it never does."""
        with self._changed:
            happened = self._changed.wait_for(condition, LIMIT)
        assert happened, f"{self.opened} opened, {self.ended} ended, {len(self.requests)} requests"

    def note_close(self) -> None:
        """Count a connection that the server closes."""
        with self._changed:
            self.left += 1
            self._changed.notify_all()

    def stop(self) -> None:
        """Close all connections and stop all threads."""
        self.stopping.set()
        self.go.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for sock in self._sockets:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(LIMIT)
            assert not thread.is_alive()

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="fault-server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                if self.stopping.is_set():
                    sock.close()
                    return
                self.opened += 1
                self._sockets.add(sock)
                self._changed.notify_all()
            self._start(self._serve, sock, self.opened)

    def _serve(self, sock: socket.socket, number: int) -> None:
        connection = Connection(self, sock, number)
        # An OSError means that the client or the test closed the connection.
        with suppress(_Ended, OSError):
            while (request := connection.read_request()) is not None:
                for step in self._script(request):
                    if isinstance(step, bytes):
                        connection.send(step)
                    else:
                        step(connection)
        with self._changed:
            self._sockets.discard(sock)
            sock.close()
            self.ended += 1
            self._changed.notify_all()

    def _script(self, request: Received) -> Sequence[Step]:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
            scripts = self._scripts
            if request.path == "/v2/identity/init":
                if not self._init_scripts:
                    return [session(f"session-{len(self.of('/identity/init'))}")]
                scripts = self._init_scripts
            return scripts.pop(0) if len(scripts) > 1 else scripts[0]


def session(token: object) -> bytes:
    """Return a response that starts a session."""
    body = json.dumps({"sessionToken": token, "visitor": VISITOR}).encode()
    head = f"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


class _Stream:
    """A blocking stream with the interface of an async one."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __repr__(self) -> str:
        return repr(self._stream)

    async def __aenter__(self) -> Self:
        self._stream.__enter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._stream.__exit__(*error)

    def __aiter__(self) -> Self:
        iter(self._stream)
        return self

    async def __anext__(self) -> Any:
        for event in self._stream:
            return event
        raise StopAsyncIteration

    async def fetch_message_id(self) -> str | None:
        found: str | None = self._stream.fetch_message_id()
        return found

    async def until_done(self) -> Self:
        self._stream.until_done()
        return self

    async def aclose(self) -> None:
        self._stream.close()


class _Pages:
    """Blocking pages with the interface of async ones."""

    def __init__(self, pages: Any) -> None:
        self._pages = pages

    async def page(self, offset: int | None = None) -> Any:
        return self._pages.page(offset)

    @property
    def total(self) -> Awaitable[int | None]:
        async def total() -> int | None:
            found: int | None = self._pages.total
            return found

        return total()

    async def pages(self) -> Any:
        for page in self._pages.pages():
            yield page

    async def __aiter__(self) -> Any:
        for item in self._pages:
            yield item


class AwaitableClient:
    """A client of either kind with the interface of the async one."""

    def __init__(self, plain: SiteAssist | AsyncSiteAssist) -> None:
        """Take the client."""
        self.plain = plain

    def __getattr__(self, name: str) -> Any:
        """Return an awaitable version of a method of the client."""
        method = getattr(self.plain, name)
        if isinstance(self.plain, AsyncSiteAssist):
            return method
        if name.endswith("_stream"):
            return lambda *args, **named: _Stream(method(*args, **named))
        if name in {"get_conversations", "get_messages", "get_qnas"}:
            return lambda *args, **named: _Pages(method(*args, **named))

        async def call(*args: Any, **named: Any) -> Any:
            return method(*args, **named)

        return call

    async def wait(self, server: FaultServer, condition: Callable[[], bool]) -> None:
        """Wait for the server without blocking the client's event loop."""
        if isinstance(self.plain, AsyncSiteAssist):
            await asyncio.to_thread(server.wait, condition)
        else:
            server.wait(condition)

    async def close(self) -> None:
        """Close the client."""
        if isinstance(self.plain, AsyncSiteAssist):
            await self.plain.aclose()
        else:
            self.plain.close()

    def pools(self) -> list[Any]:
        """Return the connection pools in run_and_close."""
        # Private attributes are the only place where a leak is visible.
        caller = cast("Any", self.plain)._caller
        if isinstance(self.plain, AsyncSiteAssist):
            clients = [state.http for state in caller._loops.values()]
        else:
            clients = [caller._http] if caller._http is not None else []
        return [client._transport._pool for client in clients]

    async def check_idle(self, server: FaultServer | None) -> None:
        """Fail if a finished call left a connection in run_and_close."""
        idle = 0
        for pool in self.pools():
            assert [] == pool._requests
            for connection in pool.connections:
                assert connection.is_idle() or connection.is_closed(), connection
                idle += connection.is_idle()
        if server is not None:
            await self.wait(server, lambda: server.open <= idle)


Scenario = Callable[[Any], Coroutine[Any, Any, ResultT]]


@dataclass(frozen=True)
class ClientKind:
    """One of the two kinds of client."""

    asynchronous: bool

    def run(
        self, scenario: Scenario[ResultT], server: FaultServer | None = None, **settings: Any
    ) -> ResultT:
        """Run ``scenario`` with a client, then check that it left nothing open."""
        if server is not None:
            settings.setdefault("base_url", server.url)
            if "api_key" not in settings:
                settings.setdefault("token", "token-of-a-visitor")
        result = in_time(lambda: self._run(scenario, server, settings))
        if server is not None:
            server.wait(lambda: server.open == 0)
        # An unclosed resource warns when it is collected, and warnings are errors.
        gc.collect()
        return result

    def _run(
        self, scenario: Scenario[ResultT], server: FaultServer | None, settings: dict[str, Any]
    ) -> ResultT:
        if not self.asynchronous:
            return run_without_waiting(
                run_and_close(AwaitableClient(SiteAssist(**settings)), scenario, server)
            )
        problems: list[object] = []

        async def main() -> ResultT:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: problems.append(context))
            return await run_and_close(
                AwaitableClient(AsyncSiteAssist(**settings)), scenario, server
            )

        result = asyncio.run(main(), debug=True)
        assert [] == problems
        return result


async def run_and_close(
    client: AwaitableClient, scenario: Scenario[ResultT], server: FaultServer | None
) -> ResultT:
    """Run a scenario, then check the connections and close the client."""
    try:
        result = await scenario(client)
        await client.check_idle(server)
        pools = client.pools()
    finally:
        await client.close()
    assert [] == client.pools()
    assert [] == [connection for pool in pools for connection in pool.connections]
    return result


def in_time(work: Callable[[], ResultT]) -> ResultT:
    """Call ``work`` in a new thread, and fail if it hangs."""
    results: list[ResultT] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # re-raised in the test's thread
            errors.append(error)

    thread = threading.Thread(target=run, name="scenario", daemon=True)
    thread.start()
    thread.join(LIMIT)
    assert not thread.is_alive(), "the call hangs"
    if errors:
        raise errors.pop()
    return results.pop()


def run_without_waiting(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("ResultT", end.value)
    coroutine.close()
    raise AssertionError("the coroutine waits")


class Waits:
    """A replacement for the sleeps between attempts."""

    def __init__(self) -> None:
        """Start without any waits."""
        self.seconds: list[float] = []
        """The length of each wait."""
        self.meanwhile: Callable[[], Coroutine[Any, Any, object]] | None = None
        """Called during each wait, if set."""

    def block(self, seconds: float) -> None:
        """Record a wait of a blocking client."""
        run_without_waiting(self.wait(seconds))

    async def wait(self, seconds: float) -> None:
        """Record a wait of an async client."""
        self.seconds.append(seconds)
        if self.meanwhile is not None:
            await self.meanwhile()


class Mock:
    """The mock server, which also records its requests."""

    def __init__(self, app: Starlette) -> None:
        """Take the application."""
        self._app = app
        self.state = app.state
        self.requests: list[str] = []
        """Method and path of each request, in order."""
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a request and forward it."""
        # list.append is thread-safe.
        self.requests.append(f"{scope['method']} {scope['path'].removeprefix('/v2')}")
        await self._app(scope, receive, send)

    def count(self, request: str) -> int:
        """Return the number of requests with this method and path."""
        return self.requests.count(request)


@pytest.fixture(scope="module", autouse=True)
def _small_heap() -> Iterator[None]:
    """Exclude objects that already exist from the collections that look for leaks."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module", autouse=True)
def _quick_clients() -> Iterator[None]:
    """Load the certificate authorities once, since no connection here uses TLS."""
    context = ssl.create_default_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ssl, "create_default_context", lambda *_, **__: context)
        yield


@pytest.fixture
def make_server() -> Iterator[Callable[..., FaultServer]]:
    """Return a function that creates a `FaultServer`."""
    servers: list[FaultServer] = []

    def make(**options: Any) -> FaultServer:
        servers.append(FaultServer(**options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def server(make_server: Callable[..., FaultServer]) -> FaultServer:
    """Create a `FaultServer`."""
    return make_server()


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def kind(request: pytest.FixtureRequest) -> ClientKind:
    """Return each kind of client in turn."""
    return ClientKind(asynchronous=request.param)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """Record the waits between attempts instead of waiting."""
    noted = Waits()
    clock = SimpleNamespace(sleep=noted.block, monotonic=time.monotonic)
    monkeypatch.setattr(sync_driver, "time", clock)
    monkeypatch.setattr(async_driver, "sleep", noted.wait)
    return noted


@pytest.fixture
def make_mock() -> Iterator[Callable[..., Mock]]:
    """Return a function that runs a mock server."""
    with ExitStack() as running:

        def make(**settings: Any) -> Mock:
            mock = Mock(create_app(MockSettings(**settings)))
            mock.url = running.enter_context(serving(cast("Starlette", mock)))
            return mock

        yield make


@pytest.fixture
def mock(make_mock: Callable[..., Mock]) -> Mock:
    """Run a mock server."""
    return make_mock()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own credentials from the tests."""
    for name in ("TOKEN", "API_KEY", "BASE_URL", "LOG"):
        monkeypatch.delenv(f"SITEASSIST_{name}", raising=False)
