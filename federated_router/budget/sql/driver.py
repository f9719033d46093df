"""How many rows are read and written with one message to each database.

Decides by which means of the driver rows travel: SQLite runs a prepared statement for
each of them; PostgreSQL takes new rows by COPY and changed ones as one JSON value, at
a tenth of the cost of a statement each. Refuses to know what rows mean.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, Protocol

from sqlalchemy import BigInteger, Connection, Float, LargeBinary, Table, Text

from federated_router.budget.sql.driver_sql import POSTGRES, SQLITE, DriverSql
from federated_router.kit.database_driver import driver_cursor

Rows = Sequence[tuple[Any, ...]]
_POSTGRES_KINDS: Final[Mapping[type, str]] = {
    BigInteger: "bigint",
    Float: "float8",
    LargeBinary: "bytea",
    Text: "text",
}
_COPY_MIN: Final = 4  # Fewer rows are cheaper as statements: COPY asks twice.


class Driver(Protocol):
    """One connection's way to many rows."""

    sql: DriverSql

    def one(self, statement: str) -> tuple[Any, ...]:
        """Return the only row that a statement finds."""
        ...

    def listed(self, statement: str, keys: Sequence[str]) -> Rows:
        """Return the rows that a statement finds for a list of keys."""
        ...

    def insert(self, table: Table, rows: Rows, *, given: int = 0) -> None:
        """Insert rows without their first `given` columns, which the database gives."""
        ...

    def change(self, statement: str, rows: Rows) -> int:
        """Run a statement whose parts have places for each row; return how many met."""
        ...

    def each(self, statement: str, rows: Rows) -> int:
        """Run a statement with marks for each of few rows; return how many met."""
        ...

    def delete(self, statement: str, keys: Sequence[int]) -> int:
        """Delete the rows of a list of keys; return how many there were."""
        ...


class SqliteDriver:
    """Runs a statement per row, which costs SQLite no message."""

    sql = SQLITE

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, statement: str) -> tuple[Any, ...]:
        """Return the only row."""
        return self._rows(statement, ())[0]

    def listed(self, statement: str, keys: Sequence[str]) -> Rows:
        """Return rows by keys, which travel as one JSON value."""
        return self._rows(statement, (json.dumps(keys),))

    def insert(self, table: Table, rows: Rows, *, given: int = 0) -> None:
        """Insert rows."""
        self.each(_insert(table, given, "?"), rows)

    def change(self, statement: str, rows: Rows) -> int:
        """Run the statement for each row."""
        return self.each(statement, rows)

    def each(self, statement: str, rows: Rows) -> int:
        """Run the statement for each row."""
        with driver_cursor(self._connection) as cursor:
            cursor.executemany(statement, rows)
            return int(cursor.rowcount)

    def delete(self, statement: str, keys: Sequence[int]) -> int:
        """Delete rows by keys, which travel as one JSON value."""
        return self.each(statement, [(json.dumps(keys),)])

    def _rows(self, statement: str, values: Rows | tuple[str, ...]) -> Rows:
        with driver_cursor(self._connection) as cursor:
            cursor.execute(statement, values)
            rows: Rows = cursor.fetchall()
            return rows


class PostgresDriver:
    """Sends all rows at once."""

    sql = POSTGRES

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def one(self, statement: str) -> tuple[Any, ...]:
        """Return the only row."""
        return self._rows(statement, None)[0]

    def listed(self, statement: str, keys: Sequence[str]) -> Rows:
        """Return rows by keys, which travel as one array."""
        return self._rows(statement, (list(keys),))

    def insert(self, table: Table, rows: Rows, *, given: int = 0) -> None:
        """Insert rows; many of them by COPY in binary form."""
        if len(rows) < _COPY_MIN:
            self.each(_insert(table, given, "%s"), rows)
            return
        statement, kinds = _copy(table, given)
        with driver_cursor(self._connection) as cursor, cursor.copy(statement) as copy:
            copy.set_types(kinds)
            for row in rows:
                copy.write_row(row)

    def change(self, statement: str, rows: Rows) -> int:
        """Run the statement once for all rows, which travel as one JSON value."""
        return self._met(statement, (json.dumps(rows),))

    def each(self, statement: str, rows: Rows) -> int:
        """Run the statement for each row."""
        return sum(self._met(statement, row) for row in rows)

    def delete(self, statement: str, keys: Sequence[int]) -> int:
        """Delete rows by keys, which travel as one array."""
        return self._met(statement, (list(keys),))

    def _met(self, statement: str, values: tuple[Any, ...]) -> int:
        with driver_cursor(self._connection) as cursor:
            cursor.execute(statement, values)
            return int(cursor.rowcount)

    def _rows(self, statement: str, values: tuple[Any, ...] | None) -> Rows:
        with driver_cursor(self._connection) as cursor:
            cursor.execute(statement, values)
            rows: Rows = cursor.fetchall()
            return rows


def driver_of(connection: Connection) -> Driver:
    """Return the driver behind a connection."""
    if connection.dialect.name == "sqlite":
        return SqliteDriver(connection)
    return PostgresDriver(connection)


@cache
def _insert(table: Table, given: int, mark: str) -> str:
    columns = [column.name for column in table.columns][given:]
    marks = ", ".join([mark] * len(columns))
    return f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - all of the schema.


@cache
def _copy(table: Table, given: int) -> tuple[str, list[str]]:
    """Return a COPY of the table's columns, and the name of each one's type."""
    columns = list(table.columns)[given:]
    names = ", ".join(column.name for column in columns)
    kinds = [_POSTGRES_KINDS[type(column.type)] for column in columns]
    return f"COPY {table.name} ({names}) FROM STDIN (FORMAT BINARY)", kinds
