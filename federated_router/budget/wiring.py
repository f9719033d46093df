"""Puts the budget into a router: the ledger, who uses it, and what runs beside it.

Decides what is opened and closed in which order; refuses to know how requests are
served. `app` joins it with the rest.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from federated_router.api.v1 import audit_pb2, budget_pb2
from federated_router.budget.audit.service import AuditServicer
from federated_router.budget.audit.signing import (
    checkpoint_at_stop,
    checkpoint_for_ever,
    open_signer,
)
from federated_router.budget.cashier import Cashier
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.expiry import (
    delete_answers_for_ever,
    expire_for_ever,
    settle_orphans,
)
from federated_router.budget.pricing import Pricer
from federated_router.budget.quotas import Quotas
from federated_router.budget.reservation import Owner
from federated_router.budget.service import BudgetServicer, PolicyLookup, Terms
from federated_router.budget.settings import BudgetSettings
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.kit.grpc_server import ServiceBinding


@dataclass(frozen=True, slots=True)
class BudgetLimb:
    """The ledger of one router process, and what works with it."""

    settings: BudgetSettings
    clock: Clock
    owner: Owner
    signer: CheckpointSigner
    ledger: SqlLedgerStore
    pricer: Pricer
    cashier: Cashier

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        settings, ledger, clock = self.settings, self.ledger, self.clock
        return {
            "holds": lambda: expire_for_ever(
                ledger, clock, interval_s=settings.expire_interval_s
            ),
            "answers": lambda: delete_answers_for_ever(ledger, clock, settings.answers),
            "checkpoints": lambda: checkpoint_for_ever(
                ledger, self.signer, clock, interval_s=settings.checkpoint_interval_s
            ),
        }

    def bindings(
        self,
        policy: PolicyLookup,
        terms: Terms,
        *,
        page_bytes_max: int,
        servicer: type[BudgetServicer] = BudgetServicer,
    ) -> list[ServiceBinding]:
        """Return the contracts that are about budgets alone.

        `servicer` serves BudgetService, to those whom its CALLERS name.
        """
        return [
            ServiceBinding(
                budget_pb2.DESCRIPTOR.services_by_name["BudgetService"],
                servicer(
                    ledger=self.ledger,
                    pricer=self.pricer,
                    policy=policy,
                    terms_message=terms,
                    proposal_lifetime_s=self.settings.proposal_lifetime_s,
                ),
            ),
            ServiceBinding(
                audit_pb2.DESCRIPTOR.services_by_name["AuditService"],
                AuditServicer(
                    ledger=self.ledger,
                    signer=self.signer,
                    page_bytes_max=page_bytes_max,
                ),
            ),
        ]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Settle what an earlier boot left, before the first request; close last."""
        await settle_orphans(self.ledger, self.owner)
        try:
            yield
        finally:
            await checkpoint_at_stop(self.ledger, self.signer)
            await self.ledger.close()


async def budget_limb(
    settings: BudgetSettings,
    *,
    owner: Owner,
    clock: Clock,
) -> BudgetLimb:
    """Open the audit key and the ledger; errors as `open_signer`, `SqlLedgerStore`."""
    signer = await asyncio.to_thread(open_signer, settings.audit_key)
    ledger = await SqlLedgerStore.open(
        settings.url,
        clock=clock,
        timeout_s=settings.timeout_s,
        queue_max=settings.queue_max,
        batch_max=settings.batch_max,
    )
    return BudgetLimb(
        settings=settings,
        clock=clock,
        owner=owner,
        signer=signer,
        ledger=ledger,
        pricer=Pricer(ledger, Quotas(settings)),
        cashier=Cashier(
            ledger=ledger, owner=owner, lease_margin_s=settings.lease_margin_s
        ),
    )
