"""What the tests of the mock server share: an application and a way to call it.

Requests go straight into the ASGI application, without a socket, and every
answer to a documented operation is held against ``openapi.yaml`` on the way.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg
import pytest
from jsonschema_rs import Draft202012Validator

from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from siteassist_spec import Document, load_spec
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from starlette.applications import Starlette
    from starlette.types import Message, Scope

# HTTP's own, which no operation documents.
UNDOCUMENTED = {405, 413}


@dataclass
class FakeTime:
    """A clock that stands still until a test moves it; seconds since 1970."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of the error in the body."""
        return str(self.json["error"]["code"])

    @property
    def details(self) -> Any:
        """The details of the error in the body."""
        return self.json["error"]["details"]

    @property
    def events(self) -> list[str]:
        """The data of every event in the body."""
        return [line.removeprefix("data: ") for line in self.body.decode().split("\n\n") if line]

    @property
    def text(self) -> str:
        """The streamed text."""
        payloads = [json.loads(event) for event in self.events if event != "[DONE]"]
        return "".join(payload.get("delta", "") for payload in payloads)


def http_scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    """Return the scope of a request; ``path`` may have a query string."""
    plain, _, query = path.partition("?")
    return {
        "type": "http",
        "method": method,
        "path": plain,
        "query_string": query.encode(),
        "headers": [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in headers.items()
        ],
    }


