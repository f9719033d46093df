"""Whether the rows of a backup agree with the journal that is among them.

Decides what a backup must hold to be worth restoring: an unbroken chain up to the
header's head, balances and open holds exactly as the journal tells them, signatures
that hold. Refuses to know databases. Entries that broke the ledger's rules stay as they
are: a restore brings a history back and does not improve it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from federated_router.budget.audit.books import UNITS_MAX, AuditedAccount, AuditedHold
from federated_router.budget.audit.chain import ChainCheck
from federated_router.budget.audit.findings import Fault, Findings, shown
from federated_router.budget.audit.format import ExportedEntry
from federated_router.budget.audit.replay import Replay
from federated_router.budget.backup.format import BackupHeader, BackupRow, damaged
from federated_router.budget.chain import ChainHead, genesis
from federated_router.budget.checkpoint import Checkpoint, is_genuine
from federated_router.budget.sql.schema import (
    ACCOUNTS,
    CHAIN,
    CHARGES,
    CHECKPOINTS,
    ENTRIES,
    RESERVATIONS,
)
from federated_router.kit.errors import FieldInvalid, NotNow

_MICROSECONDS: Final = 1_000_000
_KEPT: Final = frozenset(
    {Fault.KEPT_CHECKPOINT_FORGED, Fault.KEPT_CHECKPOINT_CONTRADICTED}
)
Columns = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Balance:
    """What a row of accounts and the journal must tell alike."""

    limit: int
    cap: int
    order: float | None
    renewal: str
    zone: str
    window_start_us: int
    spent: int
    held: int
    lifetime: int
    is_closed: bool


class BackupCheck:
    """Takes every row of a backup once, in order, then says whether they agree.

    `kept` are checkpoints that the operator kept. Memory grows with accounts and open
    holds, not with the journal.
    """

    def __init__(self, header: BackupHeader, kept: Iterable[Checkpoint]) -> None:
        self._header = header
        kept = tuple(kept)
        self._findings = Findings()
        self._chain = ChainCheck(
            header.head.ledger_id,
            public_keys={one.public_key for one in kept},
            kept=kept,
            findings=self._findings,
        )
        self._replay = Replay(Findings())
        self._head = genesis(header.head.ledger_id)
        self._ends_here = False
        self._reservations = 0
        self._last_reservation = 0
        self._accounts: dict[str, _Balance] = {}
        self._held: dict[int, tuple[str, AuditedHold]] = {}
        self._takers: dict[str, Callable[[Columns], None]] = {
            ACCOUNTS.name: self._account,
            RESERVATIONS.name: self._reservation,
            CHARGES.name: self._charge,
            ENTRIES.name: self._entry,
            CHAIN.name: self._chain_row,
            CHECKPOINTS.name: self._checkpoint,
        }

    @property
    def lost_after(self) -> int | None:
        """The last entry that a kept checkpoint proves and that is not here, if any."""
        lost = [
            one.sequence
            for one in self._findings.kept
            if one.fault is Fault.KEPT_CHECKPOINT_NOT_REACHED
        ]
        return max((place for place in lost if place is not None), default=None)

    def row(self, row: BackupRow) -> None:
        """Take the next row."""
        taker = self._takers.get(row.table.name)
        if taker is None:
            return
        try:
            taker(row.values)
        except (TypeError, ValueError, OverflowError) as error:
            raise damaged(f"A row of {row.table.name} lacks a value") from error

    def finish(self) -> None:
        """Raise unless everything agrees.

        Raises:
            FieldInvalid: the rows are not those of the journal.
            NotNow: a checkpoint that the operator kept tells another history.
        """
        self._chain.finish()
        self._refuse_other_history()
        replayed = self._replay.books
        if not self._ends_here or self._head != self._header.head:
            raise damaged("The journal does not end where the backup says")
        told = {name: _of_books(one) for name, one in replayed.accounts.items()}
        if told != self._accounts:
            odd = min(
                str(name)
                for name in told.keys() | self._accounts.keys()
                if told.get(name) != self._accounts.get(name)
            )
            raise damaged(f"The balance of {shown(odd)} is not what the journal tells")
        if replayed.holds != dict(self._held.values()):
            raise damaged("The open reservations are not those of the journal")
        if self._replay.reservations != self._reservations:
            raise damaged("There are other reservations than the journal tells")

    def _account(self, row: Columns) -> None:
        cap = row["lifetime_cap_units"]
        self._accounts[row["name"]] = _Balance(
            limit=row["limit_units"],
            cap=UNITS_MAX if cap is None else cap,
            order=row["rdp_order"],
            renewal=row["renewal"],
            zone=row["zone"],
            window_start_us=round(row["window_start_s"] * _MICROSECONDS),
            spent=row["spent_units"],
            held=row["reserved_units"],
            lifetime=row["lifetime_units"],
            is_closed=row["closed_time_s"] is not None,
        )

    def _reservation(self, row: Columns) -> None:
        self._reservations += 1
        self._last_reservation = row["number"]
        if row["state"] == "reserved":
            hold = AuditedHold({}, row["steps_max"], row["steps_bound"])
            self._held[row["number"]] = (row["request_id"], hold)

    def _charge(self, row: Columns) -> None:
        held = self._held.get(row["number"])
        if held is not None:
            held[1].per_step[row["account"]] = row["units_per_step"]

    def _entry(self, row: Columns) -> None:
        entry = ExportedEntry(
            sequence=row["sequence"],
            time_us=round(row["time_s"] * _MICROSECONDS),
            kind=row["kind"],
            account=row["account"],
            request_id=row["request_id"],
            detail=row["detail"],
            hash=row["hash"],
        )
        if not self._chain.entry(entry):
            raise damaged(f"The chain is broken at entry {entry.sequence}")
        self._replay.entry(entry)
        self._head = ChainHead(self._header.head.ledger_id, entry.sequence, entry.hash)

    def _chain_row(self, row: Columns) -> None:
        head = ChainHead(row["ledger_id"], row["sequence"], row["hash"])
        if head != self._header.head or head != self._head:
            raise damaged("The end of the chain is not its last entry")
        if row["last_reservation"] < self._last_reservation:
            raise damaged("The numbers of reservations would be used again")
        self._ends_here = True

    def _checkpoint(self, row: Columns) -> None:
        checkpoint = Checkpoint(
            head=ChainHead(row["ledger_id"], row["sequence"], row["hash"]),
            time_us=row["time_us"],
            public_key=row["public_key"],
            signature=row["signature"],
        )
        other = checkpoint.head.ledger_id != self._header.head.ledger_id
        if other or not is_genuine(checkpoint):
            raise damaged(f"The checkpoint of entry {row['sequence']} does not hold")

    def _refuse_other_history(self) -> None:
        for finding in self._findings.kept:
            if finding.fault in _KEPT:
                raise NotNow(
                    f"{finding.text} Nothing was restored.",
                    metadata={"sequence": str(finding.sequence)},
                )


def refuse_lost_charges(check: BackupCheck, header: BackupHeader) -> None:
    """Raise NotNow where a kept checkpoint proves charges that the backup lacks."""
    lost_after = check.lost_after
    if lost_after is not None:
        raise NotNow(
            f"The backup ends at entry {header.head.sequence}, and a checkpoint proves "
            f"{lost_after}: charges made between them would be forgotten, and people "
            "could learn more than the budgets allow. Use a newer backup, or accept "
            "it with --accept-lost-charges.",
            metadata={
                "backup_sequence": str(header.head.sequence),
                "checkpoint_sequence": str(lost_after),
            },
        )


def required(header: object) -> BackupHeader:
    """Return the header that a backup begins with; raise FieldInvalid for none."""
    if not isinstance(header, BackupHeader):
        raise FieldInvalid("A backup begins with its header.", field="backup")
    return header


def _of_books(account: AuditedAccount) -> _Balance:
    return _Balance(
        limit=account.limit,
        cap=account.cap,
        order=account.order,
        renewal=account.renewal,
        zone=account.zone,
        window_start_us=account.window_start_us,
        spent=account.spent,
        held=account.held,
        lifetime=account.lifetime,
        is_closed=account.is_closed,
    )
