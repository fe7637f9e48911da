"""One call to the system for what is written at once.

uvicorn writes the head of an answer and its body one after the other. Each write
is a call to the system, which takes a tenth of the time of a whole request.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["JoinedWrites"]


class JoinedWrites:
    """A transport that writes to another one when the event loop comes round again."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        """Write to ``transport``; all but writing and ending is left to it."""
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        """Return what the other transport has."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write ``data`` soon, in the order of the calls."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Write what waits, and then close."""
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        """Write what waits, and then close at once."""
        self._flush()
        self._transport.abort()

    def _flush(self) -> None:
        if self._waiting:
            data = b"".join(self._waiting)
            self._waiting.clear()
            self._transport.write(data)
