"""A WebSocket of the suite: whatever the server sends, each wait ends in its time."""

from __future__ import annotations

import base64
import hashlib
import logging
import logging.config
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pytest

from siteassist_contract.description import handshakes
from siteassist_contract.http import websocket
from siteassist_contract.http.network import Network
from siteassist_contract.http.recorder import Exchange, Recorder, TimeUpError, UnansweredError
from siteassist_contract.http.session import Session
from siteassist_contract.http.valid_requests import RequestParts, valid_request
from siteassist_contract.http.websocket import WebSocket, connect
from tests.values import API_KEY, UNKNOWN_ID

(OPERATION,) = handshakes().values()
SECONDS = 5.0
TEXT, BINARY, CLOSE, PING = 0x81, 0x82, 0x88, 0x89


def frame(first: int, data: bytes, *, mask: bytes = b"") -> bytes:
    """Return a frame of a server; a mask is not allowed."""
    masked = 128 if mask else 0
    if len(data) > 125:
        size = bytes([126 | masked]) + len(data).to_bytes(2, "big")
    else:
        size = bytes([len(data) | masked])
    return bytes([first]) + size + mask + data


Script = Callable[[socket.socket], None]


@dataclass
class Raw:
    """A server of one connection, which a script writes."""

    script: Script
    accept: str = ""
    """The value of Sec-WebSocket-Accept; by default the correct one."""
    head: bytes = b""
    """The whole head of the answer, in place of the correct one."""
    received: bytes = b""

    def serve(self, listening: socket.socket) -> None:
        """Answer one handshake."""
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65_536)
                self.received = request
                connection.sendall(self.head or self._head(request))
                self.script(connection)

    def _head(self, request: bytes) -> bytes:
        found = re.search(rb"(?i)sec-websocket-key: (\S+)", request)
        assert found is not None
        guid = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        digest = hashlib.sha1(found[1] + guid, usedforsecurity=False).digest()
        accept = self.accept or base64.b64encode(digest).decode()
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
        return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {accept}", "", ""]).encode()


@dataclass
class Opened:
    """An opened socket and the exchange of its handshake."""

    exchange: Exchange
    socket: WebSocket
    recorder: Recorder


Open = Callable[[Raw], Opened]


def request() -> RequestParts:
    """Return a valid handshake."""
    parts = valid_request(OPERATION, {"conversationId": UNKNOWN_ID}, API_KEY)
    assert parts is not None
    return parts


@pytest.fixture
def open_socket() -> Iterator[Open]:
    """Return a function that opens a socket to a raw server."""
    opened: list[Opened] = []
    servers: list[tuple[socket.socket, threading.Thread]] = []

    def start(raw: Raw) -> Opened:
        listening = socket.create_server(("127.0.0.1", 0))
        thread = threading.Thread(target=raw.serve, args=(listening,), daemon=True)
        thread.start()
        servers.append((listening, thread))
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v2"
        network = Network(headers=(("X-Gateway", "secret-of-the-gateway"),))
        recorder = Recorder(base_url=url, network=network, sleep=lambda _: None)
        exchange, found = connect(Session(url, recorder, "", None), recorder, request())
        assert found is not None
        opened.append(Opened(exchange, found, recorder))
        return opened[-1]

    yield start
    for each in opened:
        each.socket.close()
        each.recorder.close()
    for listening, thread in servers:
        listening.close()
        thread.join(SECONDS)
        assert not thread.is_alive()


def until_closed(connection: socket.socket) -> bytes:
    """Read until the client closes the connection."""
    received = b""
    while data := connection.recv(65_536):
        received += data
    return received


def sends(*data: bytes, stays: bool = True) -> Script:
    """Return a script that writes bytes, and leaves the connection open."""

    def script(connection: socket.socket) -> None:
        for each in data:
            connection.sendall(each)
        if stays:
            until_closed(connection)

    return script


def test_handshake_has_the_headers_of_the_network(open_socket: Open) -> None:
    """A gateway's header, the key and those of RFC 6455 are sent; the key is not shown."""
    raw = Raw(sends())
    opened = open_socket(raw)
    head = raw.received.decode().lower()
    assert head.startswith(f"get /v2/conversations/{UNKNOWN_ID}/ws?apikey={API_KEY.lower()} ")
    for line in ("upgrade: websocket", "connection: upgrade", "sec-websocket-version: 13"):
        assert f"\r\n{line}\r\n" in head
    assert "x-gateway: secret-of-the-gateway" in head
    assert (101, b"", 1) == (
        opened.exchange.status,
        opened.exchange.content,
        opened.recorder.requests,
    )


def test_texts_are_read_one_by_one(open_socket: Open) -> None:
    """A text may be in several frames, pings of the protocol are answered, and all is noted."""
    pieces = [frame(0x01, "é".encode()[:1]), frame(PING, b"x"), frame(0x80, "é".encode()[1:])]
    opened = open_socket(Raw(sends(frame(TEXT, b"one"), *pieces, frame(TEXT, b"x" * 400))))
    socket_ = opened.socket
    socket_.send("ping")
    assert ["one", "é", "x" * 400] == [socket_.receive(SECONDS) for _ in range(3)]
    assert None is socket_.receive(0.01)
    lines = socket_.exchange.content.decode().split("\n")
    assert ["> ping", "< one", "< é"] == sorted(lines[:3], key=lambda line: line[0] == "<")
    assert lines[3].endswith("x…")
    assert None is socket_.end


