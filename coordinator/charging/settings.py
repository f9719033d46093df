"""What an operator decides about the federation's budget and its ledger."""

from decimal import Decimal
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from coordinator.charging.cohort_failures import NO_FAILURES, CohortFailures
from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.settings import DELTA, BudgetSettings
from federated_router.kit.config import DatabaseUrl, ResourceId, Settings
from federated_router.kit.errors import FederationError, FieldInvalid
from federated_router.privacy.accountant import budget_units
from federated_router.privacy.renewal import RenewalPolicy, check_zone


class RoundBudgetSettings(Settings):
    """The account that every round charges: `accounts/federation-ACCOUNT`.

    `epsilon` is the limit of one window and has no default because it is the promise;
    with a renewal, losses add up over windows, up to `lifetime_epsilon`. What random
    cohorts may fail with is part of `delta`.
    """

    account: ResourceId = "rounds"
    epsilon: Decimal
    delta: Decimal = DELTA
    renewal: RenewalPolicy = RenewalPolicy.NONE
    zone: str = "UTC"
    lifetime_epsilon: Decimal | None = None

    @property
    def name(self) -> AccountName:
        """The account's resource name."""
        return AccountName(f"accounts/federation-{self.account}")

    def terms(self, failures: CohortFailures = NO_FAILURES) -> AccountTerms:
        """Return the account's terms, its delta less what cohorts may fail with.

        Raises:
            FieldInvalid: a budget that is none, or whose delta failures use up.
        """
        granted = self._granted(self.delta)
        failing = failures.delta_of(granted.limit_units, granted.lifetime_cap_units)
        if not failing:
            return granted
        if failing >= self.delta:
            raise FieldInvalid(
                f"The rounds that this budget pays fail with {failing:.3g} together, "
                f"and delta is {self.delta:g}; lower cohorts.failure_probability.",
                field="failure_probability",
            )
        return self._granted(self.delta - failing)

    def _granted(self, delta: Decimal) -> AccountTerms:
        lifetime = self.lifetime_epsilon
        return AccountTerms(
            name=self.name,
            limit_units=budget_units(epsilon=self.epsilon, delta=delta),
            delta=float(delta),
            renewal=self.renewal,
            zone=self.zone,
            lifetime_cap_units=None
            if lifetime is None
            else budget_units(epsilon=lifetime, delta=delta),
        )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            check_zone(self.zone)
            self.terms()
            if self.renewal is RenewalPolicy.ON_NEW_DATA:
                raise FieldInvalid("Rounds have no data sets.", field="renewal")
        except FederationError as error:
            raise ValueError(error.message) from error
        return self


class LedgerSettings(Settings):
    """Where the coordinator's ledger lies, and how it is signed."""

    url: DatabaseUrl = "sqlite+aiosqlite:///build/coordinator/ledger.sqlite"
    timeout_s: float = Field(default=5.0, gt=0)
    queue_max: int = Field(default=256, ge=1)
    batch_max: int = Field(default=32, ge=1)
    lease_margin_s: float = Field(default=3600.0, gt=0)
    expire_interval_s: float = Field(default=60.0, gt=0)
    proposal_lifetime_s: float = Field(default=86_400.0, gt=0)
    audit_key: Path = Path("build/coordinator/audit-key.pem")
    checkpoint_interval_s: float = Field(default=60.0, gt=0)

    def budget(self) -> BudgetSettings:
        """Return the ledger's configuration: no departments, no users, no answers."""
        return BudgetSettings(departments=(), **self.model_dump())
