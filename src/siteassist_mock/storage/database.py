"""Connections to SQLite and PostgreSQL, and the statements in which they differ.

SQLAlchemy runs in ``AUTOCOMMIT`` mode: `Store` begins and ends the transactions
itself, with the statements of each database.
"""

from __future__ import annotations

import importlib.util
import secrets
import sqlite3
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from siteassist_mock.storage.events import EventBus, LocalEvents
from siteassist_mock.storage.postgres_events import PostgresEvents

# Longest wait for another process that writes to the same rows or file.
_BUSY_SECONDS = 10
# The first half of the keys of all advisory locks of this server: "SA".
_LOCKS = 0x5341
# The second half of the key that all writers share; those of owners begin at 1.
_WRITING = 0
_MAX_OWNER = 2**31 - 1


class StoreError(Exception):
    """An unusable database; the message has its name and the reason, in one line."""


class Database(ABC):
    """A database.

    ``name`` is for messages and has no password. ``owner`` is a random number
    that identifies this process in the rows that only it can complete; `is_gone`
    returns whether the process of a number has ended.
    """

    begin_read: str
    begin_write: str
    begin_alone: str
    """The statement that begins a transaction which excludes all other writers."""

    def __init__(self, name: str, engine: Engine) -> None:
        """Use ``engine``, without opening a connection."""
        self.name = name
        self.owner = 1 + secrets.randbelow(_MAX_OWNER)
        self._engine = engine

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors of SQLAlchemy, of the driver and of the system."""
        return SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError

    def connect(self) -> Connection:
        """Return a new connection; errors of the driver are not caught."""
        return self._engine.connect()

    def events(self, state: str) -> EventBus:
        """Return a bus for the events of the state named ``state``.

        With PostgreSQL it reaches all processes that share the state, otherwise
        only this process.
        """
        return LocalEvents()

    @abstractmethod
    def check(self, connection: Connection) -> None:
        """Raise `StoreError` if the database cannot store every text of the API."""

    @abstractmethod
    def optimize(self, connection: Connection) -> None:
        """Set the options that cannot be set within a transaction, after `prepare`."""

    @abstractmethod
    def claim(self, connection: Connection) -> None:
        """Take the lock of `owner`, which the process holds until it ends."""

    @abstractmethod
    def is_gone(self, connection: Connection, owner: int) -> bool:
        """Return whether the process of ``owner`` has ended: its lock is free."""

    def close(self) -> None:
        """Release the lock of `claim`."""
        self._engine.dispose()


class _Sqlite(Database):
    """An SQLite file, or a database in memory of one connection."""

    # SQLite fails at once if a transaction that has read must wait for another
    # writer. So a transaction that will write waits at its beginning.
    begin_read = "BEGIN"
    begin_write = begin_alone = "BEGIN IMMEDIATE"

    def __init__(self, path: Path | None) -> None:
        url = URL.create("sqlite", database=":memory:" if path is None else str(path))
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
        )
        super().__init__("in memory" if path is None else str(path), engine)
        self._path = path
        self._claim: sqlite3.Connection | None = None

        @event.listens_for(engine, "connect")
        def _connect(connection: sqlite3.Connection, _record: object) -> None:
            # In WAL mode a commit then reaches the system without a wait for the
            # disk. Committed data survives the end of this process, `kill -9`
            # included. A power failure may lose the last transactions as a whole,
            # and never corrupts the file. FULL would add a wait for the disk to
            # each write, which a mock does not need.
            connection.execute("PRAGMA synchronous = NORMAL")

    def check(self, connection: Connection) -> None:
        # SQLite can store every text.
        pass

    def optimize(self, connection: Connection) -> None:
        # In WAL mode a writer does not block readers. SQLite stores the mode in the
        # file, so it must not be set before `prepare` has checked the file.
        # The timeout of SQLite does not apply to this lock, hence the loop.
        last = time.monotonic() + _BUSY_SECONDS
        while True:
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > last:
                    raise
                time.sleep(0.01)
            else:
                return

    # Each process holds a lock on a file of its own beside the database, which the
    # system releases when the process ends. The file is an empty SQLite database,
    # because its lock works alike on every system. `Store` calls these methods
    # within a write transaction, so only one process does so at a time.

    def claim(self, connection: Connection) -> None:
        if self._path is None:
            return
        prefix = self._claim_path("").name
        for path in list(self._path.parent.iterdir()):
            owner = path.name.removeprefix(prefix)
            if path.name.startswith(prefix) and owner.isdecimal():
                # Removes the file of a process that was killed.
                self.is_gone(connection, int(owner))
        self._claim = _lock(self._claim_path(self.owner))

    def is_gone(self, connection: Connection, owner: int) -> bool:
        path = self._claim_path(owner)
        if path.exists():
            try:
                _lock(path).close()
            except sqlite3.OperationalError:
                return False
            path.unlink()
        return True

    def close(self) -> None:
        super().close()
        if self._claim is not None:
            self._claim.close()
            self._claim = None
            self._claim_path(self.owner).unlink(missing_ok=True)

    def _claim_path(self, owner: int | str) -> Path:
        path = self._path or Path("memory")
        return path.with_name(f"{path.name}-owner-{owner}")


def _lock(path: Path) -> sqlite3.Connection:
    """Lock ``path`` and return the connection that holds the lock.

    Raises `sqlite3.OperationalError` if another connection holds it.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # Nothing is ever written, so it needs no journal.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        raise
    return connection


