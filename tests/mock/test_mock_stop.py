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
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from siteassist_mock.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.mock.conftest import FakeTime

    from siteassist_mock.tables import Message

BEARER = {"Authorization": "Bearer sk_test_1234567890abcdef"}
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


def stored_answer(database: Path, time: FakeTime) -> Message:
    """Return the assistant's one message, as the process left it."""
    # A store that was not closed properly would still have its lock's file.
    assert [] == list(database.parent.glob(f"{database.name}-owner-*"))
    store = Store(time, database)
    with store.read() as records:
        ((_, (_, answer)),) = records.latest_conversations(10)
    store.close()
    return answer


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
    answer = stored_answer(database, time)
    assert body.endswith("data: [DONE]\n\n")
    assert ("complete", text_of(body)) == (answer.status, answer.text)


@pytest.mark.parametrize(
    "fault", ["oversized-body=50000000", "delay=3600", "drip=3600", "delay=3600, drip=3600"]
)
def test_what_takes_longer_is_cut(tmp_path: Path, time: FakeTime, fault: str) -> None:
    """Whatever it waits for: the client sees that, and so does the message."""
    database = tmp_path / "mock.db"
    with started(database, "--grace", "0.1") as mock:
        peer = socket.create_connection((mock.client.base_url.host, mock.client.base_url.port or 0))
        with peer:
            ask(peer, mock, {**QUESTION}, fault)
            assert "waiting up to 0.1 s for a request" in mock.told(signal.SIGTERM)
            assert (0, "") == mock.end()
            received = read_all(peer)
    answer = stored_answer(database, time)
    assert ("error", "") == (answer.status, answer.text)
    assert b"[DONE]" not in received
    # The last chunk, without which the body is not complete.
    assert not received.endswith(b"0\r\n\r\n")


def ask(peer: socket.socket, mock: Mock, body: dict[str, Any], fault: str) -> None:
    """Send a message and go on once it is stored."""
    content = json.dumps(body)
    peer.sendall(
        f"POST /v2{mock.messages} HTTP/1.1\r\nHost: mock\r\nContent-Type: application/json\r\n"
        f"Authorization: {BEARER['Authorization']}\r\nMock-Fault: {fault}\r\n"
        f"Content-Length: {len(content)}\r\n\r\n{content}".encode()
    )
    while not mock.client.get(mock.messages).json()["data"]:
        pass


def read_all(peer: socket.socket) -> bytes:
    """Return what has come, whether or not the connection was closed politely."""
    received = b""
    try:
        while piece := peer.recv(65_536):
            received += piece
    except ConnectionResetError:
        pass
    return received


@pytest.mark.parametrize("stream", [False, True])
def test_a_scripted_delay_is_cut_as_well(tmp_path: Path, *, stream: bool) -> None:
    """Without a byte of an answer that had not begun."""
    script = tmp_path / "answers.yaml"
    script.write_text("- {when: refund, answer: Five days., delay: 3600}")
    with started(tmp_path / "mock.db", "--grace", "0.1", "--script", str(script)) as mock:
        peer = socket.create_connection((mock.client.base_url.host, mock.client.base_url.port or 0))
        with peer:
            ask(peer, mock, {"content": "A refund?", "stream": stream}, "none")
            assert "for a request to end" in mock.told(signal.SIGTERM)
            assert (0, "") == mock.end()
            assert b"" == read_all(peer)


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
    assert "error" == stored_answer(database, time).status


def test_no_grace_is_no_wait(tmp_path: Path, time: FakeTime) -> None:
    """And nothing is said of one; several requests are cut as well as one."""
    database = tmp_path / "mock.db"
    with (
        started(database, "--grace", "0") as mock,
        mock.client.stream("POST", mock.messages, json=QUESTION, headers=HELD_UP),
    ):
        assert "" == mock.told(signal.SIGTERM)
        assert (0, "") == mock.end()
    assert "error" == stored_answer(database, time).status


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


def test_a_socket_whose_client_is_gone_holds_nothing_up(tmp_path: Path) -> None:
    """One that neither reads nor answers the goodbye is dropped."""
    with started(tmp_path / "mock.db", "--grace", "3600") as mock:
        url = mock.client.base_url
        with socket.create_connection((url.host, url.port or 0), SECONDS) as peer:
            path = f"/v2/conversations/{mock.chat}/ws?apiKey=sa_pk_1234567890abcdef"
            lines = (
                f"GET {path} HTTP/1.1",
                "Host: mock",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            )
            peer.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            assert peer.recv(65_536).startswith(b"HTTP/1.1 101 ")
            assert "" == mock.told(signal.SIGTERM)
            assert (0, "") == mock.end()
            # A close frame, and the code 1001 in it.
            assert b"\x88\x02\x03\xe9" == read_all(peer)
