"""One request moves each block by at most one unit of its noise, whatever was counted.

This is what the privacy of a round rests on, so it is tested on the encoded integers,
clipping, flooring and saturation included, and in exact fractions.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    STEPS_MAX,
    BanditSums,
    CarbonSums,
    CellCounts,
    Contents,
    HoldoutSums,
    PatternCounts,
)
from tests.unit.priors.strategies import contents_over

LAYOUT = Catalogue(
    version=1,
    models=("models/a",),
    regions=("eu",),
    tiers=("standard", "private"),
    latency_bounds_ms=(1.0, 2.0, 4.0),
    slot_max=2000,
    blocks=tuple(Block),
    patterns=("code", "chat"),
    features=3,
)
CELL, PATTERN = LAYOUT.cells[0], LAYOUT.pattern_cells[0]


@dataclass(frozen=True)
class Request:
    """One finished request, as it enters every block; bucket None is a failure."""

    bucket: int | None
    steps: tuple[int, int, int]
    intensity: int
    features: tuple[int, ...]
    reward: int
    advantage: int


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """Return any request that a member may count."""
    left, features = LAYOUT.feature_norm_squared, []
    for _ in range(LAYOUT.features):
        most = int(left**0.5)
        features.append(draw(st.integers(-most, most)))
        left -= features[-1] ** 2
    steps = st.integers(0, STEPS_MAX)
    return Request(
        bucket=draw(st.none() | st.integers(0, LAYOUT.buckets - 1)),
        steps=draw(st.tuples(steps, steps, steps)),
        intensity=draw(steps),
        features=tuple(features),
        reward=draw(st.integers(0, LAYOUT.reward_max)),
        advantage=draw(st.integers(-STEPS_MAX, STEPS_MAX)),
    )


def with_request(contents: Contents, request: Request) -> Contents:
    """Return the contents of a member that counted one request more."""
    return replace(
        contents,
        performance={**contents.performance, CELL: _cell(contents, request)},
        patterns={**contents.patterns, PATTERN: _pattern(contents, request)},
        carbon={
            "eu": CarbonSums(
                contents.carbon["eu"].requests + 1,
                contents.carbon["eu"].intensity + request.intensity,
            )
        },
        bandits={"models/a": _bandit(contents.bandits["models/a"], request)},
        holdout=HoldoutSums(
            contents.holdout.requests + 1,
            contents.holdout.advantage + request.advantage,
        ),
    )


def _cell(contents: Contents, request: Request) -> CellCounts:
    counts = contents.performance[CELL]
    if request.bucket is None:
        return replace(counts, failures=counts.failures + 1)
    buckets = list(counts.latency_counts)
    buckets[request.bucket] += 1
    tokens, cost, energy = request.steps
    return CellCounts(
        tuple(buckets),
        counts.failures,
        tokens=counts.tokens + tokens,
        cost=counts.cost + cost,
        energy=counts.energy + energy,
    )


def _pattern(contents: Contents, request: Request) -> PatternCounts:
    counts = contents.patterns[PATTERN]
    if request.bucket is None:
        return PatternCounts(counts.successes, counts.failures + 1)
    return PatternCounts(counts.successes + 1, counts.failures)


def _bandit(sums: BanditSums, request: Request) -> BanditSums:
    x = request.features
    triangle = [x[i] * x[j] for i in range(len(x)) for j in range(i, len(x))]
    return BanditSums(
        tuple(a + b for a, b in zip(sums.gram, triangle, strict=True)),
        tuple(a + request.reward * b for a, b in zip(sums.moment, x, strict=True)),
    )


def units_moved(before: Contents, after: Contents) -> dict[Block, Fraction]:
    """Return the squared distance of two members' vectors by block, in noise units."""
    old, new = LAYOUT.encode(before).values, LAYOUT.encode(after).values
    distances: dict[Block, Fraction] = {}
    for block, span in LAYOUT.spans.items():
        slots = zip(old[span], new[span], LAYOUT.noise_factors[span], strict=True)
        distances[block] = sum(
            (Fraction(b - a, factor) ** 2 for a, b, factor in slots), Fraction(0)
        )
    return distances


