"""What priors become for the choice: sums to add, where noise leaves something."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from federated_router.choice.choosing import NO_WISHES
from federated_router.kit.clock import ManualClock
from federated_router.priors.accumulate import accumulate
from federated_router.priors.bandit import bandit_evidence
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    BanditSums,
    Contents,
    PatternCell,
    PatternCounts,
)
from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NORM,
    FEATURES_VERSION,
    REWARD_MAX,
)
from federated_router.priors.pattern_priors import pattern_evidence
from federated_router.priors.patterns import PATTERNS, PATTERNS_VERSION
from federated_router.priors.publication import Priors
from federated_router.routing.priors_view import PriorsView, view_of
from tests.unit.choice.choosers import HARD, LARGE, OPTIONS, SMALL, chooser_of, teach

LAYOUT = Catalogue(
    version=1,
    models=(SMALL, LARGE),
    regions=("north",),
    slot_max=10_000,
    blocks=(Block.PERFORMANCE, Block.PATTERNS, Block.BANDIT),
    patterns=PATTERNS,
    patterns_version=PATTERNS_VERSION,
    features_version=FEATURES_VERSION,
    features=FEATURE_COUNT,
    feature_norm_squared=FEATURE_NORM**2,
    reward_max=REWARD_MAX,
)
BIAS_ALONE = (9 * 500, *(0,) * (FEATURE_COUNT * (FEATURE_COUNT + 1) // 2 - 1))
TOLD = BanditSums(BIAS_ALONE, (3 * 8 * 400, *(0,) * (FEATURE_COUNT - 1)))
CODE = PatternCell("code", SMALL)


def view(catalogue: Catalogue = LAYOUT, *, noise: float = 0.0) -> PriorsView:
    """Return what one round of these sums teaches."""
    contents = Contents(bandits={SMALL: TOLD}, patterns={CODE: PatternCounts(150, 50)})
    priors = Priors(
        revision=1,
        round_name="rounds/1",
        create_time_s=0.0,
        catalogue=catalogue,
        members=3,
        noise_standard_deviation=noise,
        contents=contents,
    )
    return view_of(accumulate(None, priors, half_life_s=1.0))


def test_view_holds_the_sums_in_rewards() -> None:
    """500 requests with a mean reward of .8, and 200 of code of which 150 succeeded."""
    found = view()

    assert set(found.bandits) == {SMALL}
    assert found.bandits[SMALL].gram[0, 0] == 9 * 500
    assert found.bandits[SMALL].moment[0] == 3 * 400
    assert found.patterns[CODE].successes == 150
    assert set(found.patterns) == {CODE}


@pytest.mark.parametrize(
    ("change", "bandits", "patterns"),
    [
        ({"features_version": FEATURES_VERSION + 1}, 0, 1),
        ({"patterns_version": PATTERNS_VERSION + 1}, 1, 0),
        ({"blocks": (Block.PERFORMANCE, Block.PATTERNS)}, 0, 1),
        ({"blocks": (Block.PERFORMANCE,)}, 0, 0),
    ],
)
def test_sums_of_other_features_or_rules_are_not_believed(
    change: Mapping[str, object], bandits: int, patterns: int
) -> None:
    """Numbers that mean something else would steer by chance."""
    found = view(replace(LAYOUT, **change))  # type: ignore[arg-type]

    assert (len(found.bandits), len(found.patterns)) == (bandits, patterns)


def test_what_noise_hides_is_not_believed() -> None:
    """500 requests under noise of 500 on a count say nothing."""
    assert not view(noise=500.0).bandits
    assert not view(noise=500.0).patterns


def test_noise_alone_is_believed_once_in_a_thousand() -> None:
    """Of 300 empty sums more than 5 pass below once in 10^5; blindly, nearly all do."""
    source = np.random.default_rng(4)
    believed = blind = 0
    slots = FEATURE_COUNT * (FEATURE_COUNT + 1) // 2
    for _ in range(300):
        drawn = BanditSums(
            tuple(int(one) for one in source.normal(0, 50, slots).round()),
            (0,) * FEATURE_COUNT,
        )
        for noise in (50.0, 0.0):
            found = bandit_evidence(
                drawn, gram_noise=noise, moment_noise=noise, reward_max=REWARD_MAX
            )
            believed += noise > 0 and found is not None
            blind += noise == 0 and found is not None

    assert believed <= 5
    assert blind > 290


def test_counts_that_noise_disordered_are_put_in_order() -> None:
    """More successes than requests, or fewer than none, are noise."""
    high = pattern_evidence(PatternCounts(210, -10), noise=1.0)
    low = pattern_evidence(PatternCounts(-5, 205), noise=1.0)

    assert high is not None
    assert low is not None
    assert (high.successes, low.successes) == (200, 0)


async def test_changed_sums_are_solved_in_the_background() -> None:
    """Choosing never waits for a solution; it comes with the next turn of `run`."""
    clock = ManualClock()
    chooser = chooser_of(clock=clock, solve_interval_s=1.0)
    task = asyncio.create_task(chooser.run())
    await asyncio.sleep(0)
    teach(chooser, LARGE, HARD, [1.0] * 50)
    chooser.believe(view().bandits, {})
    assert not chooser._solved

    await clock.advance(1.0)
    async with asyncio.timeout(30):
        while len(chooser._solved) < 2:
            await asyncio.sleep(0.01)
    task.cancel()

    choice = chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False)
    assert choice.chosen == LARGE
    assert [one.local_share for one in choice.expectations] == [1.0, 0.0]
    assert min(one.quality for one in choice.expectations) > 0.7


async def test_aged_outcomes_are_solved_again() -> None:
    """Own outcomes fade against the federation's though nothing new happens."""
    clock = ManualClock()
    chooser = chooser_of(clock=clock, solve_interval_s=1.0, half_life_s=100.0)
    teach(chooser, LARGE, HARD, [1.0] * 50)
    chooser.solve_changed()
    task = asyncio.create_task(chooser.run())
    await asyncio.sleep(0)

    for _ in range(5):
        await clock.advance(100.0)
    async with asyncio.timeout(30):
        while chooser._solved[LARGE].own > 2:
            await clock.advance(1.0)
            await asyncio.sleep(0.01)
    task.cancel()

    assert chooser._solved[LARGE].own == pytest.approx(50 / 32, rel=0.5)
