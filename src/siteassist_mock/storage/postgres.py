"""Connections to PostgreSQL, and its statements.

The module needs psycopg, which is an optional dependency.
"""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import URL, Connection, NullPool, create_engine, event, text

from siteassist_mock.storage.database import START_SECONDS, Database, StoreError
from siteassist_mock.storage.events import EventBus
from siteassist_mock.storage.interruption import Interruption
from siteassist_mock.storage.postgres_events import PostgresEvents
from siteassist_mock.storage.worker import Worker

# The limits of one statement, and of a new connection, for which the driver waits
# at least two seconds.
_LOCK_SECONDS = 2
_STATEMENT_SECONDS = 4
_CONNECT_SECONDS = 2
# The limit of a transaction, the wait for its turn included.
_TRANSACTION_SECONDS = 5
# The first half of the keys of all advisory locks of this server: "SA".
_LOCKS = 0x5341
# The second half of the key that all writers share; those of owners begin at 1.
_WRITING = 0


class Postgres(Database):
    """A PostgreSQL database, which processes on several machines can share."""

    # All queries of a read transaction see the same snapshot.
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    # Writers share an advisory lock, which `begin_alone` takes exclusively. Locks
    # on tables could deadlock: each operation takes them in a different order.
    begin_write = f"BEGIN; SELECT pg_advisory_xact_lock_shared({_LOCKS}, {_WRITING})"
    begin_alone = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCKS}, {_WRITING})"
    # Other servers may be starting, and the tables may be large.
    begin_start = begin_alone.replace(
        "BEGIN;",
        f"BEGIN; SET LOCAL lock_timeout = '{START_SECONDS}s'; SET LOCAL statement_timeout = 0;",
    )

    def __init__(self, url: URL, name: str) -> None:
        """Use the database at ``url``, which messages call ``name``."""
        chosen = {"connect_timeout": str(_CONNECT_SECONDS), "application_name": "siteassist-mock"}
        engine = create_engine(
            url.set(drivername="postgresql+psycopg", query={**chosen, **url.query}),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            hide_parameters=True,
        )
        super().__init__(name, engine)
        self._events: PostgresEvents | None = None
        self._interruptions: list[Interruption] = []

        @event.listens_for(engine, "connect")
        def _connect(connection: psycopg.Connection[Any], _record: object) -> None:
            # First, because the statements below may have to wait as well.
            self._forget_closed()
            self._interruptions.append(Interruption(connection))
            # No process waits for ever for one that hangs within a transaction.
            # Bytes, because psycopg accepts only literal strings.
            connection.execute(
                f"SET lock_timeout = '{_LOCK_SECONDS}s';"
                f" SET statement_timeout = '{_STATEMENT_SECONDS}s';"
                f" SET idle_in_transaction_session_timeout = '{START_SECONDS}s'".encode()
            )

    def worker(self) -> Worker:
        """Return a thread, which `interruption` makes stop waiting."""
        return Worker(self._interrupt, seconds=_TRANSACTION_SECONDS)

    def is_unavailable(self, error: BaseException) -> bool:
        """Return whether the server or the connection is the cause of ``error``."""
        error = getattr(error, "orig", None) or error
        return isinstance(
            error,
            psycopg.OperationalError
            | psycopg.InterfaceError
            | psycopg.errors.IdleInTransactionSessionTimeout
            # After a failover to a replica.
            | psycopg.errors.ReadOnlySqlTransaction,
        )

    def seconds(self, connection: Connection) -> float:
        """Return the time of the server."""
        return float(connection.scalars(_SECONDS).one())

    def is_lost(self, connection: Connection) -> bool:
        """Return whether the driver has closed ``connection``."""
        driver: Any = connection.connection.driver_connection
        return driver is None or bool(driver.closed)

    def _interrupt(self) -> None:
        for interruption in list(self._interruptions):
            interruption.interrupt()

    def _forget_closed(self) -> None:
        over = [interruption for interruption in self._interruptions if interruption.over]
        for interruption in over:
            self._interruptions.remove(interruption)
            interruption.close()

    def check(self, connection: Connection) -> None:
        """Raise `StoreError` unless the encoding is UTF-8."""
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreError(
                f"cannot use the database {self.name}: its encoding is {encoding}, not UTF8"
            )

    def optimize(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL needs no options."""

    def events(self, state: str) -> EventBus:
        """Return a bus over a channel of the database."""

        def connect() -> psycopg.Connection[Any]:
            connection = self._engine.raw_connection()
            own: Any = connection.driver_connection
            # Otherwise the pool would close it when this function ends.
            connection.detach()
            return own  # type: ignore[no-any-return] # SQLAlchemy types it as Any

        self._events = PostgresEvents(connect, f"siteassist_mock_{state}")
        return self._events

    def close(self) -> None:
        """Close all connections."""
        if self._events is not None:
            self._events.close()
        super().close()
        self._forget_closed()

    # Each process holds an advisory lock, which PostgreSQL releases when the
    # connection ends.

    def claim(self, connection: Connection) -> None:
        """Take the advisory lock of `owner`."""
        connection.execute(_TRY_OWNER, {"owner": self.owner})

    def is_gone(self, connection: Connection, owner: int) -> bool:
        """Return whether the advisory lock of ``owner`` is free."""
        # If the lock is free, it is held until the end of the transaction.
        return bool(connection.scalar(_TRY_OWNER_BRIEFLY, {"owner": owner}))


_SECONDS = text("SELECT extract(epoch FROM clock_timestamp())")
_TRY_OWNER = text(f"SELECT pg_try_advisory_lock({_LOCKS}, :owner)")
_TRY_OWNER_BRIEFLY = text(f"SELECT pg_try_advisory_xact_lock({_LOCKS}, :owner)")
