"""Priors with every block, for tests that read them."""

import random
from dataclasses import replace

from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors

LAYOUT = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 2.0, 4.0, 8.0),
    slot_max=100_000,
    blocks=tuple(Block),
    token_unit=10.0,
    cost_unit=0.5,
    energy_unit_j=2.0,
    carbon_unit_g_per_kwh=16.0,
    patterns=("code", "chat"),
    features=4,
)
PLAIN = replace(LAYOUT, blocks=(Block.PERFORMANCE,), patterns=())


def priors_of(
    contents: Contents,
    *,
    noise: float = 0.0,
    catalogue: Catalogue = LAYOUT,
    revision: int = 1,
    create_time_s: float = 0.0,
) -> Priors:
    """Return priors that hold `contents` and say that they have this noise."""
    return Priors(
        revision=revision,
        round_name=f"rounds/r{revision}",
        create_time_s=create_time_s,
        catalogue=catalogue,
        members=10,
        noise_standard_deviation=noise,
        contents=catalogue.decode(catalogue.encode(contents).values),
    )


def noised(priors: Priors, *, seed: int) -> Priors:
    """Return the priors with rounded Gaussian noise of their own scale."""
    source = random.Random(seed)  # noqa: S311 - a harness, not a release.
    catalogue = priors.catalogue
    unit = priors.noise_standard_deviation
    sums = [
        value + round(source.gauss(0, unit * column.factor))
        for value, column in zip(
            catalogue.flatten(priors.contents), catalogue.columns, strict=True
        )
    ]
    return replace(priors, contents=catalogue.decode(sums))
