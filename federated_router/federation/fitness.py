"""Whether what a member recorded means what a round sums.

Decides which differences make counts incomparable: buckets, units, features, and how
many requests of one user there may be. Refuses to know when it is asked.
"""

from collections.abc import Iterator

from federated_router.federation.batch import Batch
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NORM,
    REWARD_MAX,
)


def fits(batch: Batch, recording: Batch) -> bool:
    """Return whether a batch may join what is `recording` now (an empty batch)."""
    limit = recording.requests_per_user_max
    return (
        batch.latency_bounds_ms == recording.latency_bounds_ms
        and batch.units == recording.units
        and batch.features_version == recording.features_version
        and batch.patterns_version == recording.patterns_version
        and (not limit or 1 <= batch.requests_per_user_max <= limit)
    )


def require_fitting(batch: Batch, catalogue: Catalogue) -> None:
    """Raise FieldInvalid, naming the difference, unless `catalogue` can sum `batch`.

    A member that protects users joins no round that protects less, and one that counts
    all requests joins no round that promises to protect users.
    """
    if not set(catalogue.latency_bounds_ms) <= set(batch.latency_bounds_ms):
        raise FieldInvalid(
            "This member does not record at the round's latency bounds.",
            field="latency_bounds_ms",
        )
    promised, kept = catalogue.requests_per_user_max, batch.requests_per_user_max
    if (promised or kept) and not 1 <= kept <= promised:
        raise FieldInvalid(
            f"This member counts up to {kept} requests of one user (0: all) and the "
            f"round protects users of up to {promised} (0: none).",
            field="requests_per_user_max",
        )
    for name in _different(batch, catalogue):
        raise FieldInvalid(
            "This member counts in another unit or by other rules.", field=name
        )


def _different(batch: Batch, catalogue: Catalogue) -> Iterator[str]:
    """Yield the fields that differ and that the round's blocks depend on."""
    units, theirs = batch.units, catalogue
    known = (
        (Block.TOKENS, "token_unit", units.token == theirs.token_unit),
        (Block.COST, "cost_unit", units.cost == theirs.cost_unit),
        (Block.ENERGY, "energy_unit_j", units.energy_j == theirs.energy_unit_j),
        (
            Block.CARBON,
            "carbon_unit_g_per_kwh",
            units.carbon_g_per_kwh == theirs.carbon_unit_g_per_kwh,
        ),
        (
            Block.PATTERNS,
            "patterns_version",
            batch.patterns_version == theirs.patterns_version,
        ),
        (
            Block.BANDIT,
            "features_version",
            batch.features_version == theirs.features_version,
        ),
        (Block.BANDIT, "features", theirs.features == FEATURE_COUNT),
        (
            Block.BANDIT,
            "feature_norm_squared",
            theirs.feature_norm_squared >= FEATURE_NORM**2,
        ),
        (Block.BANDIT, "reward_max", theirs.reward_max >= REWARD_MAX),
    )
    for block, name, same in known:
        if block in catalogue.blocks and not same:
            yield name
