"""The ledger's calls on reservations: reserve, settle, expire."""

from collections.abc import Callable
from typing import Final

from federated_router.budget import reservation as rules
from federated_router.budget import transactions
from federated_router.budget.accounts import AccountName
from federated_router.budget.answers import Answer
from federated_router.budget.calls import LedgerCalls, Touches, check_page_size
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
from federated_router.budget.rows import LedgerRows, ReservationPage
from federated_router.budget.transactions import ReserveAnswer
from federated_router.kit.errors import FieldInvalid

EXPIRE_BATCH_MAX: Final = 100
"""How many holds one transaction settles, so that no reserve waits long behind it."""


class ReservationCalls(LedgerCalls):
    """Reservations of the ledger."""

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
            Touches(
                accounts=tuple(charge.account for charge in request.charges),
                requests=(request.request_id,),
            ),
        )

    async def commit(
        self,
        request_id: RequestId,
        *,
        owner: Owner,
        steps: int,
        answer: Answer | None = None,
    ) -> Reservation:
        """Charge the steps that were taken and free the rest; idempotent.

        `answer` is stored in the same transaction, to be served again.

        Raises NotNow for a hold that was settled otherwise or is another process's,
        NotFound for an unknown request.
        """

        def work(rows: LedgerRows) -> Reservation:
            now_s = self._clock.now_s()
            return transactions.settle(
                rows,
                request_id,
                lambda held: rules.commit(held, owner=owner, steps=steps, now_s=now_s),
                now_s=now_s,
                answer=answer,
            )

        return await self._write("ledger.commit", work, Touches(requests=(request_id,)))

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

        return await self._write(
            "ledger.release", work, Touches(requests=(request_id,))
        )

    async def bound(
        self, request_id: RequestId, *, owner: Owner, steps: int
    ) -> Reservation:
        """Allow up to `steps` steps in all, durably before they are taken; idempotent.

        The bound never falls. Raises NotNow for a hold that was settled or is another
        process's, NotFound for an unknown request, FieldInvalid for more than is held.
        """

        def work(rows: LedgerRows) -> Reservation:
            return transactions.settle(
                rows,
                request_id,
                lambda held: rules.bound(held, owner=owner, steps=steps),
                now_s=self._clock.now_s(),
            )

        return await self._write("ledger.bound", work, Touches(requests=(request_id,)))

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

        return await self._write(
            "ledger.extend_lease", work, Touches(requests=(request_id,))
        )

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
        check_page_size(page_size)
        return await self._read(
            "ledger.list_reservations",
            lambda rows: rows.reservation_page(name, size=page_size, token=page_token),
        )

    async def expire_due(self) -> tuple[Reservation, ...]:
        """Charge every hold whose lease is over up to its bound; return them."""
        return await self._until_none_left(
            "ledger.expire_due",
            lambda rows: transactions.expire_due(
                rows, now_s=self._clock.now_s(), count_max=EXPIRE_BATCH_MAX
            ),
        )

    async def settle_orphans(self, owner: Owner) -> tuple[Reservation, ...]:
        """Charge, up to its bound, what earlier boots of this instance held; return it.

        For the start of a router, when no other process of the instance lives.
        """
        return await self._until_none_left(
            "ledger.settle_orphans",
            lambda rows: transactions.settle_orphans(
                rows, owner, now_s=self._clock.now_s(), count_max=EXPIRE_BATCH_MAX
            ),
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
