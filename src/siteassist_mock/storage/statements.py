"""What nearly every request runs, prepared once for each kind of database."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer, bindparam, func, insert, literal_column, select, update

from siteassist_mock.storage.prepared import Prepared
from siteassist_mock.storage.tables import (
    ConversationRow,
    MessageRow,
    VisitorRow,
    conversations,
    messages,
    sessions,
    visitors,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect, Table

__all__ = ["CONVERSATION", "MESSAGE", "VISITOR", "Statements", "statements"]


def _columns(table: Table, row: type) -> list[Column[Any]]:
    return [table.c[field.name] for field in fields(row)]


VISITOR = select(*_columns(visitors, VisitorRow))
"""All rows of `VisitorRow`."""

CONVERSATION = select(*_columns(conversations, ConversationRow))
"""All rows of `ConversationRow`."""

MESSAGE = select(*_columns(messages, MessageRow))
"""All rows of `MessageRow`."""


class Statements:
    """The prepared statements; the values of a new row have its columns' names."""

    def __init__(self, dialect: Dialect) -> None:
        """Prepare all of them, which takes some milliseconds."""
        self.session = Prepared(
            select(sessions.c.last_used, *_columns(visitors, VisitorRow))
            .join(visitors, sessions.c.visitor_id == visitors.c.id)
            .where(sessions.c.id == bindparam("session_id")),
            dialect,
            lambda last_used, *visitor: (VisitorRow(*visitor), last_used),
        )
        self.has_visitor = Prepared(
            select(visitors.c.id).where(visitors.c.id == bindparam("visitor_id")), dialect, str
        )
        own = CONVERSATION.where(
            conversations.c.id == bindparam("conversation_id"),
            conversations.c.visitor_id == bindparam("visitor_id"),
        )
        self.conversation = Prepared(own, dialect, ConversationRow)
        # Whoever wants to write waits here for those who write to the same
        # conversation. SQLite has no such clause: all writers wait for each other.
        self.conversation_to_change = Prepared(
            own.with_for_update(key_share=True), dialect, ConversationRow
        )
        self.messages = Prepared(
            MESSAGE.where(messages.c.conversation_id == bindparam("conversation_id")).order_by(
                messages.c.seq
            ),
            dialect,
            MessageRow,
        )
        self.latest_texts = Prepared(
            select(messages.c.text)
            .where(messages.c.conversation_id == bindparam("conversation_id"))
            .order_by(messages.c.seq.desc())
            .limit(bindparam("count", type_=Integer))
            # SQLAlchemy would have a parameter of its own for it.
            .offset(literal_column("0")),
            dialect,
            str,
        )
        self.add_conversation = _adding(conversations, dialect)
        self.add_message = _adding(messages, dialect)
        self.touch_conversation: Prepared[Any] = Prepared(
            update(conversations)
            .where(conversations.c.id == bindparam("conversation_id"))
            .values(
                updated_at=bindparam("now"),
                last_interaction_at=bindparam("now"),
                title=func.coalesce(
                    conversations.c.title, bindparam("new_title", type_=conversations.c.title.type)
                ),
            ),
            dialect,
        )


def _adding(table: Table, dialect: Dialect) -> Prepared[Any]:
    columns = [column.name for column in table.c if column.name != "seq"]
    # Inline: nobody asks which number the row got.
    return Prepared(insert(table).inline(), dialect, columns=columns)


_known: dict[str, Statements] = {}


def statements(dialect: Dialect) -> Statements:
    """Return the statements in the words of ``dialect``."""
    if dialect.name not in _known:
        _known[dialect.name] = Statements(dialect)
    return _known[dialect.name]