@dataclass(frozen=True)
class Client:
    """Calls an application, as the bearer of ``token`` if there is one."""

    app: Starlette
    spec: Mapping[str, Any]
    token: str | None = None
    base: str = "/v2"

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        raw: bytes | None = None,
        chunks: Sequence[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send JSON (``body``), bytes (``raw``) or several pieces (``chunks``)."""
        sent = {"content-type": "application/json"}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        sent.update(headers or {})
        if chunks is None:
            chunks = [raw if raw is not None else b"" if body is None else dump(body)]
        messages = [
            {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
            for index, chunk in enumerate(chunks)
        ]
        answers = run(self.app, http_scope(method, f"{self.base}{path}", sent), messages)
        pieces = [answer.get("body", b"") for answer in answers[1:]]
        reply = Reply(
            status=answers[0]["status"],
            headers={name.decode(): value.decode() for name, value in answers[0]["headers"]},
            body=b"".join(pieces),
            chunks=pieces,
        )
        if self.base == "/v2":
            self.check(method, path, reply)
        return reply

    def get(self, path: str, **more: Any) -> Reply:
        """Send a GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        """Send a POST."""
        return self.request("POST", path, body=body, **more)

    def bearing(self, token: str | None) -> Client:
        """Return a client with another token."""
        return Client(self.app, self.spec, token)

    def visitor(self, device: str) -> Client:
        """Return a client with a session of ``device``."""
        session = self.post("/identity/init", {"apiKey": API_KEY, "saVid": device})
        return self.bearing(session.json["sessionToken"])

    def conversation(self) -> str:
        """Start a conversation and return its path."""
        return f"/conversations/{self.post('/conversations').json['id']}"

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Hold an answer to a documented operation against its description."""
        operation = self._operation(method, path.partition("?")[0])
        if operation is None or reply.status in UNDOCUMENTED:
            return
        response = resolve(self.spec, operation["responses"][str(reply.status)])
        if "content" not in response:
            assert (b"", False) == (reply.body, "content-type" in reply.headers)
            return
        media_type = reply.headers["content-type"].removesuffix("; charset=utf-8")
        assert media_type in response["content"]
        schema = response["content"][media_type]["schema"]
        values: list[Any]
        if media_type == "text/event-stream":
            values = [{"data": event} for event in reply.events]
            payload = {"$ref": "#/components/schemas/StreamPayload"}
            for event in reply.events[:-1]:
                assert self.faults(payload, json.loads(event)) == []
        else:
            values = [reply.body.decode() if media_type == "text/plain" else reply.json]
        for value in values:
            assert self.faults(schema, value) == []

    def faults(self, schema: Mapping[str, Any], value: Any) -> list[str]:
        """Say what is wrong with ``value`` under ``schema``."""
        whole = {**schema, "components": {"schemas": self.spec["components"]["schemas"]}}
        validator = Draft202012Validator(whole, validate_formats=True)
        return [error.message for error in validator.iter_errors(value)]

    def _operation(self, method: str, path: str) -> Any:
        steps = path.split("/")
        for template, item in self.spec["paths"].items():
            names = template.split("/")
            if len(names) == len(steps) and all(
                name == step or (name.startswith("{") and step)
                for name, step in zip(names, steps, strict=True)
            ):
                return item.get(method.lower())
        return None


def dump(value: Any) -> bytes:
    """Return ``value`` as JSON."""
    return json.dumps(value).encode()


def resolve(spec: Mapping[str, Any], node: Any) -> Any:
    """Follow the ``$ref`` of a node, if it is one."""
    return Document(spec).resolve(node)


def run(app: Any, scope: Scope, messages: Sequence[Message]) -> list[Message]:
    """Call an ASGI application with what the client sends, and return its answers."""
    answers: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        answers.append(message)

    asyncio.run(app(scope, receive, send))
    return answers


@pytest.fixture(scope="session")
def spec() -> dict[str, Any]:
    """``openapi.yaml``; a test that changes it works on a copy."""
    return load_spec()


@pytest.fixture
def time() -> FakeTime:
    """Make a clock to move."""
    return FakeTime()


@pytest.fixture
def make_client(spec: dict[str, Any], time: FakeTime) -> Iterator[Callable[..., Client]]:
    """Make clients of new servers, each with the private key."""
    apps: list[Starlette] = []

    def make(**settings: Any) -> Client:
        # Strict, so that the mock and the description cannot drift apart.
        app = create_app(MockSettings(now=time, **{"strict": True, **settings}), spec=spec)
        apps.append(app)
        return Client(app, spec, PRIVATE_KEY)

    yield make
    for app in apps:
        app.state.store.close()
    assert [] == [
        violation
        for app in apps
        if app.state.violations is not None
        for violation in app.state.violations.take()
    ]


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    """Make a client of a new server, with the private key."""
    return make_client()


_SCHEMAS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server on a socket in a folder of its own; return a URL."""
    initdb, pg_ctl = (_postgres_program(name) for name in ("initdb", "pg_ctl"))
    version = subprocess.run([initdb, "--version"], check=True, capture_output=True, text=True)
    if int(re.findall(r"\d+", version.stdout)[0]) < 15:
        pytest.skip(f"PostgreSQL 15 or later is not installed, but {version.stdout.strip()}")
    # A socket's path may have some 100 bytes only, and PostgreSQL does not run
    # as root, who may have made the folders above pytest's own.
    folder = Path(tempfile.mkdtemp(prefix="mock-pg-"))
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(folder, user)
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run(
            command, check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user, timeout=60
        )

    try:
        # Sorted as people do, so that what depends on the sorting shows.
        locale = ("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
        run(initdb, "-D", data, "-U", "mock", "-A", "trust", "-E", "UTF8", "--no-sync", *locale)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        run(pg_ctl, "-D", data, "-l", folder / "log", "-o", options, "-w", "start")
        try:
            yield f"postgresql://mock@/postgres?host={quote(str(folder))}"
        finally:
            run(pg_ctl, "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder)


def _postgres_program(name: str) -> str:
    # Debian keeps the server's programs out of the search path.
    found = shutil.which(name) or next(
        map(str, sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None
    )
    if found is None:
        pytest.skip(f"PostgreSQL's server is not installed: there is no {name}")
    return found


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """Make a place in PostgreSQL that nobody has used yet."""
    schema = f"mock_{next(_SCHEMAS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{postgres}&options=-csearch_path%3D{schema}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Make a database of each kind, for `MockSettings.database`; SQLite's is in memory."""
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgres_url")
    return url
