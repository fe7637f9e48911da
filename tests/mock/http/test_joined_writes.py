"""Tests for the transport that joins writes."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from siteassist_mock.app import create_app
from siteassist_mock.handlers import HANDLERS
from siteassist_mock.http.joined_writes import JoinedWrites
from siteassist_mock.testing import serving
from tests.values import BEARER

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from siteassist_mock.http.call import Call


class RecordingTransport:
    """A transport that records how it is used, and has 5 bytes in its buffer."""

    def __init__(self) -> None:
        """Begin without calls."""
        self.calls: list[bytes | str] = []

    def write(self, data: bytes) -> None:
        """Record the data."""
        assert type(data) is bytes
        self.calls.append(data)

    def close(self) -> None:
        """Record the call."""
        self.calls.append("close")

    def abort(self) -> None:
        """Record the call."""
        self.calls.append("abort")

    def is_closing(self) -> bool:
        """Return whether the transport is closed."""
        return "close" in self.calls

    def get_write_buffer_size(self) -> int:
        """Return a constant."""
        return 5


def calls_of(*turns: Callable[[JoinedWrites], None]) -> list[list[bytes | str]]:
    """Return the calls of the other transport after each turn and the event loop's next one."""

    async def main() -> list[list[bytes | str]]:
        transport = RecordingTransport()
        joined = JoinedWrites(cast("Any", transport), asyncio.get_running_loop())
        calls = []
        for use in turns:
            use(joined)
            calls.append(list(transport.calls))
            await asyncio.sleep(0)
            calls.append(list(transport.calls))
        return calls

    return asyncio.run(main())


def write(*data: bytes) -> Callable[[JoinedWrites], None]:
    """Return a turn that writes ``data`` one after the other."""

    def use(joined: JoinedWrites) -> None:
        for piece in data:
            joined.write(piece)

    return use


def test_writes_of_one_turn_are_joined() -> None:
    """They keep their order, and the next iteration of the event loop passes them on."""
    assert calls_of(write(b"a", b"", b"b"), write(b"c")) == [
        [],
        [b"ab"],
        [b"ab"],
        [b"ab", b"c"],
    ]


def test_an_empty_write_does_nothing() -> None:
    """The protocol of uvicorn writes nothing at the end of a body with a known length."""
    assert [[], []] == calls_of(write(b"", b""))


def test_large_data_is_passed_on_at_once() -> None:
    """What was written before comes first, and nothing is left for the next iteration."""
    large = b"x" * 100_000
    assert [[b"a" + large], [b"a" + large]] == calls_of(write(b"a", large))
    assert [[large], [large, b"b"]] == calls_of(write(large, b"b"))


@pytest.mark.parametrize("end", ["close", "abort"])
def test_an_end_comes_after_the_data(end: str) -> None:
    """Without data there is only the end."""

    def finish(joined: JoinedWrites) -> None:
        getattr(joined, end)()

    def write_and_finish(joined: JoinedWrites) -> None:
        joined.write(b"a")
        finish(joined)

    assert [[b"a", end], [b"a", end]] == calls_of(write_and_finish)
    assert [[end], [end]] == calls_of(finish)


def test_the_state_is_that_of_the_other_transport() -> None:
    """The size of the buffer includes the data that is not yet passed on."""
    states: list[tuple[bool, int]] = []

    def use(joined: JoinedWrites) -> None:
        joined.write(b"abc")
        states.append((joined.is_closing(), joined.get_write_buffer_size()))
        joined.close()
        states.append((joined.is_closing(), joined.get_write_buffer_size()))

    calls_of(use)
    assert [(False, 8), (True, 5)] == states


def test_a_client_that_does_not_read_pauses_the_application(spec: dict[str, Any]) -> None:
    """Other clients are served meanwhile, although the application never waits by itself."""
    piece, count = b"x" * 4096, 16_384
    complete: list[bool] = []

    def download(_call: Call) -> Any:
        return send_much

    async def send_much(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(count):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        complete.append(True)

    with serving(create_app(spec=spec, handlers={**HANDLERS, "getMe": download})) as url:
        address = httpx.URL(url)
        headers = "\r\n".join(f"{name}: {value}" for name, value in BEARER.items())
        with socket.create_connection((address.host, address.port or 0), 10) as peer:
            peer.sendall(f"GET /v2/identity/me HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
            assert peer.recv(1) == b"H"
            assert 200 == httpx.get(f"{url}/conversations", headers=BEARER).status_code
            assert [] == complete
