"""Every sampler draws the distribution that its charge assumes; broken ones are caught.

Each test gives a p-value, and fails below 1e-6: randomness is the system's, so a right
sampler fails one test in a million. The same tests are run on samplers broken in ways
that other libraries have been, and must reject every one.
"""

import math
import multiprocessing
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from multiprocessing.connection import Connection

import numpy as np
import pytest
from scipy import stats

from federated_router.privacy.mechanisms import (
    COUNTS_MAX,
    release_counts,
    release_number,
    select,
)
from federated_router.privacy.step import (
    DiscreteLaplaceStep,
    GaussianStep,
    LaplaceStep,
    SelectionStep,
)

ERROR_RATE = 1e-6
NUMBERS, COUNTS, CHOICES = 1500, 2 * COUNTS_MAX, 2500

NORMAL = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction("1.5"))
LAPLACE = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(1))
WHOLE_NORMAL = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(3))
WHOLE_LAPLACE = DiscreteLaplaceStep(sensitivity=Fraction(1), scale=Fraction(2))
CHOICE = SelectionStep(
    sensitivity=Fraction(1), temperature=Fraction(2), monotonic=False
)
VALUE = 1.0
SCORES = [0.0, 0.5, 1.0, 2.0, 4.0, -3.0]

# A float generator is what a broken sampler uses; its seed keeps these tests steady.
_seeded = np.random.default_rng(20260101)


# What a right sampler gives.


def test_gaussian_noise_on_a_number_is_normal() -> None:
    """Kolmogorov and Smirnov against N(value, scale^2)."""
    draws = [_number(NORMAL) for _ in range(NUMBERS)]

    assert _normal_fit(draws) > ERROR_RATE
    assert _low_bits_fit(draws) > ERROR_RATE


def test_laplace_noise_on_a_number_is_laplace_with_the_low_bits_of_noise() -> None:
    """Kolmogorov and Smirnov; then whether the last bits could betray the value."""
    draws = [_number(LAPLACE) for _ in range(NUMBERS)]

    assert _laplace_fit(draws) > ERROR_RATE
    assert _low_bits_fit(draws) > ERROR_RATE


def test_gaussian_noise_on_counts_is_a_discrete_gaussian() -> None:
    """Chi-square against exp(-x^2 / 2 scale^2) on the integers."""
    assert _whole_normal_fit(_counts(WHOLE_NORMAL)) > ERROR_RATE


def test_laplace_noise_on_counts_is_a_discrete_laplace() -> None:
    """Chi-square against exp(-|x| / scale) on the integers."""
    assert _whole_laplace_fit(_counts(WHOLE_LAPLACE)) > ERROR_RATE


def test_a_selection_follows_the_exponential_mechanism() -> None:
    """Chi-square against exp(score / temperature)."""
    draws = [select(SCORES, CHOICE) for _ in range(CHOICES)]

    assert _choice_fit(draws) > ERROR_RATE


def test_counts_of_one_release_are_noised_independently() -> None:
    """Noise shared between counts would cancel in their difference."""
    draws = np.array(_counts(WHOLE_NORMAL), dtype=float)
    even, odd = draws[0::2], draws[1::2]

    assert stats.pearsonr(even, odd).pvalue > ERROR_RATE
    assert stats.pearsonr(even, even + odd).pvalue < ERROR_RATE


def test_forked_processes_draw_different_noise() -> None:
    """A generator copied by fork repeats itself; equal by chance below 2^-200."""
    parent_draws = release_counts([0] * 64, WHOLE_NORMAL)
    fork = multiprocessing.get_context("fork")
    drawn = []
    for _ in range(2):
        ours, theirs = fork.Pipe()
        child = fork.Process(target=_send_draws, args=(theirs,))
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside threads; the danger is the point here.
            warnings.simplefilter("ignore", DeprecationWarning)
            child.start()
        assert ours.poll(20)
        drawn.append(ours.recv())
        child.join()
        ours.close()
        theirs.close()

    assert drawn[0] != drawn[1]
    assert parent_draws not in drawn


# What broken samplers give.


def test_a_scale_half_as_wide_is_caught() -> None:
    """A forgotten factor, a unit mixed up: the commonest mistake there is."""
    factor = Fraction(1, 2)
    normal = GaussianStep(sensitivity_squared=Fraction(1), scale=NORMAL.scale * factor)
    laplace = LaplaceStep(sensitivity=Fraction(1), scale=LAPLACE.scale * factor)
    whole_normal = GaussianStep(
        sensitivity_squared=Fraction(1), scale=WHOLE_NORMAL.scale * factor
    )
    whole_laplace = DiscreteLaplaceStep(
        sensitivity=Fraction(1), scale=WHOLE_LAPLACE.scale * factor
    )
    choice = SelectionStep(
        sensitivity=Fraction(1),
        temperature=CHOICE.temperature * factor,
        monotonic=False,
    )

    assert _normal_fit([_number(normal) for _ in range(NUMBERS)]) < ERROR_RATE
    assert _laplace_fit([_number(laplace) for _ in range(NUMBERS)]) < ERROR_RATE
    assert _whole_normal_fit(_counts(whole_normal)) < ERROR_RATE
    assert _whole_laplace_fit(_counts(whole_laplace)) < ERROR_RATE
    picks = [select(SCORES, choice) for _ in range(CHOICES)]
    assert _choice_fit(picks) < ERROR_RATE


def _float_laplace() -> float:
    return VALUE + float(_seeded.laplace())


def _coarse_noise_on_the_bare_value() -> float:
    """Noise on a lattice, added to a value that was never rounded to it."""
    return 0.3 + round(float(_seeded.laplace(0.7)) * 1024) / 1024


