"""What a catalogue and a member's contents must keep, said in configuration's words.

Decides the limits and names the axis that breaks one. Refuses to know slots.
"""

import math
from collections.abc import Sequence
from typing import Final

from federated_router.kit.errors import FieldInvalid
from federated_router.priors.axes import Axes
from federated_router.priors.blocks import Block
from federated_router.priors.buckets import require_bounds
from federated_router.priors.contents import Contents

CELLS_MAX: Final = 4096
SLOT_MAX_LIMIT: Final = 1 << 24
VECTOR_SLOTS_MAX: Final = 1 << 17
"""Published slots of a vector: 64 ciphertexts, 1.7 MB for each member."""

FEATURES_MAX: Final = 64
NORM_SQUARED_MAX: Final = 1 << 12
REWARD_MAX_LIMIT: Final = 1 << 8
USER_REQUESTS_LIMIT: Final = 1 << 16
SAMPLES_MIN_LIMIT: Final = 1 << 24


def require(axes: Axes) -> None:
    """Refuse a layout that does not mean one thing, or does not fit.

    Raises FieldInvalid with the field of the configuration that is to change.
    """
    _require_axes(axes)
    require_bounds(axes.latency_bounds_ms)
    _require_units(axes)
    _within(axes.version, "version", 1, 2**31 - 1)
    _within(axes.slot_max, "slot_max", 1, SLOT_MAX_LIMIT)
    _within(axes.patterns_version, "patterns_version", 0, 2**31 - 1)
    _within(axes.features_version, "features_version", 0, 2**31 - 1)
    _within(axes.features, "features", 1, FEATURES_MAX)
    _within(axes.feature_norm_squared, "feature_norm_squared", 1, NORM_SQUARED_MAX)
    _within(axes.reward_max, "reward_max", 1, REWARD_MAX_LIMIT)
    _within(
        axes.requests_per_user_max,
        "requests_per_user_max",
        0,
        USER_REQUESTS_LIMIT,
    )
    _within(axes.samples_min, "samples_min", 0, SAMPLES_MIN_LIMIT)
    _require_size(axes)


def require_counts(axes: Axes, contents: Contents) -> None:
    """Refuse a member's contents that are no counts over the catalogue's axes.

    Raises:
        FieldInvalid: another number of buckets or features, or a count below zero.
    """
    for cell in contents.performance.values():
        told = (cell.failures, cell.tokens, cell.cost, cell.energy)
        if len(cell.latency_counts) != axes.buckets:
            raise FieldInvalid(
                f"Statistics are over the catalogue's {axes.buckets} buckets.",
                field="latency_bounds_ms",
            )
        _require_not_negative(*cell.latency_counts, *told)
    for counts in contents.patterns.values():
        _require_not_negative(counts.successes, counts.failures)
    for carbon in contents.carbon.values():
        _require_not_negative(carbon.requests, carbon.intensity)
    _require_not_negative(contents.holdout.requests)
    width = axes.features
    for sums in contents.bandits.values():
        if (len(sums.gram), len(sums.moment)) != (width * (width + 1) // 2, width):
            raise FieldInvalid(
                f"Bandit statistics are over the catalogue's {width} features.",
                field="features",
            )


def _require_not_negative(*counts: int) -> None:
    if min(counts) < 0:
        raise FieldInvalid("A member counts no less than 0.", field="statistics")


def _require_axes(axes: Axes) -> None:
    _axis(axes.models, "models")
    _axis(axes.regions, "regions")
    _axis(axes.tiers, "tiers")
    _axis(axes.blocks, "blocks")
    if any(not isinstance(block, Block) for block in axes.blocks):
        raise FieldInvalid(f"Blocks are among {', '.join(Block)}.", field="blocks")
    if Block.PERFORMANCE not in axes.blocks:
        raise FieldInvalid(
            "Every catalogue sums the performance block.", field="blocks"
        )
    if Block.PATTERNS in axes.blocks:
        _axis(axes.patterns, "patterns")


def _axis(names: Sequence[str], field: str) -> None:
    if not names or len(set(names)) != len(names) or not all(names):
        raise FieldInvalid(
            "A catalogue names at least one, each once, none empty.", field=field
        )


def _require_units(axes: Axes) -> None:
    for field in ("token_unit", "cost_unit", "energy_unit_j", "carbon_unit_g_per_kwh"):
        unit = getattr(axes, field)
        if not (math.isfinite(unit) and unit > 0):
            raise FieldInvalid("A step is a positive amount.", field=field)


def _within(value: int, field: str, least: int, most: int) -> None:
    if not least <= value <= most:
        raise FieldInvalid(f"{field} lies between {least} and {most}.", field=field)


def _require_size(axes: Axes) -> None:
    """Refuse too many cells or slots; name the longest axis of the largest block."""
    lengths = {
        "models": len(axes.models),
        "regions": len(axes.regions),
        "tiers": len(axes.tiers),
    }
    cells = math.prod(lengths.values())
    if cells > CELLS_MAX:
        raise FieldInvalid(
            f"{cells} cells of models x regions x tiers; a catalogue holds at most "
            f"{CELLS_MAX}.",
            field=max(lengths, key=lambda axis: lengths[axis]),
        )
    slots = slots_by_block(axes)
    total = sum(slots.values())
    if total > VECTOR_SLOTS_MAX:
        largest = max(slots, key=lambda block: slots[block])
        raise FieldInvalid(
            f"The blocks take {total} slots, the {largest} block {slots[largest]} of "
            f"them; a vector holds at most {VECTOR_SLOTS_MAX}.",
            field=_longest_axis(axes, largest),
        )


def _longest_axis(axes: Axes, block: Block) -> str:
    """Return the field whose shortening saves most of a block's slots."""
    named = {
        Block.PERFORMANCE: ("models", "regions", "tiers", "latency_bounds_ms"),
        Block.PATTERNS: ("patterns", "models"),
        Block.CARBON: ("regions",),
        Block.BANDIT: ("models",),
    }.get(block, ("models", "regions", "tiers"))
    return max(named, key=lambda axis: len(getattr(axes, axis)))


def slots_by_block(axes: Axes) -> dict[Block, int]:
    """Return each block's slots by counting alone: nothing is built before it fits."""
    cells = len(axes.models) * len(axes.regions) * len(axes.tiers)
    slots = {
        Block.PERFORMANCE: cells * (axes.buckets + 1),
        Block.TOKENS: cells,
        Block.COST: cells,
        Block.ENERGY: cells,
        Block.WEIGHTS: 2 * cells,
        Block.PATTERNS: 2 * len(axes.patterns) * len(axes.models),
        Block.CARBON: 2 * len(axes.regions),
        Block.BANDIT: (axes.triangle + axes.features) * len(axes.models),
        Block.HOLDOUT: 2,
    }
    return {block: slots[block] for block in axes.blocks}
