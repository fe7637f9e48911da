"""How the command stops: in order, and with what it was answering.

No test waits for a time to pass: a client that does not read a large event holds
its stream up for as long as the test wants, and the server says when it waits.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from siteassist_mock.storage.store import Store
from siteassist_mock.testing import mock_server
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from siteassist_mock.storage.tables import MessageRow
    from tests.mock.conftest import FakeTime

QUESTION = {"content": "How long does shipping take?", "stream": True}
# More than the system keeps for a client that does not read.
HELD_UP = {"Mock-Fault": "oversized-body=50000000"}
SECONDS = 30


class Mock:
    """The command on a database, with one conversation."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Wait until it serves."""
        assert process.stdout is not None
        self.process = process
        self.url = process.stdout.readline().split()[3]
        self.client = httpx.Client(base_url=self.url, headers=BEARER, timeout=SECONDS)
        self.chat = str(self.client.post("/conversations").json()["id"])

    @property
    def messages(self) -> str:
        """The path of the conversation's messages."""
        return f"/conversations/{self.chat}/messages"

    def told(self, number: signal.Signals) -> str:
        """Send a signal and return the line that the server then writes."""
        assert self.process.stderr is not None
        self.process.send_signal(number)
        return self.process.stderr.readline()

    def end(self) -> tuple[int, str]:
        """Wait for the end and return the status and what is left of stderr."""
        assert self.process.stderr is not None
        status = self.process.wait(SECONDS)
        return status, self.process.stderr.read()