def _rounded_afterwards() -> float:
    return round((VALUE + float(_seeded.laplace())) * 2**40) / 2**40


@pytest.mark.parametrize(
    "broken", [_float_laplace, _coarse_noise_on_the_bare_value, _rounded_afterwards]
)
def test_float_noise_is_caught_by_its_low_bits(broken: Callable[[], float]) -> None:
    """The distribution fits; the last bits tell which value it was added to.

    Mironov 2012, "On significance of the least significant bits".
    """
    draws = [broken() for _ in range(NUMBERS)]

    assert _low_bits_fit(draws) < ERROR_RATE


def test_float_laplace_noise_would_pass_the_fit_alone() -> None:
    """Hence the test of low bits: the shape of this broken noise is perfect."""
    assert _laplace_fit([_float_laplace() for _ in range(NUMBERS)]) > ERROR_RATE


def test_a_sampler_with_a_fixed_seed_is_caught() -> None:
    """Each release repeats the same noise, which one known answer reveals."""
    number = VALUE + float(np.random.default_rng(7).normal(0, 1.5))
    noise = np.rint(np.random.default_rng(7).normal(0, 3.0, 64)).astype(int)
    weights = np.exp(np.array(SCORES) / 2)
    picked = int(np.random.default_rng(7).choice(6, p=weights / weights.sum()))

    assert _normal_fit([number] * NUMBERS) < ERROR_RATE
    assert _whole_normal_fit(list(noise) * (COUNTS // 64)) < ERROR_RATE
    assert _choice_fit([picked] * CHOICES) < ERROR_RATE


def test_the_largest_private_score_is_caught() -> None:
    """An argmax has no finite loss; so has one with noise added to the winner only."""
    best = int(np.argmax(SCORES))

    assert _choice_fit([best] * CHOICES) < ERROR_RATE


def test_report_noisy_max_with_gaussian_noise_is_caught() -> None:
    """Noisy maximum needs Gumbel noise to be the exponential mechanism."""
    noise = _seeded.normal(0, 2.0, (CHOICES, len(SCORES)))
    draws = [int(pick) for pick in np.argmax(np.array(SCORES) + noise, axis=1)]

    assert _choice_fit(draws) < ERROR_RATE


def test_continuous_noise_cut_to_integers_is_caught() -> None:
    """Truncation piles up zeros and is not the mechanism that was charged."""
    normal = [int(value) for value in _seeded.normal(0, 3.0, COUNTS)]
    laplace = [int(value) for value in _seeded.laplace(0, 2.0, COUNTS)]

    assert _whole_normal_fit(normal) < ERROR_RATE
    assert _whole_laplace_fit(laplace) < ERROR_RATE


def _number(step: GaussianStep | LaplaceStep) -> float:
    return release_number(VALUE, lower=0.0, upper=2.0, step=step)


def _counts(step: GaussianStep | DiscreteLaplaceStep) -> list[int]:
    zeros = [0] * COUNTS_MAX
    return [
        draw
        for _ in range(COUNTS // COUNTS_MAX)
        for draw in release_counts(zeros, step)
    ]


def _send_draws(pipe: Connection) -> None:
    pipe.send(release_counts([0] * 64, WHOLE_NORMAL))


def _normal_fit(draws: Sequence[float]) -> float:
    law = stats.norm(VALUE, float(NORMAL.scale))
    return float(stats.kstest(draws, law.cdf).pvalue)


def _laplace_fit(draws: Sequence[float]) -> float:
    law = stats.laplace(VALUE, float(LAPLACE.scale))
    return float(stats.kstest(draws, law.cdf).pvalue)


def _low_bits_fit(draws: Sequence[float]) -> float:
    """Return the p-value of the last two bits of results between 1/8 and 1/4.

    Doubles there are multiples of 2^-55, and one in four is a multiple of 2^-53, the
    spacing of doubles below 1. Of a sum of a float near 1 and float noise all are.
    """
    between = [draw for draw in draws if 1 / 8 <= abs(draw) < 1 / 4]
    coarse = sum((draw * 2.0**53).is_integer() for draw in between)
    return float(stats.binomtest(coarse, len(between), 1 / 4).pvalue)


def _whole_normal_fit(draws: Sequence[int]) -> float:
    scale = float(WHOLE_NORMAL.scale)
    return _integer_fit(draws, lambda x: math.exp(-(x**2) / (2 * scale**2)), reach=9)


def _whole_laplace_fit(draws: Sequence[int]) -> float:
    scale = float(WHOLE_LAPLACE.scale)
    return _integer_fit(draws, lambda x: math.exp(-abs(x) / scale), reach=12)


def _integer_fit(
    draws: Sequence[int], mass: Callable[[int], float], *, reach: int
) -> float:
    """Return the chi-square p-value; both tails from `reach` on are one cell each."""
    total = sum(mass(x) for x in range(-400, 401))
    tail = sum(mass(x) for x in range(reach, 401))
    cells = [tail if abs(x) == reach else mass(x) for x in range(-reach, reach + 1)]
    counted = Counter(max(-reach, min(reach, draw)) for draw in draws)
    observed = [counted[x] for x in range(-reach, reach + 1)]
    expected = [cell / total * len(draws) for cell in cells]
    return float(stats.chisquare(observed, expected).pvalue)


def _choice_fit(draws: Sequence[int]) -> float:
    weights = np.exp(np.array(SCORES) / float(CHOICE.temperature))
    expected = weights / weights.sum() * len(draws)
    observed = np.bincount(draws, minlength=len(SCORES))
    return float(stats.chisquare(observed, expected).pvalue)
