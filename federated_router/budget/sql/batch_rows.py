"""The ledger's rows as a batch of calls sees them: stored rows under staged changes.

Decides what a call sees, which is everything that calls before it in the batch did,
and that a call which raises leaves nothing. Refuses to know which calls run (`batch`)
and how changes are written (`batch_writer`). Accounts and reservations are read at
once for the whole batch; a question about many rows is answered by the database, after
what earlier calls staged was written.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, TypeVar

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry, ChainHead, entry_hash
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.entries import Entry
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import Owner, RequestId, Reservation
from federated_router.budget.rows import (
    LedgerRows,
)
from federated_router.budget.sql.batch_questions import BatchQuestions
from federated_router.budget.sql.changes import Changes, Position, Undo
from federated_router.budget.sql.stored_rows import StoredRows
from federated_router.kit.errors import Internal

T = TypeVar("T")


class Writer(Protocol):
    """Puts changes into the transaction."""

    def write(
        self,
        changes: Changes,
        accounts: Mapping[AccountName, Account | None],
        reservations: Mapping[RequestId, Reservation | None],
        *,
        before: Position,
        head: ChainHead,
    ) -> Position:
        """Write the rows that changed, as they are now; return where the ledger ends.

        The maps hold more rows than those that changed.
        """
        ...


class BatchRows(BatchQuestions):
    """Implements `LedgerRows` for calls that run one after the other."""

    def __init__(self, stored: StoredRows, position: Position, writer: Writer) -> None:
        self._stored = stored
        self._position = position
        self._writer = writer
        self._sequence = position.head.sequence
        self._hash = position.head.hash
        self._accounts: dict[AccountName, Account | None] = {}
        self._reservations: dict[RequestId, Reservation | None] = {}
        self._changes = Changes()
        self._undo = Undo()

    def run(self, work: Callable[[LedgerRows], T]) -> T:
        """Run one call; keep what it staged, or nothing if it raises."""
        before = (self._sequence, self._hash)
        try:
            answer = work(self)
        except BaseException:
            self._undo.take_back()
            (self._sequence, self._hash) = before
            raise
        self._undo.keep()
        return answer

    def flush(self) -> None:
        """Write what the calls so far have staged."""
        if not self._changes:
            return
        changes, self._changes = self._changes, Changes()
        self._position = self._writer.write(
            changes,
            self._accounts,
            self._reservations,
            before=self._position,
            head=self.head(),
        )

    def read_ahead(
        self, accounts: Iterable[AccountName], requests: Iterable[RequestId]
    ) -> None:
        """Read what calls will ask for: accounts, and reservations with theirs."""
        self._read_reservations(set(requests))
        of_requests = (
            charge.account
            for reservation in self._reservations.values()
            if reservation is not None
            for charge in reservation.charges
        )
        self._read_accounts({*accounts, *of_requests})

    def accounts(self, names: Iterable[AccountName]) -> Mapping[AccountName, Account]:
        """Return those of the accounts that exist."""
        wanted, known = list(names), self._accounts
        self._read_accounts(wanted)
        return {name: one for name in wanted if (one := known[name]) is not None}

    def insert_account(self, account: Account) -> None:
        """Stage an account whose name is free."""
        self._read_accounts((account.name,))
        self._stage_account(None, account)

    def save_account(self, before: Account, after: Account) -> None:
        """Stage the balance in place of the one that was read."""
        self._stage_account(before, after)

    def reservation(self, request_id: RequestId) -> Reservation | None:
        """Return the reservation of this request."""
        if request_id not in self._reservations:
            self._read_reservations((request_id,))
        return self._reservations[request_id]

    def insert_reservation(self, reservation: Reservation) -> None:
        """Stage a reservation whose request id is free."""
        if self.reservation(reservation.request_id) is not None:
            raise Internal("A reservation is inserted twice.")
        self._stage_reservation(None, reservation)

    def save_reservation(self, reservation: Reservation) -> None:
        """Stage what a reservation became."""
        before = self.reservation(reservation.request_id)
        if before is None:
            raise Internal("A reservation is saved that was never made.")
        self._stage_reservation(before, reservation)

    def append(self, entry: Entry) -> None:
        """Stage an entry at the end of the journal."""
        self._sequence += 1
        self._hash = entry_hash(self._hash, self._sequence, entry)
        chained = ChainedEntry(self._sequence, entry, self._hash)
        self._undo.append(self._changes.entries, chained)

    def head(self) -> ChainHead:
        """Return the last place of the journal's chain."""
        return ChainHead(self._position.head.ledger_id, self._sequence, self._hash)

    def insert_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Stage a checkpoint."""
        self._undo.append(self._changes.checkpoints, checkpoint)

    def save_proposal(self, proposal: Proposal) -> None:
        """Stage a proposal in place of the account's earlier one."""
        self._undo.put(self._changes.proposals, proposal.account, proposal)

    def delete_proposal(self, name: AccountName) -> None:
        """Stage that the account has no proposal."""
        self._undo.put(self._changes.proposals, name, None)

    def insert_answer(self, answer: Answer) -> None:
        """Stage the answer of a request that has none."""
        self._undo.append(self._changes.answers, answer)

    def delete_answers(self, *, now_s: float, bytes_max: int, count_max: int) -> int:
        """Stage that answers are deleted; return how many."""
        numbers = self._written().answers_to_delete(
            now_s=now_s, bytes_max=bytes_max, count_max=count_max
        )
        for number in numbers:
            self._undo.append(self._changes.answers_deleted, number)
        return len(numbers)

    def due(self, now_s: float, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds whose lease ended by `now_s`, oldest first."""
        return self._known(self._written().due(now_s, count_max=count_max))

    def orphans(self, owner: Owner, *, count_max: int) -> tuple[Reservation, ...]:
        """Return holds of earlier boots of the owner's instance, oldest first."""
        return self._known(self._written().orphans(owner, count_max=count_max))

    def _written(self) -> StoredRows:
        """Return the stored rows, once they hold all that this call may see."""
        if self._undo:
            raise Internal("A transaction asks for many rows after it has written.")
        self.flush()
        return self._stored

    def _stage_account(self, before: Account | None, after: Account) -> None:
        name = after.terms.name
        known = self._accounts.get(name)
        if known is not before and known != before:
            raise Internal("A balance moved inside a transaction.")
        if name not in self._changes.accounts:
            self._undo.put(self._changes.accounts, name, known)
        self._undo.put(self._accounts, name, after)

    def _stage_reservation(
        self, before: Reservation | None, after: Reservation
    ) -> None:
        if after.request_id not in self._changes.reservations:
            self._undo.put(self._changes.reservations, after.request_id, before)
        self._undo.put(self._reservations, after.request_id, after)

    def _known(self, found: tuple[Reservation, ...]) -> tuple[Reservation, ...]:
        self._reservations.update((one.request_id, one) for one in found)
        return found

    def _read_accounts(self, names: Iterable[AccountName]) -> None:
        new = [name for name in names if name not in self._accounts]
        if new:
            self._accounts.update(dict.fromkeys(new))
            for account in self._stored.accounts(new):
                self._accounts[account.name] = account

    def _read_reservations(self, requests: Iterable[RequestId]) -> None:
        new = [one for one in requests if one not in self._reservations]
        if new:
            self._reservations.update(dict.fromkeys(new))
            for reservation in self._stored.reservations(new):
                self._reservations[reservation.request_id] = reservation
