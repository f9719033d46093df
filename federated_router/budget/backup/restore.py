"""A ledger brought back from a backup, into an empty database.

Decides that a restore is one transaction: every row, the check of them against their
journal, and an entry that says who restored what, and why; or nothing. Refuses a
database in which anything ever happened. What the ledger's annexes hold comes back
stopped, unless the operator says that nothing happened since. An old backup forgets the
charges made after it, which nobody can take back from those who learned: that is said,
and refused where a kept checkpoint proves it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from federated_router.budget import entries
from federated_router.budget.audit.findings import shown
from federated_router.budget.backup.annex import (
    Annex,
    annexes_named,
    check_revision,
)
from federated_router.budget.backup.archive import Tell, ledger_revision
from federated_router.budget.backup.check import (
    BackupCheck,
    refuse_lost_charges,
    required,
)
from federated_router.budget.backup.format import (
    BackupHeader,
    BackupRow,
    damaged,
    read_backup,
)
from federated_router.budget.backup.target import refuse_rows, refuse_used
from federated_router.budget.chain import ChainHead, head_after, link
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.proposal import check_reason
from federated_router.budget.sql.schema import (
    ACCOUNTS,
    ANSWERS,
    CHAIN,
    CHARGES,
    CHECKPOINTS,
    ENTRIES,
    RESERVATIONS,
)
from federated_router.budget.sql.store import MIGRATIONS
from federated_router.kit.clock import Clock
from federated_router.kit.database import Database
from federated_router.kit.database_address import Isolation
from federated_router.kit.migration import newest_revision

TIMEOUT_S: Final = 3600.0
"""How long the one transaction may take."""
_ROWS_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """What to restore, and who answers for it.

    `newest` are checkpoints that the operator kept; `accept_lost_charges` says that a
    backup older than they are is wanted all the same. `nothing_since` says that nothing
    was sampled after the backup, so that what the annexes hold may go on.
    """

    path: Path
    restored_by: str
    reason: str
    newest: tuple[Checkpoint, ...] = ()
    accept_lost_charges: bool = False
    nothing_since: bool = False
    annexes: tuple[Annex, ...] = ()


@dataclass(frozen=True, slots=True)
class RestoreSummary:
    """What was restored; `head` is the entry that says so.

    `stopped` counts what each annex of the backup had under way and may not go on with.
    """

    header: BackupHeader
    head: ChainHead
    lost_after: int | None
    stopped: Mapping[str, int]


async def restore(
    url: str, wanted: Restore, *, clock: Clock, tell: Tell
) -> RestoreSummary:
    """Bring the ledger of a backup back into the empty database at `url`.

    Raises:
        FieldInvalid: the backup is damaged, or its rows do not agree.
        NotNow: the database is used, the backup is of another schema revision, or
            a kept checkpoint proves charges or a history that is not in it.
        StoreUnavailable: the database does not answer.
    """
    check_reason(wanted.reason)
    tables = tuple(table for one in wanted.annexes for table in one.tables)
    await refuse_used(url, tables)
    for annex in _annexes_in(wanted):
        # Creates its tables. The one transaction below fills them.
        made = await Database.open(url, migrations=annex.migrations)
        await made.close()
    database = await Database.open(
        url,
        migrations=MIGRATIONS,
        timeout_s=TIMEOUT_S,
        isolation=Isolation.READ_COMMITTED,
    )
    try:
        return await database.write(
            "ledger.restore",
            lambda connection: _restore(connection, wanted, clock.now_s(), tell),
        )
    except IntegrityError as error:
        raise damaged("The database refuses rows that break the rules") from error
    finally:
        await database.close()


def _restore(
    connection: Connection, wanted: Restore, now_s: float, tell: Tell
) -> RestoreSummary:
    # Who holds this row writes; a router that starts meanwhile waits.
    connection.execute(select(CHAIN).with_for_update()).one()
    refuse_rows(connection)
    records = read_backup(wanted.path, wanted.annexes)
    header = required(next(records))
    check_revision(header.schema_revision, ledger_revision(), what="The backup")
    check = BackupCheck(header, wanted.newest)
    for page in _pages(records, check):
        _insert(connection, page)
        tell(page[0].table.name, len(page))
    check.finish()
    if not wanted.accept_lost_charges:
        refuse_lost_charges(check, header)
    _check_sums(connection)
    stopped = {
        one.name: _settled(connection, one, wanted)
        for one in annexes_named(header.annexes, wanted.annexes)
    }
    head = _append_entry(connection, wanted, header, now_s)
    return RestoreSummary(header, head, check.lost_after, stopped)


def _annexes_in(wanted: Restore) -> list[Annex]:
    """Return the annexes of the backup; raise NotNow for other revisions of them."""
    header = required(next(read_backup(wanted.path, wanted.annexes)))
    found = annexes_named(header.annexes, wanted.annexes)
    for one in found:
        what, told = f"The backup's store of {one.name}", header.annexes[one.name]
        check_revision(told, newest_revision(one.directory), what=what)
    return found


def _settled(connection: Connection, annex: Annex, wanted: Restore) -> int:
    try:
        return annex.settle(connection, wanted.nothing_since)
    except ValueError as error:
        raise damaged(f"The {annex.name} are not those of the ledger") from error


def _pages(
    records: Iterator[BackupHeader | BackupRow], check: BackupCheck
) -> Iterator[Sequence[BackupRow]]:
    """Yield checked rows in pages of one table each."""
    page: list[BackupRow] = []
    for record in records:
        if not isinstance(record, BackupRow):
            raise damaged("A second header stands in the file")
        check.row(record)
        if page and (record.table is not page[0].table or len(page) == _ROWS_AT_ONCE):
            yield page
            page = []
        page.append(record)
    if page:
        yield page


def _insert(connection: Connection, page: Sequence[BackupRow]) -> None:
    table = page[0].table
    rows = [dict(row.values) for row in page]
    if table is CHAIN:
        connection.execute(update(CHAIN).values(rows[0]))
        return
    if table is ANSWERS:
        # The database numbers answers itself; their order stays.
        for row in rows:
            del row["number"]
    connection.execute(insert(table), rows)


def _append_entry(
    connection: Connection, wanted: Restore, header: BackupHeader, now_s: float
) -> ChainHead:
    told = {
        "backup_hash": header.head.hash.hex(),
        "backup_sequence": header.head.sequence,
        "backup_time_us": header.time_us,
        "lost_charges_accepted": wanted.accept_lost_charges,
        "nothing_since": wanted.nothing_since,
        "reason": wanted.reason,
        "restored_by": wanted.restored_by,
    }
    chained = link(header.head, entries.ledger_restored(told, now_s=now_s))
    head = head_after(header.head, chained)
    row = {
        "sequence": chained.sequence,
        "time_s": chained.entry.time_s,
        "kind": chained.entry.kind.value,
        "detail": chained.entry.detail,
        "hash": chained.hash,
    }
    connection.execute(insert(ENTRIES), [row])
    connection.execute(update(CHAIN).values(sequence=head.sequence, hash=head.hash))
    return head


def _check_sums(connection: Connection) -> None:
    """Compare what only the database sees at once: charges, and signed hashes."""
    charged = func.sum(CHARGES.c.units_per_step * RESERVATIONS.c.steps_charged)
    sums = connection.execute(
        select(CHARGES.c.account, charged)
        .join(RESERVATIONS, RESERVATIONS.c.number == CHARGES.c.number)
        .group_by(CHARGES.c.account)
    )
    charged_by_account = {account: int(units) for account, units in sums}
    for name, lifetime in connection.execute(
        select(ACCOUNTS.c.name, ACCOUNTS.c.lifetime_units)
    ):
        if charged_by_account.get(name, 0) != lifetime:
            raise damaged(f"The charges of {shown(name)} do not add up")
    contradicted = connection.execute(
        select(func.count())
        .select_from(CHECKPOINTS)
        .join(ENTRIES, ENTRIES.c.sequence == CHECKPOINTS.c.sequence)
        .where(ENTRIES.c.hash != CHECKPOINTS.c.hash)
    ).scalar_one()
    if contradicted:
        raise damaged("A checkpoint contradicts the journal")
