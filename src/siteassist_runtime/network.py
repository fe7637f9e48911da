"""Connections that keep the deadline of the call that uses them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import httpcore
import httpx

from .deadline import NEVER, current

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable


def _clip(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    at = current.at
    if at == NEVER:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise late
    return left if timeout is None else min(timeout, left)


class _Stream(httpcore.NetworkStream):
    """A connection that keeps the deadline of whoever uses it."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _clip(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _clip(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(
            self._stream.start_tls(
                ssl_context, server_hostname, _clip(timeout, httpcore.ConnectTimeout)
            )
        )

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections that keep deadlines."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit = _clip(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_tcp(host, port, limit, local_address, socket_options))

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit = _clip(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_unix_socket(path, limit, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


def guard(client: httpx.Client) -> httpx.Client:
    """Make the connections of ``client`` keep deadlines, and return it.

    httpx has no public way to choose how its own transports connect, and one
    transport of ours would lose its proxies: hence the private attributes,
    which a test watches. Transports of other kinds keep what httpx offers: a
    limit on each read.
    """
    transports = [client._transport, *client._mounts.values()]  # noqa: SLF001  # see above
    for transport in transports:
        if isinstance(transport, httpx.HTTPTransport):
            pool = cast("Any", transport._pool)  # noqa: SLF001  # see above
            if not isinstance(pool._network_backend, _Backend):  # noqa: SLF001  # see above
                pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001  # see above
    return client
