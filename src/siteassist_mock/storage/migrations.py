"""The versions of the tables, and the steps from one to the next.

A new database gets the tables as they are now. One that an earlier version made
goes through the steps that it lacks, within one transaction. A step says in SQL
what was changed at its time, and stays as it is when the tables change again.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import insert, inspect, select, update

from siteassist_mock.storage.database import StoreError
from siteassist_mock.storage.tables import metadata, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from siteassist_mock.storage.database import Database

__all__ = ["STEPS", "VERSION", "prepare"]

STEPS: Sequence[Sequence[str]] = (
    # From 1 to 2: who wrote a message. Version 1 knew only SQLite.
    (
        "ALTER TABLE messages ADD COLUMN human_agent JSON",
        "ALTER TABLE messages ADD COLUMN owner BIGINT",
        "CREATE INDEX streaming ON messages (owner) WHERE status = 'streaming'",
    ),
    # From 2 to 3: rate limits that several processes share.
    (
        """
        CREATE TABLE allowances (
            id VARCHAR(64) NOT NULL PRIMARY KEY, whole_again TEXT NOT NULL, until BIGINT NOT NULL
        )
        """,
    ),
)
"""The statements from each version to the next, the first from version 1."""

VERSION = 1 + len(STEPS)
"""The version of the tables that this code knows."""


def prepare(database: Database, connection: Connection) -> bytes:
    """Bring the tables to `VERSION` and return the secret for signing tokens.

    To be called within a write that is alone. Raises `StoreError` if the database belongs to
    something else or to a later version, and then changes nothing.
    """
    database.check(connection)
    present = set(inspect(connection).get_table_names())
    if not present:
        metadata.create_all(connection)
        connection.execute(
            insert(settings),
            [
                {"name": "version", "value": str(VERSION)},
                {"name": "secret", "value": secrets.token_hex(32)},
            ],
        )
    elif settings.name not in present:
        raise _of_something_else(database)
    rows = connection.execute(select(settings.c.name, settings.c.value))
    known = {name: value for name, value in rows}  # noqa: C416 - dict() wants rows typed as tuples
    try:
        version, secret = int(known["version"]), bytes.fromhex(known["secret"])
    except (KeyError, ValueError):
        raise _of_something_else(database) from None
    if version < 1:
        raise _of_something_else(database)
    if version > VERSION:
        raise StoreError(
            f"cannot use the database {database.name}: a later version of this server made it"
            f" (tables of version {version}, this one knows {VERSION})"
        )
    for step in STEPS[version - 1 :]:
        for statement in step:
            connection.exec_driver_sql(statement)
    if version < VERSION:
        connection.execute(
            update(settings).where(settings.c.name == "version").values(value=str(VERSION))
        )
    return secret


def _of_something_else(database: Database) -> StoreError:
    return StoreError(f"cannot use the database {database.name}: it belongs to something else")
