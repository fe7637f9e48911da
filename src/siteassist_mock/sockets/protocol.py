"""The WebSocket protocol of uvicorn with a bug fix."""

from __future__ import annotations

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol


class SocketProtocol(WebSocketsSansIOProtocol):
    """A protocol that marks a refused handshake as complete.

    uvicorn 0.54 does not, and logs an error for each refused handshake
    (https://github.com/Kludex/uvicorn/pull/3138). After the fix, replace this class
    by the name ``websockets-sansio``, but not by the default: releases before 0.50
    choose a deprecated implementation.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True
