"""The uvicorn server and its listening socket, for the command and the tests."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from starlette.applications import Starlette

from siteassist_mock.http.connection import MAX_HEADER_BYTES, HttpProtocol
from siteassist_mock.http.file_limit import greatest_connections
from siteassist_mock.http.reference_page import REFERENCE_PATH
from siteassist_mock.http.stalled_connections import SECONDS, StalledConnections
from siteassist_mock.operator.endpoints import CONTROL_PATH
from siteassist_mock.sockets.conversation import MAX_SENT_BYTES, ConversationSockets
from siteassist_mock.sockets.protocol import SocketProtocol

# Longest wait of a stop for requests that were cut, and for the clients of sockets
# to answer the close.
_LAST_SECONDS = 1.0
# Interval at which a stop checks whether all connections have ended.
_TICK_SECONDS = 0.02
# Number of ticks of uvicorn, ten a second, between two looks for stalled connections.
_TICKS = 10
# Seconds without a failure after which a lack of open files is logged again.
_LOG_SECONDS = 60.0
_REMEDIES = {
    errno.EADDRINUSE: "--port 0 takes a free port",
    errno.EACCES: "choose a --port from 1024 up",
}
_NO_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_logger = logging.getLogger("siteassist_mock")


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


def describe_listen_error(host: str, port: int, error: OSError | UnicodeError) -> str:
    """Return why `listen` raised an error, and what to do, in one sentence."""
    # The message already contains the address, which Python repeats.
    reason = str(getattr(error, "strerror", None) or error).partition(" (while attempting")[0]
    remedy = _REMEDIES.get(getattr(error, "errno", 0), "--host takes an address of this machine")
    return f"cannot listen on {host}, port {port}: {reason}; {remedy}"


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
        stalled: StalledConnections,
    ) -> None:
        super().__init__(config)
        self._stalled = stalled
        self._logged = -_LOG_SECONDS
        self._sockets = sockets
        self._grace_seconds = grace_seconds
        self._say = say

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(self._handle_exception)
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS == 0:
            self._stalled.end(self.server_state.connections, time.monotonic())
        return await super().on_tick(counter)

    def _handle_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if self.should_exit and isinstance(error, OSError | ValueError):
            return  # asyncio tries again to accept connections, on a socket that is closed
        if not isinstance(error, OSError) or error.errno not in _NO_FILES:
            loop.default_exception_handler(context)
            return
        # asyncio reports each connection that it cannot accept, and tries again.
        now = time.monotonic()
        if now - self._logged >= _LOG_SECONDS:
            _logger.warning("new connections have to wait: %s", error.strerror)
        self._logged = now

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
    max_connections: int | None = None,
    grace_seconds: float = 0.0,
    say: Callable[[str], object] = _ignore,
    stalled_seconds: Mapping[str, float] = SECONDS,
) -> uvicorn.Server:
    """Return a server that logs only errors.

    ``max_connections`` defaults to the number that the limit of open files allows. Beyond it, a
    new connection takes the place of one without a request, or gets a 503.
    ``stalled_seconds`` are those of `StalledConnections`.

    A stop refuses new connections at once, closes idle ones, and closes sockets
    with the code 1001. Running requests have ``grace_seconds`` to end, which is
    reported to ``say`` in one sentence, and are then cut. A second Ctrl-C ends the
    wait.
    """

    class _Protocol(HttpProtocol):
        pass

    _Protocol.max_connections = max_connections or greatest_connections()
    return _Server(
        uvicorn.Config(
            app,
            # Without a logging configuration errors are written to stderr. Mistakes of
            # clients are not logged: the client gets an error response.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            http=_Protocol,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
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
        StalledConnections(stalled_seconds),
    )
