"""Tests for prepared statements."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import bindparam, delete, func, insert, select, update

from siteassist_mock.storage.database import open_database
from siteassist_mock.storage.prepared import PreparedStatements
from siteassist_mock.storage.tables import conversations, messages, metadata, sessions, visitors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Table

TIME = "2026-01-02T03:04:05.678Z"
VISITOR = {"id": "v", "project_id": "p", "device": "\0\1", "type": "anonymous"}
SESSION = {"id": "s", "visitor_id": "v", "last_used": 1_700_000_000.25}
CONVERSATION = {
    "id": "c",
    "visitor_id": "v",
    "created_at": TIME,
    "updated_at": TIME,
    "status": "open",
    "closed_at": None,
    "last_interaction_at": TIME,
    "is_human_handled": True,
    "human_agent": {"name": "Ada\0", "image": None},
    "title": "\1 and \0",
}
MESSAGE = {
    "id": "m",
    "conversation_id": "c",
    "created_at": TIME,
    "role": "user",
    "text": "'%s' ? :x \0",
    "status": "complete",
    "human_agent": None,
    "owner": 2**31,
}
ROWS: list[tuple[Table, dict[str, Any]]] = [
    (visitors, VISITOR),
    (sessions, SESSION),
    (conversations, CONVERSATION),
    (messages, MESSAGE),
]


@pytest.fixture
def connection(database: str | None) -> Iterator[Connection]:
    """Connect to an empty database with the tables of the mock."""
    opened = open_database(database)
    with closing(opened), opened.connect() as connection:
        metadata.create_all(connection)
        yield connection


def add_with_sqlalchemy(connection: Connection) -> None:
    """Insert a row into each table."""
    for table, values in ROWS:
        connection.execute(insert(table), values)


def test_values_are_encoded_as_by_sqlalchemy(connection: Connection) -> None:
    """SQLAlchemy reads what a prepared INSERT has written, whatever the types of the columns."""
    prepared = PreparedStatements(connection)
    for table, values in ROWS:
        assert [] == list(prepared.execute(insert(table).inline(), values))
        names = [table.c[name] for name in values]
        assert [values] == [dict(row) for row in connection.execute(select(*names)).mappings()]


@pytest.mark.parametrize("table", [visitors, sessions, conversations, messages], ids=str)
def test_values_are_decoded_as_by_sqlalchemy(connection: Connection, table: Table) -> None:
    """A prepared SELECT returns the same values, of the same types, at each execution."""
    add_with_sqlalchemy(connection)
    prepared = PreparedStatements(connection)
    query = select(table).where(table.c.id == bindparam("wanted"))
    for wanted in ("", *(str(values["id"]) for _, values in ROWS)):
        expected = [tuple(row) for row in connection.execute(query, {"wanted": wanted})]
        found = [tuple(row) for row in prepared.execute(query, {"wanted": wanted})]
        assert expected == found
        assert [[type(value) for value in row] for row in expected] == [
            [type(value) for value in row] for row in found
        ]


def test_the_first_row_is_returned(connection: Connection) -> None:
    """Without a row it is None."""
    add_with_sqlalchemy(connection)
    prepared = PreparedStatements(connection)
    query = select(visitors.c.id, visitors.c.device).where(visitors.c.id == bindparam("wanted"))
    found = prepared.first(query, {"wanted": "v"})
    assert found is not None
    assert ("v", "\0\1") == tuple(found)
    assert prepared.first(query, {"wanted": "none"}) is None


def test_an_update_may_use_a_value_twice(connection: Connection) -> None:
    """Values are found by name where the driver counts them."""
    add_with_sqlalchemy(connection)
    prepared = PreparedStatements(connection)
    statement = (
        update(conversations)
        .where(conversations.c.id == bindparam("wanted"))
        .values(
            title=bindparam("new", type_=conversations.c.title.type),
            close_reason=bindparam("new", type_=conversations.c.close_reason.type),
        )
    )
    prepared.execute(statement, {"new": "\0", "wanted": "c"})
    query = select(conversations.c.title, conversations.c.close_reason)
    assert ("\0", "\0") == tuple(connection.execute(query).one())


def test_a_statement_is_compiled_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later executions use the same SQL, also after other statements."""
    compiled: list[Any] = []
    compile_statement = connection.dialect.statement_compiler

    def count(dialect: Any, statement: Any, **options: Any) -> Any:
        compiled.append(statement)
        return compile_statement(dialect, statement, **options)

    monkeypatch.setattr(connection.dialect, "statement_compiler", count)
    prepared = PreparedStatements(connection)
    count_all = select(func.count()).select_from(visitors)
    clear = delete(visitors)
    for _ in range(3):
        assert [(0,)] == [tuple(row) for row in prepared.execute(count_all, {})]
        prepared.execute(clear, {})
    assert [count_all, clear] == compiled
