"""What a batch of calls leaves behind, before anything of it is written.

Decides that a call which fails leaves nothing: what it staged is taken back. Refuses to
know how rows are read and written.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry, ChainHead
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import RequestId, Reservation

_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Position:
    """Where the ledger ends: its chain, and its last reservation's number."""

    head: ChainHead
    last_reservation: int


@dataclass(slots=True)
class Changes:
    """Rows to write, and what the database holds in their place.

    `accounts` and `reservations` map to the stored row, None for a new one. A proposal
    of None is deleted. `answers_deleted` are numbers of stored answers.
    """

    accounts: dict[AccountName, Account | None] = field(default_factory=dict)
    reservations: dict[RequestId, Reservation | None] = field(default_factory=dict)
    proposals: dict[AccountName, Proposal | None] = field(default_factory=dict)
    entries: list[ChainedEntry] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    answers_deleted: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.entries
            or self.reservations
            or self.accounts
            or self.proposals
            or self.checkpoints
            or self.answers
            or self.answers_deleted
        )


class Undo:
    """Takes back what a call put into dictionaries and lists."""

    __slots__ = ("_appended", "_put")

    def __init__(self) -> None:
        self._put: list[tuple[dict[Any, Any], Any, Any]] = []
        self._appended: list[list[Any]] = []

    def __bool__(self) -> bool:
        return bool(self._put or self._appended)

    def put(self, rows: dict[Any, Any], key: object, row: object) -> None:
        """Set `rows[key]`."""
        self._put.append((rows, key, rows.get(key, _ABSENT)))
        rows[key] = row

    def append(self, rows: list[Any], row: object) -> None:
        """Append to `rows`."""
        self._appended.append(rows)
        rows.append(row)

    def keep(self) -> None:
        """Forget how to take back what was done so far."""
        self._put.clear()
        self._appended.clear()

    def take_back(self) -> None:
        """Undo what was done since the last `keep`, the latest first."""
        for rows, key, row in reversed(self._put):
            if row is _ABSENT:
                del rows[key]
            else:
                rows[key] = row
        for appended in self._appended:
            appended.pop()
        self.keep()