@given(contents_over(LAYOUT, scale=2), requests())
def test_one_request_moves_each_block_by_at_most_one_unit(
    contents: Contents, request: Request
) -> None:
    """Contents reach beyond the bounds, so saturated slots are among them."""
    moved = units_moved(contents, with_request(contents, request))

    assert max(moved.values()) <= 1


def _worst_requests() -> Iterable[tuple[Contents, Request]]:
    """Yield what moves the blocks most: extreme requests of hardly busy members."""
    empty = LAYOUT.decode([0] * LAYOUT.statistic_slots)
    for bucket in (None, LAYOUT.buckets - 1):
        for features in ((8, 0, 0), (-8, 0, 0), (4, 4, 4)):
            yield (
                empty,
                Request(bucket, (STEPS_MAX,) * 3, STEPS_MAX, features, 8, -STEPS_MAX),
            )


def test_noise_is_hardly_more_than_the_worst_request_needs() -> None:
    """Factors a tenth smaller would fail in every block: the test above has power."""
    worst = dict.fromkeys(Block, Fraction(0))
    for before, request in _worst_requests():
        moved = units_moved(before, with_request(before, request))
        worst = {block: max(worst[block], moved[block]) for block in Block}

    assert min(worst.values()) > Fraction(9, 10) ** 2


def _weights_unit(before: CellCounts, bucket: int) -> Fraction:
    """Return how far one success more moves the block of weights."""
    after = list(before.latency_counts)
    after[bucket] += 1
    empty = LAYOUT.decode([0] * LAYOUT.statistic_slots)
    moved = units_moved(
        replace(empty, performance={CELL: before}),
        replace(empty, performance={CELL: CellCounts(tuple(after), 0)}),
    )
    return moved[Block.WEIGHTS]


@pytest.mark.parametrize("successes", [0, 1, 998, 999, 1000, 1001, 1002, 1999, 2000])
def test_weights_move_by_at_most_one_unit_where_the_weight_ends(
    successes: int,
) -> None:
    """The mean is floored from 1,000 on: tried from extreme splits, to any bucket."""
    splits = {0, min(1, successes), successes // 2, max(successes - 1, 0), successes}
    for first in splits:
        counts = CellCounts((first, 0, 0, successes - first), 0)
        for bucket in range(LAYOUT.buckets):
            assert _weights_unit(counts, bucket) <= 1


@given(
    st.lists(st.integers(0, 1500), min_size=4, max_size=4).map(tuple),
    st.integers(0, 3),
)
def test_weights_move_by_at_most_one_unit_in_any_state(
    latency_counts: tuple[int, ...], bucket: int
) -> None:
    """Whatever the mean was, and across the end of the weight."""
    assert _weights_unit(CellCounts(latency_counts, 0), bucket) <= 1


def test_members_pay_for_every_block_and_for_what_they_release_to_themselves() -> None:
    """The noised test of sample sizes and the noised predictor cost a unit each."""
    plain = replace(LAYOUT, blocks=(Block.PERFORMANCE,))

    assert plain.sensitivity_squared == 1
    assert LAYOUT.sensitivity_squared == len(Block) + 1
    assert replace(LAYOUT, samples_min=100).sensitivity_squared == len(Block) + 2
    assert replace(plain, requests_per_user_max=5).sensitivity_squared == 25
    assert (
        replace(plain, requests_per_user_max=5, samples_min=1).sensitivity_squared == 50
    )


@given(contents_over(LAYOUT), st.lists(requests(), min_size=2, max_size=4))
def test_all_requests_of_a_user_move_the_vector_by_what_is_stated(
    contents: Contents, mine: list[Request]
) -> None:
    """The triangle inequality over k requests, on whole vectors."""
    layout = replace(LAYOUT, requests_per_user_max=len(mine))
    after = contents
    for request in mine:
        after = with_request(after, request)

    moved = units_moved(contents, after)

    assert sum(moved.values()) <= layout.sensitivity_squared
