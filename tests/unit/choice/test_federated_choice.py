"""What the federation learnt and what this router saw are one sum."""

import numpy as np
import pytest

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.choosing import NO_WISHES, Expectation
from federated_router.choice.own_rewards import OwnRewards
from federated_router.choice.reward_model import solve
from federated_router.choice.settings import ChoiceSettings
from federated_router.choice.sight import sight_of
from federated_router.choice.solutions import stacked
from federated_router.priors.contents import PatternCell
from federated_router.priors.features import FEATURE_COUNT
from federated_router.priors.pattern_priors import PatternEvidence
from tests.unit.choice.choosers import (
    EASY,
    HARD,
    LARGE,
    OPTIONS,
    SMALL,
    chooser_of,
    teach,
    told,
)

NO_WORDS = ChoiceSettings(word_features=0)
HARD_FAILS = [(HARD, 0.0)] * 300 + [(EASY, 1.0)] * 300
ALL_RIGHT = [(HARD, 1.0)] * 300 + [(EASY, 1.0)] * 300


def expected(chooser: LinearChooser, model: str) -> Expectation:
    """Return what is expected of one model at the hard prompt."""
    choice = chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False)
    return next(one for one in choice.expectations if one.option.model == model)


def test_federated_sums_are_worth_what_own_outcomes_are() -> None:
    """The same outcomes from here, from there, or half and half: one solution."""
    own = OwnRewards(width=FEATURE_COUNT, half_life_s=1.0, now_s=0.0)
    half = OwnRewards(width=FEATURE_COUNT, half_life_s=1.0, now_s=0.0)
    none = OwnRewards(width=FEATURE_COUNT, half_life_s=1.0, now_s=0.0)
    for number, (prompt, reward) in enumerate(HARD_FAILS):
        seen = sight_of(prompt, word_features=0)
        own.add(seen, reward, now_s=0.0)
        if number % 2:
            half.add(seen, reward, now_s=0.0)
    other_half = [one for number, one in enumerate(HARD_FAILS) if not number % 2]

    all_own = solve(own.sums(0.0), None, NO_WORDS)
    mixed = solve(half.sums(0.0), told(other_half), NO_WORDS)
    all_told = solve(none.sums(0.0), told(HARD_FAILS), NO_WORDS)

    assert np.allclose(all_own.theta, mixed.theta, atol=1e-9)
    assert np.allclose(all_own.theta, all_told.theta, atol=1e-9)
    assert (mixed.own, mixed.told) == pytest.approx((300, 300))


def test_router_without_outcomes_chooses_by_what_others_saw() -> None:
    """The use of the federation: nobody here has asked either model yet."""
    chooser = chooser_of()
    bandits = {SMALL: told(HARD_FAILS), LARGE: told(ALL_RIGHT)}
    chooser.believe({k: v for k, v in bandits.items() if v is not None}, {})
    chooser.solve_changed()

    found = expected(chooser, LARGE)

    assert found.quality > 0.8
    assert expected(chooser, SMALL).quality < 0.4
    assert found.local_share == 0


def test_patterns_alone_decide_too() -> None:
    """A federation may sum patterns and no bandit."""
    chooser = chooser_of()
    chooser.believe(
        {},
        {
            PatternCell("mathematics", SMALL): PatternEvidence(20, 200, 1.0),
            PatternCell("mathematics", LARGE): PatternEvidence(180, 200, 1.0),
        },
    )

    assert chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False).chosen == LARGE


def test_noise_draws_to_the_mean_and_not_to_zero() -> None:
    """Under much noise a model is expected to be what it is on the whole.

    The mean rests on 600 requests of 9 and noise 40 in each number: within .05 but for
    one draw in a thousand.
    """
    for seed in range(20):
        evidence = told(HARD_FAILS, noise=40.0, seed=seed)
        assert evidence is not None
        none = OwnRewards(width=FEATURE_COUNT, half_life_s=1.0, now_s=0.0)
        found = solve(none.sums(0.0), evidence, NO_WORDS)

        assert found.mean == pytest.approx(0.5, abs=0.1)
        seen = sight_of(HARD, word_features=0)
        assert -0.1 < stacked({SMALL: found}).qualities(seen)[SMALL].value < 0.6


def test_reader_that_is_not_cautious_would_be_seen() -> None:
    """The test above has power: without caution expectations leave [0, 1] or nearly."""
    reckless = ChoiceSettings(word_features=0, noise_caution=0.0, feature_ridge=0.01)
    spreads = []
    for settings in (NO_WORDS, reckless):
        none = OwnRewards(width=FEATURE_COUNT, half_life_s=1.0, now_s=0.0)
        found = []
        for seed in range(20):
            evidence = told(HARD_FAILS, noise=40.0, seed=seed)
            assert evidence is not None
            found.append(
                float(np.linalg.norm(solve(none.sums(0.0), evidence, settings).theta))
            )
        spreads.append(float(np.mean(found)))

    assert spreads[1] > 3 * spreads[0]


def test_withdrawn_belief_leaves_own_outcomes() -> None:
    """Other priors replace the ones before; they are not added up."""
    chooser = chooser_of()
    teach(chooser, LARGE, HARD, [1.0] * 10)
    evidence = told(HARD_FAILS)
    assert evidence is not None
    chooser.believe({LARGE: evidence, SMALL: evidence}, {})
    chooser.solve_changed()
    assert expected(chooser, LARGE).local_share < 0.1

    chooser.believe({}, {})
    chooser.solve_changed()

    assert expected(chooser, LARGE).local_share == 1
    assert expected(chooser, SMALL).deviation == 0.5
