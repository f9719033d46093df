"""The verdict names who is wrong, names nobody where two stories fit, and goes on."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import dealing_check, field, ring
from federated_router.crypto.dealing_check import ABSENT, Combinations
from federated_router.crypto.dealing_verdict import Verdict, limit_of, verdict
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import CHECKS, Thresholds, deal
from federated_router.crypto.stacked_checks import StackedChecks
from federated_router.crypto.transcript import RosterHash, RoundAttempt
from federated_router.kit.errors import (
    CiphertextMalformed,
    Internal,
    NotOnRoster,
    RosterTooSmall,
    ShareConflict,
)

NOBODY: frozenset[int] = frozenset()
Checks = dict[int, Combinations]


def honest_checks(holders: int, dealers: int, *, seed: int = 0) -> Checks:
    """Return what honest holders send about honest dealers 1..`dealers`.

    Combinations of honest shares are values of uniform polynomials, so drawn as such;
    `test_crypto_dealing_check` shows that real ones are.
    """
    thresholds = Thresholds.for_roster(holders)
    generator = np.random.default_rng(seed)
    shape = (thresholds.reconstruct, dealers * CHECKS)
    basis = thresholds.holder_points[: thresholds.reconstruct]
    matrix = field.interpolation(basis, thresholds.holder_points)
    values = field.matrix_product(matrix, generator.integers(0, PRIME, shape))
    table = values.astype(np.uint16).reshape(holders, dealers, CHECKS)
    return {holder: table[holder - 1].copy() for holder in range(1, holders + 1)}


def lie(checks: Checks, holder: int, dealers: list[int]) -> None:
    """Move one word of what a holder says about some dealers."""
    for dealer in dealers:
        word = int(checks[holder][dealer - 1, 0])
        checks[holder][dealer - 1, 0] = (word + 1) % PRIME


def refuse(checks: Checks, holder: int, dealers: list[int]) -> None:
    """Say that these dealers' shares did not open."""
    for dealer in dealers:
        checks[holder][dealer - 1] = ABSENT


def spoil(checks: Checks, dealer: int, seed: int = 1) -> None:
    """Make everything said about a dealer noise, as of unrelated shares."""
    generator = np.random.default_rng(seed)
    for told in checks.values():
        told[dealer - 1] = generator.integers(0, PRIME, CHECKS)


def judged(checks: Mapping[int, Combinations], holders: int, dealers: int) -> Verdict:
    """Return the verdict about dealers 1..`dealers`."""
    thresholds = Thresholds.for_roster(holders)
    stacked = StackedChecks.of(checks, dealers, thresholds)
    return verdict(stacked, range(1, dealers + 1))


@settings(max_examples=40, deadline=None)
@given(holders=st.integers(3, 60), data=st.data())
def test_honest_round_names_nobody(holders: int, data: st.DataObject) -> None:
    """Whoever is late, as long as enough checks came."""
    thresholds = Thresholds.for_roster(holders)
    checks = honest_checks(holders, holders)
    order = data.draw(st.permutations(sorted(checks)))
    came = data.draw(st.integers(thresholds.reconstruct, holders))

    found = judged(
        {holder: checks[holder] for holder in order[:came]}, holders, holders
    )

    assert found == Verdict(NOBODY, NOBODY, NOBODY, frozenset())


def test_dealing_by_the_products_own_arithmetic_is_judged_the_same() -> None:
    """Shares, weights and combinations of ten; the third dealer moves one share."""
    thresholds = Thresholds.for_roster(10)
    attempt, roster = RoundAttempt("rounds/v", 0), RosterHash(bytes(32))
    weights = [
        dealing_check.weights(
            attempt,
            roster,
            bytes(32),
            body_sha256=hashlib.sha256(bytes([dealer])).digest(),
            thresholds=thresholds,
        )
        for dealer in range(10)
    ]
    dealt = [list(deal(ring.sample_small(1)[0], thresholds)) for _ in range(10)]
    dealt[2][6] = dealt[2][6] ^ np.uint16(1)
    checks = {
        holder: dealing_check.combinations([d[holder - 1] for d in dealt], weights)
        for holder in range(1, 11)
    }

    found = judged(checks, 10, 10)

    assert found == Verdict(NOBODY, NOBODY, NOBODY, frozenset({(3, 7)}))
    assert found.erased == {7}


