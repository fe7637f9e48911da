"""Tests for browsers: the origins of a publishable key, and CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from siteassist_mock.testing import mock_server
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import Client, MakeClient, WriteYaml

SEED = """\
publishableKeys:
  - key: pk_zoo
    origins: [https://zoo.example, "http://localhost:3000"]
  - key: pk_closed
    origins: []
  - key: pk_open
    origins: ["*"]
"""


@pytest.fixture
def seed(write_yaml: WriteYaml) -> Path:
    """Write a seed file with keys for two websites, for none and for all."""
    return write_yaml(SEED)


@pytest.mark.parametrize(
    ("key", "origin", "allowed"),
    [
        ("pk_zoo", "https://zoo.example", True),
        ("pk_zoo", "HTTPS://ZOO.example", True),
        ("pk_zoo", "http://localhost:3000", True),
        ("pk_zoo", None, True),
        ("pk_zoo", "http://zoo.example", False),
        ("pk_zoo", "https://zoo.example.org", False),
        ("pk_zoo", "https://www.zoo.example", False),
        ("pk_zoo", "null", False),
        ("pk_zoo", "", False),
        ("pk_closed", "https://zoo.example", False),
        ("pk_closed", None, True),
        ("pk_open", "https://anything.example", True),
        ("pk_open", "null", True),
    ],
)
def test_a_key_is_for_its_websites(
    make_client: MakeClient, seed: Path, key: str, origin: str | None, *, allowed: bool
) -> None:
    """A key is accepted from its origins and without an origin, in the body and the query."""
    client = make_client(seed=seed)
    headers = {} if origin is None else {"origin": origin}
    for reply in (
        client.post("/identity/init", {"apiKey": key, "saVid": "one"}, headers=headers),
        client.get(f"/projects/current?apiKey={key}", headers=headers),
        client.get(f"/search?apiKey={key}&q=desk", headers=headers),
    ):
        assert allowed == (reply.status in {200, 201})
        if not allowed:
            assert (403, "FORBIDDEN") == (reply.status, reply.code)


def test_a_refused_origin_creates_no_visitor(make_client: MakeClient, seed: Path) -> None:
    """A refused `init` does not store a visitor."""
    client = make_client(seed=seed)
    body = {"apiKey": "pk_zoo", "saVid": "one"}
    assert (
        403 == client.post("/identity/init", body, headers={"origin": "https://x.example"}).status
    )
    assert 201 == client.post("/identity/init", body).status


@pytest.mark.parametrize(("key", "status"), [(API_KEY, 200), ("x", 401)])
def test_the_built_in_key_is_for_all_websites(client: Client, key: str, status: int) -> None:
    """The built-in key is accepted from any origin; an unknown key is a 401 everywhere."""
    headers = {"origin": "https://anything.example"}
    assert status == client.get(f"/projects/current?apiKey={key}", headers=headers).status


def test_the_socket_is_for_the_websites_of_its_key(seed: Path) -> None:
    """The origin of a socket's handshake is checked as well."""
    with mock_server(seed=seed) as url:
        conversation = httpx.post(f"{url}/conversations", headers=BEARER).json()["id"]
        address = f"ws{url.removeprefix('http')}/conversations/{conversation}/ws?apiKey=pk_zoo"
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=Origin("https://x.example"))
        assert 403 == refused.value.response.status_code
        with connect(address, origin=Origin("https://zoo.example")) as socket:
            socket.send("ping")
            assert "pong" == socket.recv()


def test_a_preflight_is_answered(make_client: MakeClient, seed: Path) -> None:
    """A preflight has no key, so it is accepted from any origin."""
    reply = make_client(seed=seed).request(
        "OPTIONS",
        "/identity/init",
        headers={
            "origin": "https://x.example",
            "access-control-request-method": "POST",
            "access-control-request-headers": "content-type,prefer",
        },
    )
    assert (200, "*") == (reply.status, reply.headers["access-control-allow-origin"])
    assert "content-type,prefer" == reply.headers["access-control-allow-headers"]
    assert "POST" in reply.headers["access-control-allow-methods"]


def test_a_page_can_read_what_it_needs(make_client: MakeClient, seed: Path) -> None:
    """CORS allows access to errors and to headers that it hides by default."""
    client = make_client(seed=seed)
    origin = {"origin": "https://x.example"}
    for status, reply in (
        (401, client.bearing(None).get("/identity/me", headers=origin)),
        (403, client.get("/projects/current?apiKey=pk_zoo", headers=origin)),
        (404, client.get("/identity/me", headers={**origin, "prefer": "code=404"})),
    ):
        assert status == reply.status
        assert "*" == reply.headers["access-control-allow-origin"]
        assert "Retry-After, Preference-Applied" == reply.headers["access-control-expose-headers"]


@pytest.mark.parametrize("control", [True, False])
def test_a_page_on_a_public_address_may_use_the_server(
    make_client: MakeClient, *, control: bool
) -> None:
    """A preflight for the private network is allowed for the API only."""
    asked = {
        "Origin": "https://zoo.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    client = make_client(control=control)
    reply = client.request("OPTIONS", "/conversations", headers=asked)
    assert (200, "true", "*") == (
        reply.status,
        reply.headers["access-control-allow-private-network"],
        reply.headers["access-control-allow-origin"],
    )
    del asked["Access-Control-Request-Private-Network"]
    plain = client.request("OPTIONS", "/conversations", headers=asked)
    assert "access-control-allow-private-network" not in plain.headers
    if control:
        refused = client.below("/_mock").request("OPTIONS", "/reset", headers=asked)
        assert (405, False) == (
            refused.status,
            "access-control-allow-origin" in refused.headers,
        )