class _Postgres(Database):
    """A PostgreSQL database, which processes on several machines can share."""

    # All queries of a read transaction see the same snapshot.
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    # Writers share an advisory lock, which `begin_alone` takes exclusively. Locks
    # on tables could deadlock: each operation takes them in a different order.
    begin_write = f"BEGIN; SELECT pg_advisory_xact_lock_shared({_LOCKS}, {_WRITING})"
    begin_alone = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCKS}, {_WRITING})"

    def __init__(self, url: URL) -> None:
        chosen = {"connect_timeout": str(_BUSY_SECONDS), "application_name": "siteassist-mock"}
        engine = create_engine(
            url.set(drivername="postgresql+psycopg", query={**chosen, **url.query}),
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
        )
        super().__init__(shown(url), engine)
        self._events: PostgresEvents | None = None

        @event.listens_for(engine, "connect")
        def _connect(connection: psycopg.Connection[Any], _record: object) -> None:
            # No process waits for ever for one that hangs within a transaction.
            # Bytes, because psycopg accepts only literal strings.
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(f"SET {name} = '{_BUSY_SECONDS}s'".encode())

    def check(self, connection: Connection) -> None:
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreError(
                f"cannot use the database {self.name}: its encoding is {encoding}, not UTF8"
            )

    def optimize(self, connection: Connection) -> None:
        # PostgreSQL needs no options.
        pass

    def events(self, state: str) -> EventBus:
        # The driver is an optional dependency.
        from siteassist_mock.storage.postgres_events import PostgresEvents

        def connect() -> psycopg.Connection[Any]:
            connection = self._engine.raw_connection()
            own: Any = connection.driver_connection
            # Otherwise the pool would close it when this function ends.
            connection.detach()
            return own  # type: ignore[no-any-return] # SQLAlchemy types it as Any

        self._events = PostgresEvents(connect, f"siteassist_mock_{state}")
        return self._events

    def close(self) -> None:
        if self._events is not None:
            self._events.close()
        super().close()

    # Each process holds an advisory lock, which PostgreSQL releases when the
    # connection ends.

    def claim(self, connection: Connection) -> None:
        connection.execute(_TRY_OWNER, {"owner": self.owner})

    def is_gone(self, connection: Connection, owner: int) -> bool:
        # If the lock is free, it is held until the end of the transaction.
        return bool(connection.scalar(_TRY_OWNER_BRIEFLY, {"owner": owner}))


_TRY_OWNER = text(f"SELECT pg_try_advisory_lock({_LOCKS}, :owner)")
_TRY_OWNER_BRIEFLY = text(f"SELECT pg_try_advisory_xact_lock({_LOCKS}, :owner)")


def is_url(database: Path | str) -> bool:
    """Return whether ``database`` is a URL, not a path."""
    return "://" in str(database) and isinstance(database, str)


def shown(database: URL | Path | str) -> str:
    """Return ``database`` for messages: a URL without its password."""
    if isinstance(database, str) and is_url(database):
        try:
            database = make_url(database)
        except (ArgumentError, ValueError):
            # The place of the password in it is unknown.
            return "a malformed URL"
    if isinstance(database, URL):
        return database.render_as_string(hide_password=True)
    return str(database)


def open_database(database: Path | str | None) -> Database:
    """Return the `Database` of ``database`` without opening a connection.

    ``database`` is the path of an SQLite file, a URL that begins with
    ``postgresql://`` or ``sqlite://``, or None for a database in memory. Raises
    `StoreError` for another URL, or if a package for it is missing.
    """
    if database is None:
        return _Sqlite(None)
    if not (isinstance(database, str) and is_url(database)):
        return _Sqlite(Path(database))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        raise StoreError("cannot use the database: its URL is malformed") from None
    kind = url.drivername.partition("+")[0]
    if kind == "sqlite":
        return _Sqlite(Path(url.database) if url.database else None)
    if kind not in {"postgresql", "postgres"}:
        raise StoreError(
            f"cannot use the database {shown(url)}: only sqlite:// and postgresql:// are known"
        )
    if importlib.util.find_spec("psycopg") is None:
        raise StoreError(
            f"cannot use the database {shown(url)}: it needs more packages:"
            " pip install 'siteassist[postgres]'"
        )
    return _Postgres(url)
