"""Routers that share a table of rates, which may be slow or away."""

import asyncio
from collections.abc import Mapping, Sequence

from federated_router.admission.bucket import Rate, Taken, Want
from federated_router.admission.port import MemoryBucketStore
from federated_router.admission.rates import Rates
from federated_router.admission.settings import RateSettings, TenantSettings
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import RateLimited, StoreUnavailable

BOTH = TenantSettings(requests_per_minute=60, tokens_per_minute=6000)


class Table(MemoryBucketStore):
    """A shared table that counts how often it is asked, and may be away or slow."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.takes = 0
        self.away = False
        self.slow: asyncio.Event | None = None
        self.returned = 0

    async def take(self, tenant: str, wants: Sequence[Want]) -> Taken:
        """Count, wait, fail or take."""
        self.takes += 1
        if self.slow is not None:
            await self.slow.wait()
        if self.away:
            raise StoreUnavailable("The table is away.", retry_after_s=1.0)
        return await super().take(tenant, wants)

    async def give_back(self, tenant: str, returned: Mapping[Rate, int]) -> None:
        """Count, and put back."""
        self.returned += sum(returned.values())
        await super().give_back(tenant, returned)


def router(
    table: MemoryBucketStore,
    clock: ManualClock,
    tenant: TenantSettings = BOTH,
    rates: RateSettings | None = None,
) -> Rates:
    """Return one router's rates."""
    return Rates(
        rates or RateSettings(),
        tenants=Tenants([tenant]),
        store=table,
        clock=clock,
    )


async def let_in(rates: Rates, tokens: int = 1, times: int = 1) -> int:
    """Return how many of so many requests are let in."""
    count = 0
    for _ in range(times):
        try:
            await rates.charge("alice", tokens)
        except RateLimited:
            continue
        count += 1
    return count
