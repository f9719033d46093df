"""What every group of the ledger's calls needs: a clock, and the two transactions.

Decides nothing; an implementation says how a transaction over `LedgerRows` is run.
Every method of a group is one durable transaction: once it returns, what it did
survives the process; if it raises, it did nothing, except StoreUnavailable and a
cancellation, after which the outcome is unknown and the same call may be repeated.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from federated_router.budget.accounts import AccountName
from federated_router.budget.reservation import RequestId
from federated_router.budget.rows import LedgerRows
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid

T = TypeVar("T")
PAGE_SIZE_MAX: Final = 1000


class Touches(NamedTuple):
    """Rows that a call will surely ask for; calls that run together read them at once.

    The accounts of the requests' reservations need no mention.
    """

    accounts: tuple[AccountName, ...] = ()
    requests: tuple[RequestId, ...] = ()


NOTHING: Final = Touches()


class LedgerCalls(ABC):
    """The base of each group of calls."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    @abstractmethod
    async def _write(
        self, name: str, work: Callable[[LedgerRows], T], touches: Touches = NOTHING
    ) -> T:
        """Run `work` in one durable transaction, all or nothing."""

    @abstractmethod
    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        """Run `work` on one consistent view."""


def check_page_size(page_size: int) -> None:
    """Raise FieldInvalid for a page that is too large to ask for."""
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise FieldInvalid(
            f"A page holds 1 to {PAGE_SIZE_MAX} rows.", field="page_size"
        )
