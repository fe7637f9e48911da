"""Faults, over a real socket."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.http.middleware import CutOff
from siteassist_mock.settings import MockSettings
from siteassist_mock.testing import mock_server
from tests.values import BEARER

QUESTION = "How long does shipping take?"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a server that makes no fault by itself."""
    with mock_server(strict=True) as base_url:
        yield base_url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """Call it with the private key."""
    with httpx.Client(base_url=url, headers=BEARER) as client:
        yield client


def fault(text: str, **more: str) -> dict[str, str]:
    """Return the header that asks for a fault."""
    return {"Mock-Fault": text, **more}


def raw(client: httpx.Client, path: str, headers: dict[str, str], body: Any = None) -> bytes:
    """Return everything that the server sends, and raise what the connection raises."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [
        f"{'GET' if body is None else 'POST'} /v2{path} HTTP/1.1",
        "Host: mock",
        "Connection: close",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        *(f"{name}: {value}" for name, value in {**BEARER, **headers}.items()),
    ]
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as peer:
        peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + content)
        received = b""
        try:
            while piece := peer.recv(65_536):
                received += piece
        except ConnectionResetError:
            received += b"<RST>"
    return received


def ask(client: httpx.Client) -> tuple[str, dict[str, Any]]:
    """Return the path of a new conversation's messages, and a question to stream."""
    path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
    return path, {"content": QUESTION, "stream": True}


