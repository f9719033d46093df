"""The chooser learns which model is right for which prompt, and says why."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.choice.choosing import NO_WISHES, ModelOption, Wishes
from federated_router.kit.clock import ManualClock
from federated_router.priors.features import FEATURE_NAMES
from tests.unit.choice.choosers import (
    EASY,
    HARD,
    LARGE,
    OPTIONS,
    SMALL,
    chooser_of,
    planted,
    teach,
)

PRICED = (ModelOption(SMALL, cost=0.001), ModelOption(LARGE, cost=0.01))


@pytest.mark.parametrize("seed", range(5))
def test_planted_preference_is_learnt_and_the_cheaper_model_taken(seed: int) -> None:
    """Small is right at easy prompts as often, and costs a tenth.

    The qualities differ by .7 where it is hard and by 0 where it is easy; with 800
    outcomes each the deviation of a difference is .015, and the ridges draw the two
    prompts together by .02: for the easy prompt, where cost takes .09, a wrong choice
    is four deviations away, and for the hard one far more.
    """
    chooser = chooser_of()
    planted(chooser, seed=seed, requests=800)

    easy = chooser.choose(EASY, PRICED, NO_WISHES, explore=False)
    hard = chooser.choose(HARD, PRICED, NO_WISHES, explore=False)

    assert (easy.chosen, hard.chosen) == (SMALL, LARGE)


def test_reversed_rewards_would_be_seen() -> None:
    """The test above has power: told the contrary, the chooser chooses the contrary."""
    chooser = chooser_of()
    teach(chooser, SMALL, HARD, [1.0] * 50)
    teach(chooser, LARGE, HARD, [0.0] * 50)
    chooser.solve_changed()

    assert chooser.choose(HARD, PRICED, NO_WISHES, explore=False).chosen == SMALL


def test_nothing_known_chooses_by_price_and_shows_how_little_it_knows() -> None:
    """A router without outcomes still answers, and does not pretend."""
    choice = chooser_of().choose(EASY, PRICED, NO_WISHES, explore=False)

    assert choice.chosen == SMALL
    assert {one.quality for one in choice.expectations} == {0.5}
    assert {one.deviation for one in choice.expectations} == {0.5}


def test_choice_is_explained_by_what_it_rests_on() -> None:
    """Features by name, the pattern, and every option, the best first."""
    chooser = chooser_of()
    planted(chooser, seed=1, requests=50)

    choice = chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False)

    assert tuple(name for name, _ in choice.features) == FEATURE_NAMES
    assert dict(choice.features)["mathematics"] > 0
    assert choice.pattern == "mathematics"
    assert [one.option.model for one in choice.expectations] == [LARGE, SMALL]
    assert {one.local_share for one in choice.expectations} == {1.0}


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True, min_size=1))
def test_choice_without_exploration_is_the_same_every_time(names: list[str]) -> None:
    """Whoever asks for an explanation must see what would be chosen."""
    options = [ModelOption(f"models/{name}") for name in names]
    chooser = chooser_of(uniform=lambda: 0.999)

    first = chooser.choose(EASY, options, NO_WISHES, explore=False)
    again = chooser.choose(EASY, options[::-1], NO_WISHES, explore=False)

    assert first == again
    assert not first.explored


@pytest.mark.parametrize(
    ("wishes", "rejected"),
    [
        (Wishes(quality_min=0.8), {SMALL: "quality_min"}),
        (Wishes(cost_max=0.005), {LARGE: "cost_max"}),
        (Wishes(co2e_mg_max=1.0), {SMALL: "co2e_mg_max", LARGE: "co2e_mg_max"}),
        (
            Wishes(quality_min=0.8, cost_max=0.005),
            {SMALL: "quality_min", LARGE: "cost_max"},
        ),
    ],
)
def test_wishes_are_limits_and_their_names_are_told(
    wishes: Wishes, rejected: dict[str, str]
) -> None:
    """A ceiling is kept whatever the quality; what nobody knows keeps no ceiling."""
    chooser = chooser_of()
    planted(chooser, seed=3, requests=100)

    choice = chooser.choose(HARD, PRICED, wishes, explore=True)

    told = {one.option.model: one.rejected_by for one in choice.expectations}
    assert {name: why for name, why in told.items() if why} == rejected
    assert (choice.chosen is None) == (len(rejected) == len(PRICED))
    assert choice.chosen not in rejected


def test_latency_cost_and_carbon_each_turn_a_tie() -> None:
    """Between equals, the one that takes less is chosen."""
    for worse in (
        ModelOption(SMALL, latency_ms=9_000, cost=0.0, co2e_mg=0.0),
        ModelOption(SMALL, latency_ms=10, cost=0.009, co2e_mg=0.0),
        ModelOption(SMALL, latency_ms=10, cost=0.0, co2e_mg=900.0),
    ):
        better = ModelOption(LARGE, latency_ms=10, cost=0.0, co2e_mg=0.0)

        choice = chooser_of().choose(EASY, (worse, better), NO_WISHES, explore=False)

        assert choice.chosen == LARGE


def test_old_outcomes_are_forgotten() -> None:
    """A model that became worse is found out by a few outcomes after a long time."""
    clock = ManualClock()
    chooser = chooser_of(clock=clock, half_life_s=100.0)
    teach(chooser, LARGE, HARD, [1.0] * 200)
    teach(chooser, SMALL, HARD, [0.5] * 200)
    clock._now_s += 1_000.0
    teach(chooser, LARGE, HARD, [0.0] * 20)
    teach(chooser, SMALL, HARD, [0.5] * 20)
    chooser.solve_changed()

    assert chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False).chosen == SMALL


def test_chooser_without_forgetting_would_be_seen() -> None:
    """The test above has power: with an endless half-life the old outcomes win."""
    clock = ManualClock()
    chooser = chooser_of(clock=clock, half_life_s=1e12)
    teach(chooser, LARGE, HARD, [1.0] * 200)
    teach(chooser, SMALL, HARD, [0.5] * 200)
    clock._now_s += 1_000.0
    teach(chooser, LARGE, HARD, [0.0] * 20)
    teach(chooser, SMALL, HARD, [0.5] * 20)
    chooser.solve_changed()

    assert chooser.choose(HARD, OPTIONS, NO_WISHES, explore=False).chosen == LARGE


def test_no_more_models_are_kept_than_allowed() -> None:
    """Names come from nodes; memory must not grow with them."""
    chooser = chooser_of(models_max=3)
    for number in range(10):
        teach(chooser, f"models/{number}", EASY, [1.0])
    chooser.solve_changed()

    options = [ModelOption(f"models/{number}") for number in range(10)]
    choice = chooser.choose(EASY, options, NO_WISHES, explore=False)

    known = {one.option.model for one in choice.expectations if one.local_share}
    assert known == {"models/7", "models/8", "models/9"}
    assert len(chooser._own) == len(chooser._solved) == 3
