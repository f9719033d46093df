"""Closes jobs, and keeps what is stored of them within its limits.

Decides the one charge, from what the batches told, and that it is settled once.
"""

from dataclasses import dataclass

from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    NotFound,
    NotNow,
    QueueFull,
    StoreUnavailable,
)
from federated_router.kit.log import get_logger
from federated_router.synthesis.batch_hold import JOBS_OWNER
from federated_router.synthesis.job import JobKey, JobState
from federated_router.synthesis.reads import Told
from federated_router.synthesis.settings import SynthesisSettings
from federated_router.synthesis.store import SynthesisStore

log = get_logger("synthesis")


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What closes the jobs of one router."""

    ledger: LedgerStore
    store: SynthesisStore
    settings: SynthesisSettings
    clock: Clock

    async def finish(self, key: JobKey) -> Told:
        """Settle a job's hold with what its batches can have sampled; idempotent.

        Raises NotFound, and NotNow while a batch is being sampled.
        """
        told = await self.store.finish(key)
        if told.job.state is JobState.FINISHED:
            return told
        settled = await self._settled(RequestId(key), told)
        return await self.store.settled(key, tokens_charged=settled)

    async def _settled(self, request_id: RequestId, told: Told) -> int:
        """Return how many tokens the job was charged, after charging them."""
        held = await self._hold_of(request_id)
        if held is None:
            return 0
        if held.state is not ReservationState.RESERVED:
            return held.steps_charged
        tokens = told.tally.tokens_due(held.steps_bound)
        if not tokens:
            await self.ledger.release(
                request_id, owner=JOBS_OWNER, cause=ReleaseCause.CALLER_CANCELLED
            )
            return 0
        # A ledger that was restored may have allowed less than the batches sampled.
        await self.ledger.bound(request_id, owner=JOBS_OWNER, steps=tokens)
        after = await self.ledger.commit(request_id, owner=JOBS_OWNER, steps=tokens)
        return after.steps_charged

    async def _hold_of(self, request_id: RequestId) -> Reservation | None:
        try:
            return await self.ledger.get_reservation(request_id)
        except NotFound:
            return None  # The job died before it was held.

    async def tidy_for_ever(self) -> None:
        """Close jobs whose hold is over, and delete what was kept long enough."""
        while True:
            await self.clock.sleep(self.settings.delete_interval_s)
            try:
                await self.tidy()
            except (StoreUnavailable, QueueFull) as error:
                log.warning("syntheses not tidied", reason=error.reason)

    async def tidy(self) -> None:
        """Do so once."""
        now_s = self.clock.now_s()
        old = await self.store.unclosed(before_s=now_s - self.settings.hold_s)
        for job in old:
            await self._close_lapsed(job.key)
        await self.store.delete_closed(before_s=now_s - self.settings.lifetime_s)

    async def _close_lapsed(self, key: JobKey) -> None:
        held = await self._hold_of(RequestId(key))
        if held is not None and held.state is ReservationState.RESERVED:
            return
        try:
            await self.finish(key)
        except (NotFound, NotNow) as error:
            log.info("synthesis not closed", job=key, reason=error.reason)
