"""Fixtures of the contract-test suite's tests: mock servers with a fault in one place.

A fault is a function in front of a mock that keeps the contract. It gets a request and
a function that forwards the request to the mock, and returns the response. The same fault
runs in process, which is fast, and on the loopback interface.
"""

from __future__ import annotations

import contextlib
import signal
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import httpx
import pytest
import trustme
from click.testing import CliRunner, Result

from siteassist_contract import cli, plan, run
from siteassist_contract.checks.behaviour import visitor
from siteassist_contract.checks.context import Check, CheckContext
from siteassist_contract.findings import Findings
from siteassist_contract.http import preflight, recorder
from siteassist_contract.http.preflight import Target
from siteassist_contract.http.recorder import Recorder
from siteassist_contract.http.redaction import Filter
from siteassist_contract.profiles import PROFILES, Profile
from siteassist_contract.report import tested_rules
from siteassist_contract.report.reproduction import Renderer
from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from tests import in_process
from tests.values import API_KEY as KEY
from tests.values import PRIVATE_KEY

BASE = "http://mock.test/v2"

Forward = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request, Forward], httpx.Response]
Responder = Callable[[httpx.Request], Any]
"""Returns a response, or raw bytes to write, whole or in pieces."""


class InProcess(httpx.BaseTransport):
    """A transport to a mock in this process, behind a fault; threads take turns."""

    def __init__(self, fault: Fault | None = None, **settings: Any) -> None:
        """Create a separate mock; ``settings`` are passed to it."""
        self.app = create_app(MockSettings(**settings))
        self.fault = fault
        self.requests: list[httpx.Request] = []
        self._mock = in_process.InProcess(self.app)
        self._turn = threading.RLock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Respond to a request through the fault, if there is one."""
        with self._turn:
            request.read()
            self.requests.append(request)
            if self.fault is None:
                return self.forward(request)
            return self.fault(request, self.forward)

    def forward(self, request: httpx.Request) -> httpx.Response:
        """Return the mock's response, read to its end."""
        with self._turn:
            answer = self._mock.handle_request(request)
            content = b"".join(answer.iter_raw())
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    def close(self) -> None:
        """Do nothing: a run closes its transport, and a test may have several runs."""

    def shut(self) -> None:
        """Close the mock."""
        self._mock.close()


HANDLER = "handler"
"""The name of the handler among the extensions of a request on the loopback interface."""
_OF_THE_CONNECTION = ("host", "connection", "content-length", "transfer-encoding", "expect")


