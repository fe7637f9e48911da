"""The tables of the database, and their rows as Python objects.

SQLite and PostgreSQL behave alike with them, also where their own ways differ:
texts are sorted by code points and may have NUL characters. Timestamps are kept
as the API shows them: fixed in width and in UTC, they sort as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    event,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = [
    "ConversationRow",
    "EscapedText",
    "MessageRow",
    "VisitorRow",
    "allowances",
    "conversations",
    "messages",
    "metadata",
    "sessions",
    "settings",
    "visitors",
]

metadata = MetaData()
"""All tables."""


class EscapedText(TypeDecorator[str]):
    """Text as PostgreSQL takes it, which refuses the character NUL.

    JSON and this API allow it, so it is stored as two others, and what could be
    mistaken for it as well. The order of two texts stays what it was.
    """

    impl = Text(collation="C")
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what is stored."""
        return value and value.replace("\1", "\1\2").replace("\0", "\1\1")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - as above
        """Return what was meant."""
        return value and value.replace("\1\1", "\0").replace("\1\2", "\1")


def _ascii(length: int) -> String:
    """Return the type of what this server writes itself, such as identifiers."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


def _text(length: int | None = None) -> String:
    """Return the type of what clients write."""
    return String(length).with_variant(EscapedText(), "postgresql")


# SQLite counts rows only in a column of exactly this type.
_COUNTER = BigInteger().with_variant(Integer(), "sqlite")

settings = Table(
    "settings",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)
"""What the database knows of itself: its version and its secret."""

visitors = Table(
    "visitors",
    metadata,
    Column("id", _ascii(36), primary_key=True),
    Column("project_id", _ascii(36), nullable=False),
    # Empty for the private key's own visitor: a real device's is never empty.
    Column("device", _text(100), nullable=False),
    Column("type", _ascii(10), nullable=False),
    Column("external_id", _text()),
    Column("name", _text()),
    Column("avatar_url", _text()),
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

# `seq` counts in the order of creation, which timestamps alone cannot tell
# within one millisecond.
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
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("created_at", _ascii(24), nullable=False),
    Column("role", _ascii(12), nullable=False),
    Column("text", _text(), nullable=False),
    Column("status", _ascii(10), nullable=False),
    Column("error", _text()),
    Column("feedback", _ascii(10)),
    Column("feedback_at", _ascii(24)),
    Column("page_url", _text()),
    Column("page_title", _text()),
    Column("text_selection", _text()),
    # Who wrote it, of a human agent's message: the conversation's own may change.
    Column("human_agent", JSON(none_as_null=True)),
    # The process that writes a streamed answer, until it is complete.
    Column("owner", BigInteger),
)
"""One row per message."""

allowances = Table(
    "allowances",
    metadata,
    Column("id", _ascii(64), primary_key=True),
    # A JSON array, which the database need not understand.
    Column("whole_again", Text, nullable=False),
    Column("until", BigInteger, nullable=False),
)
"""One row per key of a rate limit, ``until`` it has its whole allowance again.

Times are nanoseconds since 1970.
"""

# Only of few rows, so it costs others nothing. As an `Index` it would have
# SQLAlchemy import all drivers for PostgreSQL, whatever the database is.
event.listen(
    messages,
    "after_create",
    DDL(  # type: ignore[no-untyped-call] # SQLAlchemy's own lack
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


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A row of `messages`; ``text`` is its one part, ``human_agent`` who wrote it."""

    id: str
    conversation_id: str
    created_at: str
    role: str
    text: str
    status: str
    error: str | None
    feedback: str | None
    feedback_at: str | None
    page_url: str | None
    page_title: str | None
    text_selection: str | None
    human_agent: dict[str, Any] | None
