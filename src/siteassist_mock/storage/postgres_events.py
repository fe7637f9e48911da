"""Events between processes that share a PostgreSQL database: LISTEN and NOTIFY.

PostgreSQL delivers an event to every process, the sender included. So all
processes receive all events in the same order.
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from siteassist_mock.storage.events import ConversationEvent, Listener, LocalEvents

Connection = psycopg.Connection[Any]


# Longest wait for the end of the thread.
_CLOSE_SECONDS = 5.0

_logger = logging.getLogger("siteassist_mock")


class PostgresEvents:
    """A `siteassist_mock.storage.events.EventBus` over one channel of a PostgreSQL database.

    The first listener opens a connection and a thread that waits on it; the first
    event that is sent opens a second connection. Events are lost while the
    database is unavailable, so every listener then gets a ``reset``.
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
        # Every process receives it; only this one ends its thread.
        self._goodbye = uuid.uuid4().hex
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._listening: Connection | None = None
        self._thread: threading.Thread | None = None
        self._sending: Connection | None = None

    def publish(self, conversation_id: str | None, event: ConversationEvent) -> None:
        """Send ``event`` to the listeners of a conversation, or to all, in all processes.

        Raises `psycopg.Error` if the database cannot be reached.
        """
        self._notify([conversation_id, event.type, event.message_id])

    @contextmanager
    def subscribe(self, conversation_id: str, listener: Listener) -> Iterator[None]:
        """Call ``listener`` for the events of a conversation, within the block.

        Raises `psycopg.Error` if the database cannot be reached.
        """
        with self._local.subscribe(conversation_id, listener):
            with self._lock:
                if self._thread is None:
                    self._listening = self._listen()
                    self._thread = threading.Thread(
                        target=self._hear, name="siteassist-mock-events", daemon=True
                    )
                    self._thread.start()
            yield

    def close(self) -> None:
        """End the thread and close the connections."""
        self._closing.set()
        if self._thread is not None:
            try:
                self._notify([self._goodbye])
            except psycopg.Error:
                # Then the thread has no connection either, and ends by itself.
                _logger.debug("the connection to the database was lost before the end")
            self._thread.join(_CLOSE_SECONDS)
        for connection in (self._listening, self._sending):
            if connection is not None:
                connection.close()

    def _listen(self) -> Connection:
        connection = self._connect()
        connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return connection

    def _notify(self, said: list[str | None]) -> None:
        with self._lock:
            if self._sending is None:
                self._sending = self._connect()
            try:
                self._send(self._sending, said)
            except psycopg.OperationalError:
                # The database may have been restarted.
                self._sending.close()
                self._sending = self._connect()
                self._send(self._sending, said)

    def _send(self, connection: Connection, said: list[str | None]) -> None:
        connection.execute("SELECT pg_notify(%s, %s)", (self._channel, json.dumps(said)))

    def _hear(self) -> None:
        while self._listening is not None:
            try:
                notifications = self._listening.notifies()
                while self._pass_on(json.loads(next(notifications).payload)):
                    pass
            except psycopg.OperationalError:
                _logger.warning("the connection to the database was lost; events may be missing")
                self._listening = self._listen_again()
                self._local.publish(None, ConversationEvent("reset"))
            else:
                return

    def _pass_on(self, said: list[Any]) -> bool:
        """Deliver a notification; return False for the goodbye of this process."""
        if said == [self._goodbye]:
            return False
        # The goodbye of another process has one item.
        if len(said) > 1:
            conversation_id, event_type, message_id = said
            self._local.publish(conversation_id, ConversationEvent(event_type, message_id))
        return True

    def _listen_again(self) -> Connection | None:
        while not self._closing.wait(self._retry):
            try:
                connection = self._listen()
            except psycopg.OperationalError:
                continue
            if not self._closing.is_set():
                return connection
            # The goodbye may have been sent before this connection listened.
            connection.close()
        return None
