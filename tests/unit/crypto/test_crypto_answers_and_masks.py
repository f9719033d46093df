"""Answers keep their form on the wire, and masks are as random as they can be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import field, ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import (
    CHECKS,
    Thresholds,
    answer_from_bytes,
    answer_to_bytes,
    deal,
)
from federated_router.kit.errors import CiphertextMalformed


@settings(max_examples=30, deadline=None)
@given(cohorts=st.integers(1, 30), holders=st.integers(3, 200), cut=st.integers(-1, 1))
def test_answer_is_one_sum_for_each_cohort(
    cohorts: int, holders: int, cut: int
) -> None:
    """Shares of sums one after the other; any other length is refused."""
    thresholds = Thresholds.for_roster(holders)
    generator = np.random.default_rng(holders)
    shape = (cohorts, thresholds.columns)
    sums = list(generator.integers(0, PRIME, shape).astype(np.uint16))
    content = answer_to_bytes(sums)
    content = content[: len(content) + cut] + bytes(max(0, cut))

    if cut:
        with pytest.raises(CiphertextMalformed):
            answer_from_bytes(content, thresholds, cohorts=cohorts)
        return
    assert len(content) == cohorts * thresholds.answer_bytes
    read = answer_from_bytes(content, thresholds, cohorts=cohorts)
    assert np.array_equal(np.stack(read), np.stack(sums))


def test_masks_are_uniform_up_to_the_last_free_value() -> None:
    """Three of four shares of a mask are jointly uniform, the fourth follows.

    A mask of lower degree would hide a combination from fewer; error rate 1e-6, and
    the same test rejects the fourth.
    """
    thresholds = Thresholds.for_roster(4)
    generator = np.random.default_rng(40)
    zeros = np.zeros(ring.DEGREE, dtype=np.int64)
    dealt = [
        np.stack(deal(zeros, thresholds, random_bytes=generator.bytes))[:, -CHECKS:]
        for _ in range(2000)
    ]
    masks = np.concatenate(dealt, axis=1).astype(np.int64)

    free = np.bincount([16, 4, 1] @ (masks[:3] * 4 // PRIME), minlength=64)
    followed = field.matrix_product(
        field.interpolation(np.arange(1, 4), np.array([4])), masks[:3]
    )

    assert stats.chisquare(free).pvalue > 1e-6
    assert np.array_equal(followed[0], masks[3])
