"""Two sums of one round would tell the difference: one member's own counts.

The coordinator and as many holders as the protocol allows to be corrupt try to open
two overlapping survivor sets. Each attempt is repeated against thresholds without the
guard, where it gives the victim's counts away to the integer.
"""

from itertools import product

import numpy as np
import pytest

from federated_router.crypto import ckks, opening, quantise
from federated_router.crypto.packed_shamir import Share, Thresholds
from federated_router.kit.errors import (
    CiphertextMalformed,
    FederationError,
    RosterTooSmall,
    ShareConflict,
)
from tests.unit.aggregation_attacks.sum_round import SLOTS, SumRound, Vector

VICTIM = 4
EVERYBODY = (1, 2, 3, 4)
OTHERS = (1, 2, 3)


def opened(
    made: SumRound, answers: dict[int, Share], accepted: tuple[int, ...]
) -> Vector:
    """Open with the primitives alone, as an attacker that skips every check would."""
    found = opening.open_secret(
        answers, thresholds=made.thresholds, contributors=len(accepted)
    )
    slots = ckks.open_sum(made.total(accepted), found.secret)
    return quantise.without_count(slots, accepted=len(accepted), slots=SLOTS)


def split_answers(
    made: SumRound, shown: dict[int, tuple[int, ...]], corrupt: set[int]
) -> tuple[dict[int, Share], dict[int, Share]]:
    """Return the answers for both sets: honest holders give one, corrupt ones both."""
    both: tuple[dict[int, Share], dict[int, Share]] = ({}, {})
    for holder in range(1, made.size + 1):
        for answers, accepted in zip(both, (EVERYBODY, OTHERS), strict=True):
            if holder in corrupt or shown[holder] == accepted:
                answers[holder] = made.answer(holder, accepted)
    return both


@pytest.fixture(scope="module")
def four() -> SumRound:
    """Give a round of four, one of which may be corrupt."""
    return SumRound.of(4)


@pytest.mark.parametrize("corrupt", [1, 2, 3, 4])
def test_no_way_to_show_two_sets_opens_both(four: SumRound, corrupt: int) -> None:
    """Every partition of the honest holders, with every single holder corrupt."""
    assert four.thresholds.corrupt == 1
    for sets in product((EVERYBODY, OTHERS), repeat=4):
        shown = dict(zip(EVERYBODY, sets, strict=True))
        counts = [len(a) for a in split_answers(four, shown, {corrupt})]
        assert min(counts) < four.thresholds.reconstruct
        few = split_answers(four, shown, {corrupt})[counts.index(min(counts))]
        with pytest.raises(RosterTooSmall):
            opened(four, few, OTHERS)


@pytest.mark.parametrize("size", [5, 7, 8, 10, 13])
def test_no_split_of_the_honest_opens_both_sets_of_larger_rosters(size: int) -> None:
    """As many holders are corrupt as may be, and answer for both sets.

    However many of the honest are shown the first set, one set stays closed.
    """
    made = SumRound.of(size)
    everybody, others = tuple(range(1, size + 1)), tuple(range(1, size))
    corrupt = set(range(1, made.thresholds.corrupt + 1))
    honest = [holder for holder in everybody if holder not in corrupt]
    for split in range(len(honest) + 1):
        first = made.answers({*corrupt, *honest[:split]}, everybody)
        second = made.answers({*corrupt, *honest[split:]}, others)
        fewest, accepted = min(
            ((first, everybody), (second, others)), key=lambda told: len(told[0])
        )
        with pytest.raises(RosterTooSmall):
            opened(made, fewest, accepted)


def test_two_sets_open_both_and_tell_a_members_counts_where_thresholds_are_lower() -> (
    None
):
    """The same attempt against two of four: the guard is what stops it."""
    weak = SumRound.of(4, thresholds=Thresholds(4, corrupt=1, privacy=1, pack=1))
    shown = {1: EVERYBODY, 2: OTHERS, 3: OTHERS, 4: EVERYBODY}

    with_victim, without_victim = split_answers(weak, shown, {1})
    difference = opened(weak, with_victim, EVERYBODY) - opened(
        weak, without_victim, OTHERS
    )

    assert np.array_equal(difference, weak.values[VICTIM])


def test_two_sets_open_both_where_more_are_corrupt_than_assumed(four: SumRound) -> None:
    """The bound is tight: two corrupt of four break what one cannot."""
    shown = {1: EVERYBODY, 2: OTHERS, 3: EVERYBODY, 4: EVERYBODY}

    with_victim, without_victim = split_answers(four, shown, {1, 3})
    difference = opened(four, with_victim, EVERYBODY) - opened(
        four, without_victim, OTHERS
    )

    assert np.array_equal(difference, four.values[VICTIM])


@pytest.mark.parametrize("mixed", [1, 2])
def test_answers_about_two_sets_mixed_give_neither_sum(
    four: SumRound, mixed: int
) -> None:
    """The coordinator completes one set with answers about the other."""
    answers = four.answers((1, 2, 3), EVERYBODY)
    for holder in range(1, mixed + 1):
        answers[holder] = four.answer(holder, OTHERS)

    for accepted in (EVERYBODY, OTHERS):
        with pytest.raises(FederationError):
            four.released(answers, accepted)


def test_sum_that_was_opened_decrypts_no_other_subset(four: SumRound) -> None:
    """The opened secret is one set's; the difference of two subsets stays closed.

    The coordinator, having opened U, tries its secret on every smaller set.
    """
    answers = four.answers(EVERYBODY, EVERYBODY)
    found = opening.open_secret(answers, thresholds=four.thresholds, contributors=4)

    for accepted in (OTHERS, (1, 2), (VICTIM,)):
        with pytest.raises(CiphertextMalformed):
            ckks.open_sum(four.total(accepted), found.secret)


def test_difference_of_answers_is_no_answer_about_one_member(four: SumRound) -> None:
    """Differencing answers needs both sets from the same holders, which none gives.

    The corrupt holder subtracts its two answers: a share of the victim's secret. The
    others gave one answer each, so that one share is all there is.
    """
    corrupt = 1
    first, second = (
        four.answer(corrupt, accepted).astype(np.int64)
        for accepted in (EVERYBODY, OTHERS)
    )
    lone = {corrupt: ((first - second) % 65521).astype(np.uint16)}
    assert np.array_equal(lone[corrupt], four.answer(corrupt, [VICTIM]))

    with pytest.raises(RosterTooSmall):
        opened(four, lone, (VICTIM,))
    padded = lone | {h: np.zeros_like(lone[corrupt]) for h in (2, 3)}
    with pytest.raises((ShareConflict, CiphertextMalformed)):
        opened(four, padded, (VICTIM,))
