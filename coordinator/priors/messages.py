"""Priors and catalogues as messages: half of `service`.

Decides the order of entries, which is that of the slots. Refuses to know who asks.
"""

from collections.abc import Iterator
from itertools import starmap

from federated_router.api.v1 import priors_pb2
from federated_router.federation.priors_wire import (
    pattern_message,
    performance_message,
)
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, Contents, WeightSums
from federated_router.priors.publication import Priors

_NO_WEIGHT = WeightSums(0, 0)


def priors_message(priors: Priors) -> priors_pb2.Priors:
    """Return published priors, one entry per key of each block, in slot order."""
    catalogue, contents = priors.catalogue, priors.contents
    message = priors_pb2.Priors(
        revision=priors.revision,
        round=priors.round_name,
        catalogue=catalogue_message(catalogue),
        members=priors.members,
        noise_standard_deviation=priors.noise_standard_deviation,
        performance=[_cell(cell, contents) for cell in catalogue.cells],
        noise=_noise(priors),
        patterns=starmap(pattern_message, contents.patterns.items()),
        carbon=_carbon(contents),
        bandits=_bandits(contents),
        withdrawn_revision=priors.withdrawn_revision,
    )
    if Block.HOLDOUT in catalogue.blocks:
        message.holdout.requests = contents.holdout.requests
        message.holdout.advantage = contents.holdout.advantage
    message.create_time.FromNanoseconds(round(priors.create_time_s * 1e9))
    return message


def catalogue_message(catalogue: Catalogue) -> priors_pb2.Catalogue:
    """Return the layout."""
    return priors_pb2.Catalogue(
        version=catalogue.version,
        models=catalogue.models,
        regions=catalogue.regions,
        latency_bounds_ms=catalogue.latency_bounds_ms,
        slot_max=catalogue.slot_max,
        tiers=catalogue.tiers,
        blocks=[block.value for block in catalogue.blocks],
        token_unit=catalogue.token_unit,
        cost_unit=catalogue.cost_unit,
        energy_unit_j=catalogue.energy_unit_j,
        carbon_unit_g_per_kwh=catalogue.carbon_unit_g_per_kwh,
        patterns=catalogue.patterns,
        patterns_version=catalogue.patterns_version,
        features_version=catalogue.features_version,
        features=catalogue.features,
        feature_norm_squared=catalogue.feature_norm_squared,
        reward_max=catalogue.reward_max,
        requests_per_user_max=catalogue.requests_per_user_max,
        samples_min=catalogue.samples_min,
    )


def _cell(cell: Cell, contents: Contents) -> priors_pb2.PerformancePrior:
    weights = contents.weights.get(cell, _NO_WEIGHT)
    message = performance_message(cell, contents.performance[cell])
    message.weight = weights.weight
    message.weighted_latency = weights.latency
    return message


def _noise(priors: Priors) -> Iterator[priors_pb2.BlockNoise]:
    for layout in priors.catalogue.layouts:
        yield priors_pb2.BlockNoise(
            block=layout.block.value,
            unit_standard_deviation=priors.noise_by_block.get(
                layout.block, priors.noise_standard_deviation
            ),
            quantities=[
                priors_pb2.QuantityNoise(
                    quantity=quantity, standard_deviation=priors.noise_of(quantity)
                )
                for quantity in dict.fromkeys(
                    column.quantity for column in layout.columns
                )
            ],
        )


def _carbon(contents: Contents) -> Iterator[priors_pb2.CarbonPrior]:
    for region, sums in contents.carbon.items():
        yield priors_pb2.CarbonPrior(
            region=region, requests=sums.requests, intensity=sums.intensity
        )


def _bandits(contents: Contents) -> Iterator[priors_pb2.BanditPrior]:
    for model, sums in contents.bandits.items():
        yield priors_pb2.BanditPrior(model=model, gram=sums.gram, moment=sums.moment)
