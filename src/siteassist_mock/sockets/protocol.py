"""uvicorn's WebSocket protocol, with one mistake corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent

__all__ = ["SocketProtocol"]


class SocketProtocol(WebSocketsSansIOProtocol):
    """Notes that a handshake which was refused with a response is over.

    uvicorn 0.54 forgets to, and writes an error to its log for each of them;
    https://github.com/Kludex/uvicorn/pull/3138. Once a release has that, the
    name ``websockets-sansio`` does the same as this class. It is chosen and not
    left to uvicorn in any case: releases before 0.50 take an implementation that
    is deprecated.
    """

    async def send(self, message: ASGISendEvent) -> None:
        """Send what the application says."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True
