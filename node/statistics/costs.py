"""What one request at a model costs: money, energy and carbon.

Decides how configured and measured figures become amounts and steps. Energy that no
meter gave is modelled: the watts that the operator says one running request draws,
times its seconds; where no watts are said, the joules that are said of a token. Refuses
to know how figures are summed and meters are read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from federated_router.federation.records import Success, Units, steps_of
from federated_router.priors.contents import STANDARD_TIER
from node.statistics.endings import TokenCounts
from node.statistics.energy_sources import EnergySource

J_PER_KWH: Final = 3.6e6


@dataclass(frozen=True, slots=True)
class ModelCosts:
    """What is configured of one model.

    `token_price` is in the federation's currency per output token, `power_w` what one
    running request draws, in watts; `prompt_token_j` and `token_j` are the joules of a
    token that is read, and of one that is generated. `runs_here` says that
    this machine runs all of it, so that this machine's meters count its energy.
    """

    tier: str = STANDARD_TIER
    token_price: float = 0.0
    power_w: float = 0.0
    prompt_token_j: float = 0.0
    token_j: float = 0.0
    runs_here: bool = True

    def energy_j(
        self,
        measured: Mapping[EnergySource, float],
        *,
        duration_s: float,
        counts: TokenCounts,
    ) -> Mapping[EnergySource, float]:
        """Return what was measured, the modelled energy where nothing was; joules."""
        if measured:
            return measured
        joules = self.power_w * duration_s
        if not self.power_w:
            read = max(0, counts.prompt - counts.cached)
            joules = self.prompt_token_j * read + self.token_j * counts.output
        return {EnergySource.MODELLED: joules}


def success_of(
    *,
    latency_ms_per_token: float,
    tokens: int,
    cost: float,
    energy_j: float,
    units: Units,
) -> Success:
    """Return a whole answer of `tokens` output tokens, in steps."""
    return Success(
        latency_ms_per_token=latency_ms_per_token,
        tokens=steps_of(tokens, unit=units.token),
        cost=steps_of(cost, unit=units.cost),
        energy=steps_of(energy_j, unit=units.energy_j),
    )


def co2e_g(energy_j: float, *, carbon_g_per_kwh: float | None) -> float | None:
    """Return grams of CO2 equivalent; None where the region's intensity is unknown."""
    return None if carbon_g_per_kwh is None else energy_j / J_PER_KWH * carbon_g_per_kwh
