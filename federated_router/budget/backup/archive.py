"""A backup of a ledger that goes on being used.

Decides that everything is read in one transaction that sees one instant, page by page,
so that neither routers wait nor memory grows; and that the file is read back before
anybody relies on it. Refuses to change the ledger: an older schema is not upgraded. For
a process of its own: writing the file would hold a daemon's event loop up.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Row, Table, literal, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from federated_router.budget.audit.files import refuse_existing, whole_file
from federated_router.budget.backup.check import BackupCheck, required
from federated_router.budget.backup.format import (
    TABLES,
    BackupHeader,
    BackupRow,
    BackupWriter,
    read_backup,
)
from federated_router.budget.backup.target import TIMEOUT_S, is_absent_file
from federated_router.budget.chain import ChainHead
from federated_router.budget.sql.schema import ANSWERS, CHAIN
from federated_router.budget.sql.store import MIGRATIONS
from federated_router.kit.clock import Clock
from federated_router.kit.database import unavailable
from federated_router.kit.database_address import DatabaseAddress
from federated_router.kit.errors import FieldInvalid, NotNow
from federated_router.kit.migration import schema_revision

_MODE: Final = 0o600
_MICROSECONDS: Final = 1_000_000
_PAGE: Final = 500
_PAGE_OF_ANSWERS: Final = 16
Tell = Callable[[str, int], None]
"""Hears the name of a table and how many of its rows are done."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds."""

    header: BackupHeader
    rows: Mapping[str, int]


async def back_up(
    url: str, path: Path, *, clock: Clock, tell: Tell, overwrite: bool = False
) -> BackupSummary:
    """Write a backup of the ledger at `url` to `path`, mode 0600; return what it holds.

    Raises:
        FieldInvalid: there is no ledger, or the file exists already.
        NotNow: the ledger has another schema revision than this program.
        StoreUnavailable: the database does not answer.
    """
    if not overwrite:
        refuse_existing(path)
    address = DatabaseAddress.parse(url, timeout_s=TIMEOUT_S)
    _refuse_absent(address)
    engine = address.reader(connections_max=1)
    try:
        async with engine.connect() as connection:
            with whole_file(path, mode=_MODE, overwrite=overwrite) as file:
                writer = BackupWriter(file)
                await connection.run_sync(_dump, writer, clock.now_s(), tell)
    except SQLAlchemyError as error:
        raise unavailable("ledger.backup", error) from error
    finally:
        await engine.dispose()
    return check_backup(path)


def check_backup(path: Path) -> BackupSummary:
    """Read a backup as a restore would, without a database; return what it holds.

    Raises:
        FieldInvalid: it is damaged, or its balances are not those of its journal.
    """
    records = read_backup(path)
    header = required(next(records))
    check = BackupCheck(header, kept=())
    rows = {table.name: 0 for table in TABLES}
    for record in records:
        if isinstance(record, BackupRow):
            rows[record.table.name] += 1
            check.row(record)
    check.finish()
    return BackupSummary(header, rows)


def migrations_directory() -> Path:
    """Return where the ledger's schema revisions are."""
    return Path(str(files(MIGRATIONS)))


def newest_revision() -> str:
    """Return the schema revision that this program works with."""
    directory = str(migrations_directory())
    script = ScriptDirectory(directory, version_locations=[directory])
    return script.get_current_head() or ""


def _dump(
    connection: Connection, writer: BackupWriter, now_s: float, tell: Tell
) -> None:
    revision = _revision(connection)
    head = connection.execute(
        select(CHAIN.c.ledger_id, CHAIN.c.sequence, CHAIN.c.hash)
    ).one()
    writer.header(
        BackupHeader(
            schema_revision=revision,
            head=ChainHead(bytes(head.ledger_id), head.sequence, bytes(head.hash)),
            time_us=round(now_s * _MICROSECONDS),
        )
    )
    for table in TABLES:
        writer.table(table)
        for page in _pages(connection, table):
            for row in page:
                writer.row(table, row)
            tell(table.name, writer.rows[table.name])
    writer.finish()


def _revision(connection: Connection) -> str:
    found, newest = (
        schema_revision(connection, migrations_directory()),
        newest_revision(),
    )
    if found != newest:
        raise NotNow(
            f"The ledger's schema is of revision {found or 'none'}, and this program "
            f"works with {newest}. Back it up with the version that uses it.",
            metadata={"found": found, "expected": newest},
        )
    return found


def _pages(
    connection: Connection, table: Table
) -> Iterator[Sequence[Row[*tuple[object, ...]]]]:
    keys = tuple(table.primary_key.columns)
    size = _PAGE_OF_ANSWERS if table is ANSWERS else _PAGE
    first = select(table).order_by(*keys).limit(size)
    page = connection.execute(first).all()
    while page:
        yield page
        last = dict(zip(table.columns.keys(), page[-1], strict=True))
        after = tuple_(*(literal(last[key.name], key.type) for key in keys))
        page = connection.execute(first.where(tuple_(*keys) > after)).all()


def _refuse_absent(address: DatabaseAddress) -> None:
    # SQLite would make an empty ledger and back that up.
    if is_absent_file(address):
        raise FieldInvalid("There is no ledger at this address.", field="url")
