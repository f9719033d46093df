"""What a ledger needs done in the background.

Holds that nobody will settle (lapsed leases, and those of earlier boots) are charged up
to their bound: nobody can prove that less was sampled. Stored answers go when they
expire, or when there are too many.
"""

from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Owner
from federated_router.budget.settings import AnswerSettings
from federated_router.kit.clock import Clock
from federated_router.kit.errors import QueueFull, StoreUnavailable
from federated_router.kit.log import get_logger

log = get_logger("expiry")


async def expire_for_ever(
    ledger: LedgerStore, clock: Clock, *, interval_s: float
) -> None:
    """Charge lapsed holds every `interval_s`; an absent database is waited for."""
    while True:
        await clock.sleep(interval_s)
        try:
            expired = await ledger.expire_due()
        except (StoreUnavailable, QueueFull) as error:
            log.warning("holds not expired", reason=error.reason)
            continue
        for one in expired:
            log.warning(
                "hold expired", request_id=one.request_id, steps=one.steps_charged
            )


async def delete_answers_for_ever(
    ledger: LedgerStore, clock: Clock, settings: AnswerSettings
) -> None:
    """Keep the stored answers within their limits."""
    while True:
        await clock.sleep(settings.delete_interval_s)
        try:
            deleted = await ledger.delete_answers(bytes_max=settings.bytes_max)
        except (StoreUnavailable, QueueFull) as error:
            log.warning("answers not deleted", reason=error.reason)
            continue
        if deleted:
            log.info("stored answers deleted", count=deleted)


async def settle_orphans(ledger: LedgerStore, owner: Owner) -> None:
    """Charge what earlier boots of this router still held."""
    for one in await ledger.settle_orphans(owner):
        log.warning(
            "hold of an earlier boot charged",
            request_id=one.request_id,
            steps=one.steps_charged,
        )
