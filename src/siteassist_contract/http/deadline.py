"""A deadline for a whole exchange, which holds for each read, write and connection.

The timeouts of httpx start again with each byte that arrives, so that a server that sends one
byte a second could hold a request for as long as it wants.
"""

from __future__ import annotations

import math
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore


class Deadline:
    """The time at which the current exchange must be over."""

    def __init__(self) -> None:
        """Set no limit."""
        self._at = math.inf

    def start(self, seconds: float) -> None:
        """End the exchange that begins now after some ``seconds``."""
        self._at = time.monotonic() + seconds

    def limited(self, timeout: float | None, error: type[Exception]) -> float | None:
        """Return ``timeout``, or the time that is left if it is shorter.

        Raises ``error`` if no time is left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise error("the time of the exchange is over")
        if math.isinf(left):
            return timeout
        return left if timeout is None else min(timeout, left)


class LimitedBackend(httpcore.NetworkBackend):
    """A network whose connections keep a deadline."""

    def __init__(
        self,
        deadline: Deadline,
        inner: httpcore.NetworkBackend | None = None,
        pause: Callable[[], object] | None = None,
    ) -> None:
        """Connect over ``inner``, by default over sockets.

        ``pause`` is called before each read.
        """
        self._deadline = deadline
        self._inner = inner or httpcore.SyncBackend()
        self._pause = pause

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection."""
        limited = self._deadline.limited(timeout, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, limited, local_address, socket_options)
        return _LimitedStream(self._deadline, stream, self._pause)


class _LimitedStream(httpcore.NetworkStream):
    """A connection that keeps a deadline."""

    def __init__(
        self,
        deadline: Deadline,
        inner: httpcore.NetworkStream,
        pause: Callable[[], object] | None,
    ) -> None:
        self._deadline = deadline
        self._inner = inner
        self._pause = pause

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read the bytes that arrive next."""
        if self._pause is not None:
            self._pause()
        return self._inner.read(max_bytes, self._deadline.limited(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write all of ``buffer``."""
        self._inner.write(buffer, self._deadline.limited(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Make a TLS connection of it; the handshake keeps the deadline as well."""
        limited = self._deadline.limited(timeout, httpcore.ConnectTimeout)
        stream = self._inner.start_tls(ssl_context, server_hostname, limited)
        return _LimitedStream(self._deadline, stream, self._pause)

    def get_extra_info(self, info: str) -> Any:
        """Return a fact about the connection."""
        return self._inner.get_extra_info(info)
