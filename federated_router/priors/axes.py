"""What a round sums and in which steps, before it becomes slots.

Decides the words in which configuration, contract and store say what a round sums, and
their defaults. Refuses to know slots (`layouts`) and limits (`limits`).
"""

from dataclasses import dataclass

from federated_router.priors.blocks import Block
from federated_router.priors.buckets import LATENCY_BOUNDS_MS
from federated_router.priors.contents import STANDARD_TIER, Cell, PatternCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Axes:
    """What a round sums, agreed when it opens.

    `slot_max` bounds one member's requests in one slot. The units say how much one step
    is: `token_unit` tokens, `cost_unit` of the federation's currency, `energy_unit_j`
    joules, `carbon_unit_g_per_kwh` grams of CO2 per kWh. `patterns_version` names
    the rules behind `patterns`, and `features_version` those behind the bandit's
    `features` numbers, of squared length at most `feature_norm_squared`; rewards are
    0..`reward_max`. A user is clipped to
    `requests_per_user_max` requests per member and round; 0 protects requests only.
    Members keep back cells of fewer than about `samples_min` requests; 0 keeps none.
    """

    version: int
    models: tuple[str, ...]
    regions: tuple[str, ...]
    tiers: tuple[str, ...] = (STANDARD_TIER,)
    latency_bounds_ms: tuple[float, ...] = LATENCY_BOUNDS_MS
    slot_max: int
    blocks: tuple[Block, ...] = (Block.PERFORMANCE,)
    token_unit: float = 16.0
    cost_unit: float = 0.0001
    energy_unit_j: float = 8.0
    carbon_unit_g_per_kwh: float = 16.0
    patterns: tuple[str, ...] = ()
    patterns_version: int = 0
    features_version: int = 0
    features: int = 16
    feature_norm_squared: int = 64
    reward_max: int = 8
    requests_per_user_max: int = 0
    samples_min: int = 0

    @property
    def buckets(self) -> int:
        """How many latency buckets a cell has."""
        return len(self.latency_bounds_ms) + 1

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, in slot order."""
        return tuple(
            Cell(model, region, tier)
            for model in self.models
            for region in self.regions
            for tier in self.tiers
        )

    @property
    def pattern_cells(self) -> tuple[PatternCell, ...]:
        """Every pattern at every model, in slot order."""
        return tuple(
            PatternCell(pattern, model)
            for pattern in self.patterns
            for model in self.models
        )

    @property
    def triangle(self) -> int:
        """Entries of the upper triangle of the bandit's gram matrix."""
        return self.features * (self.features + 1) // 2