def read_body(handler: BaseHTTPRequestHandler) -> bytes:
    """Read the body of a request, which may come in chunks."""
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
    body = b""
    while size := int(handler.rfile.readline(), 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    handler.rfile.readline()
    return body


class Loopback:
    """A server on a free port of the loopback interface, until it is stopped or dies."""

    def __init__(self, answer: Responder, certificate: trustme.LeafCert | None = None) -> None:
        """Respond to each request with the value that ``answer`` returns for it.

        With a certificate, the server speaks HTTPS.
        """
        outer = self
        self.answer = answer
        self.read: Callable[[BaseHTTPRequestHandler], bytes] = read_body
        """Returns the body of a request."""
        self.headers: dict[str, str] = {}
        """Headers added to each response."""

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one(self) -> None:
                outer._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = handle_one  # noqa: N815
            do_OPTIONS = do_TRACE = do_QUERY = handle_one  # noqa: N815  # named by the base class

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # likewise
                """Log nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                """Ignore clients that have disconnected."""

        self._server = Server(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            # The handshake is left to the thread of the connection.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._handlers: set[BaseHTTPRequestHandler] = set()
        self._over = threading.Event()
        self.url = f"{'http' if certificate is None else 'https'}://127.0.0.1:{self._server.server_port}/v2"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}
        )
        self._thread.start()

    def die(self) -> bytes:
        """Close the port and leave the current request without a response."""
        if not self._over.is_set():
            self._over.set()
            self._server.shutdown()
            self._server.socket.close()
        return b""

    def hang(self, seconds: float = 60.0) -> bytes:
        """Block until the server ends."""
        self._over.wait(seconds)
        return b""

    def stop(self) -> None:
        """Stop the server without waiting for the requests in progress."""
        self.die()
        self._thread.join()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = self.read(handler)
        headers = [
            (name, value)
            for name, value in handler.headers.items()
            if name.lower() not in _OF_THE_CONNECTION
        ]
        # A proxy gets whole URLs.
        base = "" if "://" in handler.path else self.url.removesuffix("/v2")
        url = f"{base}{handler.path}"
        answer = self.answer(
            httpx.Request(
                handler.command, url, headers=headers, content=body, extensions={HANDLER: handler}
            )
        )
        if self._over.is_set():
            answer = b""
        if isinstance(answer, httpx.Response):
            handler.wfile.write(_written(answer, self.headers, handler.command))
            return
        handler.close_connection = True
        with contextlib.suppress(OSError):  # the client may have disconnected
            for piece in [answer] if isinstance(answer, bytes) else answer:
                if self._over.is_set():
                    break
                handler.wfile.write(piece)


def _written(answer: httpx.Response, added: dict[str, str], method: str) -> bytes:
    """Serialize a response to bytes."""
    kept = {n: v for n, v in answer.headers.items() if n not in ("content-length", "connection")}
    content = answer.content
    lines = [f"{name}: {value}" for name, value in {**kept, **added}.items()]
    head = "\r\n".join(
        [f"HTTP/1.1 {answer.status_code} X", *lines, f"content-length: {len(content)}", "", ""]
    )
    return head.encode("latin-1") + (b"" if method == "HEAD" else content)


class Clock:
    """A clock in seconds that advances only when a test sleeps or sets it."""

    def __init__(self) -> None:
        """Start at an arbitrary time."""
        self.now = 1_700_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        """Return the current time."""
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        """Advance the clock."""
        self.slept.append(round(seconds, 6))
        self.now += seconds


class Serve(Protocol):
    """A function that creates servers on the loopback interface."""

    def __call__(self, answer: Responder, *, tls: bool = False) -> Loopback:
        """Create a server; see `Loopback`."""


Command = Callable[..., Result]
MakeMock = Callable[..., InProcess]
MakeContext = Callable[..., CheckContext]


@pytest.fixture
def make_mock() -> Iterator[MakeMock]:
    """Return a function that creates mocks in process."""
    made: list[InProcess] = []

    def make(fault: Fault | None = None, **settings: Any) -> InProcess:
        made.append(InProcess(fault, **settings))
        return made[-1]

    yield make
    for mock in made:
        mock.shut()


@pytest.fixture(scope="module")
def shared() -> Iterator[InProcess]:
    """Create one mock in process for a module's tests; each uses a visitor of its own."""
    mock = InProcess()
    yield mock
    mock.shut()


@pytest.fixture(scope="module")
def served(shared: InProcess) -> Iterator[Loopback]:
    """Serve the shared mock on the loopback interface."""
    server = Loopback(shared.handle_request)
    yield server
    server.stop()


@pytest.fixture
def direct(shared: InProcess, monkeypatch: pytest.MonkeyPatch) -> InProcess:
    """Connect runs to the shared mock in process; only the preflight uses the network."""
    shared.fault = None
    shared.requests.clear()
    monkeypatch.setattr(run, "Recorder", partial(Recorder, transport=shared))
    return shared


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """Return a certificate authority that no client trusts by default."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the file with the certificate of the authority."""
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def loopback(authority: trustme.CA) -> Iterator[Serve]:
    """Return a function that creates servers on the loopback interface.

    With ``tls``, a server has a certificate of the authority.
    """
    made: list[Loopback] = []

    def make(answer: Responder, *, tls: bool = False) -> Loopback:
        made.append(Loopback(answer, authority.issue_cert("127.0.0.1") if tls else None))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def hand_over(shared: InProcess) -> Callable[..., str]:
    """Return a function that starts a conversation and hands it to a human agent."""

    def start(token: str = PRIVATE_KEY) -> str:
        headers = {"Authorization": f"Bearer {token}"}
        url = "http://localhost/v2/conversations"
        started = shared.forward(httpx.Request("POST", url, headers=headers)).json()
        path = f"http://localhost/_mock/conversations/{started['id']}/handover"
        assert shared.forward(httpx.Request("POST", path, json={"name": "Ada"})).is_success
        return str(started["id"])

    return start


@pytest.fixture(params=["key", "token", "both"])
def credentials(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return the options of each combination of credentials."""
    key, token = ("--api-key", KEY), ("--token", PRIVATE_KEY)
    return {"key": key, "token": token, "both": (*key, *token)}[request.param]


@pytest.fixture
def interrupt() -> Callable[[], None]:
    """Return a function that sends Ctrl-C from any thread."""

    def press() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    return press


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace real time, so that no request waits."""
    clock = Clock()
    fake = SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep)
    monkeypatch.setattr(recorder, "time", fake)
    monkeypatch.setattr(run, "time", fake)
    monkeypatch.setattr(visitor, "time", fake)

    def make_recorder(**options: Any) -> Recorder:
        return Recorder(**options, sleep=clock.sleep)

    monkeypatch.setattr(run, "Recorder", make_recorder)
    return clock


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for refused and lost requests; tests of the waits measure them themselves."""
    for function in (Recorder.__init__, preflight.check):
        defaults: Any = function.__kwdefaults__
        monkeypatch.setitem(defaults, "sleep", lambda _: None)


TINY = Profile("tiny", "for tests", 1, 0, 8, 4)


class NoShapes:
    """A replacement for the layer of generated requests, which takes seconds.

    It counts one answer of each operation, so that the step is done.
    """

    out_of_time = False

    def __init__(self, *_: object, operations: Sequence[str]) -> None:
        """Accept the arguments of the real layer."""
        self.operations = operations
        self.answered: Counter[str] = Counter()

    def run(self) -> Iterator[str]:
        """Count the answers, and yield nothing."""
        self.answered.update(self.operations)
        yield from ()


@pytest.fixture
def without_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the generated requests out of each run."""
    monkeypatch.setattr(run, "Shapes", NoShapes)


@pytest.fixture
def without_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the kinds of questions out of each run, for tests that any steps serve."""
    monkeypatch.setattr(plan, "KINDS", ())
    # The verdict would name the rules that only they test.
    monkeypatch.setattr(tested_rules, "untested", lambda *_: [])


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Command]:
    """Return a function that invokes the command in this process, with small profiles."""
    monkeypatch.chdir(tmp_path)
    for name in ("API_KEY", "TOKEN", "SECOND_TOKEN", "HEADERS", "BASE_URL"):
        monkeypatch.delenv(f"SITEASSIST_{name}", raising=False)
    for name in ("quick", "default", "deep"):
        small = replace(PROFILES[name], examples=1, seconds=0, conversations=3, messages=1)
        if not small.rounds:
            # On a busy machine a run must not leave out its longer steps.
            small = replace(small, limit=3600)
        monkeypatch.setitem(PROFILES, name, small)
    handlers = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}

    def call(
        *arguments: str, env: dict[str, str] | None = None, typed: str | None = None
    ) -> Result:
        # Standard output and standard error are captured separately.
        return CliRunner().invoke(cli.main, arguments, env=env, input=typed)

    yield call
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def prevented_runs(monkeypatch: pytest.MonkeyPatch) -> list[run.Options]:
    """Return the options of each run that the command starts, all of which end at once."""
    seen: list[run.Options] = []

    def start(_: object, options: run.Options, *__: object) -> None:
        seen.append(options)
        raise SystemExit

    monkeypatch.setattr(cli, "Run", start)
    return seen


@pytest.fixture
def make_context() -> MakeContext:
    """Return a function that creates the context of a run on a transport."""

    def make(
        transport: httpx.BaseTransport,
        *,
        api_key: str | None = KEY,
        token: str | None = None,
        human: str | None = None,
        profile: Profile = TINY,
    ) -> CheckContext:
        target = Target(BASE, api_key, token)
        devices: dict[str, str] = {}
        findings = Findings(
            secrets=Filter([api_key, token]), render=Renderer(BASE, api_key, devices)
        )
        recorder = Recorder(transport=transport, sleep=_no_sleep)
        return CheckContext(target, profile, recorder, findings, devices, human)

    return make


def _no_sleep(_: float) -> None:
    raise AssertionError("a wait was not expected")


def require_kept(context: CheckContext, checks: Iterable[Check]) -> None:
    """Run checks, of which none may find a violation, or test rules that it does not name."""
    for _, check, rules in checks:
        before = context.findings.tested.copy()
        check(context)
        assert {rule for rule, _ in context.findings.tested - before} <= rules
    assert {} == {key: found.actual for key, found in context.findings.violations.items()}
