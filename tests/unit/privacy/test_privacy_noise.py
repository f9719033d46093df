"""Noise shares: their sizes, their distribution, what their sum costs."""

import math
from collections import Counter

import pytest
from scipy import stats

from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.noise import (
    LENGTH_MAX,
    gaussian_vector,
    release_units,
    share_sigma,
    sum_sigma,
)


def test_honest_survivors_alone_make_the_promised_noise() -> None:
    """Colluders subtract their own shares, and absent members add none."""
    share = share_sigma(sigma_total=60.0, survivors_min=12, colluders_max=3)

    assert share == pytest.approx(20.0)
    assert sum_sigma(share_sigma=share, contributors=9) == pytest.approx(60.0)
    assert sum_sigma(share_sigma=share, contributors=16) == pytest.approx(80.0)


@pytest.mark.parametrize(("survivors", "colluders"), [(3, 3), (3, 4), (0, 0), (3, -1)])
def test_rounds_without_an_honest_survivor_are_refused(
    survivors: int, colluders: int
) -> None:
    """Nobody's noise would protect anyone."""
    with pytest.raises(FieldInvalid):
        share_sigma(sigma_total=60.0, survivors_min=survivors, colluders_max=colluders)


@pytest.mark.parametrize("sigma", [math.nan, math.inf, 0.0, -1.0, 1.39, 2.0**41])
def test_scales_without_a_known_bound_are_refused(sigma: float) -> None:
    """A scale of zero would draw zeros: an answer without noise."""
    with pytest.raises(FieldInvalid):
        gaussian_vector(length=1, sigma=sigma)


@pytest.mark.parametrize("length", [0, -1, LENGTH_MAX + 1])
def test_vector_lengths_have_both_limits(length: int) -> None:
    """Drawing is slow enough that an unbounded length would stall a member."""
    with pytest.raises(FieldInvalid):
        gaussian_vector(length=length, sigma=10.0)


def test_release_costs_the_gaussian_formula_rounded_up() -> None:
    """Delta^2 / (2 n sigma^2) = 25 / (2 * 9 * 400), never less."""
    units = release_units(
        sensitivity_squared=25,
        share_sigma=20.0,
        survivors_min=12,
        colluders_max=3,
        length=256,
    )

    assert units == math.ceil(25 * 10**12 / 7200) + (25 * 10**12 % 7200 == 0)


def test_more_colluders_make_the_same_release_dearer() -> None:
    """Fewer shares are unknown to the adversary."""
    costs = [
        release_units(
            sensitivity_squared=25,
            share_sigma=20.0,
            survivors_min=12,
            colluders_max=colluders,
            length=256,
        )
        for colluders in range(12)
    ]

    assert costs == sorted(set(costs))


def test_noise_is_a_discrete_gaussian() -> None:
    """Chi-square against exp(-x^2 / 2 sigma^2) on integers, 20 000 draws.

    OS randomness: a right sampler fails once in a million runs. A scale wrong by 5 %
    is rejected at this size, as is rounding a wider Gaussian.
    """
    sigma = 3.0
    draws = gaussian_vector(length=20_000, sigma=sigma)

    assert _p_value(draws, sigma) > 1e-6
    assert _p_value(draws, sigma * 1.05) < 1e-6
    assert _p_value(draws, sigma * 0.95) < 1e-6


def test_noise_does_not_saturate_at_32_bits() -> None:
    """A 32-bit sampler clips at 2^31 without a word."""
    draws = gaussian_vector(length=40, sigma=2.0**39)

    assert max(abs(draw) for draw in draws) > 2**33


def test_two_vectors_differ() -> None:
    """Noise that repeats can be subtracted; equality has probability below 2^-400."""
    first, second = (gaussian_vector(length=64, sigma=1000.0) for _ in range(2))

    assert first != second


def _p_value(draws: list[int], sigma: float) -> float:
    """Return the chi-square p-value against the discrete Gaussian of `sigma`."""
    edge = 3 * math.ceil(sigma)
    mass = {x: math.exp(-(x**2) / (2 * sigma**2)) for x in range(-200, 201)}
    total = sum(mass.values())
    counts = Counter(max(-edge, min(edge, draw)) for draw in draws)
    tail = sum(mass[x] for x in range(edge, 201))
    weights = [tail if abs(x) == edge else mass[x] for x in range(-edge, edge + 1)]
    expected = [weight / total * len(draws) for weight in weights]
    observed = [counts[x] for x in range(-edge, edge + 1)]
    return float(stats.chisquare(observed, expected).pvalue)
