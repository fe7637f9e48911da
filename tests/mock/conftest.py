"""Fixtures and helpers for the tests of the mock server.

Requests go directly into the ASGI application, without a socket. Each response to a
documented operation is validated against ``openapi.yaml``.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

import psycopg
import pytest
from jsonschema_rs import Draft202012Validator

from siteassist_mock.app import create_app
from siteassist_mock.settings import MockSettings
from siteassist_mock.storage.store import Store
from siteassist_spec import Document
from tests.description import SPEC
from tests.mock.postgres_server import postgres_server
from tests.values import API_KEY, PRIVATE_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from starlette.applications import Starlette
    from starlette.types import Message, Scope

# Statuses of HTTP itself, which no operation documents.
UNDOCUMENTED = {405, 413}


_VALIDATORS: dict[str, Draft202012Validator] = {}
"""Validators by schema, for all clients: their descriptions are the same."""


@dataclass
class FakeTime:
    """A clock that stands still until a test moves it, in seconds since 1970."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        """Return the current time."""
        return self.seconds


@dataclass(frozen=True)
class Reply:
    """A response of the server."""

    status: int
    headers: dict[str, str]
    body: bytes
    chunks: list[bytes] = field(default_factory=list)

    @property
    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error code in the body."""
        return str(self.json["error"]["code"])

    @property
    def details(self) -> Any:
        """The error details in the body."""
        return self.json["error"]["details"]

    @property
    def events(self) -> list[str]:
        """The data of each event in the body."""
        return [line.removeprefix("data: ") for line in self.body.decode().split("\n\n") if line]

    @property
    def text(self) -> str:
        """The text of all deltas in the stream."""
        payloads = [json.loads(event) for event in self.events if event != "[DONE]"]
        return "".join(payload.get("delta", "") for payload in payloads)


def http_scope(method: str, path: str, headers: Mapping[str, str]) -> Scope:
    """Return the scope of a request; ``path`` may include a query string."""
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
    """A client of an ASGI application, authenticated with ``token`` unless it is None."""

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
        """Send a body as JSON (``body``), as bytes (``raw``) or in pieces (``chunks``)."""
        sent = {"content-type": "application/json"}
        if self.token:
            sent["authorization"] = f"Bearer {self.token}"
        sent.update(headers or {})
        if chunks is None:
            chunks = [
                raw if raw is not None else b"" if body is None else json.dumps(body).encode()
            ]
        messages = [
            {"type": "http.request", "body": chunk, "more_body": index + 1 < len(chunks)}
            for index, chunk in enumerate(chunks)
        ]
        received = run(self.app, http_scope(method, f"{self.base}{path}", sent), messages)
        pieces = [message.get("body", b"") for message in received[1:]]
        reply = Reply(
            status=received[0]["status"],
            headers={name.decode(): value.decode() for name, value in received[0]["headers"]},
            body=b"".join(pieces),
            chunks=pieces,
        )
        if self.base == "/v2":
            self.check(method, path, reply)
        return reply

    def get(self, path: str, **more: Any) -> Reply:
        """Send a GET request."""
        return self.request("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        """Send a POST request."""
        return self.request("POST", path, body=body, **more)

    def bearing(self, token: str | None) -> Client:
        """Return a client of the same server with another token."""
        return Client(self.app, self.spec, token)

    def below(self, base: str) -> Client:
        """Return an unauthenticated client of the same server with another base path."""
        return Client(self.app, self.spec, base=base)

    def visitor(self, device: str) -> Client:
        """Start a session for ``device`` and return a client with its token."""
        session = self.post("/identity/init", {"apiKey": API_KEY, "saVid": device})
        return self.bearing(session.json["sessionToken"])

    def conversation(self) -> str:
        """Start a conversation and return its path."""
        return f"/conversations/{self.post('/conversations').json['id']}"

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Validate a response to a documented operation against the description."""
        operation = self._operation(method, path.partition("?")[0])
        if operation is None or reply.status in UNDOCUMENTED:
            return
        response = Document(self.spec).resolve(operation["responses"][str(reply.status)])
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
        """Return the errors of ``value`` against ``schema``."""
        key = json.dumps(schema)
        if key not in _VALIDATORS:
            whole = {**schema, "components": {"schemas": self.spec["components"]["schemas"]}}
            _VALIDATORS[key] = Draft202012Validator(whole, validate_formats=True)
        return [error.message for error in _VALIDATORS[key].iter_errors(value)]

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


def run(app: Any, scope: Scope, messages: Sequence[Message]) -> list[Message]:
    """Call an ASGI application with the client's messages and return the server's messages."""
    received: list[Message] = []
    waiting = list(messages)

    async def receive() -> Message:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Message) -> None:
        received.append(message)

    asyncio.run(app(scope, receive, send))
    return received


MakeClient: TypeAlias = "Callable[..., Client]"
OpenStore: TypeAlias = "Callable[..., Store]"
WriteYaml: TypeAlias = "Callable[[str | bytes], Path]"


@pytest.fixture(scope="session")
def spec() -> dict[str, Any]:
    """Return ``openapi.yaml``; a test that changes it must copy it first."""
    return SPEC


@pytest.fixture
def time() -> FakeTime:
    """Create a clock that tests can move."""
    return FakeTime()


@pytest.fixture
def make_client(spec: dict[str, Any], time: FakeTime) -> Iterator[MakeClient]:
    """Return a factory of clients, each of a new server and with the private key."""
    apps: list[Starlette] = []

    def make(**settings: Any) -> Client:
        # Strict, so that a response that violates the description fails the test.
        app = create_app(MockSettings(**{"now": time, "strict": True, **settings}))
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
def client(make_client: MakeClient) -> Client:
    """Create a client of a new server, with the private key."""
    return make_client()


_SCHEMAS = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Run a PostgreSQL server on a socket in a temporary folder and return its URL."""
    with postgres_server() as server:
        yield server.url


@pytest.fixture
def postgres_url(postgres: str) -> str:
    """Create an empty schema in PostgreSQL and return its URL."""
    schema = f"mock_{next(_SCHEMAS)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    return f"{postgres}&options=-csearch_path%3D{schema}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Return `MockSettings.database` for SQLite in memory and for PostgreSQL."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a database that several processes can open: an SQLite file, and PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "mock.db")
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def open_store(time: FakeTime) -> Iterator[OpenStore]:
    """Return a function that opens a store, which is closed at the end of the test."""
    with ExitStack() as stack:
        yield lambda database=None, now=time: stack.enter_context(closing(Store(now, database)))


@pytest.fixture
def write_yaml(tmp_path: Path) -> WriteYaml:
    """Return a function that writes a YAML file and returns its path."""

    def write(text: str | bytes) -> Path:
        path = tmp_path / "file.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write
