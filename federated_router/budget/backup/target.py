"""Which databases a backup may be taken from, or restored into.

Decides by what is there before anything is opened for writing: to open a ledger is to
upgrade its schema, which no mistaken address should bring about.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, inspect, select
from sqlalchemy.exc import SQLAlchemyError

from federated_router.budget.sql.schema import ACCOUNTS, CHAIN, ENTRIES, RESERVATIONS
from federated_router.kit.database import unavailable
from federated_router.kit.database_address import DatabaseAddress
from federated_router.kit.errors import NotNow

TIMEOUT_S: Final = 60.0
"""How long one statement may take."""


def is_absent_file(address: DatabaseAddress) -> bool:
    """Return whether the address names a file that does not exist."""
    return address.on_sqlite and not Path(str(address.url.database)).exists()


def refuse_rows(connection: Connection) -> None:
    """Raise NotNow for a ledger in which something happened."""
    sequence = connection.execute(select(CHAIN.c.sequence)).scalar_one()
    if sequence or _has_rows(connection, ACCOUNTS) or _has_rows(connection, ENTRIES):
        raise _used()


async def refuse_used(url: str, annexed: Sequence[Table] = ()) -> None:
    """Refuse a ledger, or annexed tables, in use before a schema is upgraded."""
    address = DatabaseAddress.parse(url, timeout_s=TIMEOUT_S)
    if is_absent_file(address):
        return
    engine = address.reader(connections_max=1)
    try:
        async with engine.connect() as connection:
            used = await connection.run_sync(_is_used, annexed)
    except SQLAlchemyError as error:
        raise unavailable("ledger.restore", error) from error
    finally:
        await engine.dispose()
    if used:
        raise _used()


def _is_used(connection: Connection, annexed: Sequence[Table]) -> bool:
    tables = set(inspect(connection).get_table_names())
    return any(
        table.name in tables and _has_rows(connection, table)
        for table in (ACCOUNTS, RESERVATIONS, ENTRIES, *annexed)
    )


def _has_rows(connection: Connection, table: Table) -> bool:
    key = next(iter(table.primary_key.columns))
    return connection.execute(select(key).limit(1)).first() is not None


def _used() -> NotNow:
    return NotNow(
        "This database holds a ledger in which something happened. Restore into an "
        "empty one, then point the router there.",
    )
