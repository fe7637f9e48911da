"""A WebSocket to the server: its handshake, its texts, and its end.

The handshake is a request like any other, so that headers, certificates, the proxy, the rate
and the time of a run hold for it as well. Frames are read and written by `websockets`, which
does no input and output here: each read has a deadline, even if the server keeps sending.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

import httpcore
from websockets.client import ClientProtocol
from websockets.exceptions import WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.uri import parse_uri

from siteassist_contract.http.network import LARGEST_ANSWER
from siteassist_contract.http.recorder import Exchange, Recorder, TimeUpError
from siteassist_contract.http.session import Session
from siteassist_contract.http.upgrade import SWITCHING, Upgrade
from siteassist_contract.http.valid_requests import RequestParts
from siteassist_spec.output import printable

MOST_TEXTS = 1000
"""Maximum number of texts of one socket. A server that sends more sends without an end."""
_BLOCK = 64 * 1024
_WRITING = 5.0
"""Maximum time of a write, in seconds."""
_AT_ONCE = 0.001
"""Time, in seconds, in which data is read that has arrived."""
_CLOSING = 1.0
"""Maximum wait, in seconds, for the answer to a close."""
_SHOWN = 300
"""Maximum number of characters of a text in a transcript."""
_MOST_LINES = 60
_UNUSED = parse_uri("ws://unused/")
"""The address for the library, which would log the real one with its key."""
_ENDLESS = "texts without an end"

# It is not registered, so that no configuration of logging can enable it.
_logger = logging.Logger("siteassist_contract.websocket", logging.CRITICAL + 1)  # noqa: LOG001


@dataclass(frozen=True)
class End:
    """The end of a socket."""

    words: str
    """The way in which it ended, such as ``closed with 1011``."""
    code: int | None = None
    """The code of the server's close frame, or None without one."""
    is_invalid: bool = False
    """Whether it ended because of invalid data: against RFC 6455, not a text, or endless."""


def connect(
    session: Session,
    recorder: Recorder,
    request: RequestParts,
    *,
    headers: Mapping[str, str] | None = None,
    suffix: str = "",
) -> tuple[Exchange, WebSocket | None]:
    """Send a handshake; return its exchange and, if it is answered with 101, the socket.

    ``suffix`` is appended to the path, for one that is not described.

    Raises an error as `Recorder.handle_request` does.
    """
    protocol = ClientProtocol(_UNUSED, max_size=LARGEST_ANSWER, logger=_logger)
    asked = {n: v for n, v in protocol.connect().headers.raw_items() if n.lower() != "host"}
    upgrade = recorder.upgrade()
    try:
        exchange = session.raw(
            request.operation,
            request.method,
            request.target + suffix,
            query=request.query or None,
            headers={**asked, **(headers or {})},
            upgrade=upgrade,
        )
    except BaseException:
        upgrade.close()
        raise
    if exchange.status != SWITCHING or upgrade.stream is None:
        upgrade.close()
        return exchange, None
    return exchange, WebSocket(exchange, upgrade, protocol, recorder)


