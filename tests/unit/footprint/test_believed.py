"""Which regions' carbon is believed of the federation's noised sums."""

import pytest

from federated_router.footprint.believed import (
    RELATIVE_ERROR_MAX,
    believed_intensities,
)
from federated_router.priors.carbon import read_carbon
from federated_router.priors.contents import CarbonSums, Contents
from tests.unit.priors.worlds import PLAIN, noised, priors_of

STEP_G = 16.0
REGIONS = Contents(
    carbon={"eu": CarbonSums(2000, 40_000), "us": CarbonSums(0, 0)},
)


def test_a_region_that_many_served_in_is_believed() -> None:
    """20 steps of 16 g per kWh; one that nobody served in is left out."""
    assert believed_intensities(priors_of(REGIONS, noise=4.0)) == {
        "eu": pytest.approx(20 * STEP_G)
    }


def test_a_catalogue_without_carbon_says_nothing() -> None:
    """Zeros of a block that nobody counts are no clean electricity."""
    assert believed_intensities(priors_of(REGIONS, catalogue=PLAIN)) == {}


def test_a_mean_that_noise_moves_by_a_third_is_not_believed() -> None:
    """It can be read, and would still order regions by noise."""
    blurred = priors_of(REGIONS, noise=150.0)
    told = read_carbon(blurred, "eu")

    assert told is not None
    assert told.standard_error > RELATIVE_ERROR_MAX * told.value
    assert believed_intensities(blurred) == {}


def test_noise_alone_is_hardly_ever_believed() -> None:
    """Of 500 draws over empty sums, at most 6 say anything.

    A divisor exceeds 3 standard deviations with probability 1.35e-3, in two regions:
    1.4 draws are expected, more than 6 come with probability below 1e-3.
    """
    empty = priors_of(Contents(carbon=dict.fromkeys(REGIONS.carbon, CarbonSums(0, 0))),
                      noise=400.0)  # fmt: skip
    told = sum(bool(believed_intensities(noised(empty, seed=n))) for n in range(500))
    assert told <= 6


@pytest.mark.parametrize("noise", [4.0, 90.0])
def test_what_is_believed_is_near_the_truth(noise: float) -> None:
    """Of 200 draws none is further off than six of the largest error allowed."""
    quiet = priors_of(REGIONS, noise=noise)
    truth = 20 * STEP_G
    for seed in range(200):
        for intensity in believed_intensities(noised(quiet, seed=seed)).values():
            assert abs(intensity - truth) < 6 * RELATIVE_ERROR_MAX * truth
