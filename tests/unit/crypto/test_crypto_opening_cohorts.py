"""Each cohort's secret opens by itself, from one answer of each holder."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.opening import open_secrets
from federated_router.crypto.packed_shamir import (
    Share,
    Thresholds,
    deal,
    sum_shares,
)
from federated_router.kit.errors import CiphertextMalformed, ShareConflict

Answers = dict[int, list[Share]]


def dealt(
    thresholds: Thresholds, contributors: list[int]
) -> tuple[list[np.ndarray], Answers]:
    """Return each cohort's summed secret, and what every holder answers."""
    totals: list[np.ndarray] = []
    answers: Answers = {holder: [] for holder in range(1, thresholds.holders + 1)}
    for members in contributors:
        small = ring.sample_small(members).astype(np.int64)
        shares = [deal(one, thresholds) for one in small]
        totals.append(small.sum(axis=0))
        for holder, sums in answers.items():
            sums.append(sum_shares([share[holder - 1] for share in shares]))
    return totals, answers


def lie(answers: Answers, holder: int, cohort: int) -> None:
    """Change one element of what a holder says about one cohort."""
    changed = answers[holder][cohort].copy()
    changed[0] = (int(changed[0]) + 1) % PRIME
    answers[holder][cohort] = changed


@settings(max_examples=25, deadline=None)
@given(holders=st.integers(3, 40), data=st.data())
def test_every_cohort_opens_and_every_liar_is_named(
    holders: int, data: st.DataObject
) -> None:
    """Also where each liar lies about another cohort only."""
    thresholds = Thresholds.for_roster(holders)
    contributors = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
    totals, answers = dealt(thresholds, contributors)
    order = data.draw(st.permutations(sorted(answers)))
    liars = order[: data.draw(st.integers(0, thresholds.liars_located_max(holders)))]
    for turn, liar in enumerate(liars):
        lie(answers, liar, turn % len(contributors))

    opened = open_secrets(answers, thresholds=thresholds, contributors=contributors)

    assert len(opened.secrets) == len(totals)
    for secret, total in zip(opened.secrets, totals, strict=True):
        assert np.array_equal(secret, total)
    assert opened.liars == frozenset(liars)


def test_liar_about_one_cohort_is_believed_about_none() -> None:
    """Two liars about two cohorts are two, though each cohort could bear its own."""
    thresholds = Thresholds.for_roster(10)
    _, answers = dealt(thresholds, [2, 2])
    lie(answers, 3, 0)
    lie(answers, 8, 1)

    with pytest.raises(ShareConflict):
        open_secrets(answers, thresholds=thresholds, contributors=[2, 2])


def test_secret_larger_than_its_own_cohort_can_have_is_refused() -> None:
    """The bound is each cohort's, not that of all survivors together."""
    thresholds = Thresholds.for_roster(4)
    shares = deal(np.full(ring.DEGREE, 30), thresholds)
    answers = {
        holder: [sum_shares([share]), sum_shares([share])]
        for holder, share in enumerate(shares, start=1)
    }

    with pytest.raises(ShareConflict):
        open_secrets(answers, thresholds=thresholds, contributors=[2, 1])
    assert open_secrets(answers, thresholds=thresholds, contributors=[2, 2]).secrets


@pytest.mark.parametrize("cohorts", [0, 1, 3])
def test_answer_about_another_number_of_cohorts_is_refused(cohorts: int) -> None:
    """Two sums are no answer about one cohort, three or none."""
    thresholds = Thresholds.for_roster(4)
    _, answers = dealt(thresholds, [1, 1])

    with pytest.raises(CiphertextMalformed):
        open_secrets(answers, thresholds=thresholds, contributors=[1] * cohorts)


def test_twenty_cohorts_of_a_hundred_open_quickly() -> None:
    """Less than 0.3 s of this process's time, with liars in two cohorts."""
    thresholds = Thresholds.for_roster(100)
    _, answers = dealt(thresholds, [1] * 20)
    lie(answers, 7, 3)
    lie(answers, 70, 19)
    contributors = [1] * 20
    open_secrets(answers, thresholds=thresholds, contributors=contributors)

    started = time.thread_time()
    opened = open_secrets(answers, thresholds=thresholds, contributors=contributors)
    took_s = time.thread_time() - started

    assert opened.liars == {7, 70}
    assert took_s < 0.3
