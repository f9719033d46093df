"""Puts synthesis jobs into a router; `app` joins it with the rest."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from federated_router.api.v1 import synthesis_pb2
from federated_router.budget.wiring import BudgetLimb
from federated_router.kit.daemon import Background
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.log import get_logger
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.settings import ProxySettings
from federated_router.synthesis.closing import Closing
from federated_router.synthesis.opening import Opening
from federated_router.synthesis.sampling import Sampling
from federated_router.synthesis.service import SynthesisServicer
from federated_router.synthesis.settings import SynthesisSettings
from federated_router.synthesis.store import SynthesisStore

log = get_logger("synthesis")


@dataclass(frozen=True, slots=True)
class SynthesisLimb:
    """The jobs of one router process."""

    store: SynthesisStore
    budget: BudgetLimb
    closing: Closing
    binding: ServiceBinding

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        return {"syntheses": self.closing.tidy_for_ever}

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Write off what an earlier boot was sampling; close last."""
        spent = await self.store.spend_orphans(self.budget.owner)
        if spent:
            log.warning("batches of an earlier boot are spent", count=spent)
        try:
            yield
        finally:
            await self.store.close()


async def synthesis_limb(
    settings: SynthesisSettings,
    *,
    budget: BudgetLimb,
    private: PrivateProxy,
    proxy: ProxySettings,
    page_bytes_max: int,
) -> SynthesisLimb:
    """Open the tables of jobs in the ledger's database; errors as `Database.open`."""
    ledger, clock = budget.ledger, budget.clock
    store = await SynthesisStore.open(
        budget.settings.url, clock=clock, timeout_s=settings.timeout_s
    )
    closing = Closing(ledger=ledger, store=store, settings=settings, clock=clock)
    opening = Opening(
        ledger=ledger,
        store=store,
        pricer=budget.pricer,
        private=private,
        proxy=proxy,
        settings=settings,
        clock=clock,
    )
    sampling = Sampling(
        ledger=ledger,
        store=store,
        pricer=budget.pricer,
        cashier=budget.cashier,
        private=private,
        opening=opening,
        owner=budget.owner,
        proxy=proxy,
        settings=settings,
        clock=clock,
        lease_margin_s=budget.settings.lease_margin_s,
    )
    servicer = SynthesisServicer(
        ledger=ledger,
        store=store,
        opening=opening,
        sampling=sampling,
        closing=closing,
        proxy=proxy,
        page_bytes_max=page_bytes_max,
    )
    service = synthesis_pb2.DESCRIPTOR.services_by_name["SynthesisService"]
    return SynthesisLimb(store, budget, closing, ServiceBinding(service, servicer))
