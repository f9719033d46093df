"""Which sums members can have made."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.summation.opened import OpenedCohort
from coordinator.summation.plausibility import SlotLimits, noise_tail, published_slots
from federated_router.crypto.ckks import SLOTS
from federated_router.kit.errors import CiphertextMalformed
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import gaussian_vector

CATALOGUE = Catalogue(
    version=1,
    models=("models/a", "models/b"),
    regions=("eu",),
    slot_max=100,
    blocks=(Block.PERFORMANCE, Block.HOLDOUT),
)
LIMITS = SlotLimits.of(CATALOGUE, share_sigma=5.0)
COUNTED = CATALOGUE.statistic_slots


def cohort(values: list[int], *, count: int = 5, beyond: int = 0) -> OpenedCohort:
    """Return an opened cohort of five survivors."""
    slots = np.zeros(SLOTS, dtype=np.int64)
    slots[0] = count
    slots[1 : 1 + len(values)] = values
    slots[-1] = beyond
    return OpenedCohort(1, 6, 5, slots)


def test_plausible_sum_is_returned_without_its_count() -> None:
    """In slot order, as long as the catalogue."""
    found = published_slots(cohort([17, -3]), LIMITS)

    assert found.tolist() == [17, -3] + [0] * (COUNTED - 2)


@pytest.mark.parametrize(
    "wrong",
    [cohort([1], count=4), cohort([1], count=6), cohort([1], beyond=1)],
)
def test_wrong_count_or_filled_place_is_refused(wrong: OpenedCohort) -> None:
    """A contribution that is not what its sender signed for."""
    with pytest.raises(CiphertextMalformed):
        published_slots(wrong, LIMITS)


@given(slot=st.integers(0, COUNTED - 1), side=st.sampled_from(["low", "high"]))
def test_bounds_are_reached_and_not_passed(*, slot: int, side: str) -> None:
    """Each slot by its own bounds and its own noise."""
    low, high = LIMITS.sum_range(5)
    edge = int(low[slot]) if side == "low" else int(high[slot])
    outward = -1 if side == "low" else 1

    assert published_slots(cohort([0] * slot + [edge]), LIMITS)[slot] == edge
    with pytest.raises(CiphertextMalformed):
        published_slots(cohort([0] * slot + [edge + outward]), LIMITS)


def test_noise_of_real_draws_stays_within_its_tail() -> None:
    """Of 20,000 draws at scale 5 none leaves it, except with probability 1e-12.

    A third of it, the broken variant, is left by about 70; by 20 or fewer with
    probability below 1e-9.
    """
    draws = np.abs(np.array(gaussian_vector(length=20_000, sigma=5.0)))
    tail = int(noise_tail(np.array([5.0]), slots=20_000)[0])

    assert int(draws.max()) <= tail
    assert int((draws > tail / 3).sum()) > 20


def test_mean_width_is_the_range_of_one_members_mean() -> None:
    """What bounds a poisoner where nothing else does."""
    tail = noise_tail(LIMITS.share_noise * math.sqrt(5), slots=COUNTED)

    width = LIMITS.mean_width(5)

    assert width[0] == pytest.approx(100 + 2 * tail[0] / 5)
