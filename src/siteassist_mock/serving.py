"""Sockets and uvicorn: what the command and the tests share."""

from __future__ import annotations

import ipaddress
import socket
from typing import TYPE_CHECKING

import uvicorn

from siteassist_mock.connection import http_protocol
from siteassist_mock.control import CONTROL_PATH
from siteassist_mock.reference import REFERENCE_PATH
from siteassist_mock.socket_protocol import SocketProtocol
from siteassist_mock.sockets import MAX_SENT_BYTES

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from siteassist_mock.sockets import ConversationSockets

__all__ = ["base_url", "is_loopback", "listen", "make_server", "operator_url", "reference_url"]

# How long a stop waits for streams that are being written.
_GRACE_SECONDS = 3
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
    """A server that says goodbye: uvicorn tells clients to reconnect, with the code 1012."""

    def __init__(self, config: uvicorn.Config, sockets: ConversationSockets) -> None:
        super().__init__(config)
        self._sockets = sockets

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._sockets.close()
        await super().shutdown(sockets)


def make_server(app: Starlette, *, max_connections: int = _MAX_CONNECTIONS) -> uvicorn.Server:
    """Return a server that says nothing unless something goes wrong."""
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
            timeout_graceful_shutdown=_GRACE_SECONDS,
        ),
        app.state.sockets,
    )
