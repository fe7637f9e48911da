"""Tests for the shutdown of the command.

No test sleeps. A client that does not read a large event blocks its stream for as long
as the test needs, and the server prints when it starts to wait.
"""

from __future__ import annotations

import json
import signal
import socket
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from siteassist_mock.storage.store import Store
from siteassist_mock.testing import mock_server
from tests.mock.command import started
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from siteassist_mock.storage.tables import MessageRow
    from tests.mock.conftest import FakeTime

QUESTION = {"content": "How long does shipping take?", "stream": True}
# More than the system buffers for a client that does not read.
HELD_UP = {"Mock-Fault": "oversized-body=50000000"}
SECONDS = 30


class Mock:
    """A running command with a database and one conversation."""

    def __init__(self, process: subprocess.Popen[str], url: str) -> None:
        """Start the conversation."""
        self.process = process
        self.url = url
        self.client = httpx.Client(base_url=url, headers=BEARER, timeout=SECONDS)
        self.chat = str(self.client.post("/conversations").json()["id"])

    @property
    def messages(self) -> str:
        """The path of the conversation's messages."""
        return f"/conversations/{self.chat}/messages"

    def signalled(self, number: signal.Signals) -> str:
        """Send a signal and return the line that the server prints."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str]:
        """Wait for the process and return its status and the rest of its standard error."""
        assert self.process.stderr is not None
        status = self.process.wait(SECONDS)
        return status, self.process.stderr.read()


@contextmanager
def running(database: Path, *options: str) -> Iterator[Mock]:
    """Run the command with a database."""
    with started("--quiet", "--database", str(database), *options) as (process, url, _):
        mock = Mock(process, url)
        with closing(mock.client):
            yield mock


def stored_answers(database: Path, time: FakeTime) -> list[MessageRow]:
    """Return the assistant's messages that the process has stored."""
    # A store that is not closed properly leaves its owner file.
    assert [] == list(database.parent.glob(f"{database.name}-owner-*"))
    store = Store(time, database)
    with store.read() as records:
        (conversation,) = records.latest_conversations(10)
        messages = records.messages(conversation.id)
    store.close()
    return [message for message in messages if message.role == "assistant"]


def text_of(body: str) -> str:
    """Return the text of a stream that may be incomplete."""
    events = [event.removeprefix("data: ") for event in body.split("\n\n")[:-1]]
    return "".join(json.loads(event).get("delta", "") for event in events if event[0] == "{")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_stream_is_completed(
    tmp_path: Path, time: FakeTime, number: signal.Signals
) -> None:
    """New connections are refused, idle ones are closed, and the stream is completed."""
    database = tmp_path / "mock.db"
    with running(database) as mock, httpx.Client(base_url=mock.url, headers=BEARER) as idle:
        address = (httpx.URL(mock.url).host, httpx.URL(mock.url).port or 0)
        assert 200 == idle.get("/identity/me").status_code
        with mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as reply:
            assert (
                "siteassist-mock: waiting up to 10 s for a request to end;"
                " Ctrl-C again stops at once\n"
            ) == mock.signalled(number)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, SECONDS)
            # The server has closed the idle connection and refuses a new one.
            with pytest.raises(httpx.TransportError):
                idle.get("/identity/me")
            assert mock.process.poll() is None
            body = reply.read().decode()
        assert (0, "") == mock.end()
    (answer,) = stored_answers(database, time)
    assert body.endswith("data: [DONE]\n\n")
    assert ("complete", text_of(body)) == (answer.status, answer.text)


