"""Tests for methods, parameters and responses that the current API does not use."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.call import Call, Handler
from siteassist_mock.settings import MockSettings
from siteassist_spec import Document, SpecError, base_path

if TYPE_CHECKING:
    from tests.mock.conftest import Client

PATH = "/visitors/things/{thingId}"
ID = "123e4567-e89b-12d3-a456-426614174000"
TARGET = f"/visitors/things/{ID}"
BODY = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
}
THING_ID = {
    "name": "thingId",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "format": "uuid"},
}
VERSION = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "integer", "minimum": 1, "default": 7},
}


def operation(name: str, *parameters: Any, **others: Any) -> dict[str, Any]:
    """Return an operation with the response 204 and the usual error responses."""
    errors = {
        "400": {"$ref": "#/components/responses/BadRequest"},
        "401": {"$ref": "#/components/responses/Unauthorized"},
        "500": {"$ref": "#/components/responses/InternalServerError"},
    }
    return {
        "operationId": name,
        "security": [{"bearerAuth": []}],
        "parameters": [*parameters],
        "responses": {"204": {"description": "Done."}, **errors},
        **others,
    }


@pytest.fixture
def extended(spec: dict[str, Any]) -> dict[str, Any]:
    """Add operations with methods that the API does not use."""
    extended = copy.deepcopy(spec)
    extended["components"]["schemas"]["Thing"] = {
        "type": "object",
        "required": ["name"],
        "properties": {"name": {"type": "string", "maxLength": 5}},
    }
    extended["paths"][PATH] = {
        # Shared by all methods of the path.
        "parameters": [THING_ID],
        "put": operation("putThing", requestBody=BODY),
        "patch": operation("patchThing", VERSION, requestBody={**BODY, "required": False}),
        "delete": operation("deleteThing"),
    }
    return extended


Make: TypeAlias = Callable[..., "Client"]


@pytest.fixture
def serve(extended: dict[str, Any], client: Client) -> Iterator[Make]:
    """Serve that, with handlers that remember their calls."""
    apps: list[Starlette] = []

    def serve(
        answer: Handler = lambda _: Response(status_code=204), seen: list[Call] | None = None
    ) -> Client:
        def handler(call: Call) -> Any:
            if seen is not None:
                seen.append(call)
            return answer(call)

        names = ("putThing", "patchThing", "deleteThing")
        handlers = {**HANDLERS, **dict.fromkeys(names, handler)}
        app = create_app(MockSettings(strict=True), spec=extended, handlers=handlers)
        apps.append(app)
        return dataclasses.replace(client, app=app, spec=extended)

    yield serve
    for app in apps:
        app.state.store.close()


@pytest.mark.parametrize("response", [Response(status_code=204), None])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_response_without_a_body_is_sent(method: str, response: Any, serve: Make) -> None:
    """A handler may return the empty response, or None for the documented one."""
    body = {"name": "a"} if method != "DELETE" else None
    reply = serve(lambda _: response).request(method, TARGET, body=body)
    assert (204, b"", False) == (reply.status, reply.body, "content-type" in reply.headers)


def test_none_needs_an_empty_response(
    spec: dict[str, Any], client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that returns None where a body is documented causes a 500 and a log record."""
    app = create_app(spec=spec, handlers={**HANDLERS, "getMe": lambda _: None})
    assert 500 == dataclasses.replace(client, app=app).get("/identity/me").status
    app.state.store.close()
    assert "the handler of getMe returned None" in caplog.text


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "Ab", "Ab"),
        ({"type": "string", "format": "uuid"}, ID.upper(), ID),
        ({"type": "integer", "minimum": 1}, "7", 7),
    ],
)
def test_a_path_parameter_has_its_declared_type(
    schema: dict[str, Any], text: str, value: Any, extended: dict[str, Any], serve: Make
) -> None:
    """A path parameter is converted to its type; only UUIDs are case-insensitive."""
    extended["paths"][PATH]["parameters"] = [{**THING_ID, "schema": schema}]
    seen: list[Call] = []
    serve(seen=seen).request("DELETE", f"/visitors/things/{text}")
    assert [value] == [call.path["thingId"] for call in seen]