@contextmanager
def started(database: Path, *options: str) -> Iterator[Mock]:
    """Run the command."""
    command = [sys.executable, "-m", "siteassist_mock", "--port=0", "--quiet"]
    with subprocess.Popen(
        [*command, "--database", str(database), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            mock = Mock(process)
            with closing(mock.client):
                yield mock
        finally:
            process.kill()


def stored_answers(database: Path, time: FakeTime) -> list[MessageRow]:
    """Return the assistant's messages, as the process left them."""
    # A store that was not closed properly would still have its lock's file.
    assert [] == list(database.parent.glob(f"{database.name}-owner-*"))
    store = Store(time, database)
    with store.read() as records:
        ((_, messages),) = records.latest_conversations(10)
    store.close()
    return [message for message in messages if message.role == "assistant"]


def text_of(body: str) -> str:
    """Return the text of a stream that may have been cut."""
    events = [event.removeprefix("data: ") for event in body.split("\n\n")[:-1]]
    return "".join(json.loads(event).get("delta", "") for event in events if event[0] == "{")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_running_stream_ends_as_it_should(
    tmp_path: Path, time: FakeTime, number: signal.Signals
) -> None:
    """While new connections are refused and idle ones closed; then the store is closed."""
    database = tmp_path / "mock.db"
    with started(database) as mock, httpx.Client(base_url=mock.url, headers=BEARER) as idle:
        address = (httpx.URL(mock.url).host, httpx.URL(mock.url).port or 0)
        assert 200 == idle.get("/identity/me").status_code
        with mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as reply:
            assert (
                "siteassist-mock: waiting up to 10 s for a request to end;"
                " Ctrl-C again stops at once\n"
            ) == mock.told(number)
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(address, SECONDS)
            # The idle connection is closed, so this needs a new one.
            with pytest.raises(httpx.TransportError):
                idle.get("/identity/me")
            assert mock.process.poll() is None
            body = reply.read().decode()
        assert (0, "") == mock.end()
    (answer,) = stored_answers(database, time)
    assert body.endswith("data: [DONE]\n\n")
    assert ("complete", text_of(body)) == (answer.status, answer.text)


def test_what_takes_longer_is_cut(tmp_path: Path, time: FakeTime) -> None:
    """Whatever it waits for: each client sees it, and so does each message."""
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
    with started(database, *options) as mock, ExitStack() as stack:
        address = (mock.client.base_url.host, mock.client.base_url.port or 0)
        peers = [stack.enter_context(socket.create_connection(address, SECONDS)) for _ in asked]
        for number, (fault, body) in enumerate(asked):
            ask(peers[number], mock, body, fault)
            # One after another, so that the answers are stored in this order.
            while len(mock.client.get(mock.messages).json()["data"]) < 2 * (number + 1):
                pass
        assert "waiting up to 0.1 s for 6 requests" in mock.told(signal.SIGTERM)
        assert (0, "") == mock.end()
        received = [read_all(peer) for peer in peers]
    for body in received:
        assert b"[DONE]" not in body
        # The last chunk, without which a body is not complete.
        assert not body.endswith(b"0\r\n\r\n")
    # Of these not even the head had been sent.
    assert [b""] * 4 == [received[1], *received[3:]]
    answers = stored_answers(database, time)
    assert [("error", "")] * 5 == [(answer.status, answer.text) for answer in answers[:5]]
    # What is no stream is stored at once, and whole.
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
    """Return what has come, whether or not the connection was closed politely."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := peer.recv(65_536):
            received += piece
    return received


def test_a_second_signal_ends_the_wait(tmp_path: Path, time: FakeTime) -> None:
    """At once, with the same order: the stream is settled, and the status is 0."""
    database = tmp_path / "mock.db"
    with (
        started(database, "--grace", "3600") as mock,
        mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP),
    ):
        assert "waiting up to 3600 s for a request to end" in mock.told(signal.SIGTERM)
        mock.process.send_signal(signal.SIGINT)
        assert (0, "") == mock.end()
    assert ["error"] == [answer.status for answer in stored_answers(database, time)]


def test_no_grace_is_no_wait(tmp_path: Path, time: FakeTime) -> None:
    """And nothing is said of one."""
    database = tmp_path / "mock.db"
    with (
        started(database, "--grace", "0") as mock,
        mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP),
    ):
        assert "" == mock.told(signal.SIGTERM)
        assert (0, "") == mock.end()
    assert ["error"] == [answer.status for answer in stored_answers(database, time)]


def test_requests_are_counted_and_sockets_are_closed(tmp_path: Path) -> None:
    """The sockets with a goodbye and at once; they do not count as requests."""
    with started(tmp_path / "mock.db") as mock:
        address = f"{mock.url.replace('http', 'ws', 1)}/conversations/{mock.chat}/ws"
        with (
            connect(f"{address}?apiKey=sa_pk_1234567890abcdef", proxy=None) as listening,
            mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as one,
            mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP) as two,
        ):
            assert "waiting up to 10 s for 2 requests to end" in mock.told(signal.SIGTERM)
            with pytest.raises(ConnectionClosed) as closed:
                listening.recv(SECONDS)
            assert mock.process.poll() is None
            for reply in (one, two):
                assert reply.read().endswith(b"data: [DONE]\n\n")
        assert (0, "") == mock.end()
    assert closed.value.rcvd is not None
    assert 1001 == closed.value.rcvd.code


def test_a_socket_whose_client_is_gone_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that neither reads nor answers the goodbye is dropped, long before the grace is over."""
    monkeypatch.setattr("siteassist_mock.http.server._LAST_SECONDS", 0.01)
    with mock_server(grace_seconds=3600) as base_url:
        url = httpx.URL(base_url)
        chat = httpx.post(f"{base_url}/conversations", headers=BEARER).json()["id"]
        peer = socket.create_connection((url.host, url.port or 0), SECONDS)
        lines = (
            f"GET {url.path}/conversations/{chat}/ws?apiKey=sa_pk_1234567890abcdef HTTP/1.1",
            "Host: mock",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        )
        peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        assert peer.recv(65_536).startswith(b"HTTP/1.1 101 ")
    with peer:
        # A close frame, and the code 1001 in it.
        assert b"\x88\x02\x03\xe9" == read_all(peer)