def test_requests_beyond_the_grace_are_cut(tmp_path: Path, time: FakeTime) -> None:
    """Each client sees a cut response, and each message is stored accordingly."""
    script = tmp_path / "answers.yaml"
    script.write_text("- {when: refund, answer: Five days., delay: 3600}")
    asked: list[tuple[str, Any]] = [
        ("oversized-body=50000000", QUESTION),
        ("delay=3600", QUESTION),
        ("drip=3600", QUESTION),
        ("delay=3600, drip=3600", QUESTION),
        ("none", {"content": "A refund?", "stream": True}),
        ("none", {"content": "A refund?", "stream": False}),
    ]
    database = tmp_path / "mock.db"
    options = ("--grace", "0.1", "--script", str(script))
    with running(database, *options) as mock, ExitStack() as stack:
        address = (mock.client.base_url.host, mock.client.base_url.port or 0)
        peers = [stack.enter_context(socket.create_connection(address, SECONDS)) for _ in asked]
        for number, (fault, body) in enumerate(asked):
            ask(peers[number], mock, body, fault)
            # Wait, so that the answers are stored in this order.
            while len(mock.client.get(mock.messages).json()["data"]) < 2 * (number + 1):
                pass
        assert "waiting up to 0.1 s for 6 requests" in mock.signalled(signal.SIGTERM)
        assert (0, "") == mock.end()
        received = [read_all(peer) for peer in peers]
    for body in received:
        assert b"[DONE]" not in body
        # A complete chunked body ends with the empty chunk.
        assert not body.endswith(b"0\r\n\r\n")
    # Four of the responses are cut during a delay that precedes their head.
    assert [b""] * 4 == [received[1], *received[3:]]
    answers = stored_answers(database, time)
    assert [("error", "")] * 5 == [(answer.status, answer.text) for answer in answers[:5]]
    # An answer that is not streamed is stored at once.
    assert ("complete", "Five days.") == (answers[5].status, answers[5].text)


def ask(peer: socket.socket, mock: Mock, body: Any, fault: str) -> None:
    """Send a message."""
    content = json.dumps(body)
    peer.sendall(
        f"POST /v2{mock.messages} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\n"
        f"Authorization: {BEARER['Authorization']}\r\nMock-Fault: {fault}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
    )


def read_all(peer: socket.socket) -> bytes:
    """Return the bytes until the connection is closed or reset."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := peer.recv(65_536):
            received += piece
    return received


def test_a_second_signal_ends_the_wait(tmp_path: Path, time: FakeTime) -> None:
    """A second signal ends the wait at once; the message is stored, and the status is 0."""
    database = tmp_path / "mock.db"
    with (
        running(database, "--grace", "3600") as mock,
        mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP),
    ):
        assert "waiting up to 3600 s for a request to end" in mock.signalled(signal.SIGTERM)
        mock.process.send_signal(signal.SIGINT)
        assert (0, "") == mock.end()
    assert ["error"] == [answer.status for answer in stored_answers(database, time)]


def test_zero_grace_does_not_wait(tmp_path: Path, time: FakeTime) -> None:
    """With `--grace 0` the server neither waits nor prints that it does."""
    database = tmp_path / "mock.db"
    with (
        running(database, "--grace", "0") as mock,
        mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP),
    ):
        assert "" == mock.signalled(signal.SIGTERM)
        assert (0, "") == mock.end()
    assert ["error"] == [answer.status for answer in stored_answers(database, time)]


def test_requests_are_counted_and_sockets_are_closed(tmp_path: Path) -> None:
    """Sockets are closed at once with the code 1001 and do not count as requests."""
    with running(tmp_path / "mock.db") as mock:
        address = f"{mock.url.replace('http', 'ws', 1)}/conversations/{mock.chat}/ws"
        with (
            connect(f"{address}?apiKey={API_KEY}", proxy=None) as listening,
            mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as one,
            mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as two,
        ):
            assert "waiting up to 10 s for 2 requests to end" in mock.signalled(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                listening.recv(SECONDS)
            assert mock.process.poll() is None
            for reply in (one, two):
                assert reply.read().endswith(b"data: [DONE]\n\n")
        assert (0, "") == mock.end()
    assert closed.value.rcvd is not None
    assert 1001 == closed.value.rcvd.code


def test_an_unresponsive_socket_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not answer the close frame is dropped before the grace ends."""
    monkeypatch.setattr("siteassist_mock.http.server._LAST_SECONDS", 0.01)
    with mock_server(grace_seconds=3600) as base_url:
        url = httpx.URL(base_url)
        chat = httpx.post(f"{base_url}/conversations", headers=BEARER).json()["id"]
        peer = socket.create_connection((url.host, url.port or 0), SECONDS)
        lines = (
            f"GET {url.path}/conversations/{chat}/ws?apiKey={API_KEY} HTTP/1.1",
            "Host: mock",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert peer.recv(65_536).startswith(b"HTTP/1.1 101 ")
    with peer:
        # A close frame with the code 1001.
        assert b"\x88\x02\x03\xe9" == read_all(peer)
