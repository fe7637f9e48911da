"""Databases of earlier and of later versions."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, inspect

from siteassist_mock.storage.migrations import VERSION
from siteassist_mock.storage.store import ABANDONED, Store, StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import FakeTime

# As version 1 made its tables and filled them, word for word.
VERSION_1 = """
CREATE TABLE settings (name VARCHAR(40) NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE visitors (
    id VARCHAR(36) NOT NULL, project_id VARCHAR(36) NOT NULL, device VARCHAR(100) NOT NULL,
    type VARCHAR(10) NOT NULL, external_id TEXT, name TEXT, avatar_url TEXT,
    PRIMARY KEY (id), UNIQUE (project_id, device)
);
CREATE TABLE sessions (
    id VARCHAR(36) NOT NULL, visitor_id VARCHAR(36) NOT NULL, last_used FLOAT NOT NULL,
    PRIMARY KEY (id), FOREIGN KEY(visitor_id) REFERENCES visitors (id)
);
CREATE INDEX ix_sessions_visitor_id ON sessions (visitor_id);
CREATE TABLE conversations (
    seq INTEGER NOT NULL, id VARCHAR(36) NOT NULL, visitor_id VARCHAR(36) NOT NULL,
    created_at VARCHAR(24) NOT NULL, updated_at VARCHAR(24) NOT NULL,
    status VARCHAR(10) NOT NULL, closed_at VARCHAR(24), close_reason TEXT,
    last_interaction_at VARCHAR(24) NOT NULL, is_human_handled BOOLEAN NOT NULL,
    human_agent JSON, title TEXT,
    PRIMARY KEY (seq), UNIQUE (id), FOREIGN KEY(visitor_id) REFERENCES visitors (id)
);
CREATE INDEX ix_conversations_visitor_id ON conversations (visitor_id);
CREATE TABLE messages (
    seq INTEGER NOT NULL, id VARCHAR(36) NOT NULL, conversation_id VARCHAR(36) NOT NULL,
    created_at VARCHAR(24) NOT NULL, role VARCHAR(12) NOT NULL, text TEXT NOT NULL,
    status VARCHAR(10) NOT NULL, error TEXT, feedback VARCHAR(10), feedback_at VARCHAR(24),
    page_url TEXT, page_title TEXT, text_selection TEXT,
    PRIMARY KEY (seq), UNIQUE (id), FOREIGN KEY(conversation_id) REFERENCES conversations (id)
);
CREATE INDEX ix_messages_conversation_id ON messages (conversation_id);
INSERT INTO settings VALUES ('version', '1');
INSERT INTO settings VALUES ('secret', '00ff');
INSERT INTO visitors (id, project_id, device, type) VALUES ('v', 'project', 'd', 'anonymous');
INSERT INTO sessions VALUES ('s', 'v', 1.5);
INSERT INTO conversations VALUES (
    1, 'c', 'v', '2024-01-01T00:00:00.000Z', '2024-01-01T00:00:01.000Z', 'open', NULL, NULL,
    '2024-01-01T00:00:01.000Z', 1, '{"name": "Sam", "image": null}', 'Hello'
);
INSERT INTO messages VALUES (
    1, 'm', 'c', '2024-01-01T00:00:00.000Z', 'user', 'Hello', 'complete', NULL, 'like',
    '2024-01-01T00:00:01.000Z', 'https://example.com/', 'Home', 'some'
);
INSERT INTO messages VALUES (
    2, 'n', 'c', '2024-01-01T00:00:01.000Z', 'assistant', '', 'streaming', NULL, NULL, NULL,
    NULL, NULL, NULL
);
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Make a database as version 1 left it when it was killed."""
    path = tmp_path / "mock.db"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    connection.close()
    return path


def test_what_version_1_stored_is_kept(old: Path, time: FakeTime) -> None:
    """All rows and the secret; and a second start finds it up to date."""
    for _ in range(2):
        store = Store(time, old)
        with store.read() as records:
            conversation = records.conversation("c", "v")
            asked, answer = records.messages("c")
            session = records.session("s")
        store.close()
        assert store.secret == b"\x00\xff"
        assert session is not None
        assert (session[0].id, session[1]) == ("v", 1.5)
        assert conversation is not None
        assert (conversation.title, conversation.human_agent) == (
            "Hello",
            {"name": "Sam", "image": None},
        )
        assert (asked.text, asked.feedback, asked.page_title) == ("Hello", "like", "Home")
        assert (asked.status, asked.human_agent) == ("complete", None)
        # Version 1 did not see to that.
        assert (answer.status, answer.error) == ("error", ABANDONED)


def test_a_migrated_database_is_like_a_new_one(old: Path, tmp_path: Path, time: FakeTime) -> None:
    """It has the same columns and indexes, so that whoever adds one adds a step."""
    new = tmp_path / "new.db"
    found = []
    for path in (old, new):
        Store(time, path).close()
        engine = create_engine(f"sqlite:///{path}")
        tables = inspect(engine)
        found.append(
            {
                table: (
                    {column["name"] for column in tables.get_columns(table)},
                    {index["name"] for index in tables.get_indexes(table)},
                )
                for table in tables.get_table_names()
            }
        )
        engine.dispose()
    assert found[0] == found[1]


@pytest.mark.parametrize("version", [VERSION + 1, 1000])
def test_a_later_version_is_refused(old: Path, time: FakeTime, version: int) -> None:
    """In one sentence, and nothing is changed."""
    _set_version(old, str(version))
    before = old.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(time, old)
    assert str(caught.value) == (
        f"cannot use the database {old}: a later version of this server made it"
        f" (tables of version {version}, this one knows {VERSION})"
    )
    assert before == old.read_bytes()


@pytest.mark.parametrize("version", ["0", "-1", "two", None])
def test_what_has_no_version_is_somebody_elses(
    old: Path, time: FakeTime, version: str | None
) -> None:
    """A table of this name proves nothing."""
    _set_version(old, version)
    with pytest.raises(StoreError, match="it belongs to something else"):
        Store(time, old)


def _set_version(path: Path, version: str | None) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM settings WHERE name = 'version'")
    if version is not None:
        connection.execute("INSERT INTO settings VALUES ('version', ?)", (version,))
    connection.commit()
    connection.close()
