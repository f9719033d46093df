"""The ledger as the rest of the router sees it: `LedgerStore`.

Decides which calls there are; `calls` says what each promises. Refuses to know the
database: an implementation only says how a transaction over `LedgerRows` is run.
"""

from federated_router.budget.account_calls import AccountCalls
from federated_router.budget.calls import PAGE_SIZE_MAX
from federated_router.budget.record_calls import RecordCalls
from federated_router.budget.reservation_calls import (
    EXPIRE_BATCH_MAX,
    ReservationCalls,
)

__all__ = ["EXPIRE_BATCH_MAX", "PAGE_SIZE_MAX", "LedgerStore"]


class LedgerStore(AccountCalls, ReservationCalls, RecordCalls):
    """Budget accounts, the reservations on them, and the log of both."""