class WebSocket:
    """A socket that the server has opened."""

    def __init__(
        self, handshake: Exchange, upgrade: Upgrade, protocol: ClientProtocol, recorder: Recorder
    ) -> None:
        """Take over the connection of a handshake; ``recorder`` has the time of the run."""
        self._handshake = handshake
        self._upgrade = upgrade
        self._protocol = protocol
        self._recorder = recorder
        self._texts: deque[str] = deque()
        self._fragments: list[Frame] = []
        self._lines: list[str] = []
        self._read_bytes = 0
        self._received = 0
        self.end: End | None = None
        """The end, or None while the socket is open."""
        self.fault = ""
        """The reason why the answer to the handshake is not that of RFC 6455, or empty."""
        self._begin()

    @property
    def exchange(self) -> Exchange:
        """The handshake, with a transcript of the socket as its content."""
        return replace(self._handshake, content="\n".join(self._lines).encode())

    def send(self, text: str) -> None:
        """Send a text, unless the socket has ended."""
        if self.end is not None:
            return
        self._protocol.send_text(text.encode())
        self._note(f"> {text}")
        self._write()

    def receive(self, seconds: float) -> str | None:
        """Return the next text; None if there is none within ``seconds`` or the socket has ended.

        Data that have arrived are read even after this time, which other workers may have used.

        Raises `TimeUpError` if the time of the run is over first.
        """
        ends, is_last = time.monotonic() + seconds, False
        while not self._texts and self.end is None:
            now = time.monotonic()
            if now >= self._recorder.until:
                raise TimeUpError
            if is_last:
                break
            is_last = now >= ends
            self._read(max(min(ends, self._recorder.until) - now, _AT_ONCE))
        return self._texts.popleft() if self._texts else None

    def close(self) -> None:
        """Close the socket, if it is open, and its connection."""
        if self.end is None:
            self._protocol.send_close(CloseCode.NORMAL_CLOSURE)
            self._write()
            ends = time.monotonic() + _CLOSING
            while self.end is None and (left := ends - time.monotonic()) > 0:
                self._texts.clear()
                self._read(left)
            self._finish(End("closed by the client"))
        self._upgrade.close()

    def _begin(self) -> None:
        """Pass the answer to the handshake on to the protocol, which judges it."""
        self._protocol.send_request(self._protocol.connect())
        self._protocol.data_to_send()  # was sent by the recorder
        head = [f"HTTP/1.1 {SWITCHING} Switching Protocols"]
        head += [
            f"{name}: {value}"
            for name, value in self._handshake.headers.items()
            if name in ("connection", "upgrade") or name.startswith("sec-websocket-")
        ]
        self._protocol.receive_data("\r\n".join([*head, "", ""]).encode("latin-1", "replace"))
        self._protocol.events_received()
        error = self._protocol.handshake_exc
        if error is not None:
            self.fault = f"{SWITCHING}, but {printable(str(error))}"
            self.end = End(self.fault)

    def _read(self, seconds: float) -> None:
        assert self._upgrade.stream is not None  # noqa: S101  # checked by `connect`
        self._upgrade.deadline.start(seconds)
        try:
            with self._recorder.waiting():
                data = self._upgrade.stream.read(_BLOCK, seconds)
        except httpcore.TimeoutException:
            return
        except (httpcore.NetworkError, OSError):
            self._finish(End("the connection was reset"))
            return
        self._read_bytes += len(data)
        if self._read_bytes > LARGEST_ANSWER:
            self._finish(End(_ENDLESS, is_invalid=True))
            return
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        self._write()
        self._see_end(over=not data)

    def _take(self, frame: Frame) -> None:
        """Take a frame; texts may be in several of them."""
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT) or self.end is not None:
            return
        self._received += 1
        if self._received > MOST_TEXTS:
            self._finish(End(_ENDLESS, is_invalid=True))
            return
        self._fragments.append(frame)
        if not frame.fin:
            return
        frames, self._fragments = self._fragments, []
        content = b"".join(bytes(each.data) for each in frames)
        if frames[0].opcode == Opcode.BINARY:
            self._finish(End("a binary message", is_invalid=True))
            return
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            self._finish(End(f"a text that is not UTF-8 at byte {error.start}", is_invalid=True))
            return
        self._note(f"< {text}")
        self._texts.append(text)

    def _write(self) -> None:
        """Write the bytes that the protocol has prepared."""
        data = b"".join(self._protocol.data_to_send())
        if not data or self._upgrade.stream is None or self.end is not None:
            return
        self._upgrade.deadline.start(_WRITING)
        try:
            with self._recorder.waiting():
                self._upgrade.stream.write(data, _WRITING)
        except (httpcore.NetworkError, httpcore.TimeoutException, OSError):
            # Texts that the server has sent before can still be read.
            return

    def _see_end(self, *, over: bool) -> None:
        """Note the end if the protocol or the connection is over."""
        closed, error = self._protocol.close_rcvd, self._protocol.parser_exc
        if closed is not None:
            reason = f" {closed.reason!r}" if closed.reason else ""
            self._finish(End(f"closed with {closed.code}{reason}", closed.code))
        elif over:
            self._finish(End("the connection ended without a close frame"))
        elif isinstance(error, Exception):
            words = str(error) if isinstance(error, WebSocketException) else type(error).__name__
            words = f"a frame that RFC 6455 does not allow: {printable(words)}"
            self._finish(End(words, is_invalid=True))

    def _finish(self, end: End) -> None:
        if self.end is None:
            self.end = end
            self._lines[_MOST_LINES:] = [f"* {end.words}"]

    def _note(self, line: str) -> None:
        short = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
        if len(self._lines) < _MOST_LINES:
            self._lines.append(short)
