"""Bodies and unexpected failures."""

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
    """Call ``app`` with chunks, then with a client that leaves."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    if messages:
        messages[-1]["more_body"] = False
    answers: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answers.append(message)

    await app(scope, receive, send)
    answers.append({"left over": len(messages)})
    return answers


def read(*chunks: bytes, scope: Scope | None = None) -> tuple[list[object], object]:
    """Return the bodies that an application saw, and what was left unread."""
    seen: list[object] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope.get(BODY, "none"))

    answers = asyncio.run(drive(BodyReader(app), dict(scope or HTTP), *chunks))
    return seen, answers[-1]["left over"]


def test_a_body_is_put_together() -> None:
    """However many pieces it comes in."""
    assert read(b"a", b"", b"b") == ([b"ab"], 0)


def test_the_limit_is_one_mebibyte() -> None:
    """A body of exactly that much is taken; one byte more is not."""
    assert read(b"x" * MAX_BODY_BYTES) == ([b"x" * MAX_BODY_BYTES], 0)
    assert read(b"x" * MAX_BODY_BYTES, b"x") == ([None], 0)


def test_reading_ends_somewhere() -> None:
    """Nobody can keep the server reading for ever."""
    assert read(*[b"x" * MAX_BODY_BYTES] * 20) == ([None], 3)


def test_what_is_declared_beyond_reason_is_not_read() -> None:
    """A client that waits for a word before it sends gets its answer at once."""
    declared = {**HTTP, "headers": [(b"host", b"x"), (b"content-length", b"99999999")]}
    assert read(b"x", scope=declared) == ([None], 1)


def test_a_client_that_leaves_gets_no_answer() -> None:
    """The application is not called at all."""
    assert read() == ([], 0)


def test_what_is_no_request_goes_through() -> None:
    """A socket has no body."""
    assert read(scope={"type": "websocket"}) == (["none"], 0)


def fail_in(
    scope: Scope, *, after_start: bool = False
) -> tuple[list[Message], BaseException | None]:
    """Return the answers of an application that fails, and what came through."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        if after_start:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("SELECT secret FROM /var/lib")

    try:
        return asyncio.run(drive(ErrorBoundary(app), scope))[:-1], None
    except RuntimeError as error:
        return [], error


def test_a_failure_is_the_documented_500(caplog: pytest.LogCaptureFixture) -> None:
    """The client learns nothing of it, the log everything."""
    with caplog.at_level(logging.ERROR, "siteassist_mock"):
        answers, error = fail_in(HTTP)
    assert error is None
    assert answers[0]["status"] == 500
    assert json.loads(answers[1]["body"])["error"] == {
        "message": "An internal server error occurred",
        "code": "INTERNAL_SERVER_ERROR",
    }
    assert "SELECT secret FROM /var/lib" in caplog.text


@pytest.mark.parametrize(("scope", "after_start"), [(HTTP, True), ({"type": "websocket"}, False)])
def test_a_failure_without_an_answer_goes_on(scope: Scope, *, after_start: bool) -> None:
    """What has begun cannot become a 500; the server cuts the connection."""
    assert isinstance(fail_in(scope, after_start=after_start)[1], RuntimeError)


@pytest.mark.parametrize("chunks", [[b"x" * (MAX_BODY_BYTES + 1)], [b"x" * 100_000] * 11])
def test_a_large_body_is_a_413(client: Client, chunks: list[bytes]) -> None:
    """In one piece or in many, and with the documented body."""
    reply = client.request("POST", "/conversations", chunks=chunks)
    assert (reply.status, reply.code) == (413, "PAYLOAD_TOO_LARGE")
    assert client.faults({"$ref": "#/components/schemas/Error"}, reply.json) == []