@pytest.mark.parametrize(
    ("script", "words", "is_invalid"),
    [
        (sends(frame(CLOSE, b"\x03\xf3no")), "closed with 1011 'no'", False),
        (sends(frame(CLOSE, b"\x0f\xa1")), "closed with 4001", False),
        (sends(stays=False), "the connection ended without a close frame", False),
        (sends(frame(BINARY, b"pong")), "a binary message", True),
        (sends(frame(TEXT, b"\xff")), "a text that is not UTF-8 at byte 0", True),
        (sends(frame(TEXT, b"pong", mask=b"\0\0\0\0")), "a frame that RFC 6455 does not .*", True),
        (sends(frame(0x83, b"")), "a frame that RFC 6455 does not allow: .*", True),
        (sends(frame(TEXT, b"x") * 1200), "texts without an end", True),
        (sends(frame(0x01, b"") + frame(0x00, b"") * 1200), "texts without an end", True),
    ],
)
def test_socket_ends(open_socket: Open, script: Script, words: str, is_invalid: bool) -> None:
    """The end says what the server did, and nothing more is sent or read."""
    socket_ = open_socket(Raw(script)).socket
    while socket_.receive(SECONDS) is not None:
        pass
    assert socket_.end is not None
    assert re.fullmatch(words, socket_.end.words), socket_.end
    assert is_invalid == socket_.end.is_invalid
    socket_.send("ping")
    assert None is socket_.receive(SECONDS)
    assert f"* {socket_.end.words}" in socket_.exchange.content.decode()


def test_reset_ends_the_socket(open_socket: Open) -> None:
    """A reset is not an error of the suite."""

    def script(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    socket_ = open_socket(Raw(script)).socket
    assert None is socket_.receive(SECONDS)
    socket_.send("ping")
    assert socket_.end is not None
    assert "the connection was reset" == socket_.end.words


def test_much_data_ends_the_socket(open_socket: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a limit for all data of a socket."""
    monkeypatch.setattr(websocket, "LARGEST_ANSWER", 2000)
    socket_ = open_socket(Raw(sends(*[frame(TEXT, b"x" * 1000)] * 5))).socket
    while socket_.receive(SECONDS) is not None:
        pass
    assert socket_.end is not None
    assert "texts without an end" == socket_.end.words or socket_.end.is_invalid


def drips(connection: socket.socket) -> None:
    """Send one byte of a text at a time, for a while."""
    connection.sendall(frame(TEXT, b"x" * 100)[:2])
    for _ in range(80):
        with suppress(OSError):
            connection.sendall(b"x")
        time.sleep(0.01)
    until_closed(connection)


def test_drip_keeps_the_time_of_a_wait(open_socket: Open) -> None:
    """Bytes that arrive do not make a wait longer."""
    socket_ = open_socket(Raw(drips)).socket
    begun = time.monotonic()
    assert None is socket_.receive(0.2)
    assert time.monotonic() - begun < SECONDS


def test_text_that_has_arrived_is_read_after_the_time(open_socket: Open) -> None:
    """A worker that computes again too late still sees what came in time."""
    opened = open_socket(Raw(sends(frame(TEXT, b"pong"))))
    time.sleep(0.2)
    assert "pong" == opened.socket.receive(-1.0)


def test_other_workers_compute_during_a_write(open_socket: Open) -> None:
    """A write is a wait."""
    opened, waits = open_socket(Raw(sends())), []

    @contextmanager
    def waiting() -> Iterator[None]:
        waits.append(True)
        yield

    opened.recorder.waiting = waiting
    opened.socket.send("ping")
    assert [True] == waits


def test_time_of_the_run_ends_a_wait(open_socket: Open) -> None:
    """The end of the run counts before the end of the wait."""
    opened = open_socket(Raw(sends()))
    opened.recorder.until = time.monotonic() + 0.05
    with pytest.raises(TimeUpError):
        opened.socket.receive(60.0)


@pytest.mark.parametrize(
    ("accept", "head", "fault"),
    [
        ("wrong", b"", "invalid Sec-WebSocket-Accept header: wrong"),
        ("", b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "invalid Upgrade"),
        ("", b"HTTP/1.1 101 X\r\n\r\n", "missing Connection header"),
    ],
)
def test_wrong_handshake_is_a_fault(
    open_socket: Open, accept: str, head: bytes, fault: str
) -> None:
    """An answer of 101 that RFC 6455 does not allow opens no socket."""
    socket_ = open_socket(Raw(sends(), accept, head)).socket
    assert fault in socket_.fault
    assert socket_.fault.startswith("101, but ")
    assert None is socket_.receive(SECONDS)
    socket_.send("ping")


def test_client_closes_the_socket(open_socket: Open) -> None:
    """The end of a socket is a close frame, whose answer is waited for only shortly."""
    received: list[bytes] = []
    socket_ = open_socket(Raw(lambda it: received.append(until_closed(it)))).socket
    begun = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(websocket, "_CLOSING", 0.05)
        socket_.close()
    assert time.monotonic() - begun < SECONDS
    for _ in range(100):
        if received:
            break
        time.sleep(0.01)
    assert 0x88 == received[0][0]


def test_hanging_handshake_is_unanswered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handshake without an answer ends like any other request."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v2"
        monkeypatch.setattr("siteassist_contract.http.session.PATIENCE", 0.05)
        recorder = Recorder(base_url=url, sleep=lambda _: None)
        with pytest.raises(UnansweredError, match="no answer within"):
            connect(Session(url, recorder, "", None), recorder, request())
        recorder.close()


def test_key_is_not_logged(open_socket: Open, caplog: pytest.LogCaptureFixture) -> None:
    """The library, which logs addresses, does not know the address."""
    # As uvicorn does, which enables the loggers that there are.
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
    with caplog.at_level(logging.DEBUG):
        socket_ = open_socket(Raw(sends(frame(TEXT, b"one")))).socket
        socket_.receive(SECONDS)
    ours: list[Any] = [r for r in caplog.records if r.name.startswith(("websockets", "siteassist"))]
    assert [] == ours
