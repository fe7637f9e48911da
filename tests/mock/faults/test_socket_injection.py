"""Tests for injected faults of sockets, over a real socket."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from siteassist_mock.faults import socket_injection
from siteassist_mock.testing import MockServer, mock_server
from tests.values import API_KEY, BEARER

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

SECONDS = 20


@pytest.fixture(scope="module")
def mock() -> Iterator[MockServer]:
    """Run a strict server without faults of its own."""
    with mock_server(strict=True) as server:
        yield server


def start(mock: MockServer) -> str:
    """Start a conversation that a human agent handles, and return its id."""
    chat = str(httpx.post(f"{mock}/conversations", headers=BEARER).json()["id"])
    mock.hand_over(chat)
    return chat


@contextmanager
def opened(mock: MockServer, chat: str, fault: str = "") -> Iterator[ClientConnection]:
    """Open the socket of a conversation with a fault."""
    address = f"{mock.replace('http', 'ws')}/conversations/{chat}/ws?apiKey={API_KEY}"
    headers = {"Mock-Fault": fault} if fault else {}
    with connect(address, additional_headers=headers, proxy=None) as socket:
        yield socket


def heard(socket: ClientConnection, number: int) -> list[Any]:
    """Return what the next messages say."""
    return [_said(json.loads(socket.recv(SECONDS))) for _ in range(number)]


def _said(event: Any) -> Any:
    return event["message"]["parts"][0]["text"]


def is_alive(socket: ClientConnection) -> bool:
    """Return whether the next text is the answer to a ping."""
    socket.send("ping")
    return socket.recv(SECONDS) == "pong"


@pytest.mark.parametrize(
    ("fault", "code"),
    [("socket-drop", None), ("socket-close", 1011), ("socket-close=4001", 4001)],
)
def test_a_socket_ends_at_its_first_event(mock: MockServer, fault: str, code: int | None) -> None:
    """Pings are answered before; the event is not sent."""
    chat = start(mock)
    with opened(mock, chat, fault) as socket:
        assert is_alive(socket)
        mock.say(chat, "Hello")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(SECONDS)
    assert code == (None if ended.value.rcvd is None else ended.value.rcvd.code)


def test_pings_are_not_answered(mock: MockServer) -> None:
    """Events are sent all the same."""
    chat = start(mock)
    with opened(mock, chat, "socket-no-pong") as socket:
        socket.send("ping")
        mock.say(chat, "Hello")
        assert ["Hello"] == heard(socket, 1)


def test_events_are_garbage(mock: MockServer) -> None:
    """Each event is cut, and the socket stays open."""
    chat = start(mock)
    with opened(mock, chat, "socket-garbage") as socket:
        for _ in range(2):
            mock.say(chat, "Hello")
            text = socket.recv(SECONDS)
            assert str(text).startswith('{"type":"new_message"')
            with pytest.raises(ValueError, match=r".+"):
                json.loads(text)
        assert is_alive(socket)


def test_texts_are_late(mock: MockServer) -> None:
    """The delay holds for events and for the answers to pings."""
    chat = start(mock)
    with opened(mock, chat, "socket-late=0.05") as socket:
        begun = time.monotonic()
        mock.say(chat, "Hello")
        assert ["Hello"] == heard(socket, 1)
        assert is_alive(socket)
        assert time.monotonic() - begun >= 0.1


def test_events_are_duplicated(mock: MockServer) -> None:
    """Each event comes twice, and each answer to a ping once."""
    chat = start(mock)
    with opened(mock, chat, "socket-duplicate") as socket:
        for text in ("one", "two"):
            mock.say(chat, text)
        assert ["one", "one", "two", "two"] == heard(socket, 4)
        assert is_alive(socket)


def test_events_are_reordered(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two events change places; one that remains alone is sent after a while."""
    chat = start(mock)
    with opened(mock, chat, "socket-reorder") as socket:
        for text in ("one", "two"):
            mock.say(chat, text)
        assert ["two", "one"] == heard(socket, 2)
        monkeypatch.setattr(socket_injection, "_HELD_SECONDS", 0.01)
        mock.say(chat, "three")
        assert ["three"] == heard(socket, 1)
        monkeypatch.undo()
        mock.say(chat, "four")
        assert is_alive(socket)


def test_events_are_reordered_and_late(mock: MockServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that comes while the one before is on its way does not replace it."""
    monkeypatch.setattr(socket_injection, "_HELD_SECONDS", 0.01)
    chat = start(mock)
    with opened(mock, chat, "socket-reorder, socket-late=0.4") as socket:
        mock.say(chat, "one")
        time.sleep(0.2)
        mock.say(chat, "two")
        assert ["one", "two"] == heard(socket, 2)


@pytest.mark.parametrize(("fault", "code"), [("socket-drop", None), ("socket-close=4001", 4001)])
def test_a_held_event_ends_the_socket(
    mock: MockServer, monkeypatch: pytest.MonkeyPatch, fault: str, code: int | None
) -> None:
    """The socket ends although no event follows."""
    monkeypatch.setattr(socket_injection, "_HELD_SECONDS", 0.01)
    chat = start(mock)
    with opened(mock, chat, f"socket-reorder, {fault}") as socket:
        mock.say(chat, "Hello")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(3)
    assert code == (None if ended.value.rcvd is None else ended.value.rcvd.code)


def test_faults_are_combined(mock: MockServer) -> None:
    """An event can be both cut and doubled."""
    chat = start(mock)
    with opened(mock, chat, "socket-duplicate, socket-garbage") as socket:
        mock.say(chat, "Hello")
        first, second = socket.recv(SECONDS), socket.recv(SECONDS)
    assert first == second
    with pytest.raises(ValueError, match=r".+"):
        json.loads(first)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("socket-refuse", 503, "SERVICE_UNAVAILABLE"),
        ("socket-refuse=401", 401, "UNAUTHORIZED"),
        ("socket-refuse=429", 429, "RATE_LIMIT_EXCEEDED"),
        ("socket-nothing", 400, "INVALID_FAULT"),
    ],
)
def test_a_handshake_is_refused(mock: MockServer, fault: str, status: int, code: str) -> None:
    """The refusal has the body of the API's errors."""
    with pytest.raises(InvalidStatus) as refused, opened(mock, start(mock), fault):
        pass
    response = refused.value.response
    assert (status, code) == (response.status_code, json.loads(response.body)["error"]["code"])
    assert (status == 503) == ("retry-after" in response.headers)


def test_faults_of_the_other_kind_have_no_effect(mock: MockServer) -> None:
    """A fault of responses leaves a socket alone, and the other way round."""
    chat = start(mock)
    with opened(mock, chat, "truncate") as socket:
        assert is_alive(socket)
    headers = {**BEARER, "Mock-Fault": "socket-refuse"}
    assert httpx.get(f"{mock}/identity/me", headers=headers).is_success


def test_planned_faults_occur_in_a_share_of_the_sockets() -> None:
    """The header `none` leaves a socket without its planned fault."""
    with mock_server(faults="socket-refuse=500") as mock:
        chat = start(mock)
        with pytest.raises(InvalidStatus), opened(mock, chat):
            pass
        with opened(mock, chat, "none") as socket:
            assert is_alive(socket)
