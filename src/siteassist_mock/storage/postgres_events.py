"""Events between processes that share a PostgreSQL database: LISTEN and NOTIFY.

PostgreSQL delivers an event to every process, the sender included. So all
processes receive all events in the same order.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from siteassist_mock.storage.events import ConversationEvent, Listener, LocalEvents
from siteassist_mock.storage.interruption import Interruption

Connection = psycopg.Connection[Any]


# Longest wait for the end of the thread.
_CLOSE_SECONDS = 5.0

_logger = logging.getLogger("siteassist_mock")


class PostgresEvents:
    """A `siteassist_mock.storage.events.EventBus` over one channel of a PostgreSQL database.

    `listen` opens a connection and a thread that waits on it; the first event that is
    sent opens a second connection. Events are lost while the database is unavailable,
    so every listener then gets a ``reset``.
    """

    def __init__(
        self, connect: Callable[[], Connection], channel: str, *, retry: float = 0.5
    ) -> None:
        """Use the connections that ``connect`` returns, in autocommit mode.

        All processes with the same ``channel`` receive each other's events. After
        a lost connection, connect again every ``retry`` seconds.
        """
        self._connect = connect
        self._retry = retry
        self._channel = channel
        self._local = LocalEvents()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listening: Connection | None = None
        self._interruption: Interruption | None = None
        self._thread: threading.Thread | None = None
        self._sending: Connection | None = None

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Send ``event`` to the listeners of a conversation, or to all, in all processes.

        An event that cannot be sent is lost, which is logged: its cause is stored
        already.
        """
        said = json.dumps([conversation_id, event.type, event.message_id])
        # Twice, as the database may have been restarted.
        with self._lock:
            if not (self._sent(said) or self._sent(said)):
                _logger.warning("the database is unavailable: an event was lost")

    def listen(self) -> None:
        """Receive events from now on, if that has not begun.

        Raises `psycopg.Error` if the database cannot be reached.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._hear,
                    args=(self._open(),),
                    name="siteassist-mock-events",
                    daemon=True,
                )
                self._thread.start()

    @contextmanager
    def subscribe(self, conversation_id: str, listener: Listener) -> Iterator[None]:
        """Call ``listener`` for the events of a conversation, within the block."""
        with self._local.subscribe(conversation_id, listener):
            yield

    def close(self) -> None:
        """End the thread and close the connections."""
        self._closing.set()
        if self._interruption is not None:
            self._interruption.interrupt()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)
        for connection in (self._listening, self._sending):
            if connection is not None:
                connection.close()
        if self._interruption is not None:
            self._interruption.close()

    def _open(self) -> Connection:
        connection = self._connect()
        interruption = Interruption(connection)
        if self._interruption is not None:
            self._interruption.close()
        self._listening, self._interruption = connection, interruption
        if self._closing.is_set():
            # `close` may have seen the old connection only.
            interruption.interrupt()
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return connection

    def _sent(self, said: str) -> bool:
        try:
            if self._sending is None:
                self._sending = self._connect()
            self._sending.execute("SELECT pg_notify(%s, %s)", (self._channel, said))
        except psycopg.OperationalError:
            if self._sending is not None:
                self._sending.close()
                self._sending = None
            return False
        return True

    def _hear(self, listening: Connection | None) -> None:
        while listening is not None:
            try:
                for notification in listening.notifies():
                    conversation_id, event_type, message_id = json.loads(notification.payload)
                    self._local.publish(conversation_id, ConversationEvent(event_type, message_id))
            except psycopg.OperationalError:
                if self._closing.is_set():
                    return
                _logger.warning("the connection to the database was lost; events may be missing")
                listening = self._open_again()
                self._local.publish(None, ConversationEvent("reset"))

    def _open_again(self) -> Connection | None:
        while not self._closing.wait(self._retry):
            try:
                return self._open()
            except psycopg.OperationalError:
                continue
        return None
