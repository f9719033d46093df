"""What of an opened sum may be published."""

from dataclasses import replace

import numpy as np
import pytest

from coordinator.rounds.state import State
from coordinator.summation.release import OpenedSum, checked, noise_tail
from federated_router.crypto.ckks import SLOTS
from federated_router.kit.errors import CiphertextMalformed
from federated_router.privacy.noise import gaussian_vector
from tests.support import round_script as script

ROUND = script.round_in(State.VALIDATING)
SLOT_COUNT = ROUND.terms.catalogue.statistic_slots


def opened(*, count: int = 4, first: int = 0, beyond: int = 0) -> OpenedSum:
    """Return an opened sum of zeros but for these slots."""
    slots = np.zeros(SLOTS, dtype=np.int64)
    slots[0], slots[1], slots[1 + SLOT_COUNT] = count, first, beyond
    return OpenedSum(slots, ())


def test_sum_that_counts_its_survivors_is_released_without_the_count() -> None:
    """The count is checked and never published."""
    sums = checked(ROUND, opened(first=17))

    assert sums == (17, *[0] * (SLOT_COUNT - 1))


@pytest.mark.parametrize(
    "wrong",
    [
        opened(count=3),
        opened(count=5),
        opened(beyond=1),
        opened(first=1 << 27),
        opened(first=-(1 << 27)),
    ],
)
def test_implausible_sum_is_refused(wrong: OpenedSum) -> None:
    """A mutated or mis-keyed contribution would otherwise be published."""
    with pytest.raises(CiphertextMalformed):
        checked(ROUND, wrong)


def test_bounds_leave_room_for_every_contribution_and_its_noise() -> None:
    """Four members at the most, and noise at its tail, are still plausible."""
    tail = noise_tail(ROUND.noise_sigma, slots=SLOT_COUNT)
    most = 4 * 1000 + tail

    assert checked(ROUND, opened(first=most))[0] == most
    assert checked(ROUND, opened(first=-tail))[0] == -tail
    with pytest.raises(CiphertextMalformed):
        checked(ROUND, opened(first=most + 1))
    with pytest.raises(CiphertextMalformed):
        checked(ROUND, opened(first=-tail - 1))


def test_noise_stays_within_its_tail() -> None:
    """Of 20,000 draws at scale 5 none leaves it, except with probability 1e-12.

    A third of it, the broken variant, is left by about 70; by 20 or fewer with
    probability below 1e-9.
    """
    draws = np.array(gaussian_vector(length=20_000, sigma=5.0))
    tail = noise_tail(5.0, slots=20_000)

    assert int(np.abs(draws).max()) <= tail
    assert int((np.abs(draws) > tail / 3).sum()) > 20


def test_more_survivors_than_guaranteed_carry_more_noise() -> None:
    """The stated deviation is what is there, not what privacy counts on."""
    assert ROUND.noise_sigma == pytest.approx(4.0 * (4 / 2) ** 0.5)
    three = replace(ROUND, survivors=ROUND.survivors[:3])
    assert three.noise_sigma == pytest.approx(4.0 * (3 / 2) ** 0.5)
