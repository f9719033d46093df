"""Questions about many rows, which only the database can answer.

Decides nothing: each is asked of the stored rows, once they hold all that the call may
see. The part of `LedgerRows` that `batch_rows` does not keep at hand.
"""

from abc import ABC, abstractmethod

from federated_router.budget.accounts import AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import RequestId, Reservation
from federated_router.budget.rows import AccountPage, ReservationPage, Spending
from federated_router.budget.sql.stored_rows import StoredRows


class BatchQuestions(ABC):
    """Answers from stored rows."""

    @abstractmethod
    def _written(self) -> StoredRows:
        """Return the stored rows, once they hold all that this call may see."""

    def holders(self, name: AccountName, *, count_max: int) -> tuple[RequestId, ...]:
        """Return the requests that hold a part of the account, oldest first."""
        return self._written().holders(name, count_max=count_max)

    def account_page(self, *, prefix: str, size: int, token: str) -> AccountPage:
        """Return accounts whose names begin so, after the page that gave `token`."""
        return self._written().account_page(prefix=prefix, size=size, token=token)

    def reservation_page(
        self, name: AccountName, *, size: int, token: str
    ) -> ReservationPage:
        """Return the account's reservations after those of that page."""
        return self._written().reservation_page(name, size=size, token=token)

    def entries(self, *, after: int, count_max: int) -> tuple[ChainedEntry, ...]:
        """Return journal entries after that place, in order."""
        return self._written().entries(after=after, count_max=count_max)

    def checkpoints(self, *, after: int, count_max: int) -> tuple[Checkpoint, ...]:
        """Return checkpoints of entries after that place, in order."""
        return self._written().checkpoints(after=after, count_max=count_max)

    def last_checkpoint(self) -> Checkpoint | None:
        """Return the checkpoint of the latest place."""
        return self._written().last_checkpoint()

    def proposal(self, name: AccountName) -> Proposal | None:
        """Return the account's waiting proposal."""
        return self._written().proposal(name)

    def answer(self, request_id: RequestId, *, now_s: float) -> Answer | None:
        """Return the request's answer unless it has expired."""
        return self._written().answer(request_id, now_s=now_s)

    def cached_answer(self, cache_key: bytes, *, now_s: float) -> Answer | None:
        """Return the newest answer under the key that has not expired."""
        return self._written().cached_answer(cache_key, now_s=now_s)

    def spending(self, name: AccountName, *, since_s: float) -> tuple[Spending, ...]:
        """Return what was charged by requests settled since then, by event."""
        return self._written().spending(name, since_s=since_s)

    def dearest(
        self, name: AccountName, *, since_s: float, count_max: int
    ) -> tuple[Reservation, ...]:
        """Return the requests settled since then that charged most."""
        return self._written().dearest(name, since_s=since_s, count_max=count_max)
