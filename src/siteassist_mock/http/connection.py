"""The connection of a request: its limits, and access to it for faults.

ASGI does not give applications access to the connection. The faults that close or
reset it need it, so the transport is put into the scope.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from siteassist_mock.http.errors import ApiError, error_response, unavailable
from siteassist_mock.http.joined_writes import JoinedWrites

TRANSPORT = "siteassist.transport"
"""The scope's key of the `asyncio.Transport`; absent if there is no socket."""

MAX_HEADER_BYTES = 32_768
"""The greatest size of the headers of a request; browsers and proxies send far less."""

_NUMBERS = itertools.count()


class HttpProtocol(H11Protocol):
    """uvicorn's protocol with limits, and with the transport in every scope.

    Its other protocol, httptools, does not limit the size of headers.
    """

    max_connections = 0
    """The number of connections beyond which a request gets the documented 503.

    The limit of uvicorn would respond in plain text.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Accept a connection; beyond the limit, close one that waits for a request."""
        joined: Any = JoinedWrites(transport, self.loop)
        super().connection_made(joined)
        self.number = next(_NUMBERS)
        inner: Any = self.app
        connections: Any = self.connections

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = joined
            send = _without_duplicates(self.cycle, send)
            refusal = _refusal(scope)
            if len(connections) > self.max_connections:
                refusal = unavailable()
            if refusal is None:
                await inner(scope, receive, send)
                return
            refusal.headers["Connection"] = "close"
            await error_response(refusal)(scope, receive, send)

        self.app: Any = app
        if len(connections) > self.max_connections:
            _close_oldest(one for one in connections if one is not self)

    def awaited(self) -> tuple[str, object] | None:
        """Return the part that the client must send or read next, or None if it is our turn.

        The second value changes with each progress that counts.
        """
        if self.transport.is_closing():
            return "end", None
        if self.cycle is None or self.cycle.response_complete:
            return "head", self.cycle
        if self.cycle.more_body:
            return "body", self.cycle
        unread = self.transport.get_write_buffer_size()
        return ("response", (self.cycle, unread)) if unread else None

    def end(self) -> None:
        """Close the connection; unread data is lost."""
        self.transport.abort()


def _without_duplicates(cycle: Any, send: Send) -> Send:
    """Return ``send`` for answers whose own headers replace those of uvicorn, such as Date."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", ())}
            cycle.default_headers = [each for each in cycle.default_headers if each[0] not in own]
        await send(message)

    return sending


def _close_oldest(connections: Iterable[Any]) -> None:
    """Close the oldest connection without a request, preferably one that never had any."""
    waiting = [
        connection
        for connection in connections
        if isinstance(connection, HttpProtocol) and (connection.awaited() or "")[:1] == ("head",)
    ]
    if waiting:
        min(waiting, key=lambda one: (one.cycle is not None, one.number)).end()


def _refusal(scope: Scope) -> ApiError | None:
    """Return the error of a request that must not be served, and prepare others."""
    size, framings = 0, 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name in {b"content-length", b"transfer-encoding"}:
            framings += 1 if name == b"content-length" or scope["http_version"] != "1.0" else 2
    if size + len(scope["raw_path"]) + len(scope["query_string"]) > MAX_HEADER_BYTES:
        return _bad_request("The headers are too large")
    # A proxy in front of this server could find another end of the request (RFC 9112, 6.1).
    if framings > 1:
        return _bad_request("The length of the body is ambiguous")
    if scope["raw_path"][:1] != b"/":
        _take_origin_form(scope)
    return None


def _take_origin_form(scope: Scope) -> None:
    """Split a target such as ``http://host/path`` (RFC 9112, 3.2.2), which names the host."""
    scheme, separator, rest = scope["raw_path"].partition(b"://")
    if separator and scheme.lower() in {b"http", b"https"}:
        host, _, path = rest.partition(b"/")
        scope["raw_path"] = b"/" + path
        scope["path"] = unquote(scope["raw_path"].decode("ascii"))
        headers = [header for header in scope["headers"] if header[0] != b"host"]
        scope["headers"] = [(b"host", host), *headers]


def _bad_request(message: str) -> ApiError:
    return ApiError(400, message=message)


def reset(transport: asyncio.Transport) -> None:
    """End a connection with an RST, as if the machine had crashed.

    A socket that is closed with a linger time of zero sends an RST instead of a FIN
    (socket(7), SO_LINGER).
    """
    connected = transport.get_extra_info("socket")
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
