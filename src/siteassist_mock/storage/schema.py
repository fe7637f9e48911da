"""Creation of the tables, and the check that existing ones are of this version."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, insert, inspect, select

from siteassist_mock.storage.database import Database, StoreError
from siteassist_mock.storage.tables import metadata, settings

VERSION = 1
"""The version of the tables; raise it with each change of a table."""


def prepare(database: Database, connection: Connection) -> bytes:
    """Create the tables if there are none, and return the secret that signs tokens.

    Call it within a transaction that excludes all other writers. Raises `StoreError`, and changes
    nothing, if the tables are of another version or of another program.
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
        raise _foreign(database)
    rows = connection.execute(select(settings.c.name, settings.c.value))
    values = {name: value for name, value in rows}  # noqa: C416 - dict() wants rows typed as tuples
    try:
        version, secret = int(values["version"]), bytes.fromhex(values["secret"])
    except (KeyError, ValueError):
        raise _foreign(database) from None
    if version != VERSION:
        raise StoreError(
            f"cannot use the database {database.name}: its tables have version {version},"
            f" expected version {VERSION}; use an empty database"
        )
    return secret


def _foreign(database: Database) -> StoreError:
    return StoreError(
        f"cannot use the database {database.name}: it belongs to another program;"
        " use an empty database"
    )
