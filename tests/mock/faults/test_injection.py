"""Tests for injected faults, over a real socket."""

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
from tests.values import API_KEY, BEARER

QUESTION = "How long does shipping take?"


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Run a strict server without faults of its own."""
    with mock_server(strict=True) as base_url:
        yield base_url


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    """Create a client with the private key."""
    with httpx.Client(base_url=url, headers=BEARER) as client:
        yield client


def fault(text: str, **more: str) -> dict[str, str]:
    """Return the headers that request a fault."""
    return {"Mock-Fault": text, **more}


def raw(client: httpx.Client, path: str, headers: dict[str, str], body: Any = None) -> bytes:
    """Return all bytes that the server sends, with ``<RST>`` at the end for a reset."""
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
    """Return the messages path of a new conversation, and a question to stream."""
    path = f"/conversations/{client.post('/conversations').json()['id']}/messages"
    return path, {"content": QUESTION, "stream": True}


def stream(client: httpx.Client, path: str, question: Any, text: str) -> list[str]:
    """Return the data of the events that answer a question, with the fault ``text``."""
    reply = client.post(path, json=question, headers=fault(text))
    return [line.removeprefix("data: ") for line in reply.text.split("\n") if line]


def stored_answer(client: httpx.Client, path: str) -> dict[str, Any]:
    """Return the assistant's message as it is stored."""
    message: dict[str, Any] = client.get(path, params={"role": "assistant"}).json()["data"][0]
    return message


def test_a_reset_before_the_response(client: httpx.Client) -> None:
    """The connection is reset before the first byte, after the request was carried out."""
    before = client.get("/conversations").json()["total"]
    assert b"<RST>" == raw(client, "/conversations", fault("reset"), {})
    assert before + 1 == client.get("/conversations").json()["total"]
    with pytest.raises(httpx.ReadError):
        client.get("/identity/me", headers=fault("reset=start"))


def test_a_reset_within_a_response(client: httpx.Client) -> None:
    """The connection is reset after half of the body."""
    received = raw(client, "/identity/me", fault("reset=middle"))
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK")
    assert body.startswith(b'{"object":"visitor"')
    assert body.endswith(b"<RST>")


def test_a_reset_within_a_stream(client: httpx.Client) -> None:
    """The message is stored as an error, without the piece that was cut."""
    path, question = ask(client)
    received = raw(client, path, fault("reset=middle"), question)
    assert b"text-start" in received
    assert received.endswith(b"<RST>")
    stored = stored_answer(client, path)
    assert ("error", "") == (stored["status"], stored["parts"][0]["text"])


