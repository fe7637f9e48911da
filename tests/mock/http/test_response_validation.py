"""Answers against the description."""

from __future__ import annotations

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
from siteassist_spec import Document, read_operations
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
MakeServer = Callable[..., "Starlette"]


@pytest.fixture
def make_server(spec: dict[str, Any]) -> Iterator[MakeServer]:
    """Make strict servers that answer an operation with a given response."""
    apps: list[Starlette] = []

    def make(operation_id: str, response: Any, *, strict: bool = True) -> Starlette:
        handlers = {**HANDLERS, operation_id: lambda _call: response}
        apps.append(create_app(MockSettings(strict=strict), spec=spec, handlers=handlers))
        return apps[-1]

    yield make
    for app in apps:
        app.state.store.close()


def in_pieces(*bodies: bytes, media_type: bytes = b"application/json") -> ASGIApp:
    """Return a response that is sent bit by bit."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", media_type)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def played(*bodies: bytes) -> ASGIApp:
    """Return an event stream of these bodies."""
    return in_pieces(*bodies, media_type=b"text/event-stream")


@pytest.mark.parametrize(
    ("response", "problem"),
    [
        (JSONResponse(VISITOR, 206), "206 which it does not document"),
        (PlainTextResponse("x"), "200 as text/plain, which it does not document"),
        (Response("{}"), "200 as no media type, which it does not document"),
        (
            JSONResponse({**VISITOR, "id": "x"}),
            '200 with a body that is not allowed: Id is not a "uuid"',
        ),
        (JSONResponse({}), "200 with a body that is not allowed: Id is required"),
        (Response("{", media_type="application/json"), "200 with a body that is not JSON: "),
    ],
)
def test_an_answer_that_is_not_allowed_is_a_500(
    client: Client,
    make_server: MakeServer,
    caplog: pytest.LogCaptureFixture,
    response: Any,
    problem: str,
) -> None:
    """That says what is wrong, as do the log and the record."""
    app = make_server("getMe", response)
    with caplog.at_level(logging.ERROR, "siteassist_mock"):
        reply = type(client)(app, client.spec, client.token).get("/identity/me")
    assert (500, "RESPONSE_NOT_ALLOWED") == (reply.status, reply.code)
    sentence = reply.json["error"]["message"]
    assert sentence.startswith(f"getMe answered {problem}")
    assert [f"strict: {sentence}"] == [record.message for record in caplog.records]
    assert [sentence] == app.state.violations.take()
    assert [] == app.state.violations.take()


@pytest.mark.parametrize(
    ("strict", "headers"), [(True, {}), (False, {"mock-fault": "no-terminator"})]
)
def test_pieces_are_put_together(
    client: Client, make_server: MakeServer, headers: dict[str, str], *, strict: bool
) -> None:
    """A body is checked, and disturbed, as a whole."""
    body = json.dumps(VISITOR).encode()
    app = make_server("getMe", in_pieces(body[:20], body[20:]), strict=strict)
    reply = type(client)(app, client.spec, client.token).get("/identity/me", headers=headers)
    assert (200, VISITOR, [body]) == (reply.status, reply.json, reply.chunks)


def test_a_text_is_checked(client: Client, make_server: MakeServer) -> None:
    """It must be one."""
    app = make_server("sendMessage", Response(b"\xff", 202, media_type="text/plain"))
    asking = type(client)(app, client.spec, client.token)
    reply = asking.post(f"{asking.conversation()}/messages", {"content": "x"})
    problem = "sendMessage answered 202 with a body that is not UTF-8"
    assert problem == reply.json["error"]["message"]


def test_errors_are_checked(client: Client, make_server: MakeServer) -> None:
    """A status that no operation has does not pass because it is an error."""

    async def refuse(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise ApiError(405)

    app = make_server("getMe", refuse)
    reply = type(client)(app, client.spec, client.token).get("/identity/me")
    assert "getMe answered 405 which it does not document" == reply.json["error"]["message"]


def test_a_body_beyond_the_limit_is_allowed(client: Client) -> None:
    """HTTP has a status for it that no operation documents."""
    assert 413 == client.post("/conversations", raw=b"x" * 1_100_000).status


def stream_of(client: Client, app: Starlette) -> list[str]:
    """Return the events that a strict server lets through."""
    asking = type(client)(app, {"paths": {}}, client.token)
    return asking.post("/chat/completions", {"messages": [], "stream": True}).events


def test_a_good_stream_passes(client: Client, make_server: MakeServer) -> None:
    """However it is cut into pieces, with comments and fields that have no data."""
    app = make_server(
        "createChatCompletion",
        played(b'data: {"type":', b'"start"}\n', b"\n: still here\n\ndata:[DO", b"NE]\nid: 1\n\n"),
    )
    assert ['{"type":"start"}', ": still here", "data:[DONE]\nid: 1"] == stream_of(client, app)


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (b"data: {\n\n", "with an event whose data is not JSON: "),
        (b"event: ping\n\n", "with an event whose data is not JSON: "),
        (frame({"type": "text-delta"}), "with an event that is not allowed: "),
        (frame({}), "with an event that is not allowed: "),
    ],
)
def test_an_event_that_is_not_allowed_ends_the_stream(
    client: Client, make_server: MakeServer, event: bytes, problem: str
) -> None:
    """In its place comes an error that says what is wrong, and nothing after it."""
    app = make_server(
        "createChatCompletion", played(frame({"type": "start"}), event, frame("[DONE]"))
    )
    events = stream_of(client, app)
    assert 2 == len(events)
    assert '{"type":"start"}' == events[0]
    start = f'{{"type":"error","errorText":"createChatCompletion answered 200 {problem}'
    assert events[1].startswith(start)
    assert 1 == len(app.state.violations.take())


def test_a_stream_must_end_with_an_event(client: Client, make_server: MakeServer) -> None:
    """Not within one."""
    app = make_server("createChatCompletion", played(frame({"type": "start"}), b"data: [DO"))
    assert "ends within an event" in stream_of(client, app)[-1]


def test_only_strict_servers_check(client: Client, make_server: MakeServer) -> None:
    """Others answer what they answer."""
    app = make_server("getMe", JSONResponse({}), strict=False)
    reply = type(client)(app, {"paths": {}}, client.token).get("/identity/me")
    assert (200, {}) == (reply.status, reply.json)
    assert app.state.violations is None


def test_faults_are_no_violations(client: Client) -> None:
    """They are asked for."""
    reply = client.get("/identity/me", headers={"mock-fault": "oversized-body=1000"})
    assert 200 == reply.status
    asking = type(client)(client.app, {"paths": {}}, client.token)
    reply = asking.get("/identity/me", headers={"mock-fault": "wrong-content-type"})
    assert "text/html; charset=utf-8" == reply.headers["content-type"]


def test_a_violation_fails_the_test_in_the_end(make_server: MakeServer) -> None:
    """Even if nobody looks at the answer."""
    with (
        pytest.raises(AssertionError, match=r"^getMe answered 200 with a body that is not allowed"),
        serving(make_server("getMe", JSONResponse({}))) as url,
    ):
        httpx.get(f"{url}/identity/me", headers=BEARER)


def test_what_a_test_raises_itself_comes_first(make_server: MakeServer) -> None:
    """It tells more than the end of the block could."""
    app = make_server("getMe", JSONResponse({}))
    with pytest.raises(httpx.HTTPStatusError, match="500"), serving(app) as url:
        httpx.get(f"{url}/identity/me", headers=BEARER).raise_for_status()


def test_without_a_violation_nothing_happens(make_server: MakeServer) -> None:
    """The end of the block is just that."""
    with serving(make_server("getMe", JSONResponse(VISITOR))) as url:
        assert VISITOR == httpx.get(f"{url}/identity/me", headers=BEARER).json()


def test_equal_schemas_are_compiled_once(spec: dict[str, Any]) -> None:
    """Eleven errors of fourteen operations are one schema."""
    document = Document(spec)
    strict = Strict(document, read_operations(document))
    checks = [
        strict._checks[name][status]["application/json"]
        for name in ("getMe", "search")
        for status in (400, 500)
    ]
    assert 1 == len({id(check) for check in checks})


def test_only_so_many_violations_are_kept(make_server: MakeServer) -> None:
    """A server that makes no end of them does not grow."""
    app = make_server("getMe", JSONResponse({}))
    for number in range(150):
        app.state.violations.add(str(number))
    assert [str(number) for number in range(50, 150)] == app.state.violations.take()


def test_a_handler_that_fails_late_is_a_500(client: Client, make_server: MakeServer) -> None:
    """Nothing of an answer is sent before it is checked, so the failure can be told."""

    async def fail(_scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        raise ZeroDivisionError

    app = make_server("getMe", fail)
    reply = type(client)(app, client.spec, client.token).get("/identity/me")
    assert (500, "INTERNAL_SERVER_ERROR") == (reply.status, reply.code)
