"""Connections to a database, and the statements in which SQLite differs from others.

SQLAlchemy runs in ``AUTOCOMMIT`` mode: `Store` begins and ends the transactions
itself, with the statements of each database.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from siteassist_mock.http.secret_names import is_secret_name
from siteassist_mock.storage.events import EventBus, LocalEvents
from siteassist_mock.storage.worker import Worker

START_SECONDS = 10
"""The longest wait at the start for another process that uses the same database."""

# Longest wait for such a process in a request. It blocks all other requests.
_SQLITE_BUSY_MILLISECONDS = 100
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

    begin_start: str
    """The same with the time that a start may take."""

    def __init__(self, name: str, engine: Engine) -> None:
        """Use ``engine``, without opening a connection."""
        self.name = name
        self.owner = 1 + secrets.randbelow(_MAX_OWNER)
        self._engine = engine

    @property
    def has_separate_events(self) -> bool:
        """Whether another process uses the database, and its events stay there."""
        return False

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors of SQLAlchemy, of the driver and of the system."""
        return SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError

    def connect(self) -> Connection:
        """Return a new connection; errors of the driver are not caught."""
        return self._engine.connect()

    def worker(self) -> Worker | None:
        """Return the thread for the transactions, or None if they need none."""
        return None

    @abstractmethod
    def is_unavailable(self, error: BaseException) -> bool:
        """Return whether ``error`` means that the same transaction may succeed later."""

    def seconds(self, connection: Connection) -> float | None:
        """Return the seconds since 1970 by the clock that all processes share, if there is one."""
        return None

    def is_lost(self, connection: Connection) -> bool:
        """Return whether ``connection`` cannot be used again."""
        return False

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
    begin_write = begin_alone = begin_start = "BEGIN IMMEDIATE"

    def __init__(self, path: Path | None) -> None:
        url = URL.create("sqlite", database=":memory:" if path is None else str(path))
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args={"check_same_thread": False, "timeout": START_SECONDS},
            # A statement in the message of an error has no values, such as a key.
            hide_parameters=True,
        )
        super().__init__("in memory" if path is None else str(path), engine)
        self._path = path
        self._claim: sqlite3.Connection | None = None
        self._others = False

        @event.listens_for(engine, "connect")
        def _connect(connection: sqlite3.Connection, _record: object) -> None:
            # In WAL mode a commit then reaches the system without a wait for the
            # disk. Committed data survives the end of this process, `kill -9`
            # included. A power failure may lose the last transactions as a whole,
            # and never corrupts the file. FULL would add a wait for the disk to
            # each write, which a mock does not need.
            connection.execute("PRAGMA synchronous = NORMAL")

    @property
    def has_separate_events(self) -> bool:
        return self._others

    def connect(self) -> Connection:
        if self._path is not None and not self._path.exists():
            # The secret that signs tokens is in the file. SQLite gives its other files
            # the same mode.
            with suppress(OSError):
                os.close(os.open(self._path, os.O_CREAT, 0o600))
        return super().connect()

    def check(self, connection: Connection) -> None:
        # SQLite can store every text.
        pass

    def optimize(self, connection: Connection) -> None:
        # In WAL mode a writer does not block readers. SQLite stores the mode in the
        # file, so it must not be set before `prepare` has checked the file.
        # The timeout of SQLite does not apply to this lock, hence the loop.
        last = time.monotonic() + START_SECONDS
        while True:
            try:
                connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            except OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > last:
                    raise
                time.sleep(0.01)
            else:
                break
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {_SQLITE_BUSY_MILLISECONDS}")

    def is_unavailable(self, error: BaseException) -> bool:
        error = getattr(error, "orig", None) or error
        if not isinstance(error, sqlite3.OperationalError):
            return False
        # The low byte is the primary code: locked by another process, or a full or
        # failing disk.
        return error.sqlite_errorcode & 0xFF in _SQLITE_UNAVAILABLE

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
                self._others |= not self.is_gone(connection, int(owner))
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


_SQLITE_UNAVAILABLE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}
)


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


def is_url(database: Path | str) -> bool:
    """Return whether ``database`` is a URL, not a path."""
    return "://" in str(database) and isinstance(database, str)


def shown(database: URL | Path | str) -> str:
    """Return ``database`` for messages: a URL without its passwords."""
    if isinstance(database, str) and is_url(database):
        try:
            database = make_url(database)
        except (ArgumentError, ValueError):
            # The place of the password in it is unknown.
            return "a malformed URL"
    if isinstance(database, URL):
        query = {n: "masked" if is_secret_name(n) else v for n, v in database.query.items()}
        return database.set(query=query).render_as_string(hide_password=True)
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
    # Imported here because it needs the packages, which the others do without.
    from siteassist_mock.storage.postgres import Postgres

    return Postgres(url, shown(url))
