"""The frames of a WebSocket connection, without I/O.

The handshake is a request of the client's HTTP library, so proxies, certificates and
connection limits are those of every other call. websockets checks its response, and
then translates between texts and bytes (RFC 6455).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from siteassist_runtime.errors import SiteAssistError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from websockets.client import ClientProtocol

# websockets shortens the texts that it logs, and a part of a secret is not recognised. The
# logger is not registered, so that no configuration of logging can enable it.
_SILENT = logging.Logger("siteassist.frames", logging.CRITICAL + 1)  # noqa: LOG001
# The address is not sent. That of the conversation contains the key.
_ADDRESS = "ws://localhost/"
_SENT_BY_HTTP_LIBRARY = {"host"}
_TEXT, _BINARY = 1, 2


def check_installed(method: str, operation: str) -> None:
    """Raise `SiteAssistError` without the library that ``method`` needs."""
    if not is_installed():
        raise SiteAssistError(
            f"{method}() needs `pip install 'siteassist[live]'`", operation=operation
        )


def is_installed() -> bool:
    """Return whether the library for WebSockets can be imported."""
    try:
        import websockets.client  # noqa: F401  # only its absence matters
    except ImportError:
        return False
    return True


class Frames:
    """A connection's translation between texts and bytes."""

    def __init__(self, longest: int | None) -> None:
        """Prepare the handshake; ``longest`` is the maximum size of a text in bytes."""
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri

        self._protocol: ClientProtocol = ClientProtocol(
            parse_uri(_ADDRESS), max_size=longest, logger=_SILENT
        )
        self._request = self._protocol.connect()
        self._message: bytearray | None = None
        self._is_text = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the handshake."""
        return {
            name: value
            for name, value in self._request.headers.raw_items()
            if name.lower() not in _SENT_BY_HTTP_LIBRARY
        }

    def begin(self, reason: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Check the response to the handshake, a 101. Raises `ValueError` if it is invalid."""
        lines = [f"HTTP/1.1 101 {reason}".encode("ascii", "replace")]
        lines += [name + b": " + value for name, value in headers]
        self._protocol.receive_data(b"\r\n".join([*lines, b"", b""]))
        self._protocol.events_received()
        error = self._protocol.handshake_exc
        if error is not None:
            raise ValueError(f"the handshake is invalid: {error}")

    @property
    def closed(self) -> bool:
        """Whether either side has closed the connection."""
        from websockets.protocol import State

        return self._protocol.state is not State.OPEN

    @property
    def reason(self) -> str:
        """Why the connection is closed."""
        protocol = self._protocol
        if protocol.close_sent is not None and not protocol.close_rcvd_then_sent:
            return f"the server violated the protocol: {protocol.close_sent}"
        if protocol.close_rcvd is not None:
            return f"the server closed it: {protocol.close_rcvd}"
        return "it ended without a close"

    def receive(self, data: bytes) -> list[str | bytes]:
        """Return the messages that are complete with ``data``; no data means its end.

        A text that is not UTF-8 closes the connection.
        """
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        found: list[str | bytes] = []
        for frame in self._protocol.events_received():
            message = self._add(frame)
            if message is not None:
                found.append(message)
        return found

    def _add(self, frame: Any) -> str | bytes | None:
        if frame.opcode in {_TEXT, _BINARY}:
            self._message = bytearray()
            self._is_text = frame.opcode == _TEXT
        elif frame.opcode or self._message is None:
            return None  # A control frame: the library has prepared the reply.
        collected: bytearray = self._message
        collected += frame.data
        if not frame.fin:
            return None
        data = bytes(collected)
        self._message = None
        if not self._is_text:
            return data
        try:
            return data.decode()
        except UnicodeDecodeError:
            self._protocol.fail(1007, "invalid UTF-8")
            return None

    def encode(self, text: str) -> bytes:
        """Return the bytes of a text; none if the connection is closed."""
        if self.closed:
            return b""
        self._protocol.send_text(text.encode())
        return self.pending()

    def close(self) -> bytes:
        """Return the bytes that close the connection; none if it is closed."""
        if self.closed:
            return b""
        self._protocol.send_close(1000)
        return self.pending()

    def pending(self) -> bytes:
        """Return the bytes to send: replies to pings and to a close of the server."""
        return b"".join(self._protocol.data_to_send())
