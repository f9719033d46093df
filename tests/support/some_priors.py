"""Priors that count nothing, for tests that look at their revision only."""

from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors


def some_priors(catalogue: Catalogue, *, revision: int = 1) -> Priors:
    """Return empty priors of a catalogue."""
    return Priors(
        revision=revision,
        round_name=f"rounds/r{revision}",
        create_time_s=1_700_000_000.0 + revision,
        catalogue=catalogue,
        members=3,
        noise_standard_deviation=1.0,
        contents=Contents(),
    )
