"""The tables of the database, and their rows as Python objects.

Only what SQLite and PostgreSQL share is used. Timestamps are kept as the API
shows them: fixed in width and in UTC, they sort as text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

__all__ = [
    "Conversation",
    "Message",
    "Visitor",
    "conversations",
    "messages",
    "metadata",
    "sessions",
    "settings",
    "visitors",
]

metadata = MetaData()
"""All tables."""

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
    Column("id", String(36), primary_key=True),
    Column("project_id", String(36), nullable=False),
    # Empty for the private key's own visitor: a real device's is never empty.
    Column("device", String(100), nullable=False),
    Column("type", String(10), nullable=False),
    Column("external_id", Text),
    Column("name", Text),
    Column("avatar_url", Text),
    UniqueConstraint("project_id", "device"),
)
"""One row per device of a project."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("visitor_id", ForeignKey("visitors.id"), nullable=False, index=True),
    Column("last_used", Float, nullable=False),
)
"""One row per session token; ``last_used`` in seconds since 1970."""

# `seq` counts in the order of creation, which timestamps alone cannot tell
# within one millisecond.
conversations = Table(
    "conversations",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("visitor_id", ForeignKey("visitors.id"), nullable=False, index=True),
    Column("created_at", String(24), nullable=False),
    Column("updated_at", String(24), nullable=False),
    Column("status", String(10), nullable=False),
    Column("closed_at", String(24)),
    Column("close_reason", Text),
    Column("last_interaction_at", String(24), nullable=False),
    Column("is_human_handled", Boolean, nullable=False),
    Column("human_agent", JSON(none_as_null=True)),
    Column("title", Text),
)
"""One row per conversation."""

messages = Table(
    "messages",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False, index=True),
    Column("created_at", String(24), nullable=False),
    Column("role", String(12), nullable=False),
    Column("text", Text, nullable=False),
    Column("status", String(10), nullable=False),
    Column("error", Text),
    Column("feedback", String(10)),
    Column("feedback_at", String(24)),
    Column("page_url", Text),
    Column("page_title", Text),
    Column("text_selection", Text),
)
"""One row per message."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A row of `visitors`."""

    id: str
    type: str
    external_id: str | None
    name: str | None
    avatar_url: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
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
class Message:
    """A row of `messages`; ``text`` is its one part."""

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
