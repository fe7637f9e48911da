"""Tests for the body reader and the error boundary."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

import pytest

from siteassist_mock.http.middleware import BODY, MAX_BODY_BYTES, BodyReader, ErrorBoundary

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from tests.mock.conftest import Client

HTTP = {"type": "http", "method": "GET", "path": "/secret", "headers": []}


async def drive(app: BodyReader | ErrorBoundary, scope: Scope, *chunks: bytes) -> list[Message]:
    """Call ``app`` with a client that sends ``chunks`` and then disconnects."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if messages:
        messages[-1]["more_body"] = False
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    sent.append({"left over": len(messages)})
    return sent


def read(*chunks: bytes, scope: Scope | None = None) -> tuple[list[object], object]:
    """Return the bodies that an application received, and the number of unread chunks."""
    seen: list[object] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope.get(BODY, "none"))

    sent = asyncio.run(drive(BodyReader(app), dict(scope or HTTP), *chunks))
    return seen, sent[-1]["left over"]


def test_chunks_are_joined() -> None:
    """A body may arrive in any number of chunks."""
    assert read(b"a", b"", b"b") == ([b"ab"], 0)


def test_the_limit_is_one_mebibyte() -> None:
    """A body of exactly the limit is accepted, one more byte is not."""
    assert read(b"x" * MAX_BODY_BYTES) == ([b"x" * MAX_BODY_BYTES], 0)
    assert read(b"x" * MAX_BODY_BYTES, b"x") == ([None], 0)


def test_an_endless_body_is_not_read() -> None:
    """The server stops reading a body that is far beyond the limit."""
    assert read(*[b"x" * MAX_BODY_BYTES] * 20) == ([None], 3)


def test_a_large_declared_length_is_refused_unread() -> None:
    """A client that waits before it sends a large body gets its response at once."""
    declared = {**HTTP, "headers": [(b"host", b"x"), (b"content-length", b"99999999")]}
    assert read(b"x", scope=declared) == ([None], 1)


def test_a_disconnect_skips_the_application() -> None:
    """The application is not called after a disconnect."""
    assert read() == ([], 0)


def test_other_scopes_pass_through() -> None:
    """A WebSocket has no body."""
    assert read(scope={"type": "websocket"}) == (["none"], 0)


def fail_in(
    scope: Scope, *, after_start: bool = False
) -> tuple[list[Message], BaseException | None]:
    """Return the messages of an application that fails, and the exception it lets through."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("SELECT secret FROM /var/lib")

    try:
        return asyncio.run(drive(ErrorBoundary(app), scope))[:-1], None
    except RuntimeError as error:
        return [], error


def test_a_failure_is_the_documented_500(caplog: pytest.LogCaptureFixture) -> None:
    """The log has the exception; the response does not."""
    with caplog.at_level(logging.ERROR, "siteassist_mock"):
        sent, error = fail_in(HTTP)
    assert error is None
    assert sent[0]["status"] == 500
    assert json.loads(sent[1]["body"])["error"] == {
        "message": "An internal server error occurred",
        "code": "INTERNAL_SERVER_ERROR",
    }
    assert "SELECT secret FROM /var/lib" in caplog.text


@pytest.mark.parametrize(("scope", "after_start"), [(HTTP, True), ({"type": "websocket"}, False)])
def test_a_failure_after_the_start_is_raised(scope: Scope, *, after_start: bool) -> None:
    """A response that has started cannot become a 500, so the server cuts the connection."""
    assert isinstance(fail_in(scope, after_start=after_start)[1], RuntimeError)


@pytest.mark.parametrize("chunks", [[b"x" * (MAX_BODY_BYTES + 1)], [b"x" * 100_000] * 11])
def test_a_large_body_is_a_413(client: Client, chunks: list[bytes]) -> None:
    """The error body has the documented schema, for one chunk and for many."""
    reply = client.request("POST", "/conversations", chunks=chunks)
    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
    assert client.faults({"$ref": "#/components/schemas/Error"}, reply.json) == []
