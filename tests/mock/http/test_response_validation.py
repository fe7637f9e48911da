"""Tests for the validation of responses in strict mode."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.errors import ApiError
from siteassist_mock.http.event_stream import frame
from siteassist_mock.http.response_validation import Strict
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import serving
from siteassist_spec import Document
from tests.values import BEARER

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Receive, Scope, Send

    from tests.mock.conftest import Client

VISITOR = {
    "object": "visitor",
    "id": "5d0c6a1e-8f2b-4b7a-9c3d-2e1f0a9b8c7d",
    "type": "anonymous",
    "externalId": None,
    "name": None,
    "avatarUrl": None,
}
Serve = Callable[..., "Client"]


@pytest.fixture
def serve(client: Client) -> Iterator[Serve]:
    """Return a factory of clients whose server answers an operation with a given response.

    The server is strict unless stated otherwise.
    """
    apps: list[Starlette] = []

    def make(operation_id: str, response: Any, *, strict: bool = True) -> Client:
        handlers = {**HANDLERS, operation_id: lambda _call: response}
        apps.append(create_app(MockSettings(strict=strict), spec=client.spec, handlers=handlers))
        return dataclasses.replace(client, app=apps[-1])

    yield make
    for app in apps:
        app.state.store.close()


def unchecked(client: Client) -> Client:
    """Return a client that does not validate the responses itself."""
    return dataclasses.replace(client, spec={"paths": {}})


def in_pieces(*bodies: bytes, media_type: bytes = b"application/json") -> ASGIApp:
    """Return a response whose body is sent in pieces."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def streamed(*bodies: bytes) -> ASGIApp:
    """Return an event stream whose body is sent in pieces."""
    return in_pieces(*bodies, media_type=b"text/event-stream")


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (JSONResponse(VISITOR, 206), "206 which it does not document"),
        (PlainTextResponse("x"), "200 as text/plain, which it does not document"),
        (Response("{}"), "200 as no media type, which it does not document"),
        (
            JSONResponse({**VISITOR, "id": "x"}),
            '200 with a body that is not allowed: id is not a "uuid"',
        ),
        (JSONResponse({}), "200 with a body that is not allowed: id is required"),
        (Response("{", media_type="application/json"), "200 with a body that is not JSON: "),
    ],
)
def test_an_invalid_response_becomes_a_500(
    serve: Serve, caplog: pytest.LogCaptureFixture, response: Any, problem: str
) -> None:
    """The error, the log and the recorded violation name the problem."""
    client = serve("getMe", response)
    with caplog.at_level(logging.ERROR, "siteassist_mock"):
        reply = client.get("/identity/me")
    assert (500, "RESPONSE_NOT_ALLOWED") == (reply.status, reply.code)
    sentence = reply.json["error"]["message"]
    assert sentence.startswith(f"getMe answered {problem}")
    assert [f"strict: {sentence}"] == [record.message for record in caplog.records]
    assert [sentence] == client.app.state.violations.take()
    assert [] == client.app.state.violations.take()


@pytest.mark.parametrize(
    ("strict", "headers"), [(True, {}), (False, {"mock-fault": "no-terminator"})]
)
def test_pieces_are_joined(serve: Serve, headers: dict[str, str], *, strict: bool) -> None:
    """A body is validated and changed by faults as a whole."""
    body = json.dumps(VISITOR).encode()
    client = serve("getMe", in_pieces(body[:20], body[20:]), strict=strict)
    reply = client.get("/identity/me", headers=headers)
    assert (200, VISITOR, [body]) == (reply.status, reply.json, reply.chunks)


def test_a_text_is_checked(serve: Serve) -> None:
    """A text must be valid UTF-8."""
    client = serve("sendMessage", Response(b"\xff", 202, media_type="text/plain"))
    reply = client.post(f"{client.conversation()}/messages", {"content": "x"})
    problem = "sendMessage answered 202 with a body that is not UTF-8"
    assert problem == reply.json["error"]["message"]


def test_errors_are_checked(serve: Serve) -> None:
    """An error must have a documented status as well."""

    async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ApiError(405)

    reply = serve("getMe", refuse).get("/identity/me")
    assert "getMe answered 405 which it does not document" == reply.json["error"]["message"]


def stream_of(client: Client) -> list[str]:
    """Return the events of a streamed completion."""
    body = {"messages": [], "stream": True}
    return unchecked(client).post("/chat/completions", body).events


def test_a_valid_stream_passes(serve: Serve) -> None:
    """Comments, fields without data and arbitrary pieces are valid."""
    client = serve(
        "createChatCompletion",
        streamed(
            b'data: {"type":', b'"start"}\n', b"\n: still here\n\ndata:[DO", b"NE]\nid: 1\n\n"
        ),
    )
    assert ['{"type":"start"}', ": still here", "data:[DONE]\nid: 1"] == stream_of(client)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (b"data: {\n\n", "with an event whose data is not JSON: "),
        (b"event: ping\n\n", "with an event whose data is not JSON: "),
        (frame({"type": "text-delta"}), "with an event that is not allowed: "),
        (frame({}), "with an event that is not allowed: "),
    ],
)
def test_an_invalid_event_ends_the_stream(serve: Serve, event: bytes, problem: str) -> None:
    """An error event that names the problem replaces the invalid event and ends the stream."""
    client = serve(
        "createChatCompletion", streamed(frame({"type": "start"}), event, frame("[DONE]"))
    )
    events = stream_of(client)
    assert 2 == len(events)
    assert '{"type":"start"}' == events[0]
    start = f'{{"type":"error","errorText":"createChatCompletion answered 200 {problem}'
    assert events[1].startswith(start)
    assert 1 == len(client.app.state.violations.take())


