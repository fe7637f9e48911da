"""The store: the database of a server, its transactions and their queries.

`Store` opens the database and begins transactions; `Records` has the queries of a
transaction. There is one connection, and a lock allows one transaction at a time:
handlers run one after another anyway. Other processes may use the same database
at the same time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    Select,
    Table,
    bindparam,
    func,
    insert,
    literal,
    literal_column,
    select,
    text,
    update,
)

from siteassist_mock.clock import Clock, SteadyClock
from siteassist_mock.storage.database import Database, StoreError, open_database
from siteassist_mock.storage.prepared import PreparedStatements
from siteassist_mock.storage.schema import prepare
from siteassist_mock.storage.tables import (
    ConversationRow,
    MessageRow,
    VisitorRow,
    allowances,
    conversations,
    messages,
    sessions,
    visitors,
)
from siteassist_mock.storage.worker import StoreUnavailable

_P = ParamSpec("_P")
_T = TypeVar("_T")

ABANDONED = "The server stopped before the end of the answer"
"""The error of a message whose process ended while it streamed it."""

# Seconds without a failure after which an unavailable database is logged again.
_LOG_SECONDS = 10.0

# The largest offset that SQLite and PostgreSQL take; no table has as many rows.
_MAX_OFFSET = 2**63 - 1

MANY = 1000
"""The number of a visitor's conversations from which lists use an index for their order."""

# Seconds after which the steady clock is compared with that of the database again.
_CLOCK_SECONDS = 60.0

_logger = logging.getLogger("siteassist_mock")

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


def _columns(table: Table, row: type) -> list[Column[Any]]:
    return [table.c[field.name] for field in fields(row)]


_VISITORS = select(*_columns(visitors, VisitorRow))
_CONVERSATIONS = select(*_columns(conversations, ConversationRow))
_MESSAGES = select(*_columns(messages, MessageRow))

