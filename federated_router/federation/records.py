"""What is known of one finished request when it is counted, in whole steps.

Decides the facts and their bounds: whatever a caller measured, one record moves each
sum by no more than its block allows. Refuses to know who measured and where it counts.

A record holds the parts that this member counts and no others, so that each block gets
one request from exactly one member. A node fills the performance, carbon and holdout
blocks for what it served; a router fills the pattern and bandit blocks, and the
performance block for nodes that were lost.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from federated_router.federation.user_clipping import UserKey
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.contents import STEPS_MAX, Cell
from federated_router.priors.features import FEATURE_COUNT, FEATURE_NORM, REWARD_MAX


class FailureCause(StrEnum):
    """Why a request failed; one that its client cancelled did not."""

    ENGINE = "engine"
    OUT_OF_MEMORY = "out-of-memory"
    DEADLINE = "deadline"
    NODE_LOST = "node-lost"
    OVERLOAD = "overload"


@dataclass(frozen=True, slots=True)
class Units:
    """How much one step is; a round sums only what was recorded in its own units.

    Output tokens, the federation's currency, joules, and grams of CO2 per kWh.
    """

    token: float = 16.0
    cost: float = 0.0001
    energy_j: float = 8.0
    carbon_g_per_kwh: float = 16.0

    def __post_init__(self) -> None:
        """Refuse units in which nothing can be measured."""
        for name in ("token", "cost", "energy_j", "carbon_g_per_kwh"):
            unit = getattr(self, name)
            if not (math.isfinite(unit) and unit > 0):
                raise FieldInvalid("A unit is above 0 and finite.", field=name)


DEFAULT_UNITS: Final = Units()


def steps_of(quantity: float, *, unit: float) -> int:
    """Return a measured quantity in steps: to the nearest, within 0..STEPS_MAX.

    What cannot be measured (NaN) is 0. Choose a unit in which a usual request is worth
    several steps: a sum of quantities below half a step is 0.
    """
    steps = quantity / unit
    if not steps > 0:
        return 0
    return STEPS_MAX if steps >= STEPS_MAX else round(steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """An answer to its end; `tokens`, `cost` and `energy` are in steps.

    Raises FieldInvalid for a latency below 0 or NaN, and for steps out of bounds.
    """

    latency_ms_per_token: float
    tokens: int = 0
    cost: int = 0
    energy: int = 0

    def __post_init__(self) -> None:
        """Refuse what would move a sum too far."""
        if not self.latency_ms_per_token >= 0:
            raise FieldInvalid("A latency is at least 0 ms.", field="latency")
        for name in ("tokens", "cost", "energy"):
            _require_range(getattr(self, name), STEPS_MAX, field=name)


@dataclass(frozen=True, slots=True)
class Pull:
    """One choice of the bandit: features of the request, and 0..REWARD_MAX for it.

    Raises FieldInvalid for features that are longer than the sums allow.
    """

    features: tuple[int, ...] = field(repr=False)
    reward: int

    def __post_init__(self) -> None:
        """Refuse what would move a sum too far."""
        _require_range(self.reward, REWARD_MAX, field="reward")
        squared = sum(value * value for value in self.features)
        if len(self.features) != FEATURE_COUNT or squared > FEATURE_NORM**2:
            raise FieldInvalid(
                f"Features are {FEATURE_COUNT} whole numbers of length at most "
                f"{FEATURE_NORM}.",
                field="features",
            )


@dataclass(frozen=True, slots=True)
class PatternOutcome:
    """How a request of one pattern ended."""

    pattern: str = field(repr=False)
    succeeded: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One finished request at one model, region and tier, for one user.

    Absent parts are not this member's to count. `carbon` is the intensity where the
    request ran, in steps. Raises FieldInvalid for steps out of bounds.
    """

    cell: Cell
    user: UserKey | None = None
    performance: Success | FailureCause | None = None
    carbon: int | None = None
    pattern: PatternOutcome | None = None
    pull: Pull | None = None

    def __post_init__(self) -> None:
        """Refuse what would move a sum too far."""
        if self.carbon is not None:
            _require_range(self.carbon, STEPS_MAX, field="carbon")


def _require_range(steps: int, most: int, *, field: str) -> None:
    if not 0 <= steps <= most:
        raise FieldInvalid(f"A request counts 0 to {most} steps.", field=field)
