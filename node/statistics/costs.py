"""What one answer of a model costs: money, energy and carbon, as far as it is modelled.

Decides how configured figures become steps. Energy is modelled, not measured: the watts
that the operator says one running request draws, times its seconds. Refuses to know how
figures are summed.
"""

from dataclasses import dataclass

from federated_router.federation.records import Success, Units, steps_of
from federated_router.priors.contents import STANDARD_TIER


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """What is configured of one model.

    `token_price` is in the federation's currency per output token, `power_w` what one
    running request draws, in watts.
    """

    tier: str = STANDARD_TIER
    token_price: float = 0.0
    power_w: float = 0.0


def success_of(
    *,
    latency_ms_per_token: float,
    duration_s: float,
    tokens: int,
    costs: ModelCosts,
    units: Units,
) -> Success:
    """Return an answer of `tokens` output tokens that took `duration_s`, in steps."""
    return Success(
        latency_ms_per_token=latency_ms_per_token,
        tokens=steps_of(tokens, unit=units.token),
        cost=steps_of(costs.token_price * tokens, unit=units.cost),
        energy=steps_of(costs.power_w * duration_s, unit=units.energy_j),
    )
