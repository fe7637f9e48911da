"""Tests for the access log."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.access_log import LOGGER, UNLOGGED, AccessLog, log_to_stderr, loggable
from siteassist_mock.http.redaction import Redactor
from siteassist_mock.testing import mock_server
from tests.mock.conftest import Client
from tests.values import API_KEY, PRIVATE_KEY, PROJECT_ID

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from tests.mock.conftest import MakeClient


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that lists the log lines so far, with a fixed duration."""
    caplog.set_level(logging.INFO, LOGGER)

    def lines() -> list[str]:
        messages = [record.getMessage() for record in caplog.records if record.name == LOGGER]
        return [re.sub(r" \d+\.\d+ms", " 1.0ms", message) for message in messages]

    return lines


def test_a_line_describes_request_and_response(
    client: Client, logged: Callable[[], list[str]]
) -> None:
    """A line has method, path, status, duration, operation and injected faults."""
    client.get("/conversations?limit=5")
    client.get("/nope")
    client.post("/identity/me")
    client.get("/identity/me", headers={"mock-fault": "no-terminator, delay=0"})
    client.get("/identity/me", headers={"prefer": "code=418"})
    assert [
        "GET /v2/conversations?limit=5 200 1.0ms getConversations",
        "GET /v2/nope 404 1.0ms -",
        "POST /v2/identity/me 405 1.0ms -",
        "GET /v2/identity/me 200 1.0ms getMe faults=no-terminator,delay",
        "GET /v2/identity/me 400 1.0ms getMe",
    ] == logged()


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("apiKey=sa_pk_1", "apiKey=***"),
        ("q=a+b&apiKey=sa_pk_1&size=2", "q=a+b&apiKey=***&size=2"),
        ("%61pi%4Bey=sa_pk_1&APIKEY=sa_pk_2", "%61pi%4Bey=***&APIKEY=***"),
        ("access_token=x&token=y&tokens=z", "access_token=***&token=***&tokens=z"),
        ("apiKey&x=1", "apiKey&x=1"),
        ("q=%0d%0aGET", "q=%0d%0aGET"),
    ],
)
def test_secrets_are_redacted(
    client: Client, logged: Callable[[], list[str]], query: str, shown: str
) -> None:
    """Secret parameters are redacted in any spelling; all others stay readable."""
    client.get(f"/nope?{query}")
    assert [f"GET /v2/nope?{shown} 404 1.0ms -"] == logged()


def test_keys_are_redacted_by_value(
    make_client: MakeClient, logged: Callable[[], list[str]]
) -> None:
    """A key of the server and a session token are redacted wherever they stand."""
    client = make_client(api_key="pk&mine/1234", private_key="sk_short")
    token = client.post("/identity/init", {"apiKey": "pk&mine/1234", "saVid": "d"}).json[
        "sessionToken"
    ]
    for target in (
        "/nope?key=sk_short&x=1",
        "/nope?x=Bearer%20sk_short&y=sk%5Fshort",
        "/nope?sk_short&x",
        "/conversations/sk_short",
        "/nope/a-pk&mine",
        "/nope?publishable=pk%26mine%2F1234",
        f"/nope/{token}?auth={token}",
    ):
        client.get(target)
    shown = [line.split()[1] for line in logged()[1:]]
    assert [
        "/v2/nope?key=***&x=1",
        "/v2/nope?x=***&y=***",
        "/v2/nope?***&x",
        "/v2/conversations/***",
        "/v2/nope/a-pk%26mine",
        "/v2/nope?publishable=***",
        "/v2/nope/***?auth=***",
    ] == shown