@settings(max_examples=60, deadline=None)
@given(holders=st.integers(6, 40), data=st.data())
def test_liars_and_inconsistent_dealers_are_told_apart(
    holders: int, data: st.DataObject
) -> None:
    """As many of both as can be located: exactly they are named."""
    thresholds = Thresholds.for_roster(holders)
    limit = limit_of(thresholds)
    checks = honest_checks(holders, holders)
    order = data.draw(st.permutations(range(1, holders + 1)))
    bad = order[: data.draw(st.integers(0, limit))]
    good = order[len(bad) :]
    liars = data.draw(st.permutations(range(1, holders + 1)))[
        : data.draw(st.integers(0, (holders - thresholds.reconstruct) // 2))
    ]
    for liar in liars:
        lie(checks, liar, good[: limit + 1])
    for number, dealer in enumerate(bad):
        spoil(checks, dealer, seed=number)
    if len(good) <= limit or len(checks) - len(liars) < thresholds.reconstruct + 2:
        return

    found = judged(checks, holders, holders)

    assert found.inconsistent == frozenset(bad)
    assert found.liars == frozenset(liars)
    assert not found.dropped
    assert not found.disputed


def test_dealer_whose_shares_too_many_cannot_open_is_inconsistent() -> None:
    """Four of ten, where three can be corrupt; three complaints prove nothing."""
    checks = honest_checks(10, 10)
    for holder in (1, 2, 3):
        refuse(checks, holder, [5])
    assert judged(checks, 10, 10).disputed == {(5, 1), (5, 2), (5, 3)}

    refuse(checks, 4, [5])

    assert judged(checks, 10, 10) == Verdict(
        frozenset({5}), NOBODY, NOBODY, frozenset()
    )


def test_holder_in_dispute_with_too_many_dealers_is_a_liar() -> None:
    """Four of ten, of whom three can be corrupt; three prove nothing."""
    checks = honest_checks(10, 10)
    lie(checks, 8, [1, 2, 3])
    found = judged(checks, 10, 10)
    assert not found.liars
    assert found.disputed == {(1, 8), (2, 8), (3, 8)}

    lie(checks, 8, [4])

    assert judged(checks, 10, 10) == Verdict(
        NOBODY, NOBODY, frozenset({8}), frozenset()
    )


def test_one_liar_among_three_or_four_names_nobody() -> None:
    """Nothing can be located there: neither dealer nor holder is accused."""
    for holders in (3, 4, 5):
        checks = honest_checks(holders, holders)
        lie(checks, 1, [2])

        found = judged(checks, holders, holders)

        assert not found.inconsistent
        assert not found.liars
        assert found.left_out == {2}


def test_dealers_with_most_disputes_go_until_enough_holders_are_free() -> None:
    """Seven of ten must be in no dispute; dealer 9 wrongs three, dealer 4 two."""
    checks = honest_checks(10, 10)
    for holder in (1, 2, 3):
        refuse(checks, holder, [9])
    for holder in (4, 5):
        refuse(checks, holder, [4])

    found = judged(checks, 10, 10)

    assert found.dropped == {9}
    assert not found.inconsistent
    assert found.disputed == {(4, 4), (4, 5)}
    assert found.erased == {4, 5}


def test_more_inconsistent_dealers_than_can_be_end_the_verdict() -> None:
    """Four of ten: holders lie beyond what can be located, and nobody is named."""
    checks = honest_checks(10, 10)
    for dealer in (1, 2, 3):
        spoil(checks, dealer, seed=dealer)
    assert judged(checks, 10, 10).inconsistent == {1, 2, 3}

    spoil(checks, 4, seed=4)

    with pytest.raises(ShareConflict):
        judged(checks, 10, 10)


def test_too_many_liars_end_the_verdict() -> None:
    """Whoever is left cannot open; nobody is named."""
    checks = honest_checks(10, 10)
    for holder in (1, 2, 3, 4):
        refuse(checks, holder, list(range(1, 11)))

    with pytest.raises(ShareConflict):
        judged(checks, 10, 10)


def test_one_check_too_few_is_no_verdict() -> None:
    """Six of ten cannot show that seven lie on a polynomial."""
    checks = honest_checks(10, 10)
    few = {holder: checks[holder] for holder in range(1, 7)}

    with pytest.raises(RosterTooSmall):
        judged(few, 10, 10)


@pytest.mark.parametrize("holder", [0, 11, -1])
def test_check_of_no_holder_is_refused(holder: int) -> None:
    """Holders are numbered from one to the roster's size."""
    checks = honest_checks(10, 10)
    checks[holder] = checks[1]

    with pytest.raises(NotOnRoster):
        judged(checks, 10, 10)


def test_check_about_other_contributors_is_refused() -> None:
    """Rows stand for dealers; one row fewer would shift the blame."""
    checks = honest_checks(10, 10)
    checks[3] = checks[3][1:]

    with pytest.raises(CiphertextMalformed):
        judged(checks, 10, 10)


def test_dealers_keep_their_numbers_on_the_roster() -> None:
    """Contributors are some of the roster; rows are not their numbers."""
    checks = honest_checks(10, 4)
    spoil(checks, 2)
    refuse(checks, 6, [3])

    stacked = StackedChecks.of(checks, 4, Thresholds.for_roster(10))
    found = verdict(stacked, [2, 5, 7, 10])

    assert found.inconsistent == {5}
    assert found.disputed == {(7, 6)}


def test_no_verdict_without_a_check_that_was_announced() -> None:
    """Taken for silence, a missing check would be held against every dealer."""
    checks = honest_checks(10, 10)
    stacked = StackedChecks(checks.keys(), 10, Thresholds.for_roster(10))
    for holder in sorted(checks)[:-1]:
        stacked.put(holder, checks[holder])

    with pytest.raises(Internal):
        verdict(stacked, range(1, 11))
