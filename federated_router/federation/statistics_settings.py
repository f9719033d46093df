"""What an operator decides about the statistics that a member keeps.

Decides names, defaults and limits of the section. The units and the limit per user must
be those of the federation's catalogue: a member joins no round that sums in others.
"""

from pydantic import Field

from federated_router.federation.holdout import Holdout
from federated_router.federation.records import Units
from federated_router.federation.statistics import CELLS_MAX, Statistics
from federated_router.federation.user_clipping import USERS_MAX
from federated_router.kit.config import Settings


class StatisticsSettings(Settings):
    """How finished requests are counted.

    `requests_per_user_max` requests of one user enter one batch; 0 counts all and
    protects single requests only. Set `users_max` above the users served at a time:
    beyond it, requests of further users are not counted.
    """

    requests_per_user_max: int = Field(default=0, ge=0, le=1 << 20)
    users_max: int = Field(default=USERS_MAX, ge=1, le=1 << 20)
    cells_max: int = Field(default=CELLS_MAX, ge=1, le=1 << 16)
    token_unit: float = Field(default=16.0, gt=0, allow_inf_nan=False)
    cost_unit: float = Field(default=0.0001, gt=0, allow_inf_nan=False)
    energy_unit_j: float = Field(default=8.0, gt=0, allow_inf_nan=False)
    carbon_unit_g_per_kwh: float = Field(default=16.0, gt=0, allow_inf_nan=False)

    @property
    def units(self) -> Units:
        """How much one step is."""
        return Units(
            token=self.token_unit,
            cost=self.cost_unit,
            energy_j=self.energy_unit_j,
            carbon_g_per_kwh=self.carbon_unit_g_per_kwh,
        )

    def statistics(
        self, *, recovering: bool = False, holdout: Holdout | None = None
    ) -> Statistics:
        """Return empty statistics on these terms.

        `recovering` where a member of rounds will take back an earlier process's
        batches; users are counted from then on.
        """
        return Statistics(
            units=self.units,
            requests_per_user_max=self.requests_per_user_max,
            cells_max=self.cells_max,
            users_max=self.users_max,
            recovering=recovering,
            holdout=holdout,
        )
