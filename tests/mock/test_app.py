"""Tests for routing, methods, and the order in which a request is checked."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.call import Call
from siteassist_spec import SpecError
from tests.values import API_KEY, UNKNOWN_ID

if TYPE_CHECKING:
    from tests.mock.conftest import Client

UNKNOWN = f"/conversations/{UNKNOWN_ID}"


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
    """An unknown path is a 404; the router neither redirects nor normalizes a path."""
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
        ("BREW", UNKNOWN, "GET"),
    ],
)
def test_an_unsupported_method_is_a_405(client: Client, method: str, path: str, allow: str) -> None:
    """A 405 lists the supported methods and precedes every other check."""
    reply = client.bearing(None).request(method, path)
    assert (reply.status, reply.code, reply.headers["allow"]) == (405, "METHOD_NOT_ALLOWED", allow)


@pytest.mark.parametrize(
    ("path", "raw"),
    [("/conversations/x/messages", b"{"), (f"{UNKNOWN}/messages", b"x" * 2_000_000)],
)
def test_authentication_precedes_validation(client: Client, path: str, raw: bytes) -> None:
    """An unauthenticated client learns nothing about the rest of its request."""
    reply = client.bearing(None).post(path, raw=raw)
    assert (reply.status, reply.code) == (401, "UNAUTHORIZED")
    assert reply.headers["www-authenticate"] == "Bearer"


def test_validation_precedes_lookup(client: Client) -> None:
    """An invalid body for an unknown conversation is a 400 or 422, a valid one a 404."""
    assert client.post(f"{UNKNOWN}/messages", raw=b"{").status == 400
    assert client.post(f"{UNKNOWN}/messages", {"content": ""}).status == 422
    assert client.post(f"{UNKNOWN}/messages", {"content": "x"}).status == 404


def test_public_operations_ignore_a_bearer(client: Client) -> None:
    """A public operation accepts a request with an invalid bearer token."""
    reply = client.bearing("junk").get(f"/projects/current?apiKey={API_KEY}")
    assert reply.status == 200


def test_the_description_is_served(client: Client, spec: dict[str, Any]) -> None:
    """Any client can fetch the description as JSON, repeatedly; the mock is its first server."""
    for headers in ({"origin": "https://example.com"}, {}, {"host": "mock.example:8443"}):
        reply = client.bearing(None).get("/openapi", headers=headers)
        own, *servers = reply.json["servers"]
        assert (reply.status, reply.json | {"servers": servers}) == (200, spec)
        origin = f"http://{headers['host']}" if "host" in headers else ""
        assert {"url": f"{origin}/v2", "description": "This mock server"} == own
        assert reply.headers["content-type"] == "application/json"
        assert ("access-control-allow-origin" in reply.headers) == ("origin" in headers)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"getMe": None}, "the operation getMe has no handler"),
        ({"getYou": HANDLERS["getMe"]}, "no operation for the handler getYou"),
    ],
)
def test_operations_and_handlers_must_match(
    spec: dict[str, Any], changes: dict[str, Any], problem: str
) -> None:
    """The server does not start without the handler of an operation, or with another one."""
    handlers = {name: each for name, each in {**HANDLERS, **changes}.items() if each}
    with pytest.raises(SpecError, match=problem):
        create_app(spec=spec, handlers=handlers)


def test_an_unusable_description_is_refused(spec: dict[str, Any]) -> None:
    """The server does not start with a duplicate operation, or with a value unknown to JSON."""
    changed = copy.deepcopy(spec)
    changed["paths"]["/search"]["get"]["operationId"] = "getMe"
    others = {name: handler for name, handler in HANDLERS.items() if name != "search"}
    with pytest.raises(SpecError, match="operationId getMe is duplicated"):
        create_app(spec=changed, handlers=others)
    with pytest.raises(SpecError, match="cannot be written as JSON"):
        create_app(spec={**spec, "info": {**spec["info"], "summary": object()}})


def test_defaults_come_from_the_description() -> None:
    """Without arguments, `create_app` reads ``openapi.yaml``."""
    app = create_app()
    assert app.state.base_path == "/v2"
    app.state.store.close()


def test_a_call_without_a_bearer_has_no_visitor() -> None:
    """Access to the visitor of an unauthenticated call raises `LookupError`."""
    with pytest.raises(LookupError, match="without a bearer"):
        _ = Call(None, None, {}, {}, None).visitor  # type: ignore[arg-type] # not used
