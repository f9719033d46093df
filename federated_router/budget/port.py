"""The ledger as the rest of the router sees it: `LedgerStore`.

Decides which transaction each call is, and checks what comes in before it opens one.
Refuses to know the database: an implementation only says how a transaction over
`LedgerRows` is run. Every method is one durable transaction: once it returns, what it
did survives the process; if it raises, it did nothing, except StoreUnavailable and a
cancellation, after which the outcome is unknown and the same call may be repeated.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final, TypeVar

from federated_router.budget import reservation as rules
from federated_router.budget import transactions
from federated_router.budget.accounts import (
    Account,
    AccountName,
    AccountTerms,
    open_account,
)
from federated_router.budget.entries import NumberedEntry
from federated_router.budget.ledger import (
    LEASE_S_MAX,
    ReserveRequest,
    check_request,
)
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
)
from federated_router.budget.rows import AccountPage, LedgerRows, ReservationPage
from federated_router.budget.transactions import ReserveAnswer
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FieldInvalid

T = TypeVar("T")
PAGE_SIZE_MAX: Final = 1000
EXPIRE_BATCH_MAX: Final = 100
"""How many holds one transaction settles, so that no reserve waits long behind it."""


class LedgerStore(ABC):
    """Budget accounts and the reservations on them."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    @abstractmethod
    async def _write(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        """Run `work` in one durable transaction, all or nothing."""

    @abstractmethod
    async def _read(self, name: str, work: Callable[[LedgerRows], T]) -> T:
        """Run `work` on one consistent view."""

    async def create_account(self, terms: AccountTerms) -> Account:
        """Open an account; the same terms again return the account as it is now.

        Raises AccountExists for other terms, FieldInvalid for terms that cannot be.
        """
        open_account(terms, now_s=self._clock.now_s())
        return await self._write(
            "ledger.create_account",
            lambda rows: transactions.create_account(
                rows, terms, now_s=self._clock.now_s()
            ),
        )

    async def get_account(self, name: AccountName) -> Account:
        """Return the balance in the current window; raise AccountUnknown."""
        return await self._read(
            "ledger.get_account",
            lambda rows: transactions.account(rows, name, now_s=self._clock.now_s()),
        )

    async def list_accounts(
        self, *, page_size: int, page_token: str = ""
    ) -> AccountPage:
        """Return a page of balances in the current window, in order of name."""
        _check_page_size(page_size)
        return await self._read(
            "ledger.list_accounts",
            lambda rows: transactions.account_page(
                rows, size=page_size, token=page_token, now_s=self._clock.now_s()
            ),
        )

    async def reserve(self, request: ReserveRequest) -> ReserveAnswer:
        """Hold the worst case of a request on every account that it touches.

        Idempotent by request id and body digest: the same request gets the
        reservation that it has, in the state it is in, marked REPLAYED. Raises
        BudgetExhausted (nothing is held then), RequestIdReused, AccountUnknown.
        """
        check_request(request)
        return await self._write(
            "ledger.reserve",
            lambda rows: transactions.reserve(rows, request, now_s=self._clock.now_s()),
        )

    async def commit(
        self, request_id: RequestId, *, owner: Owner, tokens: int
    ) -> Reservation:
        """Charge the tokens that were sampled and free the rest; idempotent.

        Raises NotNow for a hold that was settled otherwise or is another process's,
        NotFound for an unknown request.
        """

        def work(rows: LedgerRows) -> Reservation:
            now_s = self._clock.now_s()
            return transactions.settle(
                rows,
                request_id,
                lambda held: rules.commit(
                    held, owner=owner, tokens=tokens, now_s=now_s
                ),
                now_s=now_s,
            )

        return await self._write("ledger.commit", work)

    async def release(
        self, request_id: RequestId, *, owner: Owner, cause: ReleaseCause
    ) -> Reservation:
        """Free everything that was held, because nothing was sampled; idempotent.

        Raises as `commit` does.
        """

        def work(rows: LedgerRows) -> Reservation:
            now_s = self._clock.now_s()
            return transactions.settle(
                rows,
                request_id,
                lambda held: rules.release(held, owner=owner, cause=cause, now_s=now_s),
                now_s=now_s,
            )

        return await self._write("ledger.release", work)

    async def extend_lease(
        self, request_id: RequestId, *, owner: Owner, lease_s: float
    ) -> Reservation:
        """Keep a hold for `lease_s` seconds from now; raises as `commit` does."""
        if not 0 < lease_s <= LEASE_S_MAX:
            raise FieldInvalid(
                f"A lease is more than 0 and at most {LEASE_S_MAX:.0f} seconds.",
                field="lease_s",
            )

        def work(rows: LedgerRows) -> Reservation:
            now_s = self._clock.now_s()
            return transactions.settle(
                rows,
                request_id,
                lambda held: rules.extend(held, owner=owner, expires_s=now_s + lease_s),
                now_s=now_s,
            )

        return await self._write("ledger.extend_lease", work)

    async def get_reservation(self, request_id: RequestId) -> Reservation:
        """Return a request's reservation; raise NotFound where there is none."""
        return await self._read(
            "ledger.get_reservation",
            lambda rows: transactions.reservation(rows, request_id),
        )

    async def list_reservations(
        self, name: AccountName, *, page_size: int, page_token: str = ""
    ) -> ReservationPage:
        """Return a page of the account's reservations, newest first."""
        _check_page_size(page_size)
        return await self._read(
            "ledger.list_reservations",
            lambda rows: rows.reservation_page(name, size=page_size, token=page_token),
        )

    async def expire_due(self) -> tuple[Reservation, ...]:
        """Charge in full every hold whose lease is over; return them."""
        return await self._until_none_left(
            "ledger.expire_due",
            lambda rows: transactions.expire_due(
                rows, now_s=self._clock.now_s(), count_max=EXPIRE_BATCH_MAX
            ),
        )

    async def settle_orphans(self, owner: Owner) -> tuple[Reservation, ...]:
        """Charge in full what earlier boots of this instance held; return it.

        For the start of a router, when no other process of the instance lives.
        """
        return await self._until_none_left(
            "ledger.settle_orphans",
            lambda rows: transactions.settle_orphans(
                rows, owner, now_s=self._clock.now_s(), count_max=EXPIRE_BATCH_MAX
            ),
        )

    async def list_entries(
        self, *, after: int = 0, page_size: int
    ) -> tuple[NumberedEntry, ...]:
        """Return journal entries with numbers above `after`, in order."""
        _check_page_size(page_size)
        return await self._read(
            "ledger.list_entries",
            lambda rows: rows.entries(after=after, count_max=page_size),
        )

    async def _until_none_left(
        self, name: str, batch: Callable[[LedgerRows], list[Reservation]]
    ) -> tuple[Reservation, ...]:
        settled: list[Reservation] = []
        while True:
            found = await self._write(name, batch)
            settled.extend(found)
            if len(found) < EXPIRE_BATCH_MAX:
                return tuple(settled)


def _check_page_size(page_size: int) -> None:
    if not 1 <= page_size <= PAGE_SIZE_MAX:
        raise FieldInvalid(
            f"A page holds 1 to {PAGE_SIZE_MAX} rows.", field="page_size"
        )
