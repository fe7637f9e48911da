"""Tests for the server that other tests run in a thread, over real sockets."""

from __future__ import annotations

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.http.server import base_url, listen
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import mock_server, serving
from tests.values import API_KEY, BEARER, UNKNOWN_ID

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

ASKED = {"role": "user", "content": "How long does shipping take?"}


def test_a_server_answers_until_the_block_ends() -> None:
    """The server listens on a free loopback port and stops at the end of the block."""
    with mock_server() as url:
        assert url.startswith("http://127.0.0.1:")
        assert url.endswith("/v2")
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/identity/me", headers=BEARER)


def test_a_server_takes_settings() -> None:
    """`mock_server` accepts the fields of `MockSettings` only."""
    with mock_server(private_key="sk_mine") as url:
        assert httpx.get(f"{url}/identity/me", headers=BEARER).status_code == 401
    with pytest.raises(TypeError), mock_server(colour="red"):  # type: ignore[call-arg] # what is tested
        pass


@pytest.mark.parametrize("given", ["truncate:0.1", ("truncate:0.1",), ["truncate:0.1"]])
def test_a_single_fault_may_be_a_text(given: Any) -> None:
    """A text is one fault or one rate limit, not a list of its characters."""
    settings = MockSettings(faults=given, rate_limits="60/m")
    assert (["truncate:0.1"], ["60/m"]) == (list(settings.faults), list(settings.rate_limits))
    with mock_server(faults="expired-session", rate_limits="1/h") as url:
        statuses = [httpx.get(f"{url}/identity/me", headers=BEARER).status_code for _ in range(2)]
    assert [401, 401] == statuses
    with pytest.raises(ValueError, match="unknown fault 'none'"), mock_server(faults="none"):
        pass


def test_a_test_can_reach_the_store() -> None:
    """A test can use the store from its own thread while the server runs."""
    app = create_app()
    with serving(app) as url, httpx.Client(base_url=url, headers=BEARER) as client:
        conversation_id = client.post("/conversations").json()["id"]
        app.state.store.assign_human(conversation_id, "Sam")
        reply = client.post(f"/conversations/{conversation_id}/messages", json={"content": "x"})
        assert (reply.status_code, reply.text) == (202, "Message sent")


def test_the_server_is_an_object() -> None:
    """A test hands over, speaks as the agent, reads the requests and resets."""
    with mock_server() as mock, httpx.Client(base_url=mock.url, headers=BEARER) as client:
        assert mock == mock.url == f"{mock}"
        chat = client.post("/conversations").json()["id"]
        with pytest.raises(LookupError):
            mock.say(chat, "Too early")
        mock.hand_over(chat, name="Sam")
        said = mock.say(chat, "Hello")
        shown = client.get(f"/conversations/{chat}").json()
        assert ([said], "Sam") == (shown["messages"], said["humanAgent"]["name"])
        client.post("/identity/init", json={"apiKey": API_KEY, "saVid": "device-1"})
        client.get(f"/nope?key={API_KEY}")
        client.post("/conversations", content=b"{")
        seen = mock.requests
        assert [
            ("POST", "startConversation", 201),
            ("GET", "getConversation", 200),
            ("POST", "init", 201),
            ("GET", None, 404),
        ] == [(each["method"], each["operationId"], each["status"]) for each in seen[:4]]
        assert {"apiKey": "***", "saVid": "***"} == seen[2]["body"]
        assert "key=***" == seen[3]["query"]
        assert seen == httpx.get(f"{mock.removesuffix('/v2')}/_mock/requests").json()["requests"]
        mock.reset()
        assert [] == mock.requests
        assert 404 == client.get(f"/conversations/{chat}").status_code
        with pytest.raises(LookupError):
            mock.hand_over(chat)


@pytest.mark.parametrize("kind", [str, UUID])
def test_an_id_is_a_text_or_a_uuid(kind: type[str | UUID]) -> None:
    """An id that the client returns can be passed on as it is."""
    with mock_server() as mock, httpx.Client(base_url=mock.url, headers=BEARER) as client:
        chat = client.post("/conversations").json()["id"]
        mock.hand_over(kind(chat), name="Sam")
        said = mock.say(kind(chat), "Hello")
        assert [said] == client.get(f"/conversations/{chat}").json()["messages"]
        with pytest.raises(LookupError, match=UNKNOWN_ID):
            mock.say(kind(UNKNOWN_ID), "Hello")


