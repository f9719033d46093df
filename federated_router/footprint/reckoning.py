"""What tokens take: energy, CO2 equivalent, cost. Pure.

Decides the arithmetic, in one place for answers that were given and for those that are
expected. Refuses to know where tariffs and intensities come from.

Tokens of a prompt that a node still held are not read again and take nothing.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from federated_router.registry.membership import Tariff

J_PER_KWH: Final = 3.6e6
MG_PER_G: Final = 1000.0
TOKENS_PER_TARIFF: Final = 1000.0


class EnergyBasis(Enum):
    """Where a figure of energy comes from; the numbers are those of the contract."""

    UNKNOWN = 0
    MODELLED = 1
    MEASURED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Joules; milligrams of CO2 equivalent; cost in the federation's unit.

    `co2e_mg` is None where the energy or the intensity is not known, in g per kWh.
    """

    joules: float = 0.0
    co2e_mg: float | None = None
    cost: float = 0.0
    basis: EnergyBasis = EnergyBasis.UNKNOWN
    carbon_intensity: float | None = None


def basis_of(tariff: Tariff) -> EnergyBasis:
    """Return where a tariff's joules come from; without any nothing is known."""
    if not tariff.prompt_joules and not tariff.completion_joules:
        return EnergyBasis.UNKNOWN
    return EnergyBasis.MEASURED if tariff.measured else EnergyBasis.MODELLED


def footprint_of(
    tariff: Tariff,
    carbon_intensity: float | None,
    *,
    prompt_tokens: float,
    prompt_tokens_cached: float = 0.0,
    completion_tokens: float,
) -> Footprint:
    """Return what an answer took, or is expected to take, of so many tokens.

    `carbon_intensity` is in grams of CO2 equivalent per kWh, None where not known.
    """
    read = max(prompt_tokens - prompt_tokens_cached, 0.0) / TOKENS_PER_TARIFF
    written = completion_tokens / TOKENS_PER_TARIFF
    joules = tariff.prompt_joules * read + tariff.completion_joules * written
    basis = basis_of(tariff)
    return Footprint(
        joules=joules,
        co2e_mg=None
        if basis is EnergyBasis.UNKNOWN
        else co2e_mg(joules, carbon_intensity),
        cost=tariff.prompt_cost * read + tariff.completion_cost * written,
        basis=basis,
        carbon_intensity=carbon_intensity,
    )


def co2e_mg(joules: float, carbon_intensity: float | None) -> float | None:
    """Return milligrams of CO2 equivalent; None without an intensity, in g per kWh."""
    if carbon_intensity is None:
        return None
    return joules * carbon_intensity * MG_PER_G / J_PER_KWH
