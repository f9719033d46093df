"""Puts admission into a router; `app` joins it with the rest.

Decides where tenants' rates are counted: nowhere if no tenant has one, in this process
without an address, else in the database there.
"""

import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from federated_router.admission import metrics
from federated_router.admission.ask import Priority
from federated_router.admission.capacity import Capacity
from federated_router.admission.gate import Admission
from federated_router.admission.line import Line, LineLimits
from federated_router.admission.port import BucketStore, MemoryBucketStore
from federated_router.admission.rates import Rates
from federated_router.admission.settings import AdmissionSettings
from federated_router.admission.shedding import Shedding
from federated_router.admission.store import SqlBucketStore
from federated_router.admission.tenants import Tenants
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.registry.membership import Membership


@dataclass(frozen=True, slots=True)
class AdmissionLimb:
    """The gate of one router process, and what works with it."""

    admission: Admission
    rates: Rates
    settings: AdmissionSettings
    clock: Clock

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        return {
            "admission": self.admission.look_for_ever,
            "rates": self._give_back_for_ever,
            "rates' table": self._tidy_for_ever,
        }

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Show what runs and waits; put unspent rates back at the end, and close."""
        for priority in Priority:
            label, gate = priority.label, self.admission
            metrics.RUNNING.labels(label).set_function(partial(gate.running, priority))
            metrics.WAITING.labels(label).set_function(partial(gate.waiting, priority))
        try:
            yield
        finally:
            for priority in Priority:
                metrics.RUNNING.labels(priority.label).set_function(float)
                metrics.WAITING.labels(priority.label).set_function(float)
            await self.rates.close()

    async def _tidy_for_ever(self) -> None:
        """Forget tenants that have not asked for long."""
        while True:
            await self.clock.sleep(self.settings.rates.tidy_interval_s)
            await self.rates.tidy()

    async def _give_back_for_ever(self) -> None:
        """Give back what is not needed, twice in the time of a slice."""
        while True:
            await self.clock.sleep(self.settings.rates.slice_s / 2)
            await self.rates.give_back()


async def admission_limb(
    settings: AdmissionSettings,
    *,
    present: Callable[[], Membership],
    clock: Clock,
    takes_work: Callable[[str], bool] = lambda _: True,
    uniform: Callable[[], float] | None = None,
) -> AdmissionLimb:
    """Open the rates' table, if there is one; errors as `Database.open`.

    `present` is the registry's; `takes_work` says of a node's name whether anything is
    sent there (its breaker is not open); `uniform` draws from [0, 1) who is shed.
    """
    tenants = Tenants(settings.tenants)
    rates = Rates(
        settings.rates,
        tenants=tenants,
        store=await _store(settings, tenants, clock),
        clock=clock,
    )
    limits = LineLimits(
        waiting_max=settings.waiting_max,
        tenant_waiting_max=settings.tenant_waiting_max,
        promote_after_s=settings.promote_after_s,
    )
    admission = Admission(
        settings,
        line=Line(
            limits, Capacity(present, clock, settings.capacity_factor, takes_work)
        ),
        tenants=tenants,
        rates=rates,
        shedding=Shedding(settings.shed, uniform or random.SystemRandom().random),
        clock=clock,
    )
    return AdmissionLimb(admission, rates, settings, clock)


async def _store(
    settings: AdmissionSettings, tenants: Tenants, clock: Clock
) -> BucketStore:
    rates = settings.rates
    if rates.url is None or not tenants.has_rates:
        return MemoryBucketStore(clock)
    return await SqlBucketStore.open(rates.url, clock=clock, timeout_s=rates.timeout_s)