def test_a_truncated_body(client: httpx.Client) -> None:
    """The body is half of its declared length, and the connection ends without a reset."""
    received = raw(client, "/identity/me", fault("truncate"))
    whole = client.get("/identity/me").content
    assert whole[: len(whole) // 2] == received.partition(b"\r\n\r\n")[2]
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/identity/me", headers=fault("truncate"))


def test_a_truncated_stream(client: httpx.Client) -> None:
    """The stream ends within an event, and the message is stored as an error."""
    path, question = ask(client)
    lines: list[str] = []
    with (
        pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"),
        client.stream("POST", path, json=question, headers=fault("truncate")) as reply,
    ):
        lines.extend(reply.iter_lines())
    assert lines[0].startswith('data: {"type":"start","messageId":"')
    assert "[DONE]" not in "".join(lines)
    stored = stored_answer(client, path)
    # Only half of the first piece's event was sent, so none of its text was received.
    assert ("error", "") == (stored["status"], stored["parts"][0]["text"])


def test_a_stream_that_reports_an_error(client: httpx.Client) -> None:
    """The error follows the first piece; the message is already stored when it arrives."""
    path, question = ask(client)
    events = stream(client, path, question, "stream-error")
    assert "[DONE]" == events[-1]
    assert ["start", "start-step", "text-start", "text-delta", "error"] == [
        json.loads(event)["type"] for event in events[:-1]
    ]
    message = stored_answer(client, path)
    assert "error" == message["status"]
    assert message["error"]
    assert json.loads(events[3])["delta"] == message["parts"][0]["text"] != ""


def test_an_error_in_a_stream_of_one_piece(client: httpx.Client) -> None:
    """An answer whose whole text was sent is stored as an error, also if it drips."""
    for text in ("stream-error", "stream-error, drip"):
        path, question = ask(client)
        events = stream(client, path, {**question, "content": "x"}, text)
        message = stored_answer(client, path)
        assert "error" == message["status"]
        sent = "".join(json.loads(event)["delta"] for event in events if "text-delta" in event)
        assert sent == message["parts"][0]["text"] != ""


def test_a_truncated_error_is_not_sent(client: httpx.Client) -> None:
    """A piece that is cut before its error is neither received nor stored."""
    path, question = ask(client)
    received = raw(client, path, fault("stream-error, truncate"), question)
    assert b"errorText" not in received
    assert "" == stored_answer(client, path)["parts"][0]["text"]


def test_a_stream_without_its_terminator(client: httpx.Client) -> None:
    """All other events arrive, and the response ends correctly."""
    path, question = ask(client)
    events = stream(client, path, question, "no-terminator")
    assert '{"type":"finish","finishReason":"stop"}' == events[-1]
    stored = stored_answer(client, path)
    text = "".join(json.loads(event).get("delta", "") for event in events)
    assert ("complete", text) == (stored["status"], stored["parts"][0]["text"])


def test_malformed_json(client: httpx.Client) -> None:
    """The HTTP message is complete, but its JSON lacks the last brace."""
    reply = client.get("/identity/me", headers=fault("malformed-json"))
    assert (200, "application/json") == (reply.status_code, reply.headers["content-type"])
    assert client.get("/identity/me").content == reply.content + b"}"


def test_malformed_json_in_a_stream(client: httpx.Client) -> None:
    """One event is malformed; the events around it are not."""
    path, question = ask(client)
    events = stream(client, path, question, "malformed-json")
    assert not events[3].endswith("}")
    assert {"type": "text-delta"}.items() <= json.loads(events[3] + "}").items()
    assert "text-delta" == json.loads(events[4])["type"]
    assert "[DONE]" == events[-1]


def test_a_wrong_content_type(client: httpx.Client) -> None:
    """The media type of a body or a stream is wrong; the content does not change."""
    reply = client.get("/identity/me", headers=fault("wrong-content-type"))
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert "visitor" == reply.json()["object"]
    path, question = ask(client)
    reply = client.post(path, json=question, headers=fault("wrong-content-type"))
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert reply.text.endswith("data: [DONE]\n\n")


def test_an_oversized_body(client: httpx.Client) -> None:
    """The body is valid JSON, and exactly as long as it declares."""
    reply = client.get("/identity/me", headers=fault("oversized-body=1000000"))
    plain = client.get("/identity/me")
    assert len(plain.content) + 1_000_000 == len(reply.content)
    assert str(len(reply.content)) == reply.headers["content-length"]
    assert plain.json() == reply.json()


def test_an_oversized_event(client: httpx.Client) -> None:
    """The padding is an event that clients ignore, and the answer is complete."""
    path, question = ask(client)
    reply = client.post(path, json=question, headers=fault("oversized-body=1000000"))
    payloads = [json.loads(line[6:]) for line in reply.text.split("\n\n")[:-2]]
    assert [1_000_000] == [len(p["data"]) for p in payloads if p["type"] == "data-padding"]
    text = "".join(payload.get("delta", "") for payload in payloads)
    assert text == stored_answer(client, path)["parts"][0]["text"]


def test_a_client_may_leave_an_oversized_body(client: httpx.Client) -> None:
    """The server keeps working when a client disconnects from a large body."""
    with client.stream("GET", "/identity/me", headers=fault("oversized-body=1073741824")) as reply:
        next(reply.iter_raw())
    assert 200 == client.get("/identity/me").status_code


def test_a_body_that_drips(client: httpx.Client) -> None:
    """A body or a stream arrives byte by byte and is complete."""
    with client.stream("GET", "/identity/me", headers=fault("drip=0.0001")) as reply:
        pieces = list(reply.iter_raw())
    assert client.get("/identity/me").content == b"".join(pieces)
    path, question = ask(client)
    received = raw(client, path, fault("drip"), question)
    assert b"\r\n1\r\nd\r\n1\r\na\r\n1\r\nt\r\n1\r\na\r\n" in received
    assert received.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("text", ["delay=3600", "drip=3600", "delay=3600, reset"])
def test_a_waiting_client_may_disconnect(client: httpx.Client, text: str) -> None:
    """The server does not finish its wait after the client has disconnected."""
    with pytest.raises(httpx.ReadTimeout):
        client.get("/identity/me", headers=fault(text), timeout=0.05)


def test_an_abandoned_stream_is_stored(client: httpx.Client) -> None:
    """The message of a stream whose client has left does not stay in the state "streaming"."""
    path, question = ask(client)
    with pytest.raises(httpx.ReadTimeout):
        client.post(path, json=question, headers=fault("delay=3600"), timeout=0.05)
    message = {"status": "streaming"}
    while message["status"] == "streaming":
        message = stored_answer(client, path)
    assert "error" == message["status"]


def test_a_delay_ends(client: httpx.Client) -> None:
    """The response after a delay is the usual one."""
    for text in ("delay=0.01", "delay=0"):
        assert 200 == client.get("/identity/me", headers=fault(text)).status_code


def test_an_expired_session(client: httpx.Client) -> None:
    """The request is a 401 without effect; an operation without a session is not affected."""
    before = client.get("/conversations").json()["total"]
    reply = client.post("/conversations", headers=fault("expired-session"))
    assert (401, "UNAUTHORIZED") == (reply.status_code, reply.json()["error"]["code"])
    assert before == client.get("/conversations").json()["total"]
    session = {"apiKey": API_KEY, "saVid": "device-9"}
    assert client.post("/identity/init", json=session, headers=fault("expired-session")).is_success


def test_faults_can_be_combined(client: httpx.Client) -> None:
    """Faults combine with each other and with a requested response."""
    path, question = ask(client)
    headers = fault("delay=0, wrong-content-type, no-terminator")
    reply = client.post(path, json=question, headers=headers)
    assert "text/html; charset=utf-8" == reply.headers["content-type"]
    assert reply.text.endswith('data: {"type":"finish","finishReason":"stop"}\n\n')
    reply = client.get("/identity/me", headers=fault("malformed-json", Prefer="code=503"))
    assert (503, "30") == (reply.status_code, reply.headers["retry-after"])
    assert reply.content.endswith(b'"retryAfter":30}}')


def test_errors_get_the_fault_too(client: httpx.Client) -> None:
    """A fault applies to an error response as well."""
    reply = client.get("/conversations/x", headers=fault("malformed-json"))
    assert 400 == reply.status_code
    with pytest.raises(ValueError, match="delimiter"):
        reply.json()


def test_a_fault_that_does_not_fit_changes_nothing(client: httpx.Client) -> None:
    """A fault that does not apply to a response has no effect."""
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
def test_an_unknown_fault_is_a_400(client: httpx.Client, text: str, problem: str) -> None:
    """An unknown fault is refused, unlike an unknown preference, which is ignored."""
    reply = client.get("/identity/me", headers=fault(text))
    assert (400, "INVALID_FAULT") == (reply.status_code, reply.json()["error"]["code"])
    assert reply.json()["error"]["details"]["reason"].startswith(problem)


def test_a_browser_may_read_a_fault(client: httpx.Client) -> None:
    """A response with a fault has the CORS header of every response."""
    for text in ("wrong-content-type", "explode"):
        reply = client.get("/identity/me", headers=fault(text, Origin="https://example.com"))
        assert "*" == reply.headers["access-control-allow-origin"]


def test_configured_faults_are_reproducible() -> None:
    """Configured faults repeat with the same seed, unless the request asks otherwise."""

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


def test_a_reset_restarts_the_fault_plan() -> None:
    """Each reset restarts the sequence of faults."""
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
    """A client in the same process gets an exception instead of a cut connection."""
    app = create_app(MockSettings(faults=(text,)), spec=spec)

    async def call() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock/v2") as client:
            await client.get("/identity/me", headers=BEARER)

    with pytest.raises(CutOff):
        asyncio.run(call())
    app.state.store.close()


@pytest.mark.parametrize("settings", [{"faults": ("nope",)}, {"rate_limits": ("nope",)}])
def test_invalid_settings_are_refused(spec: dict[str, Any], settings: dict[str, Any]) -> None:
    """`create_app` raises `ValueError` for an invalid fault or rate limit."""
    with pytest.raises(ValueError, match="'nope'"):
        create_app(MockSettings(**settings), spec=spec)
