"""Each block's columns: their bounds, their noise factors and what fills them.

Decides how contents become rows of slots, and proves for each block that one request
moves it by no more than one unit of noise (`blocks`). Refuses to know the order of
blocks, noise and who contributes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isqrt
from typing import Final

from federated_router.priors.axes import Axes
from federated_router.priors.blocks import (
    THE_FEDERATION,
    AnyLayout,
    Block,
    Column,
    Layout,
    half,
    uneven,
)
from federated_router.priors.contents import (
    STEPS_MAX,
    WEIGHT_REQUESTS_MAX,
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    PatternCell,
    PatternCounts,
    WeightSums,
)

NO_PATTERN: Final = PatternCounts(0, 0)
NO_CARBON: Final = CarbonSums(0, 0)
NO_WEIGHT: Final = WeightSums(0, 0)


def _performance(axes: Axes) -> Layout[Cell]:
    """Return latency buckets and failures: one request moves one slot by one."""
    columns = (
        *(Column("latency", 0, axes.slot_max, 1) for _ in range(axes.buckets)),
        Column("failures", 0, axes.slot_max, 1),
    )
    empty = CellCounts((0,) * axes.buckets, 0)

    def row(contents: Contents, cell: Cell) -> Sequence[int]:
        counts = contents.performance.get(cell, empty)
        return (*counts.latency_counts, counts.failures)

    return Layout(Block.PERFORMANCE, axes.cells, columns, row)


def _sums_of_steps(block: Block, axes: Axes) -> Layout[Cell]:
    """Return a sum per cell that one request moves by 0..STEPS_MAX steps."""
    columns = (Column(block.value, 0, STEPS_MAX * axes.slot_max, STEPS_MAX),)

    def row(contents: Contents, cell: Cell) -> Sequence[int]:
        counts = contents.performance.get(cell)
        return (0 if counts is None else getattr(counts, block.value),)

    return Layout(block, axes.cells, columns, row)


def _weights(axes: Axes) -> Layout[Cell]:
    """Return members' weights and weighted mean bucket positions per cell.

    With n successes in buckets 0..L, B the sum of their buckets and W =
    WEIGHT_REQUESTS_MAX, a member tells w = min(n, W) and floor(w B / n). One success
    more, in bucket b, moves w by at most 1. For n < W it moves the second number, which
    is B itself, by b <= L. For n >= W it moves w B / n by W |b - B/n| / (n + 1), less
    than L because b and B/n both lie in 0..L; two numbers less than L apart have floors
    at most L apart.
    """
    most = axes.buckets - 1
    small, large = uneven(most)
    columns = (
        Column("weight", 0, WEIGHT_REQUESTS_MAX, small),
        Column("weighted_latency", 0, WEIGHT_REQUESTS_MAX * most, large),
    )

    def row(contents: Contents, cell: Cell) -> Sequence[int]:
        found = contents.weights.get(cell, NO_WEIGHT)
        return (found.weight, found.latency)

    return Layout(Block.WEIGHTS, axes.cells, columns, row)


def weights_of(counts: CellCounts) -> WeightSums:
    """Return what a member tells of its own counts in the block of weights."""
    successes = counts.successes
    weight = min(successes, WEIGHT_REQUESTS_MAX)
    if not weight:
        return NO_WEIGHT
    positions = sum(
        bucket * count for bucket, count in enumerate(counts.latency_counts)
    )
    return WeightSums(weight, weight * positions // successes)


def _patterns(axes: Axes) -> Layout[PatternCell]:
    """Return successes and failures: one request moves one slot by one."""
    columns = (
        Column("pattern_successes", 0, axes.slot_max, 1),
        Column("pattern_failures", 0, axes.slot_max, 1),
    )

    def row(contents: Contents, key: PatternCell) -> Sequence[int]:
        counts = contents.patterns.get(key, NO_PATTERN)
        return (counts.successes, counts.failures)

    return Layout(Block.PATTERNS, axes.pattern_cells, columns, row)


def _carbon(axes: Axes) -> Layout[str]:
    """Return requests (by 1) and their summed intensity (by 0..STEPS_MAX)."""
    small, large = uneven(STEPS_MAX)
    columns = (
        Column("carbon_requests", 0, axes.slot_max, small),
        Column("carbon_intensity", 0, STEPS_MAX * axes.slot_max, large),
    )

    def row(contents: Contents, region: str) -> Sequence[int]:
        sums = contents.carbon.get(region, NO_CARBON)
        return (sums.requests, sums.intensity)

    return Layout(Block.CARBON, axes.regions, columns, row)


def _bandit(axes: Axes) -> Layout[str]:
    """Return the gram matrix's upper triangle and the moment, for ||x||^2 <= R^2.

    The triangle of x x^T has the squared length (||x||^4 + sum x_i^4) / 2 <= R^4, and
    r x at most reward_max^2 R^2; each is given half of the block's unit. A diagonal
    entry moves by at most R^2, another by at most R^2 / 2.
    """
    norm_squared, features = axes.feature_norm_squared, axes.features
    gram = half(norm_squared**2)
    moment = half(axes.reward_max**2 * norm_squared)
    diagonal = axes.slot_max * norm_squared
    beside = axes.slot_max * (norm_squared // 2)
    sideways = axes.slot_max * isqrt(axes.reward_max**2 * norm_squared)
    columns = (
        *(
            Column("bandit_gram", 0, diagonal, gram)
            if i == j
            else Column("bandit_gram", -beside, beside, gram)
            for i in range(features)
            for j in range(i, features)
        ),
        *(
            Column("bandit_moment", -sideways, sideways, moment)
            for _ in range(features)
        ),
    )
    empty = (0,) * len(columns)

    def row(contents: Contents, model: str) -> Sequence[int]:
        sums = contents.bandits.get(model)
        return empty if sums is None else (*sums.gram, *sums.moment)

    return Layout(Block.BANDIT, axes.models, columns, row)


def _holdout(axes: Axes) -> Layout[str]:
    """Return requests (by 1) and the priors' summed advantage (by up to STEPS_MAX)."""
    small, large = uneven(STEPS_MAX)
    columns = (
        Column("holdout_requests", 0, axes.slot_max, small),
        Column(
            "holdout_advantage",
            -STEPS_MAX * axes.slot_max,
            STEPS_MAX * axes.slot_max,
            large,
        ),
    )

    def row(contents: Contents, _: str) -> Sequence[int]:
        return (contents.holdout.requests, contents.holdout.advantage)

    return Layout(Block.HOLDOUT, (THE_FEDERATION,), columns, row)


_LAYOUTS: Final[Mapping[Block, Callable[[Axes], AnyLayout]]] = {
    Block.PERFORMANCE: _performance,
    Block.TOKENS: partial(_sums_of_steps, Block.TOKENS),
    Block.COST: partial(_sums_of_steps, Block.COST),
    Block.ENERGY: partial(_sums_of_steps, Block.ENERGY),
    Block.WEIGHTS: _weights,
    Block.PATTERNS: _patterns,
    Block.CARBON: _carbon,
    Block.BANDIT: _bandit,
    Block.HOLDOUT: _holdout,
}


def layouts_of(axes: Axes) -> tuple[AnyLayout, ...]:
    """Return the layouts of the chosen blocks, in the order of `Block`."""
    return tuple(make(axes) for block, make in _LAYOUTS.items() if block in axes.blocks)
