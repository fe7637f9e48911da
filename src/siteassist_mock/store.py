"""Everything that a server remembers, in a database.

`Store` opens the database and hands out transactions; `Records` holds the
queries that can be made in one. A lock lets one transaction run at a time:
an in-memory database is one connection that threads cannot share otherwise, and
a database file takes one writer at a time anyway.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import uuid
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    Select,
    StaticPool,
    bindparam,
    create_engine,
    event,
    func,
    insert,
    inspect,
    select,
    update,
)
from sqlalchemy.exc import SQLAlchemyError

from siteassist_mock.clock import Clock
from siteassist_mock.tables import (
    Conversation,
    Message,
    Visitor,
    conversations,
    messages,
    metadata,
    sessions,
    settings,
    visitors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sqlalchemy import Table

__all__ = ["ORDERS", "Records", "Store", "StoreError"]

_VERSION = "1"
# How long to wait for another process that writes to the same file.
_BUSY_MILLISECONDS = 10_000
# The largest offset that SQLite and PostgreSQL take; no table has as many rows.
_MAX_OFFSET = 2**63 - 1

ORDERS: dict[str, Column[Any]] = {
    "id": conversations.c.id,
    "createdAt": conversations.c.created_at,
    "updatedAt": conversations.c.updated_at,
    "lastInteractionAt": conversations.c.last_interaction_at,
    "status": conversations.c.status,
    "closedAt": conversations.c.closed_at,
    "isHumanHandled": conversations.c.is_human_handled,
    "title": conversations.c.title,
}
"""The column behind each value of ``ConversationOrderBy``."""


class StoreError(Exception):
    """The database cannot be used; the message says which and why, in one line."""


def _columns(table: Table, row: type) -> list[Column[Any]]:
    return [table.c[field.name] for field in fields(row)]


_VISITOR = select(*_columns(visitors, Visitor))
_CONVERSATION = select(*_columns(conversations, Conversation))
_MESSAGE = select(*_columns(messages, Message))
# Nearly every request begins with this one, so it is put together only once.
_SESSION = (
    select(*_columns(visitors, Visitor), sessions.c.last_used)
    .join(sessions, sessions.c.visitor_id == visitors.c.id)
    .where(sessions.c.id == bindparam("session_id"))
)


class Store:
    """The database of one server."""

    def __init__(self, now: Callable[[], float], database: Path | None = None) -> None:
        """Open the SQLite file ``database``, or a database in memory.

        A new file gets its tables and a secret of its own; ``now`` returns the
        seconds since 1970. Raises `StoreError` if the file cannot be written or
        is not a database of this server.
        """
        self._lock = threading.Lock()
        self._engine = _engine(database)
        try:
            with self._engine.execution_options(write=True).begin() as connection:
                self.secret = _prepare(connection, database)
                latest = connection.scalar(select(func.max(conversations.c.updated_at)))
            _write_ahead(self._engine)
        # The driver's own errors come from opening a connection.
        except (SQLAlchemyError, sqlite3.Error) as error:
            self._engine.dispose()
            reason = getattr(error, "orig", None) or error
            raise StoreError(f"cannot use the database {database}: {reason}") from None
        except StoreError:
            self._engine.dispose()
            raise
        self.clock = Clock(now, floor=latest)
        self._writing = self._engine.execution_options(write=True)

    @contextmanager
    def read(self) -> Iterator[Records]:
        """Begin a transaction that changes nothing."""
        with self._lock, self._engine.begin() as connection:
            yield Records(connection, self.clock)

    @contextmanager
    def write(self) -> Iterator[Records]:
        """Begin a transaction that is undone as a whole if the block raises."""
        with self._lock, self._writing.begin() as connection:
            yield Records(connection, self.clock)

    def assign_human(
        self, conversation_id: str, name: str | None = None, image: str | None = None
    ) -> None:
        """Let a human agent handle a conversation from now on.

        The API has no operation for this; it happens in the service's console.
        Raises `LookupError` if there is no such conversation.
        """
        with self.write() as records:
            records.assign_human(conversation_id, {"name": name, "image": image})

    def close(self) -> None:
        """Close the database; one in memory is gone then."""
        self._engine.dispose()


class Records:
    """The queries that can be made within one transaction."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        """Query through ``connection``; new rows get their times from ``clock``."""
        self._connection = connection
        self._clock = clock

    def find_or_add_visitor(self, project_id: str, device: str) -> tuple[Visitor, bool]:
        """Return the visitor of a device, and whether it was added just now."""
        query = _VISITOR.where(visitors.c.project_id == project_id, visitors.c.device == device)
        row = self._connection.execute(query).mappings().first()
        if row is not None:
            return Visitor(**row), False
        visitor = Visitor(_new_id(), "anonymous", None, None, None)
        self._connection.execute(
            insert(visitors).values(
                id=visitor.id, project_id=project_id, device=device, type=visitor.type
            )
        )
        return visitor, True

    def add_session(self, visitor_id: str, *, keep: float) -> str:
        """Begin a session and return its id.

        Sessions of the same visitor that were not used for ``keep`` seconds are
        removed: nothing else would ever clear them away.
        """
        session_id, now = _new_id(), self._clock.seconds()
        self._connection.execute(
            sessions.delete().where(
                sessions.c.visitor_id == visitor_id, sessions.c.last_used < now - keep
            )
        )
        self._connection.execute(
            insert(sessions).values(id=session_id, visitor_id=visitor_id, last_used=now)
        )
        return session_id

    def session(self, session_id: str) -> tuple[Visitor, float] | None:
        """Return a session's visitor and when it was last used, or None."""
        row = self._connection.execute(_SESSION, {"session_id": session_id}).mappings().first()
        if row is None:
            return None
        values = dict(row)
        last_used = values.pop("last_used")
        return Visitor(**values), last_used

    def touch_session(self, session_id: str) -> None:
        """Note that a session is used now."""
        self._connection.execute(
            update(sessions)
            .where(sessions.c.id == session_id)
            .values(last_used=self._clock.seconds())
        )

    def add_conversation(self, visitor_id: str) -> Conversation:
        """Open a conversation."""
        now = self._clock.timestamp()
        conversation = Conversation(
            id=_new_id(),
            visitor_id=visitor_id,
            created_at=now,
            updated_at=now,
            status="open",
            closed_at=None,
            close_reason=None,
            last_interaction_at=now,
            is_human_handled=False,
            human_agent=None,
            title=None,
        )
        self._connection.execute(insert(conversations).values(_values(conversation)))
        return conversation

    def conversation(self, conversation_id: str, visitor_id: str) -> Conversation | None:
        """Return a visitor's own conversation; None for anybody else's."""
        query = _CONVERSATION.where(
            conversations.c.id == conversation_id, conversations.c.visitor_id == visitor_id
        )
        row = self._connection.execute(query).mappings().first()
        return None if row is None else Conversation(**row)

    def conversations(  # noqa: PLR0913 - one argument per documented query parameter
        self,
        visitor_id: str,
        *,
        status: str | None,
        order_by: str,
        descending: bool,
        limit: int,
        offset: int,
    ) -> tuple[int, list[Conversation]]:
        """Return how many of a visitor's conversations match, and one page of them.

        ``order_by`` is a key of `ORDERS`. An absent value sorts as the smallest,
        and equal ones sort by their creation, in the same direction, so that one
        direction is the exact reverse of the other.
        """
        matching = [conversations.c.visitor_id == visitor_id]
        if status is not None:
            matching.append(conversations.c.status == status)
        column, seq = ORDERS[order_by], conversations.c.seq
        order = (
            (column.desc().nulls_last(), seq.desc())
            if descending
            else (column.asc().nulls_first(), seq.asc())
        )
        total = self._connection.scalar(
            select(func.count()).select_from(conversations).where(*matching)
        )
        query = _CONVERSATION.where(*matching).order_by(*order)
        rows = self._connection.execute(_page(query, limit, offset)).mappings()
        return total or 0, [Conversation(**row) for row in rows]

    def touch_conversation(self, conversation_id: str, title: str | None = None) -> None:
        """Note that somebody said something; ``title`` only fills an empty one."""
        now = self._clock.timestamp()
        self._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id)
            .values(
                updated_at=now,
                last_interaction_at=now,
                title=func.coalesce(conversations.c.title, title),
            )
        )

    def close_conversation(self, conversation_id: str, reason: str | None) -> None:
        """Close a conversation, unless it is closed: then nothing changes."""
        now = self._clock.timestamp()
        self._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id, conversations.c.status == "open")
            .values(status="closed", closed_at=now, close_reason=reason, updated_at=now)
        )

    def assign_human(self, conversation_id: str, human_agent: dict[str, Any]) -> None:
        """Let ``human_agent`` handle a conversation; raises `LookupError` if it is unknown."""
        changed = self._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id)
            .values(
                is_human_handled=True, human_agent=human_agent, updated_at=self._clock.timestamp()
            )
        )
        if not changed.rowcount:
            raise LookupError(f"there is no conversation {conversation_id}")

    def add_message(  # noqa: PLR0913 - one argument per column that a caller decides
        self,
        conversation_id: str,
        role: str,
        text: str,
        *,
        status: str = "complete",
        page_url: str | None = None,
        page_title: str | None = None,
        text_selection: str | None = None,
    ) -> Message:
        """Append a message to a conversation."""
        message = Message(
            id=_new_id(),
            conversation_id=conversation_id,
            created_at=self._clock.timestamp(),
            role=role,
            text=text,
            status=status,
            error=None,
            feedback=None,
            feedback_at=None,
            page_url=page_url,
            page_title=page_title,
            text_selection=text_selection,
        )
        self._connection.execute(insert(messages).values(_values(message)))
        return message

    def end_message(self, message_id: str, text: str, *, error: str | None) -> None:
        """Store the ``text`` of a streamed message, and what broke it off, if anything did."""
        self._connection.execute(
            update(messages)
            .where(messages.c.id == message_id)
            .values(text=text, status="error" if error else "complete", error=error)
        )

    def messages(
        self,
        conversation_id: str,
        *,
        role: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Message]:
        """Return the messages of a conversation that match, oldest first."""
        query = _MESSAGE.where(messages.c.conversation_id == conversation_id)
        if role is not None:
            query = query.where(messages.c.role == role)
        if status is not None:
            query = query.where(messages.c.status == status)
        query = _page(query.order_by(messages.c.seq), limit, offset)
        return [Message(**row) for row in self._connection.execute(query).mappings()]

    def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, Message]:
        """Return the latest message of each conversation that has one, by its id."""
        latest = (
            select(func.max(messages.c.seq))
            .where(messages.c.conversation_id.in_(conversation_ids))
            .group_by(messages.c.conversation_id)
        )
        rows = self._connection.execute(_MESSAGE.where(messages.c.seq.in_(latest))).mappings()
        return {row["conversation_id"]: Message(**row) for row in rows}

    def set_feedback(self, message_id: str, visitor_id: str, feedback: str | None) -> bool:
        """Store feedback and its time, or remove both with None.

        Returns False if the message is in none of the visitor's conversations.
        """
        own = select(conversations.c.id).where(conversations.c.visitor_id == visitor_id)
        changed = self._connection.execute(
            update(messages)
            .where(messages.c.id == message_id, messages.c.conversation_id.in_(own))
            .values(
                feedback=feedback,
                feedback_at=None if feedback is None else self._clock.timestamp(),
            )
        )
        return bool(changed.rowcount)


