"""Charges requests to their tenants' rates, counted over all routers together.

Decides when the store is asked: once for many requests, and by one task for all that
wait for the same tenant. Units that were taken are spent here, or given back; those of
a router that dies come back with time, so routers together never let in more than the
rate. Refuses to know how buckets work (`bucket`) and when a slice is spent
(`allowance`).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from federated_router.admission.allowance import Allowance
from federated_router.admission.bucket import Measure, Rate, Taken, Want
from federated_router.admission.port import BucketStore, MemoryBucketStore
from federated_router.admission.settings import (
    RateSettings,
    TenantSettings,
    WhenUnavailable,
)
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import Clock
from federated_router.kit.errors import Overloaded, StoreUnavailable
from federated_router.kit.log import get_logger

log = get_logger("admission")
RETRY_AFTER_S: Final = 1.0


class Rates:
    """Tenants' allowances at this router, filled from `store`."""

    def __init__(
        self,
        settings: RateSettings,
        *,
        tenants: Tenants,
        store: BucketStore,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._tenants = tenants
        self._store = store
        self._clock = clock
        self._alone = MemoryBucketStore(clock)
        self._away_until_s = float("-inf")
        self._allowances: dict[str, Allowance] = {}
        self._filling: dict[str, asyncio.Task[None]] = {}

    async def charge(self, tenant: str, tokens: int) -> Mapping[Measure, int]:
        """Spend a request and its tokens; return what was spent, to be settled.

        Raises:
            RateLimited: the tenant has used its rate up for now.
            StoreUnavailable: the shared table is away, and must be asked.
            Overloaded: more tenants have a rate than this router keeps.
        """
        rates = self._rates(self._tenants.of(tenant))
        if not rates:
            return {}
        needs = {rate.measure: _need(rate, tokens) for rate in rates}
        allowance = self._allowance(tenant, rates)
        while not allowance.spend(needs, self._clock.monotonic_s()):
            allowance.check(needs, self._clock.monotonic_s())
            # One task asks for all, and a caller who gives up does not stop it: what
            # it takes is for the next.
            filling = self._filling.get(tenant)
            if filling is None:
                filling = asyncio.create_task(self._fill(tenant, allowance, needs))
                filling.add_done_callback(_seen)
                self._filling[tenant] = filling
            await asyncio.shield(filling)
        return needs

    def settle(self, tenant: str, units: Mapping[Measure, int]) -> None:
        """Give units back that a request did not take; negative where it took more."""
        allowance = self._allowances.get(tenant)
        if allowance is not None:
            allowance.add({one: count for one, count in units.items() if count})

    async def give_back(self) -> None:
        """Put back what this router does not need, and forget who has not asked."""
        now_s = self._clock.monotonic_s()
        for tenant, allowance in list(self._allowances.items()):
            await self._put_back(tenant, allowance, allowance.surplus(now_s))
            if tenant not in self._filling and allowance.is_idle(now_s):
                self._allowances.pop(tenant, None)

    async def close(self) -> None:
        """Put everything back, and close the store."""
        await asyncio.gather(*self._filling.values(), return_exceptions=True)
        for tenant, allowance in self._allowances.items():
            await self._put_back(tenant, allowance, allowance.emptied())
        await self._store.close()

    async def tidy(self) -> None:
        """Let the store forget buckets that are full."""
        await self._alone.delete_full()
        with suppress(StoreUnavailable):
            await self._store.delete_full()

    def _rates(self, settings: TenantSettings) -> list[Rate]:
        found = {
            Measure.REQUESTS: settings.requests_per_minute,
            Measure.TOKENS: settings.tokens_per_minute,
        }
        return [
            Rate(measure, limit, self._settings.burst_s)
            for measure, limit in found.items()
            if limit is not None
        ]

    def _allowance(self, tenant: str, rates: list[Rate]) -> Allowance:
        allowance = self._allowances.get(tenant)
        if allowance is None:
            self._make_room()
            allowance = self._allowances[tenant] = Allowance(
                rates, self._settings.slice_s, self._clock.monotonic_s()
            )
        return allowance

    def _make_room(self) -> None:
        if len(self._allowances) >= self._settings.tenants_max:
            raise Overloaded(
                "This router counts as many tenants' rates as it may.",
                metadata={"tenants_max": str(self._settings.tenants_max)},
                retry_after_s=RETRY_AFTER_S,
            )

    async def _fill(
        self, tenant: str, allowance: Allowance, needs: Mapping[Measure, int]
    ) -> None:
        try:
            wants = allowance.wants(needs)
            taken = await self._taken(tenant, allowance, wants)
            allowance.took(taken, wants, self._clock.monotonic_s())
        finally:
            del self._filling[tenant]

    async def _taken(
        self, tenant: str, allowance: Allowance, wants: list[Want]
    ) -> Taken:
        """Take from the store, which is not asked again right after it was away."""
        try:
            if self._clock.monotonic_s() < self._away_until_s:
                raise _unavailable(self._settings.retry_s)
            return await self._store.take(tenant, wants)
        except StoreUnavailable:
            self._note_away()
            if self._settings.when_unavailable is WhenUnavailable.REFUSE:
                raise
            allowance.is_local = True
            return await self._alone.take(tenant, wants)

    def _note_away(self) -> None:
        now_s = self._clock.monotonic_s()
        if now_s >= self._away_until_s:
            self._away_until_s = now_s + self._settings.retry_s
            log.warning(
                "rates are not shared now",
                requests=self._settings.when_unavailable.value,
            )

    async def _put_back(
        self, tenant: str, allowance: Allowance, units: Mapping[Rate, int]
    ) -> None:
        """Give units back; they are lost to the tenant for a while if that fails."""
        if allowance.is_local:
            allowance.is_local = any(left > 0 for left in allowance.units.values())
            return
        if not units or self._clock.monotonic_s() < self._away_until_s:
            return
        try:
            await self._store.give_back(tenant, units)
        except StoreUnavailable:
            self._note_away()


def _need(rate: Rate, tokens: int) -> int:
    return 1 if rate.measure is Measure.REQUESTS else max(1, tokens)


def _unavailable(retry_s: float) -> StoreUnavailable:
    return StoreUnavailable(
        "The shared table of rates does not answer. Retry later.",
        metadata={"transaction": "admission.take"},
        retry_after_s=retry_s,
    )


def _seen(task: asyncio.Task[None]) -> None:
    """Look at a failure that nobody waits for any more."""
    if not task.cancelled():
        task.exception()
