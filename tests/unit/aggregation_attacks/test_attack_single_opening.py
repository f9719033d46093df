"""One member's contribution must stay closed to `privacy` holders and a coordinator.

The attackers pool their shares of the victim's secret and use every door that the
opening has. With one holder more they succeed, so that the attempt is a real one.
"""

import numpy as np
import pytest

from federated_router.crypto import ckks, field, opening, quantise
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.kit.errors import FederationError, RosterTooSmall
from tests.unit.aggregation_attacks.sum_round import SLOTS, SumRound

VICTIM = 2


@pytest.mark.parametrize("size", [3, 4, 10, 32])
def test_privacy_holders_do_not_open_one_contribution(size: int) -> None:
    """They are fewer than an opening takes, and interpolation with guesses is noise.

    A guessed share is right with probability 1 / 65521 per column, and there are
    hundreds of columns.
    """
    made = SumRound.of(size)
    coalition = range(1, made.thresholds.privacy + 1)
    pooled = made.answers(coalition, [VICTIM])

    with pytest.raises(RosterTooSmall):
        opening.open_secret(pooled, thresholds=made.thresholds, contributors=1)

    guesses = np.random.default_rng(size)
    missing = range(made.thresholds.privacy + 1, made.thresholds.reconstruct + 1)
    for holder in missing:
        pooled[holder] = guesses.integers(0, PRIME, made.thresholds.columns).astype(
            np.uint16
        )
    with pytest.raises(FederationError):
        opening.open_secret(pooled, thresholds=made.thresholds, contributors=1)


@pytest.mark.parametrize("size", [3, 4, 10, 32])
def test_reconstruct_holders_do_open_one_contribution(size: int) -> None:
    """The threshold is the guard and not the arithmetic: one coalition more opens."""
    made = SumRound.of(size)
    coalition = range(1, made.thresholds.reconstruct + 1)
    pooled = made.answers(coalition, [VICTIM])

    found = opening.open_secret(pooled, thresholds=made.thresholds, contributors=1)
    slots = ckks.open_sum(made.total([VICTIM]), found.secret)

    told = quantise.without_count(slots, accepted=1, slots=SLOTS)
    assert np.array_equal(told, made.values[VICTIM])


def test_holders_that_believe_in_a_lower_threshold_open_nothing() -> None:
    """Lying about the threshold at opening does not lower the polynomials' degree."""
    made = SumRound.of(10)
    lower = Thresholds(10, corrupt=3, privacy=3, pack=made.thresholds.pack)
    pooled = made.answers(range(1, lower.reconstruct + 1), [VICTIM])

    with pytest.raises(FederationError):
        opening.open_secret(pooled, thresholds=lower, contributors=1)


def consistent_columns(made: SumRound) -> int:
    """Return in how many columns two holders' shares confirm the true coefficient.

    Secrets are 43 values wide, so that a coalition may try each. Two holders confirm a
    guess if it lies on the line through their shares.
    """
    guesses = made.secrets[VICTIM].astype(np.int64)[None, :] % PRIME
    pooled = made.answers((1, 2), [VICTIM])
    held = np.stack([pooled[1], pooled[2]]).astype(np.int64)
    points = np.array([PRIME - 1, 1], dtype=np.int64)
    line = field.interpolation(points, np.array([2], dtype=np.int64))
    predicted = field.matrix_product(line, np.concatenate([guesses, held[:1]]))
    return int((predicted[0] == held[1]).sum())


def test_small_secrets_do_not_let_a_coalition_confirm_guesses() -> None:
    """Two of four see the truth confirmed no more often than anything else.

    By chance in 1 of 65521 columns: more than four of 4096 have probability 1e-8.
    """
    assert consistent_columns(SumRound.of(4)) <= 4


def test_guesses_are_confirmed_where_one_random_value_is_missing() -> None:
    """The same dictionary attack against a threshold that is one lower."""
    weak = SumRound.of(4, thresholds=Thresholds(4, corrupt=1, privacy=1, pack=1))

    assert consistent_columns(weak) == weak.thresholds.columns


def test_coordinator_cannot_isolate_a_member_by_cancelling_the_others() -> None:
    """The honest answer is about the set; the ciphertexts that are added do not matter.

    Holders answered for all four; the coordinator decrypts the victim's ciphertext
    alone, one with the others subtracted, and a multiple, under the opened secret.
    """
    made = SumRound.of(4)
    everybody = (1, 2, 3, 4)
    found = opening.open_secret(
        made.answers(everybody, everybody),
        thresholds=made.thresholds,
        contributors=4,
    )

    for chosen in ([VICTIM], [VICTIM] * 4, [VICTIM, VICTIM, 1, 3]):
        with pytest.raises(FederationError):
            ckks.open_sum(made.total(chosen), found.secret)
