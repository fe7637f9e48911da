"""Routes, methods, and the order in which a request is checked."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.call import Call
from siteassist_spec import SpecError

if TYPE_CHECKING:
    from tests.mock.conftest import Client

NOBODYS = "/conversations/123e4567-e89b-12d3-a456-426614174000"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/nope",
        "/identity/me/",
        "/identity/me\n",
        "/conversations/",
        "//conversations",
        "/conversations/a/b",
        "/../v2/openapi",
    ],
)
def test_an_unknown_path_is_a_404(client: Client, path: str) -> None:
    """Nothing redirects, and nothing matches by accident."""
    reply = client.get(path)
    assert (reply.status, reply.code) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("HEAD", "/conversations", "GET, POST"),
        ("OPTIONS", "/conversations", "GET, POST"),
        ("PUT", "/conversations", "GET, POST"),
        ("GET", "/identity/init", "POST"),
        ("POST", "/openapi", "GET"),
        ("BREW", NOBODYS, "GET"),
    ],
)
def test_another_method_is_a_405(client: Client, method: str, path: str, allow: str) -> None:
    """Before anything else is looked at, and with the methods that there are."""
    reply = client.bearing(None).request(method, path)
    assert (reply.status, reply.code, reply.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", allow)


@pytest.mark.parametrize(
    ("path", "raw"),
    [("/conversations/x/messages", b"{"), (f"{NOBODYS}/messages", b"x" * 2_000_000)],
)
def test_the_credential_comes_first(client: Client, path: str, raw: bytes) -> None:
    """Who is not known learns nothing about the rest of a request."""
    reply = client.bearing(None).post(path, raw=raw)
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_validity_comes_before_existence(client: Client) -> None:
    """A malformed body for an unknown conversation is a 400, a good one a 404."""
    assert client.post(f"{NOBODYS}/messages", raw=b"{").status == 400
    assert client.post(f"{NOBODYS}/messages", {"content": ""}).status == 422
    assert client.post(f"{NOBODYS}/messages", {"content": "x"}).status == 404


def test_public_operations_ignore_a_bearer(client: Client) -> None:
    """Where none is asked for a wrong one does no harm."""
    reply = client.bearing("junk").get("/projects/current?apiKey=sa_pk_1234567890abcdef")
    assert reply.status == 200


def test_a_browser_may_call_from_everywhere(client: Client) -> None:
    """A preflight is answered, and errors can be read as well."""
    origin = {"origin": "https://example.com"}
    preflight = client.request(
        "OPTIONS",
        "/conversations",
        headers={
            **origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type",
        },
    )
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"] == "authorization,content-type"
    refused = client.bearing(None).get("/conversations", headers=origin)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (401, "*")


def test_the_description_is_served(client: Client, spec: dict[str, Any]) -> None:
    """As JSON, to everybody, any number of times."""
    for headers in ({"origin": "https://example.com"}, {}, {}):
        reply = client.bearing(None).get("/openapi", headers=headers)
        assert (reply.status, reply.json) == (200, spec)
        assert reply.headers["content-type"] == "application/json"
        assert ("access-control-allow-origin" in reply.headers) == ("origin" in headers)


def test_a_missing_handler_is_named(spec: dict[str, Any]) -> None:
    """A server that lacks an operation does not start."""
    some = {name: handler for name, handler in HANDLERS.items() if name != "getMe"}
    with pytest.raises(SpecError, match="the operation getMe has no handler"):
        create_app(spec=spec, handlers=some)


def test_an_extra_handler_is_named(spec: dict[str, Any]) -> None:
    """A handler that no request can reach is a mistake."""
    with pytest.raises(SpecError, match="no operation for the handler getYou"):
        create_app(spec=spec, handlers={**HANDLERS, "getYou": HANDLERS["getMe"]})


def test_an_operation_that_is_there_twice_is_named(spec: dict[str, Any]) -> None:
    """Two operations cannot have one handler."""
    changed = copy.deepcopy(spec)
    changed["paths"]["/search"]["get"]["operationId"] = "getMe"
    others = {name: handler for name, handler in HANDLERS.items() if name != "search"}
    with pytest.raises(SpecError, match="operationId getMe is duplicated"):
        create_app(spec=changed, handlers=others)


def test_a_description_that_is_no_json_is_refused(spec: dict[str, Any]) -> None:
    """It could not be served."""
    with pytest.raises(SpecError, match="cannot be written as JSON"):
        create_app(spec={**spec, "info": {**spec["info"], "summary": object()}})


def test_a_failing_handler_is_a_500(client: Client) -> None:
    """Whatever breaks, the client gets the documented body."""

    def fail(_call: Call) -> Any:
        raise ZeroDivisionError

    app = create_app(spec=client.spec, handlers={**HANDLERS, "getMe": fail})
    try:
        reply = type(client)(app, client.spec, client.token).get("/identity/me")
    finally:
        app.state.store.close()
    assert (reply.status, reply.code) == (500, "INTERNAL_SERVER_ERROR")


def test_defaults_come_from_the_description() -> None:
    """Without arguments the server reads openapi.yaml itself."""
    app = create_app()
    assert app.state.base_path == "/v2"
    app.state.store.close()


def test_a_call_without_a_bearer_has_no_visitor() -> None:
    """A handler that asks for one anyway is a mistake."""
    with pytest.raises(LookupError, match="without a bearer"):
        _ = Call(None, None, {}, {}, None).visitor  # type: ignore[arg-type] # not used
