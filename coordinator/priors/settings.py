"""What rounds sum, as an operator configures it."""

from typing import Self

from pydantic import Field, model_validator

from federated_router.kit.config import ResourceId, Settings
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import resource_name
from federated_router.priors import features, patterns
from federated_router.priors.blocks import Block
from federated_router.priors.buckets import LATENCY_BOUNDS_MS
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import STANDARD_TIER
from federated_router.priors.performance import SAMPLES_MIN


class CatalogueSettings(Settings):
    """What rounds sum. `version` grows with every change of the others.

    `blocks` chooses what is summed beside the performance block; each costs as much of
    the budget as that one. `samples_min` and `requests_per_user_max` are what members
    hold back: cells of fewer requests, and further requests of one user.
    """

    version: int = Field(default=1, ge=1)
    models: tuple[ResourceId, ...] = Field(min_length=1)
    regions: tuple[ResourceId, ...] = Field(min_length=1)
    tiers: tuple[ResourceId, ...] = Field(default=(STANDARD_TIER,), min_length=1)
    latency_bounds_ms: tuple[float, ...] = LATENCY_BOUNDS_MS
    slot_max: int = Field(default=10_000, ge=1)
    blocks: tuple[Block, ...] = (Block.PERFORMANCE,)
    token_unit: float = Field(default=16.0, gt=0)
    cost_unit: float = Field(default=0.0001, gt=0)
    energy_unit_j: float = Field(default=8.0, gt=0)
    carbon_unit_g_per_kwh: float = Field(default=16.0, gt=0)
    requests_per_user_max: int = Field(default=0, ge=0)
    samples_min: int = Field(default=SAMPLES_MIN, ge=0)

    @model_validator(mode="after")
    def _is_a_layout(self) -> Self:
        """Refuse at once what no round could sum, in this section's words."""
        try:
            self.catalogue()
        except FieldInvalid as error:
            named = error.metadata["field"]
            raise ValueError(f"{named}: {error.message}") from error
        return self

    def catalogue(self) -> Catalogue:
        """Return the layout; raise FieldInvalid for one that is no layout."""
        sorts = Block.PATTERNS in self.blocks
        learns = Block.BANDIT in self.blocks
        return Catalogue(
            version=self.version,
            models=tuple(resource_name("models", name) for name in self.models),
            regions=self.regions,
            tiers=self.tiers,
            latency_bounds_ms=self.latency_bounds_ms,
            slot_max=self.slot_max,
            blocks=self.blocks,
            token_unit=self.token_unit,
            cost_unit=self.cost_unit,
            energy_unit_j=self.energy_unit_j,
            carbon_unit_g_per_kwh=self.carbon_unit_g_per_kwh,
            patterns=patterns.PATTERNS if sorts else (),
            patterns_version=patterns.PATTERNS_VERSION if sorts else 0,
            features_version=features.FEATURES_VERSION if learns else 0,
            features=features.FEATURE_COUNT,
            feature_norm_squared=features.FEATURE_NORM**2,
            reward_max=features.REWARD_MAX,
            requests_per_user_max=self.requests_per_user_max,
            samples_min=self.samples_min,
        )
