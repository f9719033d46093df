"""Holds for requests that publish something: opened before, settled whatever happens.

Decides that a hold is settled exactly once, also when its caller leaves meanwhile.
Refuses to know what is published and how much of it costs how much.
"""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass

from federated_router.budget.answers import Answer
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import Price
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.transactions import ReserveAnswer, ReserveOutcome
from federated_router.kit.errors import FederationError, RequestAlreadyServed


@dataclass(frozen=True, slots=True)
class RequestKeys:
    """Under what a request is known to the ledger: its id, and a digest of its body."""

    request_id: RequestId
    body_digest: bytes


class Hold:
    """A live reservation. Settling survives cancellation and happens once.

    `steps_bound` is how many steps the ledger durably allows, as far as is known here:
    a bound whose outcome nobody heard of counts as not moved, and must not be used.
    """

    def __init__(
        self,
        ledger: LedgerStore,
        owner: Owner,
        request_id: RequestId,
        *,
        steps_max: int,
        steps_bound: int | None = None,
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._request_id = request_id
        self._steps_max = steps_max
        self._steps_bound = steps_max if steps_bound is None else steps_bound
        self._settled: asyncio.Future[object] | None = None

    @property
    def name(self) -> str:
        """Return `reservations/ID`."""
        return f"reservations/{self._request_id}"

    @property
    def steps_max(self) -> int:
        """Return how many steps are held."""
        return self._steps_max

    @property
    def steps_bound(self) -> int:
        """Return how many steps may have been taken by now, at most."""
        return self._steps_bound

    @property
    def is_settled(self) -> bool:
        """Return whether commit or release has begun."""
        return self._settled is not None

    async def bound(self, steps: int) -> None:
        """Allow up to `steps` steps in all; only after this returns may they be taken.

        Raises NotNow once settled, and the store's errors.
        """
        after = await self._ledger.bound(
            self._request_id, owner=self._owner, steps=min(steps, self._steps_max)
        )
        self._steps_bound = max(self._steps_bound, after.steps_bound)

    async def commit(self, steps: int, answer: Answer | None = None) -> None:
        """Charge the steps that were taken, durably.

        `answer` is kept in the same transaction, to be served again.
        """
        await self._settle(
            self._ledger.commit(
                self._request_id, owner=self._owner, steps=steps, answer=answer
            )
        )

    async def commit_bound(self) -> None:
        """Charge every step that can have been taken: nobody can prove less."""
        await self.commit(self._steps_bound)

    async def commit_in_full(self) -> None:
        """Charge the worst case: more was taken than was allowed, or may have been."""
        await self.bound(self._steps_max)
        await self.commit(self._steps_max)

    async def release(self, cause: ReleaseCause) -> None:
        """Give everything back: nothing was sampled, and no record is the reason."""
        await self._settle(
            self._ledger.release(self._request_id, owner=self._owner, cause=cause)
        )

    async def _settle(self, work: Coroutine[object, object, object]) -> None:
        """Run `work` to its end even if the caller is cancelled meanwhile.

        A settlement that the ledger refused did nothing, so another may follow.
        """
        self._settled = asyncio.ensure_future(work)
        try:
            await asyncio.shield(self._settled)
        except FederationError:
            self._settled = None
            raise


class Cashier:
    """Opens holds in the ledger for one router process."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        owner: Owner,
        lease_margin_s: float,
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._lease_margin_s = lease_margin_s

    async def reserve(
        self,
        keys: RequestKeys,
        price: Price,
        *,
        steps_max: int,
        time_s: float,
        steps_bound: int | None = None,
    ) -> Hold:
        """Hold the worst case for `time_s` and a margin.

        `steps_bound` of the steps may be taken before the hold is bounded anew; None is
        all of them.

        Raises:
            BudgetExhausted: an account cannot cover it; nothing was held.
            AccountClosed, BlockUnknown: an account takes no charge, or is not open.
            RequestAlreadyServed: the same request was made before.
            RequestIdReused: another request had this id.
        """
        request = ReserveRequest(
            request_id=keys.request_id,
            body_digest=keys.body_digest,
            owner=self._owner,
            charges=price.charges,
            steps_max=steps_max,
            lease_s=time_s + self._lease_margin_s,
            event=price.event,
            opens=price.opens,
            steps_bound=steps_bound,
        )
        answer = await self._reserved(request)
        if answer.outcome is not ReserveOutcome.OPENED:
            raise already_served(answer.reservation)
        return Hold(
            self._ledger,
            self._owner,
            keys.request_id,
            steps_max=steps_max,
            steps_bound=steps_bound,
        )

    async def _reserved(self, request: ReserveRequest) -> ReserveAnswer:
        """Reserve; give back what a caller who left meanwhile would leave behind."""
        pending = asyncio.ensure_future(self._ledger.reserve(request))
        try:
            return await asyncio.shield(pending)
        except asyncio.CancelledError:
            answer = await pending
            if answer.outcome is ReserveOutcome.OPENED:
                await self._ledger.release(
                    request.request_id,
                    owner=self._owner,
                    cause=ReleaseCause.CALLER_CANCELLED,
                )
            raise


def already_served(reservation: Reservation) -> RequestAlreadyServed:
    """Return the error for an id whose answer is not, or not yet, there to replay."""
    running = reservation.state is ReservationState.RESERVED
    advice = (
        "It still runs: wait, then ask again with the same request_id."
        if running
        else "Its answer is not kept. Use a new request_id, which is a new release."
    )
    return RequestAlreadyServed(
        "This request was made before, and sampling it again would be another "
        f"release. {advice}",
        metadata={
            "request_id": reservation.request_id,
            "state": reservation.state.value,
        },
    )
