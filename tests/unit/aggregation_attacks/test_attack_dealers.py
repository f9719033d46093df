"""Dealers whose shares fit nothing: named by the checks, and harmless to the others.

An inconsistent dealer is named by the holders' checks, and the others are summed; it
must neither get a wrong sum released nor an honest holder named.
"""

from collections.abc import Callable

import numpy as np
import pytest

from federated_router.crypto import packed_shamir, ring
from federated_router.crypto.dealing_check import COMBINATIONS_BYTES
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.kit.errors import FederationError
from tests.unit.aggregation_attacks.sum_round import SumRound, moved

DEALER = 1
TEN = range(1, 11)


@pytest.fixture
def ten() -> SumRound:
    """Give a round of ten in which everybody contributed honestly."""
    return SumRound.of(10)


def unrelated(made: SumRound) -> None:
    """Deal shares that lie on no polynomial at all."""
    generator = np.random.default_rng(1)
    shape = (made.size, made.thresholds.share_columns)
    shares = generator.integers(0, PRIME, shape).astype(np.uint16)
    made.shares[DEALER] = tuple(shares)


def of_another_secret(made: SumRound) -> None:
    """Deal good shares of a secret that did not encrypt."""
    small = ring.sample_small(1)[0]
    made.shares[DEALER] = packed_shamir.deal(small, made.thresholds)


def of_a_large_secret(made: SumRound) -> None:
    """Deal good shares of a secret that no member could have drawn."""
    large = np.full(ring.DEGREE, 30_000)
    made.shares[DEALER] = packed_shamir.deal(large, made.thresholds)


def of_too_high_degree(made: SumRound) -> None:
    """Deal with a polynomial that takes two answers more than the rest."""
    higher = Thresholds(10, corrupt=3, privacy=7, pack=made.thresholds.pack)
    small = made.secrets[DEALER]
    made.shares[DEALER] = packed_shamir.deal(small, higher)


def wrong_for_half(made: SumRound) -> None:
    """Deal wrong shares to more holders than decoding can set aside."""
    made.shares[DEALER] = tuple(
        moved(share, {0: holder}) if holder > 5 else share
        for holder, share in enumerate(made.shares[DEALER], start=1)
    )


INCONSISTENT = [unrelated, of_too_high_degree, wrong_for_half]
CONSISTENT_OF_ANOTHER_SECRET = [of_another_secret, of_a_large_secret]


@pytest.mark.parametrize("deal_wrongly", INCONSISTENT)
def test_inconsistent_dealer_is_named_and_the_round_goes_on_without_it(
    deal_wrongly: Callable[[SumRound], None], ten: SumRound
) -> None:
    """The other nine are summed exactly, and no holder is blamed."""
    deal_wrongly(ten)

    found = ten.judged()

    assert found.inconsistent == {DEALER}
    assert found.survivors == set(range(2, 11))
    assert np.array_equal(found.sums, ten.expected(range(2, 11)))
    assert not found.liars


@pytest.mark.parametrize("deal_wrongly", INCONSISTENT + CONSISTENT_OF_ANOTHER_SECRET)
def test_dealer_that_no_check_looked_at_ends_the_round_without_a_sum(
    deal_wrongly: Callable[[SumRound], None], ten: SumRound
) -> None:
    """Where the check is missing it is noticed, and nothing wrong is released."""
    deal_wrongly(ten)

    with pytest.raises(FederationError):
        ten.released(ten.answers(TEN, TEN), TEN)


@pytest.mark.parametrize("deal_wrongly", CONSISTENT_OF_ANOTHER_SECRET)
def test_good_shares_of_another_secret_still_end_the_round(
    deal_wrongly: Callable[[SumRound], None], ten: SumRound
) -> None:
    """They lie on polynomials, so the check accepts them; the sum stays closed."""
    deal_wrongly(ten)

    with pytest.raises(FederationError):
        ten.judged()


def test_round_without_the_inconsistent_dealer_opens(ten: SumRound) -> None:
    """It spoils its own round only, and only while it is in the sum."""
    unrelated(ten)
    others = range(2, 11)

    sums, named = ten.released(ten.answers(TEN, others), others)

    assert np.array_equal(sums, ten.expected(others))
    assert not named


@pytest.mark.parametrize("victims", [(7,), (1, 10), (2, 5, 8)])
def test_wrong_shares_of_a_few_change_no_sum_and_name_no_holder(
    victims: tuple[int, ...], ten: SumRound
) -> None:
    """Up to as many as can be corrupt: the victims' answers are set aside.

    One can be located; with two and three the dealer's word lies on no polynomial
    near it, and the dealer goes.
    """
    dealt = list(ten.shares[DEALER])
    for victim in victims:
        dealt[victim - 1] = moved(dealt[victim - 1], {0: victim})
    ten.shares[DEALER] = tuple(dealt)

    found = ten.judged()

    assert not found.liars
    assert found.inconsistent == (frozenset() if len(victims) == 1 else {DEALER})
    assert np.array_equal(found.sums, ten.expected(found.survivors))


def test_without_the_check_an_honest_holder_would_be_named(ten: SumRound) -> None:
    """It added what it was dealt, and is called a liar: what the check is there for."""
    dealt = list(ten.shares[DEALER])
    dealt[6] = moved(dealt[6], {0: 1})
    ten.shares[DEALER] = tuple(dealt)

    _, named = ten.released(ten.answers(TEN, TEN), TEN)

    assert named == {7}
    assert not ten.judged().liars


def test_holder_that_accuses_everybody_is_named_and_no_dealer_is(
    ten: SumRound,
) -> None:
    """A liar in the check drives nobody out."""
    checks = {holder: ten.checks(holder) for holder in TEN}
    checks[4] = bytes(len(checks[4]))

    found = ten.judged(checks)

    assert found.liars == {4}
    assert found.survivors == set(TEN)
    assert np.array_equal(found.sums, ten.expected(TEN))


def test_few_corrupt_holders_cannot_have_an_honest_dealer_named(ten: SumRound) -> None:
    """Three of ten say that its shares did not open: no proof, and it stays."""
    checks = {holder: bytearray(ten.checks(holder)) for holder in TEN}
    for holder in (2, 3, 4):
        checks[holder][:COMBINATIONS_BYTES] = b"\xff" * COMBINATIONS_BYTES

    found = ten.judged({holder: bytes(told) for holder, told in checks.items()})

    assert found.survivors == set(TEN)
    assert not found.inconsistent
    assert not found.liars
    assert np.array_equal(found.sums, ten.expected(TEN))
