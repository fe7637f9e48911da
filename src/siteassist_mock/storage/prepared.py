"""Statements that are compiled once and then run on the driver's own cursor.

SQLAlchemy puts a statement together, looks its text up in a cache and wraps its
result each time, which takes ten times as long as SQLite takes to run it. What
nearly every request runs is therefore prepared: SQLAlchemy still writes the SQL
for each database and converts the values, but only the driver stands in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Select

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ClauseElement, Dialect
    from sqlalchemy.engine.interfaces import DBAPICursor

__all__ = ["Prepared"]

Row = TypeVar("Row")


class Prepared(Generic[Row]):
    """One statement for one kind of database; ``row`` makes an object of a row's values."""

    def __init__(
        self,
        statement: ClauseElement,
        dialect: Dialect,
        row: Callable[..., Row] | None = None,
        *,
        columns: list[str] | None = None,
    ) -> None:
        """Compile ``statement``, whose values are all named by `bindparam`.

        Those of an INSERT are the ``columns``; a SELECT needs ``row``.
        """
        compiled: Any = statement.compile(dialect=dialect, column_keys=columns)
        self._sql: str = compiled.string
        # The names in their order, for drivers that count parameters.
        self._order: list[str] | None = compiled.positiontup
        self._encoders = {
            name: encode
            for name, bind in compiled.binds.items()
            if (encode := bind.type.dialect_impl(dialect).bind_processor(dialect)) is not None
        }
        self._columns = (
            [column.type.dialect_impl(dialect) for column in statement.selected_columns]
            if isinstance(statement, Select)
            else []
        )
        self._decoders: list[tuple[int, Callable[[Any], Any]]] | None = None
        self._dialect = dialect
        self._row = row

    def run(self, cursor: DBAPICursor, values: Mapping[str, Any]) -> int:
        """Run the statement and return how many rows it changed."""
        if self._encoders:
            values = {
                name: self._encoders[name](value) if name in self._encoders else value
                for name, value in values.items()
            }
        order = self._order
        cursor.execute(self._sql, values if order is None else [values[name] for name in order])
        return cursor.rowcount

    def all(self, cursor: DBAPICursor, values: Mapping[str, Any]) -> list[Row]:
        """Run the statement and return what it finds."""
        self.run(cursor, values)
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        if self._decoders is None:
            self._decoders = self._choose_decoders(cursor)
        if self._decoders:
            rows = [self._decoded(row) for row in rows]
        make: Callable[..., Row] = self._row  # type: ignore[assignment] # a SELECT has one
        return [make(*row) for row in rows]

    def first(self, cursor: DBAPICursor, values: Mapping[str, Any]) -> Row | None:
        """Run the statement and return the first row that it finds, or None."""
        rows = self.all(cursor, values)
        return rows[0] if rows else None

    def _choose_decoders(self, cursor: DBAPICursor) -> list[tuple[int, Callable[[Any], Any]]]:
        # How a value is converted depends on what the driver says of its column.
        return [
            (position, decode)
            for position, (column, said) in enumerate(
                zip(self._columns, cursor.description, strict=True)
            )
            if (decode := column.result_processor(self._dialect, said[1])) is not None
        ]

    def _decoded(self, row: Sequence[Any]) -> list[Any]:
        decoded = list(row)
        for position, decode in self._decoders or ():
            decoded[position] = decode(decoded[position])
        return decoded
