"""Tests for databases of other versions and of other programs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from siteassist_mock.storage.database import StoreError
from siteassist_mock.storage.schema import VERSION
from siteassist_mock.storage.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.mock.conftest import FakeTime


@pytest.fixture
def path(tmp_path: Path, time: FakeTime) -> Path:
    """Create an SQLite file with the tables of the mock."""
    path = tmp_path / "mock.db"
    Store(time, path).close()
    return path


@pytest.mark.parametrize("version", [0, -1, VERSION + 1, 1000])
def test_another_version_is_refused(path: Path, time: FakeTime, version: int) -> None:
    """The error names both versions, and the file does not change."""
    _set_version(path, str(version))
    before = path.read_bytes()
    with pytest.raises(StoreError) as caught:
        Store(time, path)
    assert str(caught.value) == (
        f"cannot use the database {path}: its tables have version {version},"
        f" expected version {VERSION}; use an empty database"
    )
    assert before == path.read_bytes()


def test_another_version_in_postgresql_is_refused(postgres_url: str, time: FakeTime) -> None:
    """PostgreSQL has the same error."""
    Store(time, postgres_url).close()
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("UPDATE settings SET value = '7' WHERE name = 'version'")
    with pytest.raises(
        StoreError, match=rf"have version 7, expected version {VERSION}; use an empty database$"
    ):
        Store(time, postgres_url)


@pytest.mark.parametrize("version", ["two", None])
def test_a_table_without_a_version_belongs_to_another_program(
    path: Path, time: FakeTime, version: str | None
) -> None:
    """A `settings` table without a valid version belongs to another program."""
    _set_version(path, version)
    with pytest.raises(StoreError, match=r"it belongs to another program; use an empty database$"):
        Store(time, path)


def test_a_database_of_another_program_is_not_changed(tmp_path: Path, time: FakeTime) -> None:
    """A file with unknown tables is refused and not changed."""
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE messages (id)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="it belongs to another program"):
        Store(time, path)
    assert path.read_bytes() == before


def _set_version(path: Path, version: str | None) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM settings WHERE name = 'version'")
        if version is not None:
            connection.execute("INSERT INTO settings VALUES ('version', ?)", (version,))