def test_a_failure_is_logged_without_its_path(
    spec: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """The traceback of a handler is logged with the operation."""

    def fail(_call: object) -> Any:
        raise ZeroDivisionError

    app = create_app(spec=spec, handlers={**HANDLERS, "getQnas": fail})
    with closing(app.state.store):
        client = Client(app, spec, PRIVATE_KEY)
        assert 500 == client.get(f"/projects/{PROJECT_ID}/qnas?query={API_KEY}").status
    assert ["GET getQnas failed"] == caplog.messages


def test_a_short_key_is_redacted_as_a_whole_only() -> None:
    """A key that may be part of a word does not make the log unreadable."""
    redactor = Redactor(["a", ""])
    assert ("***", "banana") == (redactor.text("a"), redactor.text("banana"))


@pytest.mark.parametrize("key", ["t", "0", "true", "user", "message", "key-1"])
def test_a_key_that_is_a_word_is_redacted_as_a_value(key: str) -> None:
    """The names and the words of a request stay readable, its values are redacted."""
    redactor = Redactor([key])
    assert b"q=trust&x=***&message=10" == redactor.query(b"q=trust&x=%s&message=10" % key.encode())
    assert "/v2/***/users" == redactor.path(f"/v2/{key}/users")
    body = {key: "a truth of 10 users", "text": [f"Bearer {key}", key, 0, True]}
    expected = {key: "a truth of 10 users", "text": ["Bearer ***", "***", 0, True]}
    assert expected == redactor.value(body)


@pytest.mark.parametrize("key", ["t", "1234567890", 'a","content":"b', "content"])
def test_recorded_body_stays_json(key: str) -> None:
    """A key does not change the form of a body in the list of requests."""
    with mock_server(api_key=key) as mock:
        sent = {"content": key, "number": 1234567890}
        httpx.post(f"{mock}/conversations", json=sent)
        assert {"content": "***", "number": 1234567890} == mock.requests[0]["body"]


def test_control_characters_are_encoded(client: Client, logged: Callable[[], list[str]]) -> None:
    """Line breaks and terminal escapes are encoded in the method, path and query."""
    client.get("/x\r\nGET /v2/y 200\x1b[2J\u2028é\udcff")
    client.request("BR\nEW", "/x?\n\u0085")
    assert [
        "GET /v2/x%0D%0AGET%20/v2/y%20200%1B%5B2J%E2%80%A8%C3%A9%3F 404 1.0ms -",
        "BR%0AEW /v2/x?%0A%C2%85 404 1.0ms -",
    ] == logged()


def test_a_long_path_is_cut() -> None:
    """A single request cannot fill the log."""
    assert f"{'x' * 500}..." == loggable("x" * 100_000)


REDACTOR = Redactor([API_KEY, PRIVATE_KEY])


def call(app: AccessLog, scope: Scope) -> None:
    """Call ``app`` with a client that disconnects at once."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    asyncio.run(app(scope, receive, send))


def test_a_request_without_a_response_is_logged(logged: Callable[[], list[str]]) -> None:
    """A disconnect and an exception in the application are logged."""

    async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    scope = {"type": "http", "method": "GET", "path": "/x"}
    call(AccessLog(silent, REDACTOR), dict(scope))
    with pytest.raises(ZeroDivisionError):
        call(AccessLog(fail, REDACTOR), dict(scope))
    assert ["GET /x - 1.0ms -"] * 2 == logged()


def test_a_socket_is_logged_when_it_ends(logged: Callable[[], list[str]]) -> None:
    """An opened socket is logged with the status 101."""

    async def accept(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    scope = {"type": "websocket", "path": "/x/ws", "query_string": b"apiKey=k"}
    call(AccessLog(accept, REDACTOR), scope)
    assert ["WS /x/ws?apiKey=*** 101 1.0ms -"] == logged()


def test_nothing_else_is_logged(logged: Callable[[], list[str]]) -> None:
    """Lifespan events and requests marked as unlogged write no line."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    call(AccessLog(app, REDACTOR), {"type": "lifespan"})
    call(AccessLog(app, REDACTOR), {"type": "http", "method": "GET", "path": "/x", UNLOGGED: True})
    assert [] == logged()


def test_lines_go_to_stderr(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """After `log_to_stderr`, lines are written to standard error with the time of day."""
    logger = logging.getLogger(LOGGER)
    before = (logger.handlers[:], logger.level, logger.propagate)
    try:
        log_to_stderr()
        client.get("/nope")
    finally:
        logger.handlers, logger.level, logger.propagate = before
    output, errors = capsys.readouterr()
    assert "" == output
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /v2/nope 404 \d+\.\dms -\n", errors)