# The statements of nearly every request, which are prepared.
_SESSION = (
    select(sessions.c.last_used, *_VISITORS.selected_columns)
    .join(visitors, sessions.c.visitor_id == visitors.c.id)
    .where(sessions.c.id == bindparam("session_id"))
)
_HAS_VISITOR = select(visitors.c.id).where(visitors.c.id == bindparam("visitor_id"))
_OWN_CONVERSATION = _CONVERSATIONS.where(
    conversations.c.id == bindparam("conversation_id"),
    conversations.c.visitor_id == bindparam("visitor_id"),
)
_ANY_CONVERSATION = _CONVERSATIONS.where(conversations.c.id == bindparam("conversation_id"))
# Writers to one conversation wait here for each other. SQLite has no such clause: there
# all writers wait for each other.
_LOCKING = {
    query: query.with_for_update(key_share=True) for query in (_OWN_CONVERSATION, _ANY_CONVERSATION)
}
_ALL_MESSAGES = _MESSAGES.where(
    messages.c.conversation_id == bindparam("conversation_id")
).order_by(messages.c.seq)
_LATEST_TEXTS = (
    select(messages.c.text)
    .where(messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(messages.c.seq.desc())
    .limit(bindparam("count", type_=Integer))
    # For SQLite, where SQLAlchemy would add an offset with a parameter without a name.
    .offset(literal_column("0"))
)
_COUNTS = select(visitors.c.conversation_count, visitors.c.closed_count).where(
    visitors.c.id == bindparam("visitor_id")
)
_COUNT_CONVERSATION = (
    update(visitors)
    .where(visitors.c.id == bindparam("visitor_id"))
    .values(conversation_count=visitors.c.conversation_count + literal_column("1"))
)
_LATEST_MESSAGES = (
    _MESSAGES.where(messages.c.conversation_id == bindparam("conversation_id"))
    .order_by(messages.c.seq.desc())
    .limit(bindparam("count", type_=Integer))
    .offset(bindparam("skipped", type_=Integer))
)
# Inline, as the generated `seq` is not needed.
_ADD_CONVERSATION = insert(conversations).inline()
_ADD_MESSAGE = insert(messages).inline()
_TOUCH_CONVERSATION = (
    update(conversations)
    .where(conversations.c.id == bindparam("conversation_id"))
    .values(
        updated_at=bindparam("now"),
        last_interaction_at=bindparam("now"),
        title=func.coalesce(
            conversations.c.title, bindparam("new_title", type_=conversations.c.title.type)
        ),
    )
)

# The same in SQLite and in PostgreSQL. Adds nothing if another process has added
# the same device at the same time.
_ADD_VISITOR = text(
    "INSERT INTO visitors (id, project_id, device, type)"
    " VALUES (:id, :project_id, :device, :type) ON CONFLICT (project_id, device) DO NOTHING"
).bindparams(bindparam("device", type_=visitors.c.device.type))

# Does not change an existing row, but locks it.
_HOLD_ALLOWANCE = text(
    "INSERT INTO allowances (id, whole_again, until) VALUES (:id, '[]', 0)"
    " ON CONFLICT (id) DO UPDATE SET until = allowances.until"
)

# As a literal, or SQLite does not use the partial index.
_STREAMING = messages.c.status == literal("streaming", literal_execute=True)


class Store:
    """The database of one server; ``events`` is the bus of its events."""

    def __init__(self, now: Callable[[], float], database: Path | str | None = None) -> None:
        """Open ``database``: an SQLite file, a URL, or None for one in memory.

        ``now`` returns the seconds since 1970. An empty database gets the tables
        and a new secret. Messages that a process was streaming when it ended get
        the status ``error``. Raises `StoreError` if the database cannot be
        written, has another version or belongs to another program.
        """
        self._lock = threading.Lock()
        self._database = open_database(database)
        errors: tuple[type[Exception], ...] = (StoreError, *self._database.errors)
        try:
            connection = self._database.connect()
            with _closing_on_error(connection):
                # On the cursor of the driver, which runs several statements at once.
                connection.connection.cursor().execute(self._database.begin_start)
                self.secret = prepare(self._database, connection)
                self._database.claim(connection)
                _settle_abandoned(self._database, connection)
                latest = connection.scalar(select(func.max(conversations.c.updated_at)))
                connection.exec_driver_sql("COMMIT")
                self._database.optimize(connection)
        except errors as error:
            self._database.close()
            if isinstance(error, StoreError):
                raise
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            raise StoreError(f"cannot use the database {self._database.name}: {reason}") from None
        self.clock = Clock(now, floor=latest)
        self.steady = SteadyClock(now)
        # All processes that share the state have the secret, and so this name.
        self.events = self._database.events(hashlib.sha256(self.secret).hexdigest()[:16])
        self._worker = self._database.worker()
        self._indexed: set[tuple[str, bool]] = set()
        self._deferred: list[Callable[[Records], None]] = []
        self._logged = -_LOG_SECONDS
        self._connection: Connection | None = None
        self._use(connection)

    @property
    def has_separate_events(self) -> bool:
        """Whether another process uses the database, and its events stay there."""
        return self._database.has_separate_events

    async def perform(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of ``function``, which uses this store, to the event loop.

        An SQLite statement takes less time than a switch to a thread and back, so it
        runs on the loop. PostgreSQL has a thread of its own, since it may keep the
        function waiting. Raises `StoreUnavailable` like a transaction.
        """
        if self._worker is None:
            return function(*args, **kwargs)
        return await self._worker.run(function, *args, **kwargs)

    def read(self) -> AbstractContextManager[Records]:
        """Begin a transaction that only reads."""
        return self._transaction(self._database.begin_read, changing=False)

    def write(self) -> AbstractContextManager[Records]:
        """Begin a transaction that is rolled back if the block raises.

        This one and all others raise `StoreUnavailable` if the database cannot be
        used at present. The next transaction connects again.
        """
        return self._transaction(self._database.begin_write, changing=True)

    def listen(self) -> None:
        """Prepare ``events`` for listeners; raises `StoreUnavailable` like a transaction."""
        try:
            self.events.listen()
        except self._database.errors as error:
            if self._database.is_unavailable(error):
                raise self._unavailable(error) from None
            raise

    def index_order(self, order_by: str, *, by_status: bool) -> None:
        """Create the index for one order of conversations, or of those with one status.

        Most servers never need it, and it would only slow down their writes.
        """
        if (order_by, by_status) not in self._indexed:
            with self._transaction(self._database.begin_alone, changing=True) as records:
                records.index_order(order_by, by_status=by_status)
            self._indexed.add((order_by, by_status))

    def write_later(self, change: Callable[[Records], None]) -> None:
        """Call ``change`` in a transaction of its own before the next transaction.

        For a change that must not be lost while the database is unavailable.
        """
        self._deferred.append(change)

    def clear(self) -> None:
        """Remove all data of clients, including those of other processes.

        The secret and the visitors of the private keys stay.
        """
        with self._transaction(self._database.begin_alone, changing=True) as records:
            records.clear()

    def assign_human(
        self, conversation_id: str, name: str | None = None, image: str | None = None
    ) -> None:
        """Assign a human agent to a conversation.

        The API has no operation for this: the real service does it in its console.
        Raises `LookupError` if the conversation does not exist.
        """
        with self.write() as records:
            records.assign_human(conversation_id, {"name": name, "image": image})

    def close(self) -> None:
        """Close the database; one in memory is lost."""
        if self._worker is not None:
            self._worker.close()
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._database.close()

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._cursor = connection.connection.cursor()
        owner = self._database.owner
        prepared = PreparedStatements(connection)
        clocks = self.clock, self.steady
        self._reading = Records(connection, prepared, *clocks, owner, changing=False)
        self._writing = Records(connection, prepared, *clocks, owner, changing=True)
        self._set_clock()

    @contextmanager
    def _transaction(self, begin: str, *, changing: bool) -> Iterator[Records]:
        with self._lock:
            if self._deferred:
                self._write_deferred()
            with self._locked_transaction(begin, changing=changing) as records:
                yield records

    @contextmanager
    def _locked_transaction(self, begin: str, *, changing: bool) -> Iterator[Records]:
        try:
            self._begin(begin)
            records = self._writing if changing else self._reading
            records.begin()
            yield records
            self._cursor.execute("COMMIT")
        except BaseException as error:
            self._roll_back()
            if self._database.is_unavailable(error):
                raise self._unavailable(error) from None
            raise

    def _begin(self, statement: str) -> None:
        connection = self._connection
        if connection is not None:
            try:
                if self._worker is not None and time.monotonic() > self._clock_set + _CLOCK_SECONDS:
                    self._set_clock()
                self._cursor.execute(statement)
            except self._database.errors:
                # Connect again: the database may have been restarted.
                if not self._database.is_lost(connection):
                    raise
                self._disconnect(connection)
            else:
                return
        connection = self._database.connect()
        with _closing_on_error(connection):
            self._database.claim(connection)
            self._use(connection)
        self._cursor.execute(statement)

    def _set_clock(self) -> None:
        """Set the steady clock by that of the database, outside of transactions."""
        self._clock_set = time.monotonic()
        if self.steady.counts and self._connection is not None:
            seconds = self._database.seconds(self._connection)
            if seconds is not None:
                self.steady.set(seconds)

    def _roll_back(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            self._cursor.execute("ROLLBACK")
        except self._database.errors:
            # The end of a connection ends its transaction, too.
            if self._database.is_lost(connection):
                self._disconnect(connection)

    def _disconnect(self, connection: Connection) -> None:
        self._connection = None
        with suppress(*self._database.errors):
            connection.invalidate()
            connection.close()

    def _write_deferred(self) -> None:
        while self._deferred:
            with self._locked_transaction(self._database.begin_write, changing=True) as records:
                self._deferred[0](records)
            self._deferred.pop(0)

    def _unavailable(self, error: BaseException) -> StoreUnavailable:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        now = time.monotonic()
        # One line for an outage, which may fail thousands of requests.
        if now - self._logged >= _LOG_SECONDS:
            _logger.warning("the database %s is unavailable: %s", self._database.name, reason)
        self._logged = now
        return StoreUnavailable(reason)


@contextmanager
def _closing_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _settle_abandoned(database: Database, connection: Connection) -> None:
    owners = select(messages.c.owner).where(_STREAMING).distinct()
    for owner in connection.scalars(owners).all():
        if database.is_gone(connection, owner):
            connection.execute(
                update(messages)
                .where(_STREAMING, messages.c.owner == owner)
                .values(status="error", error=ABANDONED, owner=None)
            )


class Records:
    """The queries within one transaction."""

    def __init__(
        self,
        connection: Connection,
        prepared: PreparedStatements,
        clock: Clock,
        steady: SteadyClock,
        owner: int,
        *,
        changing: bool,
    ) -> None:
        """Query through ``connection``, and run its ``prepared`` statements.

        New rows get their times from ``clock``, and sessions from ``steady``; streamed
        messages belong to ``owner``. If ``changing``, conversations that are read are locked until
        the end of the transaction.
        """
        self._connection = connection
        self._prepared = prepared
        self._clock = clock
        self._steady = steady
        self._owner = owner
        self._changing = changing
        self._floor = ""

    def begin(self) -> None:
        """Forget the conversations of an earlier transaction."""
        self._floor = ""

    def find_or_add_visitor(self, project_id: str, device: str) -> tuple[VisitorRow, bool]:
        """Return the visitor of a device, and whether this call added it."""
        query = _VISITORS.where(visitors.c.project_id == project_id, visitors.c.device == device)
        row = self._connection.execute(query).first()
        added = False
        if row is None:
            values = {
                "id": _new_id(),
                "project_id": project_id,
                "device": device,
                "type": "anonymous",
            }
            added = bool(self._connection.execute(_ADD_VISITOR, values).rowcount)
            row = self._connection.execute(query).one()
        return VisitorRow(*row), added

    def has_visitor(self, visitor_id: str) -> bool:
        """Return whether a visitor exists; it then exists until the transaction ends."""
        return bool(self._prepared.execute(_HAS_VISITOR, {"visitor_id": visitor_id}))

    def add_session(self, visitor_id: str, *, keep: float) -> str:
        """Add a session and return its id.

        Sessions of the same visitor that were not used for ``keep`` seconds are
        removed, so that the table does not grow.
        """
        session_id, now = _new_id(), self._steady.seconds()
        self._connection.execute(
            sessions.delete().where(
                sessions.c.visitor_id == visitor_id, sessions.c.last_used < now - keep
            )
        )
        self._connection.execute(
            insert(sessions).values(id=session_id, visitor_id=visitor_id, last_used=now)
        )
        return session_id

    def session(self, session_id: str) -> tuple[VisitorRow, float] | None:
        """Return the visitor of a session and the time of its last use, or None."""
        row = self._prepared.first(_SESSION, {"session_id": session_id})
        if row is None:
            return None
        last_used, *visitor = row
        return VisitorRow(*visitor), last_used

    def touch_session(self, session_id: str, *, keep: float) -> None:
        """Store that a session is used now.

        A later use stays, unless it is more than ``keep`` seconds ahead.
        """
        now = self._steady.seconds()
        wrong = ~sessions.c.last_used.between(now, now + keep)
        self._connection.execute(
            update(sessions).where(sessions.c.id == session_id, wrong).values(last_used=now)
        )

    def add_conversation(self, visitor_id: str) -> ConversationRow:
        """Add an open conversation; raises `LookupError` if the visitor does not exist."""
        if not self._prepared.change(_COUNT_CONVERSATION, {"visitor_id": visitor_id}):
            raise LookupError(f"there is no visitor {visitor_id}")
        now = self._now()
        conversation = ConversationRow(
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
        self._prepared.execute(_ADD_CONVERSATION, _values(conversation))
        return conversation

    def conversation(self, conversation_id: str, visitor_id: str) -> ConversationRow | None:
        """Return a conversation of a visitor, or None if it is another visitor's."""
        values = {"conversation_id": conversation_id, "visitor_id": visitor_id}
        return self._conversation(_OWN_CONVERSATION, values)

    def count_conversations(self, visitor_id: str, *, status: str | None) -> int:
        """Return the number of a visitor's conversations, or of those with ``status``."""
        counts = self._prepared.first(_COUNTS, {"visitor_id": visitor_id})
        total, closed = counts or (0, 0)
        return int({None: total, "closed": closed, "open": total - closed}[status])

    def conversations(
        self,
        visitor_id: str,
        *,
        status: str | None,
        order_by: str,
        descending: bool,
        limit: int,
        offset: int,
    ) -> tuple[int, list[ConversationRow]]:
        """Return the number of a visitor's conversations that match, and one page of them.

        ``order_by`` is a key of `ORDERS`. Null sorts as the smallest value, and
        equal values sort by creation in the same direction, so that one direction
        is the exact reverse of the other.
        """
        total = self.count_conversations(visitor_id, status=status)
        count = min(limit, total - offset)
        if count <= 0:
            return total, []
        # A page in the second half is read from the other end.
        rest = total - offset - count
        reverse = rest < offset
        matching = [conversations.c.visitor_id == visitor_id]
        if status is not None:
            matching.append(conversations.c.status == status)
        column, seq = ORDERS[order_by], conversations.c.seq
        order = (
            (column.desc().nulls_last(), seq.desc())
            if descending != reverse
            else (column.asc().nulls_first(), seq.asc())
        )
        query = _CONVERSATIONS.where(*matching).order_by(*order)
        found = self._connection.execute(_page(query, count, rest if reverse else offset))
        rows = [ConversationRow(*row) for row in found]
        return total, rows[::-1] if reverse else rows

    def index_order(self, order_by: str, *, by_status: bool) -> None:
        """Create the index of `Store.index_order`, in a transaction without other writers."""
        column = ORDERS[order_by].name
        # The order of `conversations` in both directions. It is that of SQLite anyway,
        # which does not take the words.
        nulls = "" if self._connection.dialect.name == "sqlite" else " NULLS FIRST"
        name, status = ("status_", "status, ") if by_status else ("", "")
        self._connection.exec_driver_sql(
            f"CREATE INDEX IF NOT EXISTS conversations_by_{name}{column}"
            f" ON conversations (visitor_id, {status}{column}{nulls}, seq)"
        )

    def touch_conversation(self, conversation_id: str, title: str | None = None) -> None:
        """Store the time of a new message; set the title unless there is one."""
        values = {
            "conversation_id": conversation_id,
            "now": self._now(),
            "new_title": title,
        }
        self._prepared.execute(_TOUCH_CONVERSATION, values)

    def close_conversation(self, conversation_id: str, reason: str | None) -> None:
        """Close a conversation, unless it is closed already."""
        now = self._now()
        closed = self._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id, conversations.c.status == "open")
            .values(status="closed", closed_at=now, close_reason=reason, updated_at=now)
        )
        if closed.rowcount:
            owner = select(conversations.c.visitor_id).where(conversations.c.id == conversation_id)
            self._connection.execute(
                update(visitors)
                .where(visitors.c.id == owner.scalar_subquery())
                .values(closed_count=visitors.c.closed_count + 1)
            )

    def assign_human(self, conversation_id: str, human_agent: dict[str, Any]) -> None:
        """Assign ``human_agent`` to a conversation; raises `LookupError` if it does not exist."""
        changed = self._connection.execute(
            update(conversations)
            .where(conversations.c.id == conversation_id)
            .values(is_human_handled=True, human_agent=human_agent, updated_at=self._now())
        )
        if not changed.rowcount:
            raise LookupError(f"there is no conversation {conversation_id}")

    def add_message(
        self,
        conversation_id: str,
        role: str,
        text: str,
        *,
        parts: list[dict[str, Any]] | None = None,
        metadata: Any = None,
        status: str = "complete",
        page_url: str | None = None,
        page_title: str | None = None,
        text_selection: str | None = None,
        human_agent: dict[str, Any] | None = None,
    ) -> MessageRow:
        """Append a message to a conversation; ``parts`` is None if the text is the only one."""
        message = MessageRow(
            id=_new_id(),
            conversation_id=conversation_id,
            created_at=self._now(),
            role=role,
            text=text,
            parts=parts,
            metadata=metadata,
            status=status,
            error=None,
            feedback=None,
            feedback_at=None,
            page_url=page_url,
            page_title=page_title,
            text_selection=text_selection,
            human_agent=human_agent,
        )
        owner = self._owner if status == "streaming" else None
        self._prepared.execute(_ADD_MESSAGE, {**_values(message), "owner": owner})
        return message

    def end_message(
        self,
        message_id: str,
        text: str,
        *,
        error: str | None,
        parts: list[dict[str, Any]] | None = None,
        metadata: Any = None,
    ) -> None:
        """Store the content of a streamed message, and the error that ended it, if any."""
        self._connection.execute(
            update(messages)
            .where(messages.c.id == message_id)
            .values(
                text=text,
                parts=parts,
                metadata=metadata,
                status="error" if error else "complete",
                error=error,
                owner=None,
            )
        )

    def messages(
        self,
        conversation_id: str,
        *,
        role: str | None = None,
        status: str | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> list[MessageRow]:
        """Return the messages of a conversation that match, oldest first."""
        if (role, status, limit, offset) == (None, None, None, 0):
            values = {"conversation_id": conversation_id}
            return [MessageRow(*row) for row in self._prepared.execute(_ALL_MESSAGES, values)]
        query = _MESSAGES.where(messages.c.conversation_id == conversation_id)
        if role is not None:
            query = query.where(messages.c.role == role)
        if status is not None:
            query = query.where(messages.c.status == status)
        query = _page(query.order_by(messages.c.seq), limit, offset)
        return [MessageRow(*row) for row in self._connection.execute(query)]

    def latest_texts(self, conversation_id: str, count: int) -> list[str]:
        """Return the texts of the latest ``count`` messages of a conversation, newest first."""
        values = {"conversation_id": conversation_id, "count": count}
        return [latest for (latest,) in self._prepared.execute(_LATEST_TEXTS, values)]

    def last_messages(self, conversation_ids: Sequence[str]) -> dict[str, MessageRow]:
        """Return the latest message of each conversation, by the id of the conversation."""
        # One look into the index for each, where a GROUP BY would read all messages.
        last = (
            select(func.max(messages.c.seq))
            .where(messages.c.conversation_id == conversations.c.id)
            .correlate(conversations)
            .scalar_subquery()
        )
        latest = select(last).where(conversations.c.id.in_(conversation_ids))
        rows = self._connection.execute(_MESSAGES.where(messages.c.seq.in_(latest)))
        return {row.conversation_id: MessageRow(*row) for row in rows}

    def set_feedback(self, message_id: str, visitor_id: str, feedback: str | None) -> bool:
        """Store feedback and its time, or remove both with None.

        Returns False if the message does not belong to the visitor.
        """
        own = select(conversations.c.id).where(conversations.c.visitor_id == visitor_id)
        changed = self._connection.execute(
            update(messages)
            .where(messages.c.id == message_id, messages.c.conversation_id.in_(own))
            .values(
                feedback=feedback,
                feedback_at=None if feedback is None else self._now(),
            )
        )
        return bool(changed.rowcount)

    def count_questions(self, visitor_id: str, *, at_most: int) -> int:
        """Return the number of messages from all visitors of the visitor's project.

        Stop counting at ``at_most``.
        """
        project = select(visitors.c.project_id).where(visitors.c.id == visitor_id).scalar_subquery()
        asked = (
            select(messages.c.id)
            .join(conversations, conversations.c.id == messages.c.conversation_id)
            .join(visitors, visitors.c.id == conversations.c.visitor_id)
            .where(messages.c.role == "user", visitors.c.project_id == project)
            .limit(at_most)
        )
        return self._connection.scalar(select(func.count()).select_from(asked.subquery())) or 0

    def any_conversation(self, conversation_id: str) -> ConversationRow | None:
        """Return a conversation regardless of its visitor, or None."""
        return self._conversation(_ANY_CONVERSATION, {"conversation_id": conversation_id})

    def _now(self) -> str:
        """Return the time, or that of the latest change of a conversation that was read."""
        return max(self._clock.timestamp(), self._floor)

    def _conversation(self, query: Select[Any], values: dict[str, Any]) -> ConversationRow | None:
        if self._changing:
            query = _LOCKING[query]
        row = self._prepared.first(query, values)
        if row is None:
            return None
        conversation = ConversationRow(*row)
        if self._changing:
            # The clock of another process may be ahead of this one.
            self._floor = max(self._floor, conversation.updated_at)
        return conversation

    def message(self, message_id: str) -> MessageRow | None:
        """Return a message regardless of its visitor, or None."""
        query = _MESSAGES.where(messages.c.id == message_id)
        row = self._connection.execute(query).first()
        return None if row is None else MessageRow(*row)

    def latest_messages(
        self, conversation_id: str, *, limit: int, offset: int = 0
    ) -> tuple[list[MessageRow], bool]:
        """Return the latest messages, oldest first, and whether there are earlier ones.

        ``offset`` is the number of later messages that are left out.
        """
        values = {
            "conversation_id": conversation_id,
            "count": limit + 1,
            "skipped": min(offset, _MAX_OFFSET),
        }
        rows = [MessageRow(*row) for row in self._prepared.execute(_LATEST_MESSAGES, values)]
        return rows[:limit][::-1], len(rows) > limit

    def latest_conversations(self, limit: int, *, offset: int = 0) -> list[ConversationRow]:
        """Return the conversations with the latest interaction, newest first."""
        query = _CONVERSATIONS.order_by(
            conversations.c.last_interaction_at.desc(), conversations.c.seq.desc()
        )
        rows = self._connection.execute(_page(query, limit, offset))
        return [ConversationRow(*row) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return the number of rows of each table with data of clients."""
        return {
            table.name: self._connection.scalar(select(func.count()).select_from(table)) or 0
            for table in (visitors, sessions, conversations, messages)
        }

    def hold_allowance(self, name: str) -> list[int]:
        """Lock an allowance until the end of the transaction, and return its times.

        They are those of `set_allowance`, or an empty list.
        """
        self._connection.execute(_HOLD_ALLOWANCE, {"id": name})
        query = select(allowances.c.whole_again).where(allowances.c.id == name)
        whole_again: list[int] = json.loads(self._connection.scalars(query).one())
        return whole_again

    def set_allowance(self, name: str, whole_again: list[int]) -> None:
        """Store the times at which the allowances are whole again, in nanoseconds."""
        self._connection.execute(
            update(allowances)
            .where(allowances.c.id == name)
            .values(whole_again=json.dumps(whole_again), until=max(whole_again))
        )

    def forget_allowances(self, now: int) -> None:
        """Remove the allowances that are whole at ``now``: a missing row means the same."""
        self._connection.execute(allowances.delete().where(allowances.c.until < now))

    def clear(self) -> None:
        """Remove the data of clients, in a transaction that excludes other writers."""
        for table in (messages, conversations, sessions, allowances):
            self._connection.execute(table.delete())
        self._connection.execute(visitors.delete().where(visitors.c.device != ""))
        self._connection.execute(update(visitors).values(conversation_count=0, closed_count=0))


def _new_id() -> str:
    return str(uuid.uuid4())


def _values(row: ConversationRow | MessageRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _page(query: Select[Any], limit: int | None, offset: int) -> Select[Any]:
    return query.limit(limit).offset(min(offset, _MAX_OFFSET))
