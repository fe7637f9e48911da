"""Connections that respect the deadline of the call that uses them."""

from __future__ import annotations

import os
import socket
import time
import weakref
from typing import TYPE_CHECKING, Any

from siteassist_runtime.deadline import NEVER, current
from siteassist_runtime.http_library import core_of
from siteassist_runtime.transports import pools

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable

    import httpcore
    import httpx


_SLICE = 64 * 1024  # Bytes per write.


def _clip(timeout: float | None, late: type[httpcore.TimeoutException]) -> float | None:
    at = current.at
    if at == NEVER:
        return timeout
    left = at - time.monotonic()
    if left <= 0:
        raise late
    return left if timeout is None else min(timeout, left)


class _Stream:
    """A connection that respects the deadline of the thread that uses it."""

    respects_deadlines = True

    def __init__(self, stream: httpcore.NetworkStream, core: Any) -> None:
        self._stream = stream
        self._core = core
        _streams.add(self)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _clip(timeout, self._core.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # httpx applies the whole timeout to each partial write.
        size = len(buffer) if current.at == NEVER else _SLICE
        for start in range(0, len(buffer), size or 1):
            limit = _clip(timeout, self._core.WriteTimeout)
            self._stream.write(buffer[start : start + size], limit)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> _Stream:
        try:
            limit = _clip(timeout, self._core.ConnectTimeout)
        except self._core.ConnectTimeout:
            # httpcore closes a stream whose handshake fails, but this one never began.
            self.close()
            raise
        stream = self._stream.start_tls(ssl_context, server_hostname, limit)
        return _Stream(stream, self._core)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend:
    """Opens connections that respect deadlines."""

    def __init__(self, backend: httpcore.NetworkBackend, core: Any) -> None:
        self._backend = backend
        self._core = core

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> _Stream:
        # httpcore would apply the whole timeout to each address of the host.
        addresses = self._addresses(host, port)
        for left in range(len(addresses), 0, -1):
            limit = _clip(timeout, self._core.ConnectTimeout)
            share = limit if limit is None else limit / left
            try:
                stream = self._backend.connect_tcp(
                    addresses[-left], port, share, local_address, socket_options
                )
                return _Stream(stream, self._core)
            except (self._core.ConnectError, self._core.ConnectTimeout):
                if left == 1:
                    raise
        raise self._core.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> _Stream:
        limit = _clip(timeout, self._core.ConnectTimeout)
        stream = self._backend.connect_unix_socket(path, limit, socket_options)
        return _Stream(stream, self._core)

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(_clip(seconds, self._core.ConnectTimeout) or 0.0)

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise self._core.ConnectError(str(error)) from error
        # The scope of a link-local address is part of the address.
        return [
            f"{address[0]}%{address[3]}" if len(address) == 4 and address[3] else str(address[0])
            for *_, address in found
        ]


def guard(client: httpx.Client) -> httpx.Client:
    """Make the connections of ``client`` respect deadlines, and return it.

    httpx has no public way to choose the network backend of its transports, and
    a transport passed to it would disable its proxies. Hence the private
    attributes, which a test covers. Transports without a pool of httpcore keep the
    timeouts of httpx.
    """
    for transport in (client._transport, *client._mounts.values()):
        for pool in pools(transport):
            if not isinstance(pool._network_backend, _Backend):
                pool._network_backend = _Backend(pool._network_backend, core_of(pool))
    return client


_streams: weakref.WeakSet[_Stream] = weakref.WeakSet()


def _after_fork() -> None:
    """Close this process's copies of the sockets; the other process keeps its own open."""
    for stream in list(_streams):
        stream.close()
    _streams.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
