"""Between the messages of catalogues and priors and what a member thinks in.

Decides that a message which cannot mean anything is refused as such, and that a number
which an older writer left out has its default. Refuses to know calls and streams
(`grpc_priors`) and rounds (`wire`).
"""

import math
from collections.abc import Iterable

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import priors_pb2
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.axes import Axes
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    STANDARD_TIER,
    BanditSums,
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
    PatternCell,
    PatternCounts,
    WeightSums,
)
from federated_router.priors.publication import Priors

_DEFAULT = Axes(version=1, models=(), regions=(), slot_max=1)


def catalogue_from_message(message: priors_pb2.Catalogue) -> Catalogue:
    """Return the layout; raise FieldInvalid for one that does not mean one thing."""
    default = _DEFAULT
    return Catalogue(
        version=message.version,
        models=tuple(message.models),
        regions=tuple(message.regions),
        tiers=tuple(message.tiers) or default.tiers,
        latency_bounds_ms=tuple(message.latency_bounds_ms),
        slot_max=message.slot_max,
        blocks=_blocks(message.blocks) or default.blocks,
        token_unit=message.token_unit or default.token_unit,
        cost_unit=message.cost_unit or default.cost_unit,
        energy_unit_j=message.energy_unit_j or default.energy_unit_j,
        carbon_unit_g_per_kwh=message.carbon_unit_g_per_kwh
        or default.carbon_unit_g_per_kwh,
        patterns=tuple(message.patterns),
        patterns_version=message.patterns_version,
        features_version=message.features_version,
        features=message.features or default.features,
        feature_norm_squared=message.feature_norm_squared
        or default.feature_norm_squared,
        reward_max=message.reward_max or default.reward_max,
        requests_per_user_max=message.requests_per_user_max,
        samples_min=message.samples_min,
    )


def priors_from_message(message: priors_pb2.Priors) -> Priors:
    """Return published priors; raise FieldInvalid for counts over another layout."""
    catalogue = catalogue_from_message(message.catalogue)
    return Priors(
        revision=message.revision,
        round_name=message.round,
        create_time_s=_seconds(message.create_time),
        catalogue=catalogue,
        members=message.members,
        noise_standard_deviation=_deviation(message.noise_standard_deviation),
        contents=_contents(message, catalogue),
        noise_by_block={
            _block(entry.block): _deviation(entry.unit_standard_deviation)
            for entry in message.noise
        },
        withdrawn_revision=message.withdrawn_revision,
    )


def performance_message(cell: Cell, counts: CellCounts) -> priors_pb2.PerformancePrior:
    """Return a cell's counts for the wire, without weights."""
    return priors_pb2.PerformancePrior(
        model=cell.model,
        region=cell.region,
        tier=cell.tier,
        latency_counts=counts.latency_counts,
        failures=counts.failures,
        tokens=counts.tokens,
        cost=counts.cost,
        energy=counts.energy,
    )


def pattern_message(key: PatternCell, counts: PatternCounts) -> priors_pb2.PatternPrior:
    """Return what a model made of a pattern, for the wire."""
    return priors_pb2.PatternPrior(
        pattern=key.pattern,
        model=key.model,
        successes=counts.successes,
        failures=counts.failures,
    )


def _contents(message: priors_pb2.Priors, catalogue: Catalogue) -> Contents:
    _require_blocks(message, catalogue)
    return Contents(
        performance={
            _cell(entry): _counts(entry, buckets=catalogue.buckets)
            for entry in message.performance
        },
        weights={
            _cell(entry): WeightSums(entry.weight, entry.weighted_latency)
            for entry in message.performance
            if Block.WEIGHTS in catalogue.blocks
        },
        patterns={
            PatternCell(entry.pattern, entry.model): PatternCounts(
                entry.successes, entry.failures
            )
            for entry in message.patterns
        },
        carbon={
            entry.region: CarbonSums(entry.requests, entry.intensity)
            for entry in message.carbon
        },
        bandits={
            entry.model: _bandit(entry, catalogue=catalogue)
            for entry in message.bandits
        },
        holdout=HoldoutSums(message.holdout.requests, message.holdout.advantage),
    )


def _require_blocks(message: priors_pb2.Priors, catalogue: Catalogue) -> None:
    """Refuse entries of a block that the catalogue does not sum."""
    told = {
        Block.PATTERNS: ("patterns", bool(message.patterns)),
        Block.CARBON: ("carbon", bool(message.carbon)),
        Block.BANDIT: ("bandits", bool(message.bandits)),
        Block.HOLDOUT: ("holdout", message.HasField("holdout")),
    }
    for block, (name, present) in told.items():
        if present and block not in catalogue.blocks:
            raise FieldInvalid(
                f"The priors hold {name}, which their catalogue does not sum.",
                field=name,
            )


def _cell(entry: priors_pb2.PerformancePrior) -> Cell:
    return Cell(entry.model, entry.region, entry.tier or STANDARD_TIER)


def _counts(entry: priors_pb2.PerformancePrior, *, buckets: int) -> CellCounts:
    if len(entry.latency_counts) != buckets:
        raise FieldInvalid(
            "A cell of the priors does not have the catalogue's buckets.",
            field="performance",
        )
    return CellCounts(
        latency_counts=tuple(entry.latency_counts),
        failures=entry.failures,
        tokens=entry.tokens,
        cost=entry.cost,
        energy=entry.energy,
    )


def _bandit(entry: priors_pb2.BanditPrior, *, catalogue: Catalogue) -> BanditSums:
    wanted = (catalogue.triangle, catalogue.features)
    if (len(entry.gram), len(entry.moment)) != wanted:
        raise FieldInvalid(
            "Bandit statistics of the priors are not over the catalogue's features.",
            field="bandits",
        )
    return BanditSums(tuple(entry.gram), tuple(entry.moment))


def _blocks(names: Iterable[str]) -> tuple[Block, ...]:
    return tuple(map(_block, names))


def _block(name: str) -> Block:
    try:
        return Block(name)
    except ValueError:
        raise FieldInvalid(
            f"Blocks are among {', '.join(Block)}.", field="blocks"
        ) from None


def _deviation(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):
        raise FieldInvalid(
            "Noise has a standard deviation of at least 0.", field="noise"
        )
    return value


def _seconds(moment: Timestamp) -> float:
    try:
        return moment.ToNanoseconds() / 1e9
    except ValueError as error:
        raise FieldInvalid(
            "The priors were not made at any time.", field="create_time"
        ) from error
