"""What this router saw itself and told a round counts once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.federation.records import PatternOutcome, Pull, RequestRecord
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import ManualClock
from federated_router.priors.accumulate import accumulate
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, PatternCell
from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NORM,
    FEATURES_VERSION,
    REWARD_MAX,
    features_of,
)
from federated_router.priors.own_part import own_part, without
from federated_router.priors.patterns import PATTERNS, PATTERNS_VERSION, pattern_of
from federated_router.priors.prompt import prompt_of
from federated_router.priors.publication import Priors
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.priors_view import PriorsView
from tests.support.some_priors import some_priors

MODEL = "models/m"
PROMPT = prompt_of(["Solve x = 3 + 4 and prove that 12 / 4 = 3. Why not 7?"])
MATHEMATICS = PatternCell(pattern_of(PROMPT), MODEL)
LAYOUT = Catalogue(
    version=1,
    models=(MODEL,),
    regions=("north",),
    slot_max=100,
    blocks=(Block.PERFORMANCE, Block.PATTERNS, Block.BANDIT),
    patterns=PATTERNS,
    patterns_version=PATTERNS_VERSION,
    features_version=FEATURES_VERSION,
    features=FEATURE_COUNT,
    feature_norm_squared=FEATURE_NORM**2,
    reward_max=REWARD_MAX,
    samples_min=0,
)


def member(requests: int) -> Statistics:
    """Return a member that counted so many right answers to the prompt."""
    statistics = Statistics()
    for _ in range(requests):
        statistics.record(
            RequestRecord(
                cell=Cell(MODEL, "north"),
                pattern=PatternOutcome(MATHEMATICS.pattern, succeeded=True),
                pull=Pull(features_of(PROMPT), REWARD_MAX),
            )
        )
    return statistics


def sent(statistics: Statistics, round_name: str) -> tuple[int, ...]:
    """Return what a member tells in a round, as `Contributing` makes and notes it."""
    batch = statistics.begin_contribution(round_name)
    values = LAYOUT.encode(batch.over(LAYOUT.latency_bounds_ms)).values
    statistics.own_parts.note(round_name, LAYOUT, values)
    return values


def published(revision: int, parts: Sequence[Sequence[int]]) -> Priors:
    """Return the priors of a round of these parts, with noise of 0."""
    total = [sum(slot) for slot in zip(*parts, strict=True)]
    return replace(
        some_priors(LAYOUT, revision=revision),
        contents=LAYOUT.decode(total),
        noise_standard_deviation=0.0,
    )


class Uses:
    """Priors as a router applies them, beside the statistics of that router."""

    def __init__(self, own: Statistics) -> None:
        self.views: list[PriorsView] = []
        self.priors = AppliedPriors(
            self.views.append,
            kept_max=3,
            half_life_s=1e9,
            own=lambda: own.own_parts.published,
        )

    def told(self) -> tuple[float, float]:
        """Return the requests in the bandit's sums, and in the pattern's."""
        view = self.views[-1]
        bandit, pattern = view.bandits.get(MODEL), view.patterns.get(MATHEMATICS)
        return (
            0.0 if bandit is None else float(bandit.gram[0, 0]) / 9,
            0.0 if pattern is None else pattern.requests,
        )


@pytest.mark.parametrize("own_requests", [30, 150])
async def test_published_sums_are_those_of_others(own_requests: int) -> None:
    """To the integer, also where a slot was clipped: of 150, 100 were told."""
    own, others = member(own_requests), member(40)
    round_ = published(1, [sent(own, "rounds/r1"), sent(others, "rounds/r1")])
    own.confirm("rounds/r1")
    uses = Uses(own)

    await uses.priors.receive(round_)

    assert uses.told() == pytest.approx((40, 40))


async def test_without_taking_off_they_would_count_twice() -> None:
    """The test above has power."""
    own = member(30)
    round_ = published(1, [sent(own, "rounds/r1"), sent(member(40), "rounds/r1")])
    uses = Uses(own)

    await uses.priors.receive(round_)

    assert uses.told() == pytest.approx((70, 70))


async def test_part_that_is_confirmed_after_its_priors_came_is_taken_off_then() -> None:
    """Rounds and priors are watched by two streams, either of which may be first."""
    own, clock = member(30), ManualClock()
    round_ = published(1, [sent(own, "rounds/r1"), sent(member(40), "rounds/r1")])
    uses = Uses(own)
    task = asyncio.create_task(uses.priors.run(clock))
    await uses.priors.receive(round_)
    own.confirm("rounds/r1")

    async with asyncio.timeout(30):
        while len(uses.views) < 2:
            await clock.advance(1.0)
            await asyncio.sleep(0.005)
    for _ in range(5):
        await clock.advance(1.0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert uses.told() == pytest.approx((40, 40))
    assert len(uses.views) == 2


async def test_rejected_rounds_are_never_taken_off() -> None:
    """Their requests are in no published sum; the next round's are."""
    own = member(30)
    sent(own, "rounds/r1")
    own.discard("rounds/r1")
    own.record(
        RequestRecord(
            cell=Cell(MODEL, "north"),
            pull=Pull(features_of(PROMPT), REWARD_MAX),
            pattern=PatternOutcome(MATHEMATICS.pattern, succeeded=True),
        )
    )
    round_ = published(2, [sent(own, "rounds/r2"), sent(member(40), "rounds/r2")])
    own.confirm("rounds/r2")
    uses = Uses(own)

    await uses.priors.receive(round_)

    assert uses.told() == pytest.approx((40, 40))


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 90), st.floats(0, 500)),
        min_size=1,
        max_size=5,
    )
)
def test_each_part_is_taken_off_for_what_its_round_counts(
    rounds: list[tuple[int, int, float]],
) -> None:
    """After any ages, own parts and others' give what others' alone do."""
    total = alone = None
    parts, time_s = {}, 0.0
    for number, (own, others, pause_s) in enumerate(rounds, start=1):
        time_s += pause_s
        mine = LAYOUT.encode(
            member(own).pending().over(LAYOUT.latency_bounds_ms)
        ).values
        theirs = LAYOUT.encode(
            member(others).pending().over(LAYOUT.latency_bounds_ms)
        ).values
        parts[f"rounds/r{number}"] = own_part(LAYOUT, mine)
        both = replace(published(number, [mine, theirs]), create_time_s=time_s)
        one = replace(published(number, [theirs]), create_time_s=time_s)
        total = accumulate(total, both, half_life_s=100.0)
        alone = accumulate(alone, one, half_life_s=100.0)

    assert total is not None
    assert alone is not None
    assert np.allclose(without(total, parts).values, alone.values, atol=1e-9)
    assert np.array_equal(total.variances, alone.variances)
