"""Where the state is kept: in memory, in an SQLite file or in PostgreSQL.

SQLAlchemy runs without transactions of its own here (``AUTOCOMMIT``): `Store`
begins and ends them itself, in the words that each database has for it.
"""

from __future__ import annotations

import importlib.util
import secrets
import sqlite3
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError

from siteassist_mock.storage.events import LocalEvents

if TYPE_CHECKING:
    import psycopg
    from sqlalchemy import Connection, Engine

    from siteassist_mock.storage.events import EventBus
    from siteassist_mock.storage.postgres_events import PostgresEvents

__all__ = ["Database", "StoreError", "is_url", "open_database", "shown"]

# How long to wait for another process that writes to the same rows or file.
_BUSY_SECONDS = 10
# The first half of the keys of all advisory locks of this server: "SA".
_LOCKS = 0x5341
# The second half of the one that all writers share; owners have theirs from 1 on.
_WRITING = 0
_MAX_OWNER = 2**31 - 1


class StoreError(Exception):
    """The database cannot be used; the message says which and why, in one line."""


class Database(ABC):
    """One database, and the words in which it differs from the others.

    ``name`` is for people and shows no password. ``owner`` is a number that this
    process writes beside what only it can finish; `is_gone` tells whether the
    process behind a number has ended, however it ended.
    """

    begin_read: str
    begin_write: str
    begin_alone: str
    """Begins a write during which nobody else writes, wherever to."""

    def __init__(self, name: str, engine: Engine) -> None:
        """Use ``engine``; nothing is opened yet."""
        self.name = name
        self.owner = 1 + secrets.randbelow(_MAX_OWNER)
        self._engine = engine

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What goes wrong with a database: SQLAlchemy's errors, the driver's, the system's."""
        return SQLAlchemyError, self._engine.dialect.loaded_dbapi.Error, OSError

    def connect(self) -> Connection:
        """Return a new connection; the driver's errors come through."""
        return self._engine.connect()

    def events(self, state: str) -> EventBus:  # noqa: ARG002 - others reach further
        """Return a bus that reaches all who share the ``state`` of that name, if it can.

        Processes that share an SQLite file do not hear of each other's events.
        """
        return LocalEvents()

    @abstractmethod
    def check(self, connection: Connection) -> None:
        """Raise `StoreError` if the database cannot hold the API's texts."""

    @abstractmethod
    def optimize(self, connection: Connection) -> None:
        """Set what cannot be set within a transaction, once the tables are ours."""

    @abstractmethod
    def claim(self, connection: Connection) -> None:
        """Show that the process behind `owner` lives, for as long as it does."""

    @abstractmethod
    def is_gone(self, connection: Connection, owner: int) -> bool:
        """Return whether the process behind ``owner`` has ended."""

    def close(self) -> None:
        """Give up what `claim` took."""
        self._engine.dispose()


class _Sqlite(Database):
    """A file, or a database in memory that one connection makes up."""

    # A transaction that begins by reading and then writes cannot wait for
    # another writer: SQLite has it fail at once. So writers queue up front.
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
            # In WAL mode a commit then reaches the system, but waits for no
            # disk. So what was acknowledged survives the end of this process,
            # `kill -9` included; a power cut may take the last transactions,
            # whole ones, and never breaks the file. FULL would cost each
            # write a wait for the disk, which a stand-in is not worth.
            connection.execute("PRAGMA synchronous = NORMAL")

    def check(self, connection: Connection) -> None:
        # A file can hold everything.
        pass

    def optimize(self, connection: Connection) -> None:
        # Readers go on while another process writes. SQLite notes this mode in
        # the file, so it waits until we know that the file is ours.
        # SQLite does not wait for this lock itself, whatever its timeout is.
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

    # A process that lives holds a lock on a file of its own beside the
    # database, which the system takes away when the process ends. An empty
    # SQLite database is a lock that works alike on every system. `Store` calls
    # these within a write, so no two processes are at it at once.

    def claim(self, connection: Connection) -> None:
        if self._path is None:
            return
        prefix = self._claim_path("").name
        for path in list(self._path.parent.iterdir()):
            owner = path.name.removeprefix(prefix)
            if path.name.startswith(prefix) and owner.isdecimal():
                # Clears away what a process that was killed has left.
                self.is_gone(connection, int(owner))
        self._claim = _lock(self._claim_path(self.owner))

    def is_gone(self, connection: Connection, owner: int) -> bool:  # noqa: ARG002 - files tell it
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
    """Return the connection that holds the lock on ``path``.

    Raises `sqlite3.OperationalError` if another one holds it.
    """
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        # Nothing is ever written, so no journal need lie beside it.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        connection.close()
        raise
    return connection


class _Postgres(Database):
    """A PostgreSQL database, which any number of processes on any machines share."""

    # All queries of one read see the same moment.
    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    # Writers share a lock that only somebody who must be alone keeps from them.
    # Locks on tables would not do: each operation takes them in an order of its own.
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
            # Nobody waits for ever for a process that hangs within a transaction.
            # As bytes: psycopg's types take a text only if it is a literal.
            for name in ("lock_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(f"SET {name} = '{_BUSY_SECONDS}s'".encode())

    def check(self, connection: Connection) -> None:
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreError(
                f"cannot use the database {self.name}: its encoding is {encoding}, not UTF8"
            )

    def optimize(self, connection: Connection) -> None:
        # All of it is PostgreSQL's own business.
        pass

    def events(self, state: str) -> EventBus:
        # It needs the driver, which not everybody has.
        from siteassist_mock.storage.postgres_events import PostgresEvents  # noqa: PLC0415 - see above

        def connect() -> psycopg.Connection[Any]:
            connection = self._engine.raw_connection()
            own: Any = connection.driver_connection
            # The pool must not close it when this function ends.
            connection.detach()
            return own  # type: ignore[no-any-return] # SQLAlchemy knows no more of it

        self._events = PostgresEvents(connect, f"siteassist_mock_{state}")
        return self._events

    def close(self) -> None:
        if self._events is not None:
            self._events.close()
        super().close()

    # A process that lives holds a lock in its session, which PostgreSQL takes
    # away when the connection ends.

    def claim(self, connection: Connection) -> None:
        connection.execute(_TRY_OWNER, {"owner": self.owner})

    def is_gone(self, connection: Connection, owner: int) -> bool:
        # Ends with the transaction, should nobody else hold it.
        return bool(connection.scalar(_TRY_OWNER_BRIEFLY, {"owner": owner}))


_TRY_OWNER = text(f"SELECT pg_try_advisory_lock({_LOCKS}, :owner)")
_TRY_OWNER_BRIEFLY = text(f"SELECT pg_try_advisory_xact_lock({_LOCKS}, :owner)")


def is_url(database: Path | str) -> bool:
    """Return whether ``database`` is a URL, not a path."""
    return "://" in str(database) and isinstance(database, str)


def shown(database: URL | Path | str) -> str:
    """Return ``database`` as people may see it: a URL without its password."""
    if isinstance(database, str) and is_url(database):
        try:
            database = make_url(database)
        except (ArgumentError, ValueError):
            # Where the password stands in it, nobody can say.
            return "a malformed URL"
    if isinstance(database, URL):
        return database.render_as_string(hide_password=True)
    return str(database)


def open_database(database: Path | str | None) -> Database:
    """Return what keeps the state in ``database``; nothing is opened yet.

    ``database`` is the path of an SQLite file, a URL that begins with
    ``postgresql://`` or ``sqlite://``, or None for one in memory. Raises
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
