"""The best model for a kind of request, and when noise forbids to name one."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.accumulate import accumulate
from federated_router.priors.contents import Contents, PatternCell, PatternCounts
from federated_router.priors.pattern_priors import (
    best_model,
    read_pattern,
    success_ratio_least,
)
from tests.unit.priors.worlds import noised, priors_of

A, B = PatternCell("code", "models/a"), PatternCell("code", "models/b")
HOUR_S = 3600.0


def counts(a: tuple[int, int], b: tuple[int, int]) -> Contents:
    """Return successes and failures of both models at code."""
    return Contents(patterns={A: PatternCounts(*a), B: PatternCounts(*b)})


def test_confidence_is_wilsons_bound_where_nothing_is_noisy() -> None:
    """80 of 100 at 95 %: the published value of the interval's lower end is 0.7112."""
    assert success_ratio_least(PatternCounts(80, 20), noise=0.0) == pytest.approx(
        0.7112, abs=1e-4
    )


def test_best_model_is_the_argmax_of_confidence_by_samples() -> None:
    """With as many samples each, the one that succeeds more often."""
    best = best_model(priors_of(counts((900, 100), (600, 400))), "code")

    assert best is not None
    assert best.model == "models/a"
    assert best.score == pytest.approx(best.confidence * 1000)


def test_more_samples_may_outweigh_a_better_ratio() -> None:
    """The origin's rule, as it is: confidence x sample_count."""
    best = best_model(priors_of(counts((190, 10), (3000, 1000))), "code")

    assert best is not None
    assert best.model == "models/b"


def test_recency_lets_a_new_model_overtake_an_old_one() -> None:
    """Ten half-lives later the old counts weigh a thousandth."""
    old = priors_of(counts((900, 100), (0, 0)), revision=1)
    new = priors_of(counts((0, 0), (180, 20)), revision=2, create_time_s=10 * HOUR_S)

    once = accumulate(accumulate(None, old, half_life_s=HOUR_S), new, half_life_s=1e12)
    aged = accumulate(
        accumulate(None, old, half_life_s=HOUR_S), new, half_life_s=HOUR_S
    )

    before, after = best_model(once, "code"), best_model(aged, "code")
    assert before is not None
    assert after is not None
    assert (before.model, after.model) == ("models/a", "models/b")


def test_few_samples_name_no_model() -> None:
    """Ninety-nine requests of one kind at one model are nearly one member's."""
    assert best_model(priors_of(counts((99, 0), (50, 1))), "code") is None
    assert read_pattern(priors_of(counts((100, 0), (0, 0))), A) is not None
    assert best_model(priors_of(Contents()), "no such pattern") is None


def test_noise_alone_names_no_model() -> None:
    """An empty pattern at two models, 1,000 draws of noise 100.

    Each model passes 3 deviations with probability 1.35e-3: 2.7 expected, more than 14
    below 1 in 10^6.
    """
    empty = priors_of(Contents(), noise=100.0)

    named = sum(
        best_model(noised(empty, seed=seed), "code") is not None for seed in range(1000)
    )

    assert named <= 14


def _broken_bounds(ratio: float, *, stated: float) -> int:
    """Return how many of 2,000 bounds lie above the true ratio.

    200 requests each; noise 10 is on both counts, and the reader is told `stated`.
    """
    source = random.Random(7)  # noqa: S311 - a harness, not a release.
    broken = 0
    for _ in range(2000):
        successes = sum(source.random() < ratio for _ in range(200))
        told = PatternCounts(
            successes + round(source.gauss(0, 10)),
            200 - successes + round(source.gauss(0, 10)),
        )
        broken += success_ratio_least(told, noise=stated) > ratio
    return broken


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.99])
def test_bound_holds_under_chance_and_noise(ratio: float) -> None:
    """The true ratio is below the bound in fewer than 2.5 % of the draws: 50 of 2,000.

    Both steps together leave about one in a thousand, 2 expected; the seed is fixed.
    """
    assert _broken_bounds(ratio, stated=10.0) <= 50


def test_bound_that_ignores_the_noise_would_be_caught() -> None:
    """The same draws break Wilson's bound alone far more often."""
    assert _broken_bounds(0.9, stated=0.0) > 200


@given(st.integers(-500, 5000), st.integers(-500, 5000), st.floats(0, 300))
def test_bound_is_a_ratio_whatever_noise_made_of_the_counts(
    successes: int, failures: int, noise: float
) -> None:
    """Negative counts must not become ratios beyond 0 and 1."""
    found = success_ratio_least(PatternCounts(successes, failures), noise=noise)

    assert 0.0 <= found <= 1.0
    assert math.isfinite(found)
