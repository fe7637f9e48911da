"""Sockets and uvicorn: what the command and the tests share."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import TYPE_CHECKING, Any

import uvicorn

from siteassist_mock.http.connection import http_protocol
from siteassist_mock.http.reference_page import REFERENCE_PATH
from siteassist_mock.operator.endpoints import CONTROL_PATH
from siteassist_mock.sockets.conversation import MAX_SENT_BYTES
from siteassist_mock.sockets.protocol import SocketProtocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.applications import Starlette

    from siteassist_mock.sockets.conversation import ConversationSockets

__all__ = ["base_url", "is_loopback", "listen", "make_server", "operator_url", "reference_url"]

# How long a stop waits for what was cut to note it, and for the clients of sockets
# to answer the goodbye.
_LAST_SECONDS = 1.0
# How often a stop looks whether all is done.
_TICK_SECONDS = 0.02
# Below the 1,024 files that most systems let a process open.
_MAX_CONNECTIONS = 800
# How large the headers of a request may be; browsers and proxies send far less.
_MAX_HEADER_BYTES = 32_768


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free one.

    From here on clients can connect, though nobody answers them yet. Raises
    `OSError` if the address cannot be used, `UnicodeError` if it cannot be a name.
    """
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.create_server(address[:2], family=family, backlog=2048)
    # Accepted connections inherit it. Without it each body waits some 40 ms for
    # the client to acknowledge the headers: asyncio sets it only on sockets that
    # were made for TCP by number, which `create_server` does not do.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def base_url(app: Starlette, listening: socket.socket) -> str:
    """Return the address under which ``app`` serves the API on ``listening``."""
    return f"{_root(listening)}{app.state.base_path}"


def operator_url(listening: socket.socket) -> str:
    """Return the address of the operator's page."""
    return f"{_root(listening)}{CONTROL_PATH}/ui"


def reference_url(listening: socket.socket) -> str:
    """Return the address of the API reference."""
    return f"{_root(listening)}{REFERENCE_PATH}"


def _root(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only this machine can reach ``listening``."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


class _Server(uvicorn.Server):
    """A server that lets requests end when it stops.

    uvicorn's own stop tells the clients of sockets to reconnect (1012) and ends
    what is still running by an exception, which it then logs.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        sockets: ConversationSockets,
        grace_seconds: float,
        say: Callable[[str], object],
    ) -> None:
        super().__init__(config)
        self._sockets = sockets
        self._grace_seconds = grace_seconds
        self._say = say

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        self._sockets.close()
        running = self._answering()
        if running and self._grace_seconds:
            requests = "a request" if running == 1 else f"{running} requests"
            self._say(
                f"waiting up to {self._grace_seconds:g} s for {requests} to end;"
                " Ctrl-C again stops at once"
            )
        # Again and again: a connection may have been accepted at the last moment.
        await self._while(
            lambda: not self.force_exit and (self._answering() or self._requests()),
            self._grace_seconds,
        )
        # To the application it is as if the clients had left.
        for cut in (self._requests, self._everything):
            for connection in cut():
                connection.transport.abort()
            await self._while(lambda: self._everything() or self.server_state.tasks, _LAST_SECONDS)

    def _everything(self) -> list[Any]:
        return list(self.server_state.connections)

    def _requests(self) -> list[Any]:
        return [c for c in self._everything() if not isinstance(c, SocketProtocol)]

    def _answering(self) -> int:
        """Close what is idle, now or after its answer; return how many are answered."""
        for connection in self._requests():
            # One that is closing may be past hearing of it again.
            if not connection.transport.is_closing():
                connection.shutdown()
        return sum(not connection.transport.is_closing() for connection in self._requests())

    async def _while(self, busy: Callable[[], object], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # uvicorn tells nobody when a connection has ended.
        while busy() and loop.time() < end:  # noqa: ASYNC110 - see above
            await asyncio.sleep(_TICK_SECONDS)


def _say_nothing(_line: str) -> None:
    """Keep it: who stops the server knows."""


def make_server(
    app: Starlette,
    *,
    max_connections: int = _MAX_CONNECTIONS,
    grace_seconds: float = 0.0,
    say: Callable[[str], object] = _say_nothing,
) -> uvicorn.Server:
    """Return a server that says nothing unless something goes wrong.

    When it is told to stop, it refuses new connections at once, closes those
    that are idle, and the sockets with the code 1001. Requests may go on for
    ``grace_seconds``; ``say`` then gets one sentence about it. What runs longer
    is cut. A second Ctrl-C ends the wait.
    """
    return _Server(
        uvicorn.Config(
            app,
            # Without a configuration of its own its errors reach stderr plainly;
            # what a client did wrong, the client is told.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            http=http_protocol(max_connections),
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            # Anybody could write any address into X-Forwarded-For, and so get
            # around a rate limit.
            proxy_headers=False,
            lifespan="off",
            ws=SocketProtocol,
            ws_max_size=MAX_SENT_BYTES,
            # Clients ask for a sign of life themselves.
            ws_ping_interval=None,
            # Compressing some hundred bytes costs more memory than it spares.
            ws_per_message_deflate=False,
        ),
        app.state.sockets,
        grace_seconds,
        say,
    )