def _new_id() -> str:
    return str(uuid.uuid4())


def _values(row: Conversation | Message) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in fields(row)}


def _page(query: Select[Any], limit: int | None, offset: int) -> Select[Any]:
    return query.limit(limit).offset(min(offset, _MAX_OFFSET))


def _engine(database: Path | None) -> Engine:
    url = URL.create("sqlite", database=":memory:" if database is None else str(database))
    engine = (
        create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        if database is None
        else create_engine(url)
    )

    # Python's driver begins transactions late and never an immediate one, so
    # that is switched off here and done below; SQLAlchemy's page on SQLite,
    # "Enabling Non-Legacy SQLite Transactional Modes".
    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that begins by reading and then writes cannot wait for
        # another writer: SQLite has it fail at once. So writers queue up front.
        write = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _write_ahead(engine: Engine) -> None:
    """Let readers go on while another process writes.

    SQLite notes this mode in the file, so it comes after the check that the
    file is ours, and it cannot be changed within a transaction.
    """
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _prepare(connection: Connection, database: Path | None) -> bytes:
    """Create what is missing and return the secret for signing tokens."""
    present = set(inspect(connection).get_table_names())
    if not present:
        metadata.create_all(connection)
        connection.execute(
            insert(settings),
            [
                {"name": "version", "value": _VERSION},
                {"name": "secret", "value": secrets.token_hex(32)},
            ],
        )
    elif settings.name not in present:
        raise StoreError(f"cannot use the database {database}: it belongs to something else")
    rows = connection.execute(select(settings.c.name, settings.c.value))
    known = {name: value for name, value in rows}  # noqa: C416 - dict() wants rows typed as tuples
    if known.get("version") != _VERSION:
        raise StoreError(f"cannot use the database {database}: it is of another version")
    return bytes.fromhex(known["secret"])