def answer(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return the assistant's message as it is stored."""
    message: dict[str, Any] = client.get(path, params={"role": "assistant"}).json()["data"][0]
    return message


def test_a_reset_before_the_answer(client: httpx.Client) -> None:
    """Not a byte comes, though the request was carried out."""
    before = client.get("/conversations").json()["total"]
    assert b"<RST>" == raw(client, "/conversations", fault("reset"), {})
    assert before + 1 == client.get("/conversations").json()["total"]
    with pytest.raises(httpx.ReadError):
        client.get("/identity/me", headers=fault("reset=start"))


def test_a_reset_in_the_middle_of_the_answer(client: httpx.Client) -> None:
    """Half of the body comes before the connection breaks down."""
    received = raw(client, "/identity/me", fault("reset=middle"))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body.startswith(b'{"object":"visitor"')
    assert body.endswith(b"<RST>")


def test_a_reset_in_the_middle_of_a_stream(client: httpx.Client) -> None:
    """The message is stored as broken off, without the piece that broke."""
    path, question = ask(client)
    received = raw(client, path, fault("reset=middle"), question)
    assert b"text-start" in received
    assert received.endswith(b"<RST>")
    stored = answer(client, path)
    assert ("error", "") == (stored["status"], stored["parts"][0]["text"])


def test_a_truncated_body(client: httpx.Client) -> None:
    """It is shorter than it says, and ends without a reset."""
    received = raw(client, "/identity/me", fault("truncate"))
    whole = client.get("/identity/me").content
    assert whole[: len(whole) // 2] == received.partition(b"\r\n\r\n")[2]
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/identity/me", headers=fault("truncate"))


def test_a_truncated_stream(client: httpx.Client) -> None:
    """It ends within an event, and the message is stored as broken off."""
    path, question = ask(client)
    lines: list[str] = []
    with (
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        client.stream("POST", path, json=question, headers=fault("truncate")) as reply,
    ):
        lines.extend(reply.iter_lines())
    assert 'data: {"type":"start"}' == lines[0]
    assert "[DONE]" not in "".join(lines)
    stored = answer(client, path)
    # Of the first piece only half an event came, which says nothing.
    assert ("error", "") == (stored["status"], stored["parts"][0]["text"])


def test_a_stream_that_reports_an_error(client: httpx.Client) -> None:
    """After the first piece; whoever reads the error finds the message settled."""
    path, question = ask(client)
    with client.stream("POST", path, json=question, headers=fault("stream-error")) as reply:
        events = [line.removeprefix("data: ") for line in reply.iter_lines() if line]
    assert "[DONE]" == events[-1]
    assert ["start", "start-step", "text-start", "text-delta", "error"] == [
        json.loads(event)["type"] for event in events[:-1]
    ]
    message = answer(client, path)
    assert "error" == message["status"]
    assert message["error"]
    assert json.loads(events[3])["delta"] == message["parts"][0]["text"] != ""


def test_an_error_in_a_stream_of_one_piece(client: httpx.Client) -> None:
    """Though all of the text was sent, the answer broke off; also if it drips."""
    for text in ("stream-error", "stream-error, drip"):
        path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
        reply = client.post(path, json={"content": "x", "stream": True}, headers=fault(text))
        deltas = [line for line in reply.text.split("\n\n") if "text-delta" in line]
        message = answer(client, path)
        assert "error" == message["status"]
        sent = "".join(json.loads(line.removeprefix("data: "))["delta"] for line in deltas)
        assert sent == message["parts"][0]["text"] != ""


def test_an_error_that_is_cut_is_not_sent(client: httpx.Client) -> None:
    """Where the same piece is cut, the client never had it, and it is not stored."""
    path, question = ask(client)
    received = raw(client, path, fault("stream-error, truncate"), question)
    assert b"errorText" not in received
    assert "" == answer(client, path)["parts"][0]["text"]


def test_a_stream_without_its_terminator(client: httpx.Client) -> None:
    """Everything else is there, and the response ends as it should."""
    path, question = ask(client)
    with client.stream("POST", path, json=question, headers=fault("no-terminator")) as reply:
        events = [line.removeprefix("data: ") for line in reply.iter_lines() if line]
    assert '{"type":"finish"}' == events[-1]
    stored = answer(client, path)
    text = "".join(json.loads(event).get("delta", "") for event in events)
    assert ("complete", text) == (stored["status"], stored["parts"][0]["text"])


def test_malformed_json(client: httpx.Client) -> None:
    """The message is complete by HTTP, but a brace is missing."""
    reply = client.get("/identity/me", headers=fault("malformed-json"))
    assert (200, "application/json") == (reply.status_code, reply.headers["content-type"])
    assert client.get("/identity/me").content == reply.content + b"}"


def test_malformed_json_in_a_stream(client: httpx.Client) -> None:
    """In one event; those around it are well-formed."""
    path, question = ask(client)
    with client.stream("POST", path, json=question, headers=fault("malformed-json")) as reply:
        events = [line.removeprefix("data: ") for line in reply.iter_lines() if line]
    assert not events[3].endswith("}")
    assert {"type": "text-delta"}.items() <= json.loads(events[3] + "}").items()
    assert "text-delta" == json.loads(events[4])["type"]
    assert "[DONE]" == events[-1]


def test_a_wrong_content_type(client: httpx.Client) -> None:
    """Of a body and of a stream, which are what they were."""
    reply = client.get("/identity/me", headers=fault("wrong-content-type"))
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert "visitor" == reply.json()["object"]
    path, question = ask(client)
    reply = client.post(path, json=question, headers=fault("wrong-content-type"))
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert reply.text.endswith("data: [DONE]\n\n")


def test_an_oversized_body(client: httpx.Client) -> None:
    """It is valid JSON, and exactly as large as it says."""
    reply = client.get("/identity/me", headers=fault("oversized-body=1000000"))
    plain = client.get("/identity/me")
    assert len(plain.content) + 1_000_000 == len(reply.content)
    assert str(len(reply.content)) == reply.headers["content-length"]
    assert plain.json() == reply.json()


def test_an_oversized_event(client: httpx.Client) -> None:
    """It is one of a kind that a client passes through, and the answer is whole."""
    path, question = ask(client)
    reply = client.post(path, json=question, headers=fault("oversized-body=1000000"))
    payloads = [json.loads(line[6:]) for line in reply.text.split("\n\n")[:-2]]
    assert [1_000_000] == [len(p["data"]) for p in payloads if p["type"] == "data-padding"]
    text = "".join(payload.get("delta", "") for payload in payloads)
    assert text == answer(client, path)["parts"][0]["text"]


def test_nobody_has_to_read_an_oversized_body_to_its_end(client: httpx.Client) -> None:
    """A client that leaves ends it; the server goes on."""
    with client.stream("GET", "/identity/me", headers=fault("oversized-body=1073741824")) as reply:
        next(reply.iter_raw())
    assert 200 == client.get("/identity/me").status_code


def test_a_body_that_drips(client: httpx.Client) -> None:
    """It comes byte by byte, and is whole in the end."""
    with client.stream("GET", "/identity/me", headers=fault("drip=0.0001")) as reply:
        pieces = list(reply.iter_raw())
    assert client.get("/identity/me").content == b"".join(pieces)
    path, question = ask(client)
    received = raw(client, path, fault("drip"), question)
    assert b"\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n1\r\na\r\n" in received
    assert received.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("text", ["delay=3600", "drip=3600", "delay=3600, reset"])
def test_a_client_that_has_waited_enough_is_let_go(client: httpx.Client, text: str) -> None:
    """The server does not wait for its own fault when nobody else does."""
    with pytest.raises(httpx.ReadTimeout):
        client.get("/identity/me", headers=fault(text), timeout=0.05)


def test_a_stream_that_nobody_waits_for_is_settled(client: httpx.Client) -> None:
    """Its message does not stay half-written."""
    path, question = ask(client)
    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json=question, headers=fault("delay=3600"), timeout=0.05)
    message = {"status": "streaming"}
    while message["status"] == "streaming":
        message = answer(client, path)
    assert "error" == message["status"]


def test_a_delay_ends(client: httpx.Client) -> None:
    """And the answer is what it would have been."""
    for text in ("delay=0.01", "delay=0"):
        assert 200 == client.get("/identity/me", headers=fault(text)).status_code


def test_an_expired_session(client: httpx.Client) -> None:
    """The documented 401, and nothing happens; where no session is needed none expires."""
    before = client.get("/conversations").json()["total"]
    reply = client.post("/conversations", headers=fault("expired-session"))
    assert (401, "UNAUTHORIZED") == (reply.status_code, reply.json()["error"]["code"])
    assert before == client.get("/conversations").json()["total"]
    session = {"apiKey": "sa_pk_1234567890abcdef", "saVid": "device-9"}
    assert client.post("/identity/init", json=session, headers=fault("expired-session")).is_success


def test_faults_can_be_combined(client: httpx.Client) -> None:
    """With each other, and with an answer on demand."""
    path, question = ask(client)
    headers = fault("delay=0, wrong-content-type, no-terminator")
    reply = client.post(path, json=question, headers=headers)
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert reply.text.endswith('data: {"type":"finish"}\n\n')
    reply = client.get("/identity/me", headers=fault("malformed-json", Prefer="code=503"))
    assert (503, "30") == (reply.status_code, reply.headers["retry-after"])
    assert reply.content.endswith(b'"retryAfter":30}}')


def test_errors_get_the_fault_too(client: httpx.Client) -> None:
    """What was asked for happens to whatever the answer is."""
    reply = client.get("/conversations/x", headers=fault("malformed-json"))
    assert 400 == reply.status_code
    with pytest.raises(ValueError, match="delimiter"):
        reply.json()


def test_a_fault_that_does_not_fit_changes_nothing(client: httpx.Client) -> None:
    """There is no terminator in JSON, and no JSON in a text."""
    for text in ("no-terminator", "stream-error", "none"):
        assert client.get("/identity/me", headers=fault(text)).json()["object"] == "visitor"
    headers = fault("malformed-json", Prefer="code=202")
    assert "Message sent" == client.post("/conversations/x/messages", headers=headers).text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("explode", "unknown fault 'explode'; known faults: delay, drip"),
        ("delay", "the fault delay takes the seconds to wait"),
        ("none, drip", "unknown fault 'none'"),
        ("", "it has no fault"),
    ],
)
def test_what_is_no_fault_is_a_400(client: httpx.Client, text: str, problem: str) -> None:
    """Unlike a preference it is not ignored."""
    reply = client.get("/identity/me", headers=fault(text))
    assert (400, "INVALID_FAULT") == (reply.status_code, reply.json()["error"]["code"])
    assert reply.json()["error"]["details"]["reason"].startswith(problem)


