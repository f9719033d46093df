"""The verification of an exported audit log, with the public key and nothing else.

Decides the order of the checks and what the verdict covers: the chain and its
checkpoints over all of the file, and the rules of the ledger as far as the chain is
whole, because behind a gap no balance can be known. Refuses to know files and screens.
Reads the export once, from top to bottom, in memory bounded by the accounts, the open
holds and the checkpoints that the reader kept.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from federated_router.budget.audit.books import AuditedAccount
from federated_router.budget.audit.chain import ChainCheck
from federated_router.budget.audit.findings import Fault, Finding, Findings
from federated_router.budget.audit.format import (
    End,
    ExportedEntry,
    Header,
    Record,
    read_line,
)
from federated_router.budget.audit.replay import Replay
from federated_router.budget.checkpoint import Checkpoint
from federated_router.kit.errors import FieldInvalid

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an export proves and what is wrong with it.

    `signed_through` is the last entry that a valid checkpoint covers; entries behind it
    could be exchanged by whoever made the file. `replayed` counts the entries whose
    balances were computed again. `findings` holds the first of `findings_count`.
    """

    ledger_id: bytes | None
    last_sequence: int
    entries: int
    checkpoints: int
    signed_through: int
    signed_time_us: int | None
    replayed: int
    reservations: int
    open_holds: int
    accounts: dict[str, AuditedAccount]
    findings: tuple[Finding, ...]
    findings_count: int
    notes: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        """Whether nothing was found wrong."""
        return self.findings_count == 0

    @property
    def unsigned(self) -> int:
        """How many entries stand behind the last that is signed."""
        return self.last_sequence - self.signed_through


def verify(
    lines: Iterable[bytes],
    *,
    public_keys: Collection[bytes],
    kept: Iterable[Checkpoint] = (),
) -> AuditReport:
    """Return the report on an export, given line by line.

    `public_keys` are the raw Ed25519 keys that the reader trusts; `kept` are
    checkpoints that the reader received earlier. Whatever is in the file ends up as a
    finding: nothing is raised.
    """
    return _Verification(public_keys, tuple(kept)).run(lines)


class _Verification:
    def __init__(
        self, public_keys: Collection[bytes], kept: tuple[Checkpoint, ...]
    ) -> None:
        self._public_keys = public_keys
        self._kept = kept
        self._findings = Findings()
        self._replay = Replay(self._findings)
        self._ledger_id: bytes | None = None
        self._chain: ChainCheck | None = None
        self._end: End | None = None

    def run(self, lines: Iterable[bytes]) -> AuditReport:
        for number, line in enumerate(lines, start=1):
            try:
                self._take(number, read_line(line))
            except FieldInvalid as error:
                text = f"Line {number} cannot be read: {error.message}"
                self._findings.add(Fault.FILE_UNREADABLE, None, text)
                if self._chain is None:
                    break
        self._finish()
        return self._report()

    def _take(self, number: int, record: Record) -> None:
        if self._end is not None:
            raise FieldInvalid("It stands behind the end.", field="line")
        if isinstance(record, Header):
            self._begin(number, record)
        elif self._chain is None:
            raise FieldInvalid("An export begins with its header.", field="line")
        elif isinstance(record, ExportedEntry):
            if self._chain.entry(record):
                self._replay.entry(record)
        elif isinstance(record, Checkpoint):
            self._chain.checkpoint(record)
        else:
            self._end = record

    def _begin(self, number: int, header: Header) -> None:
        if number != 1:
            raise FieldInvalid("A header stands in the first line.", field="line")
        self._ledger_id = header.ledger_id
        self._chain = ChainCheck(
            header.ledger_id,
            public_keys=self._public_keys,
            kept=self._kept,
            findings=self._findings,
        )

    def _finish(self) -> None:
        chain = self._chain
        if chain is None:
            if not self._findings.count:
                self._findings.add(Fault.FILE_UNREADABLE, None, "The file is empty.")
            return
        chain.finish()
        if self._end is None:
            text = f"The file has no end: it was cut off behind entry {chain.sequence}."
            self._findings.add(Fault.FILE_CUT, chain.sequence, text)
        elif self._end != End(chain.entries, chain.checkpoints):
            text = (
                f"The file says that it holds {self._end.entries:,} entries and "
                f"{self._end.checkpoints:,} checkpoints; {chain.entries:,} and "
                f"{chain.checkpoints:,} are here."
            )
            self._findings.add(Fault.FILE_CUT, None, text)

    def _report(self) -> AuditReport:
        chain = self._chain or ChainCheck(
            b"", public_keys=(), kept=(), findings=Findings()
        )
        return AuditReport(
            ledger_id=self._ledger_id,
            last_sequence=chain.sequence,
            entries=chain.entries,
            checkpoints=chain.checkpoints,
            signed_through=chain.signed_through,
            signed_time_us=chain.signed_time_us,
            replayed=self._replay.entries,
            reservations=self._replay.reservations,
            open_holds=len(self._replay.books.holds),
            accounts=self._replay.books.accounts,
            findings=tuple(self._findings.kept),
            findings_count=self._findings.count,
            notes=tuple(self._notes(chain)),
        )

    def _notes(self, chain: ChainCheck) -> list[str]:
        replay = self._replay
        notes = [
            f"Entry {place}: the ledger goes on from a backup here. What was charged "
            "after that backup was made and before this entry is forgotten."
            for place in replay.restored
        ]
        if replay.steps_back:
            notes.append(
                f"The clock went back {replay.steps_back} times, by "
                f"{replay.largest_step_back_us / _SECOND_US:.3f} seconds at most."
            )
        if chain.entries and not chain.is_whole:
            notes.append(
                f"Balances were computed for the first {replay.entries:,} entries "
                "only, because the chain is broken behind them."
            )
        return notes
