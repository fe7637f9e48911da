"""The uvicorn server and its listening socket, for the command and the tests."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.applications import Starlette

from siteassist_mock.http.connection import http_protocol
from siteassist_mock.http.reference_page import REFERENCE_PATH
from siteassist_mock.operator.endpoints import CONTROL_PATH
from siteassist_mock.sockets.conversation import MAX_SENT_BYTES, ConversationSockets
from siteassist_mock.sockets.protocol import SocketProtocol

# Longest wait of a stop for requests that were cut, and for the clients of sockets
# to answer the close.
_LAST_SECONDS = 1.0
# Interval at which a stop checks whether all connections have ended.
_TICK_SECONDS = 0.02
# Below the 1,024 open files that most systems allow a process.
_MAX_CONNECTIONS = 800
# Greatest size of the headers of a request; browsers and proxies send far less.
_MAX_HEADER_BYTES = 32_768


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes a free port.

    Clients can connect from now on, before the server runs. Raises `OSError` if the
    address cannot be used, `UnicodeError` if the name of the host is invalid.
    """
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.create_server(address[:2], family=family, backlog=2048)
    # Accepted connections inherit it. Without it each body waits some 40 ms for the
    # client to acknowledge the headers: asyncio sets it only on sockets that were
    # created with the number of TCP, which `create_server` does not pass.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def base_url(app: Starlette, listening: socket.socket) -> str:
    """Return the base URL of the API that ``app`` serves on ``listening``."""
    return f"{_root(listening)}{app.state.base_path}"


def operator_url(listening: socket.socket) -> str:
    """Return the URL of the operator's page."""
    return f"{_root(listening)}{CONTROL_PATH}/ui"


def reference_url(listening: socket.socket) -> str:
    """Return the URL of the API reference."""
    return f"{_root(listening)}{REFERENCE_PATH}"


def _root(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}"


def is_loopback(listening: socket.socket) -> bool:
    """Return whether only this machine can reach ``listening``."""
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback


class _Server(uvicorn.Server):
    """A server that lets running requests end when it stops.

    The shutdown of uvicorn closes sockets with 1012, which makes clients reconnect,
    and cancels running requests, which logs an exception.
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
        # Repeatedly, as a connection may have been accepted at the last moment.
        await self._while(
            lambda: not self.force_exit and (self._answering() or self._requests()),
            self._grace_seconds,
        )
        # To the application the clients seem to have disconnected.
        for cut in (self._requests, self._everything):
            for connection in cut():
                connection.transport.abort()
            await self._while(lambda: self._everything() or self.server_state.tasks, _LAST_SECONDS)

    def _everything(self) -> list[Any]:
        return list(self.server_state.connections)

    def _requests(self) -> list[Any]:
        return [c for c in self._everything() if not isinstance(c, SocketProtocol)]

    def _answering(self) -> int:
        """Close idle connections, others after their response; return the number of those."""
        for connection in self._requests():
            # A closing connection must not be shut down again.
            if not connection.transport.is_closing():
                connection.shutdown()
        return sum(not connection.transport.is_closing() for connection in self._requests())

    async def _while(self, busy: Callable[[], object], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        # uvicorn has no notification of the end of a connection.
        while busy() and loop.time() < end:  # noqa: ASYNC110 - see above
            await asyncio.sleep(_TICK_SECONDS)


def _ignore(_line: str) -> None:
    """Do nothing."""


def make_server(
    app: Starlette,
    *,
    max_connections: int = _MAX_CONNECTIONS,
    grace_seconds: float = 0.0,
    say: Callable[[str], object] = _ignore,
) -> uvicorn.Server:
    """Return a server that logs only errors.

    A stop refuses new connections at once, closes idle ones, and closes sockets
    with the code 1001. Running requests have ``grace_seconds`` to end, which is
    reported to ``say`` in one sentence, and are then cut. A second Ctrl-C ends the
    wait.
    """
    return _Server(
        uvicorn.Config(
            app,
            # Without a logging configuration errors are written to stderr. Mistakes of
            # clients are not logged: the client gets an error response.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            http=http_protocol(max_connections),
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
            # Clients could set any address in X-Forwarded-For, and so evade a rate
            # limit.
            proxy_headers=False,
            lifespan="off",
            ws=SocketProtocol,
            ws_max_size=MAX_SENT_BYTES,
            # Clients send pings themselves.
            ws_ping_interval=None,
            # Compression of small messages costs more memory than it saves.
            ws_per_message_deflate=False,
        ),
        app.state.sockets,
        grace_seconds,
        say,
    )
