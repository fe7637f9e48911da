"""One line per request."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.access_log import LOGGER, UNLOGGED, AccessLog, log_to_stderr, loggable

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from tests.mock.conftest import Client


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return the lines so far, with the same duration in each."""
    caplog.set_level(logging.INFO, LOGGER)

    def lines() -> list[str]:
        messages = [record.getMessage() for record in caplog.records if record.name == LOGGER]
        return [re.sub(r" \d+\.\d+ms", " 1.0ms", message) for message in messages]

    return lines


def test_a_line_says_what_was_asked_and_what_became_of_it(
    client: Client, logged: Callable[[], list[str]]
) -> None:
    """Method, path, status, duration, operation and the faults that were made."""
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
def test_no_secret_is_written(
    client: Client, logged: Callable[[], list[str]], query: str, shown: str
) -> None:
    """However its name is spelled; everything else stays readable."""
    client.get(f"/nope?{query}")
    assert [f"GET /v2/nope?{shown} 404 1.0ms -"] == logged()


def test_nobody_can_forge_a_line(client: Client, logged: Callable[[], list[str]]) -> None:
    """Line breaks and what drives a terminal are encoded, in the path and elsewhere."""
    client.get("/x\r\nGET /v2/y 200\x1b[2J\u2028é\udcff")
    client.request("BR\nEW", "/x?\n\u0085")
    assert [
        "GET /v2/x%0D%0AGET%20/v2/y%20200%1B%5B2J%E2%80%A8%C3%A9%3F 404 1.0ms -",
        "BR%0AEW /v2/x?%0A%C2%85 404 1.0ms -",
    ] == logged()


def test_a_long_path_is_cut() -> None:
    """So that nobody can fill the log with one request."""
    assert f"{'x' * 500}..." == loggable("x" * 100_000)


def call(app: AccessLog, scope: Scope) -> None:
    """Call it with a client that sends nothing."""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    asyncio.run(app(scope, receive, send))


def test_what_ends_without_an_answer_is_logged(logged: Callable[[], list[str]]) -> None:
    """A client that has left, and an application that fails."""

    async def silent(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    async def fail(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ZeroDivisionError

    scope = {"type": "http", "method": "GET", "path": "/x"}
    call(AccessLog(silent), dict(scope))
    with pytest.raises(ZeroDivisionError):
        call(AccessLog(fail), dict(scope))
    assert ["GET /x - 1.0ms -"] * 2 == logged()


def test_a_socket_is_logged_when_it_ends(logged: Callable[[], list[str]]) -> None:
    """With 101 if it was opened."""

    async def accept(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})

    scope = {"type": "websocket", "path": "/x/ws", "query_string": b"apiKey=k"}
    call(AccessLog(accept), scope)
    assert ["WS /x/ws?apiKey=*** 101 1.0ms -"] == logged()


def test_nothing_else_is_logged(logged: Callable[[], list[str]]) -> None:
    """Such as the start of a server, and what asks not to be."""

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        pass

    call(AccessLog(app), {"type": "lifespan"})
    call(AccessLog(app), {"type": "http", "method": "GET", "path": "/x", UNLOGGED: True})
    assert [] == logged()


def test_lines_go_to_stderr(client: Client, capsys: pytest.CaptureFixture[str]) -> None:
    """With the time of day, once they are asked for."""
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
