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

from sqlalchemy import Connection, Row, Table, literal, select, tuple_
from sqlalchemy.exc import SQLAlchemyError

from federated_router.budget.audit.files import refuse_existing, whole_file
from federated_router.budget.backup.annex import (
    Annex,
    annexes_named,
    check_revision,
    revisions_in,
)
from federated_router.budget.backup.check import BackupCheck, required
from federated_router.budget.backup.format import (
    BackupHeader,
    BackupRow,
    BackupWriter,
    read_backup,
    tables_of,
)
from federated_router.budget.backup.target import TIMEOUT_S, is_absent_file
from federated_router.budget.chain import ChainHead
from federated_router.budget.sql.schema import CHAIN
from federated_router.budget.sql.store import MIGRATIONS
from federated_router.kit.clock import Clock
from federated_router.kit.database import unavailable
from federated_router.kit.database_address import DatabaseAddress
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.migration import newest_revision, schema_revision

_MODE: Final = 0o600
_MICROSECONDS: Final = 1_000_000
_PAGE: Final = 500
_PAGE_OF_TEXTS: Final = 16
Tell = Callable[[str, int], None]
"""Hears the name of a table and how many of its rows are done."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds."""

    header: BackupHeader
    rows: Mapping[str, int]


async def back_up(
    url: str,
    path: Path,
    *,
    clock: Clock,
    tell: Tell,
    overwrite: bool = False,
    annexes: Sequence[Annex] = (),
) -> BackupSummary:
    """Write a backup of the ledger at `url` to `path`, mode 0600; return what it holds.

    An annex whose tables are not in the database is left out.

    Raises:
        FieldInvalid: there is no ledger, or the file exists already.
        NotNow: the ledger, or an annex, has another schema revision than this program.
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
                dump = _Dump(BackupWriter(file), annexes, tell)
                await connection.run_sync(dump.write, clock.now_s())
    except SQLAlchemyError as error:
        raise unavailable("ledger.backup", error) from error
    finally:
        await engine.dispose()
    return check_backup(path, annexes)


def check_backup(path: Path, annexes: Sequence[Annex] = ()) -> BackupSummary:
    """Read a backup as a restore would, without a database; return what it holds.

    Raises:
        FieldInvalid: it is damaged, or its balances are not those of its journal.
    """
    records = read_backup(path, annexes)
    header = required(next(records))
    check = BackupCheck(header, kept=())
    tables = tables_of(annexes_named(header.annexes, annexes))
    rows = {table.name: 0 for table in tables}
    for record in records:
        if isinstance(record, BackupRow):
            rows[record.table.name] += 1
            check.row(record)
    check.finish()
    return BackupSummary(header, rows)


def ledger_revision() -> str:
    """Return the ledger's schema revision that this program works with."""
    return newest_revision(_ledger_migrations())


def _ledger_migrations() -> Path:
    return Path(str(files(MIGRATIONS)))


@dataclass(frozen=True, slots=True)
class _Dump:
    """Writes what one transaction sees."""

    writer: BackupWriter
    annexes: Sequence[Annex]
    tell: Tell

    def write(self, connection: Connection, now_s: float) -> None:
        """Write the header, every table and the end."""
        revision = schema_revision(connection, _ledger_migrations())
        check_revision(revision, ledger_revision(), what="The ledger")
        found = revisions_in(connection, self.annexes)
        head = connection.execute(
            select(CHAIN.c.ledger_id, CHAIN.c.sequence, CHAIN.c.hash)
        ).one()
        self.writer.header(
            BackupHeader(
                schema_revision=revision,
                head=ChainHead(bytes(head.ledger_id), head.sequence, bytes(head.hash)),
                time_us=round(now_s * _MICROSECONDS),
                annexes=found,
            )
        )
        for table in tables_of(annexes_named(found, self.annexes)):
            self._table(connection, table)
        self.writer.finish()

    def _table(self, connection: Connection, table: Table) -> None:
        self.writer.table(table)
        for page in _pages(connection, table):
            for row in page:
                self.writer.row(table, row)
            self.tell(table.name, self.writer.rows[table.name])


def _pages(
    connection: Connection, table: Table
) -> Iterator[Sequence[Row[*tuple[object, ...]]]]:
    keys = tuple(table.primary_key.columns)
    size = _PAGE_OF_TEXTS if "content" in table.columns else _PAGE
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