def test_a_port_can_be_chosen() -> None:
    """The server listens on the given port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with mock_server(port=port) as mock:
        assert f"http://127.0.0.1:{port}/v2" == mock.url


def test_the_plugin_has_fixtures(pytester: pytest.Pytester) -> None:
    """A test gets a server of its own, and one that the session shares."""
    pytester.makepyfile(
        """
        import httpx
        BEARER = {"Authorization": "Bearer sk_test_1234567890abcdef"}

        def total(mock):
            httpx.post(f"{mock.url}/conversations", headers=BEARER)
            return httpx.get(f"{mock.url}/conversations", headers=BEARER).json()["total"]

        def test_one(siteassist_mock, siteassist_mock_session):
            assert (1, 1) == (total(siteassist_mock), total(siteassist_mock_session))

        def test_two(siteassist_mock, siteassist_mock_session):
            assert (1, 2) == (total(siteassist_mock), total(siteassist_mock_session))
        """
    )
    done = pytester.runpytest_subprocess("-p", "no:cov")
    done.assert_outcomes(passed=2)


def test_a_stream_is_sent_in_chunks() -> None:
    """A stream is sent in chunks and with the documented media type."""
    with (
        mock_server() as url,
        httpx.stream(
            "POST",
            f"{url}/chat/completions",
            json={"messages": [], "stream": True},
            headers=BEARER,
        ) as reply,
    ):
        assert reply.headers["content-type"] == "text/event-stream"
        assert reply.headers["transfer-encoding"] == "chunked"
        assert list(reply.iter_lines())[-2:] == ["data: [DONE]", ""]


def test_a_disconnect_ends_a_stream() -> None:
    """The server notices a disconnect during a stream and keeps the text already sent."""
    question = {"content": ASKED["content"], "stream": True}
    with (
        mock_server(stream_delay=0.02) as url,
        httpx.Client(base_url=url, headers=BEARER) as client,
    ):
        reply = client.post("/chat/completions", json={"messages": [ASKED]})
        whole = reply.json()["steps"][0]["content"][0]["text"]
        path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
        read = []
        with client.stream("POST", path, json=question) as reply:
            for line in reply.iter_lines():
                if "text-delta" in line:
                    read.append(json.loads(line.removeprefix("data: "))["delta"])
                if len(read) == 2:
                    break
        answer: dict[str, Any] = {"status": "streaming"}
        while answer["status"] == "streaming":
            answer = client.get(path, params={"role": "assistant"}).json()["data"][0]
    assert answer["status"] == "error"
    stored = answer["parts"][0]["text"]
    # The server may have sent more than the client has read.
    assert stored.startswith("".join(read))
    assert len(stored) < len(whole)


def test_grace_lets_a_running_response_end() -> None:
    """The end of the block refuses new connections but lets a slow client read its response."""
    large = {"Mock-Fault": "oversized-body=50000000"}
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        with mock_server(grace_seconds=30) as url:
            client = stack.enter_context(httpx.Client(base_url=url, headers=BEARER))
            request = client.build_request("GET", "/identity/me", headers=large)
            reply = client.send(request, stream=True)

            def read_when_refused() -> bytes:
                while is_open(url):
                    pass
                return reply.read()

            read = pool.submit(read_when_refused)
        body = read.result(30)
    assert "visitor" == json.loads(body)["object"]


def test_the_default_grace_is_short() -> None:
    """Without `grace_seconds`, a response that is still running is cut soon."""
    hanging = {"Mock-Fault": "drip=3600"}
    with ExitStack() as stack:
        with mock_server() as url:
            client = stack.enter_context(httpx.Client(base_url=url, headers=BEARER))
            request = client.build_request("GET", "/identity/me", headers=hanging)
            reply = client.send(request, stream=True)
        with pytest.raises(httpx.TransportError):
            reply.read()


def is_open(url: str) -> bool:
    """Return whether the server accepts a new connection."""
    address = httpx.URL(url)
    try:
        socket.create_connection((address.host, address.port or 0), 10).close()
    except (ConnectionRefusedError, ConnectionResetError):
        # A connection that is not yet accepted is reset when the server stops to listen.
        return False
    return True


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_gets_a_413(*, chunked: bool) -> None:
    """A client that sends its whole body first still reads the 413."""
    body = b"x" * 5_000_000
    pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    with mock_server() as url:
        reply = httpx.post(
            f"{url}/conversations", content=pieces if chunked else body, headers=BEARER
        )
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize("in_file", [False, True])
def test_concurrent_clients_lose_nothing(tmp_path: Path, *, in_file: bool) -> None:
    """Each conversation is stored, with all of its messages in order."""
    database = tmp_path / "mock.db" if in_file else None

    def talk(url: str) -> list[int]:
        with httpx.Client(base_url=url, headers=BEARER) as client:
            statuses = []
            path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
            for number in range(5):
                body: dict[str, Any] = {"content": str(number), "stream": number % 2 == 1}
                statuses.append(client.post(path, json=body).status_code)
            asked = client.get(path, params={"role": "user"}).json()["data"]
            assert [message["parts"][0]["text"] for message in asked] == list("01234")
            return statuses

    with mock_server(database=database) as url:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(talk, [url] * 16)) == [[200] * 5] * 16
        total = httpx.get(f"{url}/conversations", headers=BEARER).json()["total"]
    assert total == 16


def test_an_ipv6_address_is_written_in_brackets() -> None:
    """A base URL contains an IPv6 address in brackets."""
    app = create_app()
    app.state.store.close()
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listening = listen("::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with listening:
        assert base_url(app, listening) == f"http://[::1]:{listening.getsockname()[1]}/v2"