def test_a_stream_must_not_end_within_an_event(serve: Serve) -> None:
    """An incomplete event at the end is a violation."""
    client = serve("createChatCompletion", streamed(frame({"type": "start"}), b"data: [DO"))
    assert "ends within an event" in stream_of(client)[-1]


def test_only_strict_servers_check(serve: Serve) -> None:
    """Without strict mode, an invalid response is sent unchanged."""
    client = serve("getMe", JSONResponse({}), strict=False)
    reply = unchecked(client).get("/identity/me")
    assert (200, {}) == (reply.status, reply.json)
    assert client.app.state.violations is None


def test_a_violation_fails_the_block(serve: Serve) -> None:
    """A violation raises at the end of the block, even if the response was ignored."""
    with (
        pytest.raises(AssertionError, match=r"^getMe answered 200 with a body that is not allowed"),
        serving(serve("getMe", JSONResponse({})).app) as url,
    ):
        httpx.get(f"{url}/identity/me", headers=BEARER)


def test_an_exception_of_the_test_takes_precedence(serve: Serve) -> None:
    """An exception within the block replaces the error about violations."""
    app = serve("getMe", JSONResponse({})).app
    with pytest.raises(httpx.HTTPStatusError, match="500"), serving(app) as url:
        httpx.get(f"{url}/identity/me", headers=BEARER).raise_for_status()


def test_a_block_without_a_violation_passes(serve: Serve) -> None:
    """The end of the block does not raise."""
    with serving(serve("getMe", JSONResponse(VISITOR)).app) as url:
        assert VISITOR == httpx.get(f"{url}/identity/me", headers=BEARER).json()


def test_equal_schemas_are_compiled_once(spec: dict[str, Any]) -> None:
    """Responses of different operations and statuses share the validator of one schema."""
    document = Document(spec)
    strict = Strict(document)
    checks = [
        strict._checks[name][status]["application/json"]
        for name in ("getMe", "search")
        for status in (400, 500)
    ]
    assert 1 == len({id(check) for check in checks})


def test_the_number_of_recorded_violations_is_limited(serve: Serve) -> None:
    """Only the most recent violations are kept, to bound the memory."""
    app = serve("getMe", JSONResponse({})).app
    for number in range(150):
        app.state.violations.add(str(number))
    assert [str(number) for number in range(50, 150)] == app.state.violations.take()


def test_a_late_failure_is_a_500(serve: Serve) -> None:
    """A response is sent after its validation, so a late failure can still become a 500."""

    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise ZeroDivisionError

    reply = serve("getMe", fail).get("/identity/me")
    assert (500, "INTERNAL_SERVER_ERROR") == (reply.status, reply.code)


Sent = list[dict[str, Any]]


def run_socket(spec: dict[str, Any], *messages: dict[str, Any]) -> tuple[Sent, list[str]]:
    """Send messages of a socket through the check; return what is sent, and the violations."""
    strict, sent = Strict(Document(spec)), Sent()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    async def send(message: Any) -> None:
        sent.append(message)

    guarded = strict.guard_socket(app, "connectConversation")
    asyncio.run(guarded({"type": "websocket"}, None, send))  # type: ignore[arg-type]  # unused
    return sent, strict.violations.take()


ACCEPT = {"type": "websocket.accept"}
UNKNOWN = "b5f0c6de-6f0a-4c1c-9a46-0f9f0b2f3c11"


@pytest.mark.parametrize(
    "text",
    [
        "pong",
        f'{{"type": "human_assigned", "chatId": "{UNKNOWN}"}}',
        '{"type": "typing", "who": "agent"}',
    ],
)
def test_a_valid_text_of_a_socket_is_sent(spec: dict[str, Any], text: str) -> None:
    """The answer to a ping, described messages and those of other types are valid."""
    message = {"type": "websocket.send", "text": text}
    assert ([ACCEPT, message], []) == run_socket(spec, ACCEPT, message)


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ({"text": "PONG"}, "with a text that is not JSON"),
        ({"text": "[]"}, "with a text that is not allowed: "),
        ({"text": '{"type": "human_assigned"}'}, "with a text that is not allowed: "),
        ({"bytes": b"pong"}, "with a message that is not a text"),
    ],
)
def test_an_invalid_text_of_a_socket_is_not_sent(
    spec: dict[str, Any], message: dict[str, Any], problem: str
) -> None:
    """The socket is closed in place of the text, and the violation says why."""
    sent, (violation,) = run_socket(spec, ACCEPT, {"type": "websocket.send", **message}, ACCEPT)
    assert [ACCEPT, {"type": "websocket.close", "code": 1011}] == sent
    assert violation.startswith(f"connectConversation answered 101 {problem}")


@pytest.mark.parametrize(
    ("status", "body", "problem"),
    [
        (401, b'{"error": {"message": "No"}}', ""),
        (401, b"{}", "connectConversation answered 401 with a body that is not allowed: "),
        (418, b"{}", "connectConversation answered 418 which it does not document"),
    ],
)
def test_a_refused_handshake_is_checked(
    spec: dict[str, Any], status: int, body: bytes, problem: str
) -> None:
    """A refusal that is not described becomes a 500."""
    headers = [(b"content-type", b"application/json")]
    start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
    end = {"type": "websocket.http.response.body", "body": body}
    sent, violations = run_socket(spec, start, end)
    assert [500 if problem else status] == [one["status"] for one in sent if "status" in one]
    assert bool(problem) == bool(violations)
    assert all(violation.startswith(problem) for violation in violations)
    assert {"websocket.http.response.start", "websocket.http.response.body"} == {
        one["type"] for one in sent
    }
