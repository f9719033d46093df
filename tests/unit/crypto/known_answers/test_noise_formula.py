"""The noise of a sum against its formula, for two members and for a thousand.

Each member draws its share; with everybody in the sum the deviation is
share * sqrt(members), and with the guaranteed honest alone it is what was promised.
"""

import numpy as np
import pytest
from scipy import stats

from federated_router.crypto.packed_shamir import Thresholds
from federated_router.privacy.noise import gaussian_vector, share_sigma, sum_sigma

ERROR_RATE = 1e-6
SCALE = 200.0
LENGTHS = {2: 2000, 10: 500, 100: 100, 1000: 24}
"""Slots for each number of members; a draw costs 25 microseconds."""


def terms(members: int) -> tuple[int, int]:
    """Return how many survivors are guaranteed, and how many of them may collude."""
    if members < 3:
        return members, 0
    thresholds = Thresholds.for_roster(members)
    return max(thresholds.reconstruct, round(0.8 * members)), thresholds.corrupt


def drawn(members: int, *, sigma: float) -> np.ndarray:
    """Return the sum of so many members' noise in every slot."""
    length = LENGTHS[members]
    flat = gaussian_vector(length=length * members, sigma=sigma)
    total: np.ndarray = np.array(flat).reshape(members, length).sum(axis=0)
    return total


def p_value(sums: np.ndarray, deviation: float) -> float:
    """Return the two-sided chi-square p-value of so large a deviation, mean zero."""
    statistic = float((sums.astype(float) ** 2).sum()) / deviation**2
    below = float(stats.chi2.cdf(statistic, len(sums)))
    return 2 * min(below, 1 - below)


@pytest.mark.parametrize("members", LENGTHS)
def test_noise_of_a_sum_has_the_stated_deviation(members: int) -> None:
    """What readers of the priors are told. False alarm rate 1e-6, for each size."""
    survivors, colluders = terms(members)
    share = share_sigma(
        sigma_total=SCALE, survivors_min=survivors, colluders_max=colluders
    )

    sums = drawn(members, sigma=share)

    stated = sum_sigma(share_sigma=share, contributors=members)
    assert p_value(sums, stated) > ERROR_RATE


@pytest.mark.parametrize("members", [10, 100, 1000])
def test_noise_that_is_left_without_colluders_is_what_was_promised(
    members: int,
) -> None:
    """Only the guaranteed survivors, less those that subtract their own share.

    The exact deviation of so many shares is the promise, to the last bit of a float.
    """
    survivors, colluders = terms(members)
    share = share_sigma(
        sigma_total=SCALE, survivors_min=survivors, colluders_max=colluders
    )

    left = sum_sigma(share_sigma=share, contributors=survivors - colluders)

    assert left == pytest.approx(SCALE, rel=1e-12)
    assert share * survivors > SCALE > share


@pytest.mark.parametrize("members", [2, 10, 100])
def test_share_calibrated_to_everybody_would_be_noticed(members: int) -> None:
    """The statistic has power: shares that are too small by 2.5 are caught."""
    sums = drawn(members, sigma=0.4 * SCALE / members**0.5)

    assert p_value(sums, SCALE) < ERROR_RATE
