"""Reckons what each answer took, says it in the contract's form, and sums it.

Decides that joules are a node's own tariff times its tokens: measured where the node
measures, modelled where it does not. Refuses to know routing and who may read sums.
Every method runs on the event loop and takes microseconds.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.footprint import metrics
from federated_router.footprint.intensities import Intensities
from federated_router.footprint.reckoning import (
    MG_PER_G,
    EnergyBasis,
    Footprint,
    footprint_of,
)
from federated_router.footprint.settings import FootprintSettings
from federated_router.footprint.totals import TenantTotal, Totals
from federated_router.registry.membership import Tariff

_Counters = tuple[Counter, Counter, Counter]
OTHER: Final = "other"
"""The label of models and regions beyond `labels_max`."""
_BASES: Final = {
    EnergyBasis.UNKNOWN: pb.ENERGY_BASIS_UNSPECIFIED,
    EnergyBasis.MODELLED: pb.ENERGY_BASIS_MODELLED,
    EnergyBasis.MEASURED: pb.ENERGY_BASIS_MEASURED,
}


class Footprints:
    """What the answers of this router process took since its start."""

    def __init__(self, settings: FootprintSettings, intensities: Intensities) -> None:
        self._intensities = intensities
        self._totals = Totals(tenants_max=settings.tenants_max)
        self._labels: dict[tuple[str, str], _Counters] = {}
        self._labels_max = settings.labels_max

    def of(
        self,
        region: str,
        tariff: Tariff,
        *,
        prompt_tokens: int,
        prompt_tokens_cached: int,
        completion_tokens: int,
    ) -> pb.Footprint:
        """Return what an answer of these tokens took at a node in a region."""
        return message_of(
            footprint_of(
                tariff,
                self._intensities.of(region),
                prompt_tokens=prompt_tokens,
                prompt_tokens_cached=prompt_tokens_cached,
                completion_tokens=completion_tokens,
            )
        )

    def add(
        self, tenant: str, footprint: pb.Footprint, *, model: str = "", region: str = ""
    ) -> None:
        """Count an answer for its tenant, and for `models/NAME` and its region."""
        taken = footprint_in(footprint)
        self._totals.of(tenant).add(taken)
        joules, cost, co2e = self._counters(model, region)
        joules.inc(taken.joules)
        cost.inc(taken.cost)
        if taken.co2e_mg is not None:
            co2e.inc(taken.co2e_mg / MG_PER_G)

    def add_cached(self, tenant: str) -> None:
        """Count an answer that was served again, and took nothing."""
        self._totals.of(tenant).answers_cached += 1

    def page(
        self, *, tenant: str | None, size: int, token: str
    ) -> tuple[Sequence[TenantTotal], str]:
        """Return a page of sums by tenant, of one alone if given, and the next token.

        Raises FieldInvalid for a size below 0.
        """
        return self._totals.page(tenant=tenant, size=size, token=token)

    def _counters(self, model: str, region: str) -> _Counters:
        known = self._labels.get((model, region))
        if known is None:
            if len(self._labels) >= self._labels_max:
                return _counters(OTHER, OTHER)
            known = self._labels[model, region] = _counters(model, region)
        return known


def _counters(model: str, region: str) -> _Counters:
    """Return the counters of energy, cost and CO2 equivalent of one cell."""
    return (
        metrics.JOULES.labels(model, region),
        metrics.COST.labels(model, region),
        metrics.CO2E.labels(model, region),
    )


def message_of(footprint: Footprint) -> pb.Footprint:
    """Return a footprint in the contract's form."""
    return pb.Footprint(
        joules=footprint.joules,
        co2e_mg=footprint.co2e_mg,
        cost=footprint.cost,
        energy_basis=_BASES[footprint.basis],
        carbon_intensity=footprint.carbon_intensity,
    )


def footprint_in(message: pb.Footprint) -> Footprint:
    """Return the footprint that a message tells."""
    return Footprint(
        joules=message.joules,
        co2e_mg=message.co2e_mg if message.HasField("co2e_mg") else None,
        cost=message.cost,
        basis=EnergyBasis(message.energy_basis),
        carbon_intensity=message.carbon_intensity
        if message.HasField("carbon_intensity")
        else None,
    )
