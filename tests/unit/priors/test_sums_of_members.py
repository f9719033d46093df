"""What members add up to is read as if one had counted it all."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.contents import (
    CarbonSums,
    CellCounts,
    Contents,
    PatternCounts,
)
from federated_router.priors.performance import read_performance
from federated_router.priors.resources import read_resources
from tests.unit.priors.strategies import contents_over
from tests.unit.priors.worlds import LAYOUT, priors_of

SMALL = replace(LAYOUT, slot_max=100, features=2)
CELL = LAYOUT.cells[0]


def summed(members: list[Contents]) -> Contents:
    """Return what the sum of members' vectors decodes to."""
    vectors = np.array([SMALL.encode(member).values for member in members])
    return SMALL.decode(vectors.sum(axis=0).tolist())


@given(st.lists(contents_over(SMALL), min_size=1, max_size=4))
def test_sum_of_vectors_is_the_sum_of_what_was_counted(
    members: list[Contents],
) -> None:
    """Every number of every block adds up on its own."""
    total = summed(members)

    for cell, counts in total.performance.items():
        parts = [member.performance[cell] for member in members]
        assert counts == CellCounts(
            tuple(map(sum, zip(*(one.latency_counts for one in parts), strict=True))),
            sum(one.failures for one in parts),
            tokens=sum(one.tokens for one in parts),
            cost=sum(one.cost for one in parts),
            energy=sum(one.energy for one in parts),
        )
    for key in SMALL.pattern_cells:
        assert total.patterns[key] == PatternCounts(
            sum(member.patterns[key].successes for member in members),
            sum(member.patterns[key].failures for member in members),
        )
    for region in SMALL.regions:
        assert total.carbon[region] == CarbonSums(
            sum(member.carbon[region].requests for member in members),
            sum(member.carbon[region].intensity for member in members),
        )
    advantages = [member.holdout.advantage for member in members]
    assert total.holdout.advantage == sum(advantages)


def test_percentiles_of_the_federation_are_not_averages_of_percentiles() -> None:
    """Nine fast members and a slow one: the p95 is the slow one's bucket."""
    fast = Contents(performance={CELL: CellCounts((0, 1000, 0, 0, 0), 0)})
    slow = Contents(performance={CELL: CellCounts((0, 0, 0, 1000, 0), 0)})
    bounds = LAYOUT.latency_bounds_ms
    wide = replace(LAYOUT, slot_max=10_000)
    vectors = np.array([wide.encode(one).values for one in (*[fast] * 9, slow)])

    counts = wide.decode(vectors.sum(axis=0).tolist()).performance[CELL]
    found = read_performance(counts, bounds_ms=bounds, noise_standard_deviation=0.0)

    assert found.latency_ms_p95 is not None
    assert bounds[2] < found.latency_ms_p95 <= bounds[3]


def test_weighted_average_is_the_origins_over_several_members() -> None:
    """Weights 0.2 and 1 on means in buckets 1 and 3: (0.2 * 1 + 1 * 3) / 1.2."""
    members = [
        Contents(performance={CELL: CellCounts((0, 200, 0, 0, 0), 0)}),
        Contents(performance={CELL: CellCounts((0, 0, 0, 5000, 0), 0)}),
    ]
    vectors = np.array([LAYOUT.encode(member).values for member in members])
    contents = LAYOUT.decode(vectors.sum(axis=0).tolist())

    found = read_resources(
        replace(priors_of(Contents()), contents=contents), CELL
    ).latency_ms

    assert found is not None
    assert found.value == pytest.approx(2 ** (3.2 / 1.2 - 0.5))
