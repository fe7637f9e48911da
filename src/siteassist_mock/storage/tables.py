"""The tables of the database, and their rows as Python objects.

SQLite and PostgreSQL behave alike: texts are sorted by code points and may
contain NUL characters. Timestamps are stored in the format of the API, with a
fixed width and in UTC, so they sort as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
)

metadata = MetaData()
"""All tables."""


class EscapedText(TypeDecorator[str]):
    """Text for PostgreSQL, which refuses the NUL character that JSON allows.

    NUL is stored as U+0001 U+0001, and U+0001 as U+0001 U+0002. The escaped texts
    have the same order.
    """

    impl = Text(collation="C")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the escaped text."""
        return value and value.replace("\1", "\1\2").replace("\0", "\1\1")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the original text."""
        return value and value.replace("\1\1", "\0").replace("\1\2", "\1")


def _ascii(length: int) -> String:
    """Return the type of texts from the server, such as identifiers."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _text(length: int | None = None) -> String:
    """Return the type of texts from clients."""
    return String(length).with_variant(EscapedText(), "postgresql")


# SQLite generates numbers only in a column of exactly this type.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")

settings = Table(
    "settings",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""Metadata: the version of the tables, and the secret that signs tokens."""

visitors = Table(
    "visitors",
    metadata,
    Column("id", _ascii(36), primary_key=True),
    Column("project_id", _ascii(36), nullable=False),
    # Empty for the visitor of a private key; a client cannot send an empty one.
    Column("device", _text(100), nullable=False),
    Column("type", _ascii(10), nullable=False),
    Column("external_id", _text()),
    Column("name", _text()),
    Column("avatar_url", _text()),
    # So that a list need not count its rows.
    Column("conversation_count", Integer, nullable=False, server_default="0"),
    Column("closed_count", Integer, nullable=False, server_default="0"),
    UniqueConstraint("project_id", "device"),
)
"""One row per device of a project."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", _ascii(36), primary_key=True),
    Column("visitor_id", ForeignKey("visitors.id"), nullable=False, index=True),
    Column("last_used", Float, nullable=False),
)
"""One row per session token; ``last_used`` in seconds since 1970."""

# `seq` is the order of creation; timestamps can be equal.
conversations = Table(
    "conversations",
    metadata,
    Column("seq", _COUNTER, primary_key=True, autoincrement=True),
    Column("id", _ascii(36), nullable=False, unique=True),
    Column("visitor_id", ForeignKey("visitors.id"), nullable=False, index=True),
    Column("created_at", _ascii(24), nullable=False),
    Column("updated_at", _ascii(24), nullable=False),
    Column("status", _ascii(10), nullable=False),
    Column("closed_at", _ascii(24)),
    Column("close_reason", _text()),
    Column("last_interaction_at", _ascii(24), nullable=False),
    Column("is_human_handled", Boolean, nullable=False),
    Column("human_agent", JSON(none_as_null=True)),
    Column("title", _text()),
)
"""One row per conversation."""

messages = Table(
    "messages",
    metadata,
    Column("seq", _COUNTER, primary_key=True, autoincrement=True),
    Column("id", _ascii(36), nullable=False, unique=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("created_at", _ascii(24), nullable=False),
    Column("role", _ascii(12), nullable=False),
    Column("text", _text(), nullable=False),
    # Null if the text is the only part.
    Column("parts", JSON(none_as_null=True)),
    Column("metadata", JSON(none_as_null=True)),
    Column("status", _ascii(10), nullable=False),
    Column("error", _text()),
    Column("feedback", _ascii(10)),
    Column("feedback_at", _ascii(24)),
    Column("page_url", _text()),
    Column("page_title", _text()),
    Column("text_selection", _text()),
    # The author of a human agent's message; the agent of the conversation may change.
    Column("human_agent", JSON(none_as_null=True)),
    # The process that streams the message, until it is complete.
    Column("owner", BigInteger),
    # The latest messages of a conversation are found without reading all.
    Index("messages_in_order", "conversation_id", "seq"),
)
"""One row per message."""

allowances = Table(
    "allowances",
    metadata,
    Column("id", _ascii(64), primary_key=True),
    # A JSON array, which no query looks into.
    Column("whole_again", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""One row per key of a rate limit, needed ``until`` the allowance is whole again.

Times are nanoseconds since 1970.
"""

# A partial index, which does not slow down other rows. A partial `Index` would make
# SQLAlchemy import all PostgreSQL drivers, even for SQLite.
event.listen(
    messages,
    "after_create",
    DDL(  # type: ignore[no-untyped-call] # untyped in SQLAlchemy
        "CREATE INDEX streaming ON messages (owner) WHERE status = 'streaming'"
    ),
)


@dataclass(frozen=True, slots=True)
class VisitorRow:
    """A row of `visitors`."""

    id: str
    type: str
    external_id: str | None
    name: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """A row of `conversations`; ``human_agent`` has ``name`` and ``image``."""

    id: str
    visitor_id: str
    created_at: str
    updated_at: str
    status: str
    closed_at: str | None
    close_reason: str | None
    last_interaction_at: str
    is_human_handled: bool
    human_agent: dict[str, Any] | None
    title: str | None


# Not frozen, which would triple the time to read a long conversation.
@dataclass(slots=True)
class MessageRow:
    """A row of `messages`; ``human_agent`` is its author.

    ``text`` has the texts of all ``parts``, which is None if there are no other parts.
    """

    id: str
    conversation_id: str
    created_at: str
    role: str
    text: str
    parts: list[dict[str, Any]] | None
    metadata: Any
    status: str
    error: str | None
    feedback: str | None
    feedback_at: str | None
    page_url: str | None
    page_title: str | None
    text_selection: str | None
    human_agent: dict[str, Any] | None
