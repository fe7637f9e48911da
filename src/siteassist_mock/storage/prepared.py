"""Statements that are compiled once and then run on the cursor of the driver.

For each execution SQLAlchemy creates a context and a result, which takes four times as
long as SQLite needs for the statement. Here it compiles the statement and converts the
values; nothing else stands between the store and the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import ClauseElement, Connection, Dialect, Select
from sqlalchemy.engine.interfaces import DBAPICursor

_Converter: TypeAlias = Callable[[Any], Any]


class PreparedStatements:
    """The statements of one connection; each is compiled at its first execution.

    Statements must be constants, as the compiled ones are kept. All values of a
    statement are named by `bindparam`, or by the columns of an INSERT.
    """

    def __init__(self, connection: Connection) -> None:
        """Run the statements on ``connection``, on a cursor of their own."""
        self._dialect = connection.dialect
        self._cursor = connection.connection.cursor()
        self._compiled: dict[ClauseElement, _Compiled] = {}

    def execute(
        self, statement: ClauseElement, values: Mapping[str, Any]
    ) -> Sequence[Sequence[Any]]:
        """Run ``statement`` and return the rows of a SELECT."""
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = _Compiled(statement, self._dialect, values)
        return compiled.execute(self._cursor, values)

    def change(self, statement: ClauseElement, values: Mapping[str, Any]) -> int:
        """Run ``statement`` and return the number of rows that it changed."""
        self.execute(statement, values)
        changed: int = self._cursor.rowcount
        return changed

    def first(self, statement: ClauseElement, values: Mapping[str, Any]) -> Sequence[Any] | None:
        """Run a SELECT and return its first row, or None."""
        rows = self.execute(statement, values)
        return rows[0] if rows else None


class _Compiled:
    """A statement in the SQL of one dialect, and the converters of its values."""

    def __init__(
        self, statement: ClauseElement, dialect: Dialect, names: Mapping[str, Any]
    ) -> None:
        compiled: Any = statement.compile(dialect=dialect, column_keys=list(names))
        self._sql: str = compiled.string
        # None if the driver takes values by name.
        self._order: list[str] | None = compiled.positiontup
        self._encoders: dict[str, _Converter] = {
            name: encode
            for name, parameter in compiled.binds.items()
            if (encode := parameter.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        self._dialect = dialect
        self._columns = list(statement.selected_columns) if isinstance(statement, Select) else []
        self._decoders: list[tuple[int, _Converter]] | None = None

    def execute(self, cursor: DBAPICursor, values: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
        if self._encoders:
            values = {**values, **{name: to(values[name]) for name, to in self._encoders.items()}}
        order = self._order
        cursor.execute(self._sql, values if order is None else [values[name] for name in order])
        if not self._columns:
            return ()
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        if self._decoders is None:
            self._decoders = self._choose_decoders(cursor)
        return [self._decode(row) for row in rows] if self._decoders else rows

    def _choose_decoders(self, cursor: DBAPICursor) -> list[tuple[int, _Converter]]:
        # Some converters depend on the type that the driver reports for the column.
        described = zip(self._columns, cursor.description, strict=True)
        converters = (
            column.type.dialect_impl(self._dialect).result_processor(self._dialect, reported[1])
            for column, reported in described
        )
        return [(index, decode) for index, decode in enumerate(converters) if decode is not None]

    def _decode(self, row: Sequence[Any]) -> Sequence[Any]:
        decoded = list(row)
        for index, decode in self._decoders or ():
            # Null stays null in all types; most columns with a converter are null.
            if decoded[index] is not None:
                decoded[index] = decode(decoded[index])
        return decoded
