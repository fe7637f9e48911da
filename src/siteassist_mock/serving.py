"""Sockets and uvicorn: what the command and the tests share."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette

__all__ = ["base_url", "listen", "make_server"]

# How long a stop waits for streams that are being written.
_GRACE_SECONDS = 3


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
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}{app.state.base_path}"


def make_server(app: Starlette) -> uvicorn.Server:
    """Return a server that says nothing unless something goes wrong."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            # Without a configuration of its own its errors reach stderr plainly;
            # what a client did wrong, the client is told.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
    )