def test_a_path_parameter_of_another_type_is_refused(extended: dict[str, Any], serve: Make) -> None:
    """A path parameter that does not match its type is a 400."""
    extended["paths"][PATH]["parameters"] = [{**THING_ID, "schema": {"type": "integer"}}]
    assert 400 == serve().request("DELETE", "/visitors/things/7a").status


def test_path_and_header_parameters_reach_the_handler(serve: Make) -> None:
    """A header is converted like a query parameter and has its default."""
    seen: list[Call] = []
    client = serve(seen=seen)
    client.request("PATCH", TARGET, body={"name": "a"}, headers={"if-match": "3"})
    client.request("PATCH", TARGET)
    assert [(ID, {"If-Match": 3}, {"name": "a"}), (ID, {"If-Match": 7}, None)] == [
        (call.path["thingId"], call.headers, call.body) for call in seen
    ]


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "status"),
    [
        ("PATCH", TARGET, None, {"if-match": "0"}, 400),
        ("PATCH", TARGET, None, {"if-match": "x"}, 400),
        ("PUT", TARGET, None, {}, 400),
        ("PUT", TARGET, {"name": 1}, {}, 400),
        ("DELETE", "/visitors/things/1", None, {}, 400),
        ("DELETE", TARGET, None, {"authorization": "Bearer no"}, 401),
        ("POST", TARGET, None, {}, 405),
    ],
)
def test_an_invalid_request_is_refused(
    method: str, target: str, body: Any, headers: dict[str, str], status: int, serve: Make
) -> None:
    """Requests to an added operation are validated as for any other operation."""
    client = serve().bearing(None) if "authorization" in headers else serve()
    assert status == client.request(method, target, body=body, headers=headers).status


@pytest.mark.parametrize(
    ("status", "problem"),
    [
        (200, "200 which it does not document"),
        (204, "204 as application/json, which it does not document"),
    ],
)
def test_strict_refuses_a_body_where_none_is_documented(
    status: int, problem: str, serve: Make
) -> None:
    """A strict server rejects both an undocumented success and a 204 with a body."""
    reply = serve(lambda _: JSONResponse({"success": True}, status)).request("DELETE", TARGET)
    assert (500, f"deleteThing answered {problem}") == (
        reply.status,
        reply.json["error"]["message"],
    )


def test_a_response_without_a_body_can_be_requested(serve: Make) -> None:
    """`Prefer: code=204` works without an example."""
    reply = serve().bearing(None).request("DELETE", TARGET, headers={"prefer": "code=204"})
    assert (204, b"", "code=204") == (reply.status, reply.body, reply.headers["preference-applied"])


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("delay=0", 204),
        ("drip=0", 204),
        ("stream-error", 204),
        ("no-terminator", 204),
        ("malformed-json", 204),
        ("oversized-body", 204),
        ("expired-session", 401),
    ],
)
def test_body_faults_do_not_affect_an_empty_response(fault: str, status: int, serve: Make) -> None:
    """Faults that change a body have no effect without one; other faults still apply."""
    reply = serve().request("DELETE", TARGET, headers={"mock-fault": fault})
    assert (status, status != 204) == (reply.status, bool(reply.body))


def test_a_preflight_allows_the_methods_of_the_description(serve: Make) -> None:
    """A preflight response lists the methods of the description."""
    asked = {"origin": "https://website.example", "access-control-request-method": "DELETE"}
    reply = serve().bearing(None).request("OPTIONS", TARGET, headers=asked)
    allowed = reply.headers["access-control-allow-methods"].split(", ")
    assert {"DELETE", "PATCH", "PUT"} <= set(allowed)


@pytest.mark.parametrize("servers", [{}, {"servers": []}, {"servers": None}, {"servers": [{}]}])
def test_a_description_without_a_server_has_no_base_path(servers: dict[str, Any]) -> None:
    """A missing server URL is an error that names the key."""
    with pytest.raises(SpecError, match="`servers` must contain a server with a `url`"):
        base_path(Document(servers))