def test_a_browser_may_read_a_fault(client: httpx.Client) -> None:
    """Its answer has the headers that every answer has."""
    for text in ("wrong-content-type", "explode"):
        reply = client.get("/identity/me", headers=fault(text, Origin="https://example.com"))
        assert "*" == reply.headers["access-control-allow-origin"]


def test_a_server_can_make_faults_by_itself() -> None:
    """The same ones each time, unless a request asks for others or for none."""

    def run() -> list[int]:
        with (
            mock_server(faults=("expired-session:0.5",), fault_seed=7) as url,
            httpx.Client(base_url=url, headers=BEARER) as client,
        ):
            quiet = client.get("/identity/me", headers=fault("none"))
            assert 200 == quiet.status_code
            return [client.get("/identity/me").status_code for _ in range(8)]

    statuses = run()
    assert {200, 401} == set(statuses)
    assert statuses == run()


def test_a_reset_begins_the_faults_again() -> None:
    """A suite that resets before each test gets the same ones in each."""
    with (
        mock_server(faults=("expired-session:0.5",), fault_seed=7) as url,
        httpx.Client(base_url=url, headers=BEARER) as client,
    ):
        runs = []
        for _ in range(3):
            runs.append([client.get("/identity/me").status_code for _ in range(8)])
            reset = f"{url.removesuffix('/v2')}/_mock/reset"
            assert 200 == client.post(reset, json={}).status_code
    assert {200, 401} == set(runs[0])
    assert [runs[0]] * 3 == runs


@pytest.mark.parametrize("text", ["reset", "reset=middle", "truncate"])
def test_without_a_connection_a_cut_is_an_exception(spec: dict[str, Any], text: str) -> None:
    """For a client that calls the application in its own process."""
    app = create_app(MockSettings(faults=(text,)), spec=spec)

    async def call() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock/v2") as client:
            await client.get("/identity/me", headers=BEARER)

    with pytest.raises(CutOff):
        asyncio.run(call())
    app.state.store.close()


@pytest.mark.parametrize("settings", [{"faults": ("nope",)}, {"rate_limits": ("nope",)}])
def test_a_server_that_cannot_read_its_settings_does_not_start(
    spec: dict[str, Any], settings: dict[str, Any]
) -> None:
    """And says what is wrong before it has opened anything."""
    with pytest.raises(ValueError, match="'nope'"):
        create_app(MockSettings(**settings), spec=spec)
