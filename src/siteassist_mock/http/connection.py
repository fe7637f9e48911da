"""The connection of a request, and the limit of connections.

ASGI does not give applications access to the connection. The faults that close or
reset it need it, so the transport is put into the scope.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from siteassist_mock.http.errors import error_response, unavailable
from siteassist_mock.http.joined_writes import JoinedWrites

TRANSPORT = "siteassist.transport"
"""The scope's key of the `asyncio.Transport`; absent if there is no socket."""


def http_protocol(max_connections: int) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol with the transport in every scope.

    A request on a connection beyond ``max_connections`` gets the documented 503.
    The limit of uvicorn would respond in plain text, and its other protocol,
    httptools, does not limit the size of headers.
    """

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
            joined: Any = JoinedWrites(transport, self.loop)
            super().connection_made(joined)
            inner: Any = self.app
            connections = self.connections

            async def app(scope: Scope, receive: Receive, send: Send) -> None:
                scope[TRANSPORT] = joined
                chosen: ASGIApp = inner if len(connections) <= max_connections else _busy
                await chosen(scope, receive, send)

            self.app: Any = app

    return Protocol


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    error = unavailable()
    error.headers["Connection"] = "close"
    await error_response(error)(scope, receive, send)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with an RST, as if the machine had crashed.

    A socket that is closed with a linger time of zero sends an RST instead of a FIN
    (socket(7), SO_LINGER).
    """
    connected = transport.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
