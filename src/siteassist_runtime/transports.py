"""The connection pools of transports, and of transports that wrap others."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from typing import Any

_DEPTH = 4  # Transports that wrap each other.


def pools(transport: Any, depth: int = _DEPTH) -> Iterator[Any]:
    """Yield the httpcore pools that a transport uses, directly or through others.

    httpx has no public way to the pool of a transport, nor to a wrapped transport.
    Hence the private attribute, which a test covers.
    """
    pool = getattr(transport, "_pool", None)
    if hasattr(pool, "_network_backend"):
        yield pool
    elif depth:
        for value in getattr(transport, "__dict__", {}).values():
            for part in _parts(value):
                if hasattr(part, "handle_request") or hasattr(part, "handle_async_request"):
                    yield from pools(part, depth - 1)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, (list, tuple)):
        yield from value
    else:
        yield value


def _connections(pool: Any) -> list[Any]:
    # The name in httpcore 1.0.2 and earlier is `_pool`.
    connections = getattr(pool, "_connections", None)
    found: list[Any] = getattr(pool, "_pool", []) if connections is None else connections
    return found


async def drop_orphans(transport: Any) -> None:
    """Remove the connections that a cancelled request was given and did not use.

    httpcore keeps them in the pool as connections in use (its issue 658). A connection
    in use has a request.
    """
    from anyio import CancelScope

    for pool in pools(transport):
        connections = _connections(pool)
        used = {id(request.connection) for request in getattr(pool, "_requests", ())}
        orphans = [
            connection
            for connection in connections
            if id(connection) not in used
            and not (connection.is_idle() or connection.is_closed() or connection.has_expired())
        ]
        for connection in orphans:
            connections.remove(connection)
        if orphans and hasattr(pool, "_assign_requests_to_connections"):
            # Requests may wait for their places.
            with CancelScope(shield=True):
                for connection in pool._assign_requests_to_connections():
                    await connection.aclose()


class LoopRegistry:
    """The event loop of each pool: its connections cannot be used on another."""

    def __init__(self) -> None:
        """Create an empty registry."""
        self._loops: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()

    def claim(self, transport: Any, loop: Any) -> bool:
        """Reserve the pools of a transport for ``loop``; return False if another loop has one.

        Connections that a loop left behind when it was closed are removed: they are dead.
        """
        found = list(pools(transport))
        earlier = [self._loops[pool]() for pool in found if pool in self._loops]
        others = [owner for owner in earlier if owner is not loop]
        if any(owner is not None and not is_closed(owner) for owner in others):
            return False
        for pool in found:
            if others:
                _connections(pool).clear()
            self._loops[pool] = weakref.ref(loop)
        return True


def is_closed(loop: Any) -> bool:
    """Return whether an event loop is closed; loops other than asyncio's do not say."""
    closed = getattr(loop, "is_closed", None)
    return bool(closed is not None and closed())
