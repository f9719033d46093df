"""What an operator decides about a member's own budget for rounds."""

from decimal import Decimal
from typing import Self

from pydantic import model_validator

from federated_router.federation.odometer import Limit
from federated_router.kit.config import Settings
from federated_router.kit.errors import FederationError, FieldInvalid
from federated_router.privacy.accountant import budget_units
from federated_router.privacy.renewal import RenewalPolicy, check_zone

_DELTA = Decimal("1e-6")


class OdometerSettings(Settings):
    """The most that this member's contributions of one window may cost together.

    Without the section the member counts and refuses nothing.
    """

    epsilon: Decimal
    delta: Decimal = _DELTA
    renewal: RenewalPolicy = RenewalPolicy.NONE
    zone: str = "UTC"

    @property
    def limit(self) -> Limit:
        """The limit in units, rounded down."""
        return Limit(
            units=budget_units(epsilon=self.epsilon, delta=self.delta),
            renewal=self.renewal,
            zone=self.zone,
        )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        try:
            check_zone(self.zone)
            budget_units(epsilon=self.epsilon, delta=self.delta)
            if self.renewal is RenewalPolicy.ON_NEW_DATA:
                raise FieldInvalid("Rounds have no data sets.", field="renewal")
        except FederationError as error:
            raise ValueError(error.message) from error
        return self
