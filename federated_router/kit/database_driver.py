"""The driver's own cursor on a connection, for statements that every request pays for.

Decides that a statement may go to the driver as it is, inside the transaction that
SQLAlchemy began, and that its failures look like all others. Refuses to know any
statement.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


@contextmanager
def driver_cursor(connection: Connection) -> Iterator[Any]:
    """Open a cursor of the driver; its errors leave as those of SQLAlchemy.

    A connection that was lost is noticed, and replaced, when the transaction ends.
    """
    dialect = connection.dialect
    errors = dialect.loaded_dbapi.Error
    try:
        cursor = connection.connection.cursor()
        try:
            yield cursor
        finally:
            cursor.close()
    except errors as error:
        raise DBAPIError.instance(
            None, None, error, errors, hide_parameters=True, dialect=dialect
        ) from error
