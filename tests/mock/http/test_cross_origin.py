"""What browsers may do: the websites of a publishable key, and CORS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from siteassist_mock.testing import mock_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.mock.conftest import Client

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
def seed(tmp_path: Path) -> Path:
    """Write a file with a key for two websites, one for none and one for all."""
    path = tmp_path / "data.yaml"
    path.write_text(SEED)
    return path


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
    make_client: Callable[..., Client], seed: Path, key: str, origin: str | None, *, allowed: bool
) -> None:
    """Wherever a request carries it; a request without an origin is from no website."""
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


def test_who_is_refused_gets_no_session(make_client: Callable[..., Client], seed: Path) -> None:
    """A visitor of another website is not even stored."""
    client = make_client(seed=seed)
    body = {"apiKey": "pk_zoo", "saVid": "one"}
    assert (
        403 == client.post("/identity/init", body, headers={"origin": "https://x.example"}).status
    )
    assert 201 == client.post("/identity/init", body).status


def test_the_built_in_key_is_for_all_websites(client: Client) -> None:
    """So that any front end can be tried."""
    headers = {"origin": "https://anything.example"}
    reply = client.get("/projects/current?apiKey=sa_pk_1234567890abcdef", headers=headers)
    assert 200 == reply.status


def test_a_wrong_key_is_wrong_everywhere(client: Client) -> None:
    """An unknown key is a 401, whatever the website."""
    reply = client.get("/projects/current?apiKey=x", headers={"origin": "https://x.example"})
    assert 401 == reply.status


def test_the_socket_is_for_the_websites_of_its_key(seed: Path) -> None:
    """A browser sends the origin with the handshake, too."""
    with mock_server(seed=seed) as url:
        bearer = {"Authorization": "Bearer sk_test_1234567890abcdef"}
        conversation = httpx.post(f"{url}/conversations", headers=bearer).json()["id"]
        address = f"ws{url.removeprefix('http')}/conversations/{conversation}/ws?apiKey=pk_zoo"
        with pytest.raises(InvalidStatus) as refused:
            connect(address, origin=Origin("https://x.example"))
        assert 403 == refused.value.response.status_code
        with connect(address, origin=Origin("https://zoo.example")) as socket:
            socket.send("ping")
            assert "pong" == socket.recv()


def test_a_preflight_is_answered(make_client: Callable[..., Client], seed: Path) -> None:
    """Before anybody knows the key, so for any website."""
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


def test_a_page_can_read_what_it_needs(make_client: Callable[..., Client], seed: Path) -> None:
    """The refusal as well, and the headers that are no simple ones."""
    client = make_client(seed=seed)
    headers = {"origin": "https://x.example", "prefer": "code=404"}
    for path in ("/identity/me", "/projects/current?apiKey=pk_zoo"):
        reply = client.get(path, headers=headers)
        assert "*" == reply.headers["access-control-allow-origin"]
        assert "Retry-After, Preference-Applied" == reply.headers["access-control-expose-headers"]
