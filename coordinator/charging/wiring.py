"""Puts the federation's account into a coordinator: ledger, services, background.

Decides what is opened, granted and served in which order. Refuses to know rounds.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from coordinator.charging.cohort_failures import NO_FAILURES, CohortFailures
from coordinator.charging.holds import OWNER, Find, LedgerCharges
from coordinator.charging.settings import LedgerSettings, RoundBudgetSettings
from federated_router.api.v1 import inference_pb2
from federated_router.budget.accounts import AccountTerms
from federated_router.budget.port import LedgerStore
from federated_router.budget.service import BudgetServicer
from federated_router.budget.wiring import BudgetLimb, budget_limb
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.kit.errors import AccountExists, PolicyUnknown
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Role
from federated_router.kit.log import get_logger
from federated_router.privacy.policy import PrivatePolicy

_OPERATOR = frozenset({Role.OPERATOR})
_log = get_logger("charges")


class FederationBudgetServicer(BudgetServicer):
    """BudgetService of a coordinator: for operators alone, and without policies."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = dict.fromkeys(
        BudgetServicer.CALLERS, _OPERATOR
    )


@dataclass(frozen=True, slots=True)
class ChargingLimb:
    """The ledger of one coordinator, and the account that rounds charge."""

    budget: BudgetLimb
    account: RoundBudgetSettings
    terms: AccountTerms
    failures: CohortFailures
    lease_margin_s: float

    def charges(self, find: Find) -> LedgerCharges:
        """Return what charges rounds; `find` reads a round from the round store."""
        return LedgerCharges(
            ledger=self.budget.ledger,
            account=self.account.name,
            lease_margin_s=self.lease_margin_s,
            find=find,
            clock=self.budget.clock,
        )

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the coordinator does, by name; there are no answers."""
        work = self.budget.background
        return {name: work[name] for name in ("holds", "checkpoints")}

    def bindings(self, *, page_bytes_max: int) -> list[ServiceBinding]:
        """Return BudgetService and AuditService."""
        return self.budget.bindings(
            _no_policy,
            lambda _: inference_pb2.PrivacyParameters(),
            page_bytes_max=page_bytes_max,
            servicer=FederationBudgetServicer,
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Grant the account before the first round; close the ledger last."""
        async with self.budget.opened():
            kept = await grant(self.budget.ledger, self.terms)
            self.failures.refuse_without_room(kept, delta=self.account.delta)
            yield


async def charging_limb(
    ledger: LedgerSettings,
    account: RoundBudgetSettings,
    *,
    clock: Clock,
    failures: CohortFailures = NO_FAILURES,
) -> ChargingLimb:
    """Open the audit key and the ledger; errors as `budget_limb`.

    Raises:
        FieldInvalid: the budget's delta bears no failures of cohorts.
    """
    terms = account.terms(failures)
    budget = await budget_limb(ledger.budget(), owner=OWNER, clock=clock)
    return ChargingLimb(budget, account, terms, failures, ledger.lease_margin_s)


async def grant(ledger: LedgerStore, terms: AccountTerms) -> AccountTerms:
    """Open the account that rounds charge; return the terms of one that is there."""
    try:
        await ledger.create_account(terms)
    except AccountExists:
        kept = (await ledger.get_account(terms.name)).terms
        _log.warning(
            "configured budget ignored: the ledger's account has other terms",
            account=terms.name,
            configured_units=terms.limit_units,
            ledger_units=kept.limit_units,
            renewal=kept.renewal.value,
        )
        return kept
    return terms


def _no_policy(name: str, _: inference_pb2.Selection) -> PrivatePolicy:
    raise PolicyUnknown(
        "A coordinator has no policies; routers price private requests.",
        metadata={"policy": name},
    )
