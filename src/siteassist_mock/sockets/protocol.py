"""The WebSocket protocol of uvicorn with bug fixes and limits."""

from __future__ import annotations

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

# More unread data than any sequence of events and pongs for a client that reads.
_MAX_UNREAD_BYTES = 262_144
# The greatest number of frames of one message; empty ones do not count as its size.
_MAX_FRAMES = 64


class SocketProtocol(WebSocketsSansIOProtocol):
    """A protocol that marks a refused handshake as complete.

    uvicorn 0.54 does not, and logs an error for each refused handshake
    (https://github.com/Kludex/uvicorn/pull/3138). After the fix, remove `send`, but
    keep the class: releases before 0.50 choose a deprecated implementation.
    """

    received = 0
    """The number of times that the client has sent something."""

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message of the application."""
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            self.handshake_complete = True

    def data_received(self, data: bytes) -> None:
        """Answer ``data``, unless the client does not read the answers."""
        self.received += 1
        super().data_received(data)
        if self.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            self.transport.abort()

    def handle_cont(self, event: Frame) -> None:
        """Add a frame to a message, or refuse a message of too many frames."""
        if len(self.frames) >= _MAX_FRAMES:
            self._refuse(CloseCode.MESSAGE_TOO_BIG)
        else:
            super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass on a message; refuse text that is not UTF-8, which uvicorn would log."""
        if self.curr_msg_data_type == "text":
            self.frames = [b"".join(self.frames)]
            try:
                self.frames[0].decode()
            except UnicodeDecodeError:
                self._refuse(CloseCode.INVALID_DATA)
                return
        super().send_receive_event_to_app()

    def awaited(self) -> tuple[str, object]:
        """Return the part that the client must send next; it changes when the client sends data."""
        return "socket", self.received

    def end(self) -> None:
        """Close the connection of a client that seems to have gone."""
        if self.handshake_complete and not self.close_sent:
            self.conn.send_close(CloseCode.GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
        self.transport.abort()

    def _refuse(self, code: CloseCode) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.send_close(code)
            self.handle_parser_exception()
