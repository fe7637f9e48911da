"""Interruption of a thread that waits for PostgreSQL.

The timeouts of PostgreSQL need a running server, and a driver in a blocking call has
none of its own. The shutdown of the socket ends the wait at once: to the driver the
server seems to have closed the connection.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

import psycopg


class Interruption:
    """The socket of a connection, for a shutdown by another thread."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        """Duplicate the socket of ``connection``."""
        self._connection = connection
        # A duplicate, because the system may reuse the number of a closed socket.
        # Its family has no effect on a shutdown.
        self._socket = socket.fromfd(connection.fileno(), socket.AF_INET, socket.SOCK_STREAM)

    @property
    def over(self) -> bool:
        """Whether the connection is closed, so that there is nothing to interrupt."""
        return self._connection.closed

    def interrupt(self) -> None:
        """End all waits on the connection, which is lost."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release the duplicate."""
        self._socket.close()
