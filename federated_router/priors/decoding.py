"""Put rows of slots together again into what they count.

Decides which column of which block is which fact. Refuses to know bounds, factors and
the order of blocks.
"""

from collections.abc import Mapping
from typing import Any

from federated_router.priors.blocks import THE_FEDERATION, Block
from federated_router.priors.contents import (
    BanditSums,
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
    PatternCounts,
    WeightSums,
)

Rows = Mapping[Any, tuple[int, ...]]


def contents_of(rows: Mapping[Block, Rows], *, triangle: int) -> Contents:
    """Return the contents that rows by block and key hold.

    `triangle` is the number of entries of a gram matrix's upper triangle.
    """
    return Contents(
        performance=_cells(rows),
        weights={
            cell: WeightSums(*row) for cell, row in rows.get(Block.WEIGHTS, {}).items()
        },
        patterns={
            key: PatternCounts(*row)
            for key, row in rows.get(Block.PATTERNS, {}).items()
        },
        carbon={
            region: CarbonSums(*row)
            for region, row in rows.get(Block.CARBON, {}).items()
        },
        bandits={
            model: BanditSums(row[:triangle], row[triangle:])
            for model, row in rows.get(Block.BANDIT, {}).items()
        },
        holdout=HoldoutSums(*rows.get(Block.HOLDOUT, {}).get(THE_FEDERATION, (0, 0))),
    )


def _cells(rows: Mapping[Block, Rows]) -> dict[Cell, CellCounts]:
    def steps(block: Block, cell: Cell) -> int:
        return rows.get(block, {}).get(cell, (0,))[0]

    return {
        cell: CellCounts(
            latency_counts=row[:-1],
            failures=row[-1],
            tokens=steps(Block.TOKENS, cell),
            cost=steps(Block.COST, cell),
            energy=steps(Block.ENERGY, cell),
        )
        for cell, row in rows[Block.PERFORMANCE].items()
    }
