"""Shares open in numbers, say nothing below, and keep their form on the wire."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import field, ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import (
    CHECKS,
    ROSTER_SIZE_MAX,
    Thresholds,
    deal,
    share_from_bytes,
    share_to_bytes,
    sum_shares,
)
from federated_router.crypto.ring import RandomBytes
from federated_router.kit.errors import (
    CiphertextMalformed,
    HeadroomExceeded,
    RosterTooSmall,
)

ROSTERS = st.integers(3, ROSTER_SIZE_MAX)


@pytest.mark.parametrize(
    ("holders", "corrupt", "privacy", "pack", "reconstruct"),
    [
        (3, 0, 1, 1, 2),
        (4, 1, 2, 1, 3),
        (5, 1, 2, 2, 4),
        (7, 2, 3, 2, 5),
        (32, 10, 16, 6, 22),
        (100, 33, 50, 17, 67),
        (1000, 333, 500, 167, 667),
    ],
)
def test_thresholds_have_their_frozen_values(
    holders: int, corrupt: int, privacy: int, pack: int, reconstruct: int
) -> None:
    """Every party derives them from the roster's size alone."""
    thresholds = Thresholds.for_roster(holders)

    assert thresholds == Thresholds(holders, corrupt, privacy, pack)
    assert thresholds.reconstruct == reconstruct


@settings(max_examples=300)
@given(holders=ROSTERS)
def test_two_sets_of_survivors_cannot_both_be_opened(holders: int) -> None:
    """Honest holders answer for one set; corrupt ones for both, and it is too few."""
    thresholds = Thresholds.for_roster(holders)
    honest = holders - thresholds.corrupt

    answers_to_both = honest + 2 * thresholds.corrupt

    assert answers_to_both < 2 * thresholds.reconstruct
    assert 3 * thresholds.corrupt < holders


@settings(max_examples=300)
@given(holders=ROSTERS)
def test_thresholds_are_sound_for_every_roster(holders: int) -> None:
    """The corrupt learn nothing, the honest can open, and each secret has its place."""
    thresholds = Thresholds.for_roster(holders)

    assert thresholds.corrupt <= thresholds.privacy
    assert thresholds.pack >= 1
    assert thresholds.reconstruct <= holders - thresholds.corrupt
    assert thresholds.columns * thresholds.pack >= ring.DEGREE
    points = {*thresholds.holder_points.tolist(), *thresholds.secret_points.tolist()}
    assert len(points) == holders + thresholds.pack


@pytest.mark.parametrize("holders", [0, 1, 2])
def test_two_members_are_no_roster(holders: int) -> None:
    """With two, each knows the other's statistic from the sum."""
    with pytest.raises(RosterTooSmall):
        Thresholds.for_roster(holders)


def test_roster_whose_secrets_could_wrap_is_refused() -> None:
    """21 * 1,561 passes half the prime, so that a sum could change its sign."""
    assert ROSTER_SIZE_MAX * ring.CBD_WIDTH <= PRIME // 2

    with pytest.raises(HeadroomExceeded):
        Thresholds.for_roster(ROSTER_SIZE_MAX + 1)


@settings(max_examples=25, deadline=None)
@given(holders=st.integers(3, 130), data=st.data())
def test_any_reconstruct_holders_open_the_coefficients(
    holders: int, data: st.DataObject
) -> None:
    """Which of them answer does not matter, for any roster."""
    thresholds = Thresholds.for_roster(holders)
    small = ring.sample_small(1)[0]
    shares = np.stack(deal(small, thresholds)).astype(np.int64)
    order = data.draw(st.permutations(range(holders)))
    chosen = np.array(order[: thresholds.reconstruct])

    matrix = field.interpolation(chosen + 1, thresholds.secret_points)
    opened = field.centred(field.matrix_product(matrix, shares[chosen]))

    assert np.array_equal(opened.T.reshape(-1)[: ring.DEGREE], small)


@settings(max_examples=25, deadline=None)
@given(holders=st.integers(3, 40), data=st.data())
def test_any_privacy_shares_fit_any_secret(holders: int, data: st.DataObject) -> None:
    """The proof of privacy, executed: the uniform values explain whatever t hold.

    For any t holders, any shares in their hands and any secret there is exactly one
    choice of the uniform values that deals these shares.
    """
    thresholds = Thresholds.for_roster(holders)
    order = data.draw(st.permutations(range(1, holders + 1)))
    coalition = np.array(order[: thresholds.privacy])
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    held = generator.integers(0, PRIME, (thresholds.privacy, thresholds.share_columns))
    masks = generator.integers(0, PRIME, (thresholds.pack, CHECKS))
    secret = generator.integers(-21, 22, ring.DEGREE)
    padded = np.zeros(thresholds.columns * thresholds.pack, dtype=np.int64)
    padded[: ring.DEGREE] = secret
    packed = padded.reshape(thresholds.columns, thresholds.pack).T % PRIME
    known = np.concatenate([thresholds.secret_points, coalition])
    matrix = field.interpolation(known, thresholds.holder_points[: thresholds.privacy])
    behind = np.concatenate([packed, masks], axis=1)
    uniform = field.matrix_product(matrix, np.concatenate([behind, held]))
    drawn = iter([masks, uniform])

    shares = deal(
        secret,
        thresholds,
        random_bytes=lambda _: next(drawn).astype("<u2").tobytes(),
    )

    assert np.array_equal(np.stack(shares)[coalition - 1], held)


def joint_p_value(shares: tuple[np.ndarray, ...], holders: tuple[int, int]) -> float:
    """Return the chi-square p-value that two holders' shares are jointly uniform.

    Without the masks, which are uniform whatever becomes of the secret's columns.
    """
    shares = tuple(share[:-CHECKS] for share in shares)
    bins = 16
    first, second = (shares[h - 1].astype(np.int64) * bins // PRIME for h in holders)
    observed = np.bincount(first * bins + second, minlength=bins * bins)
    width = np.bincount(np.arange(PRIME) * bins // PRIME) / PRIME
    expected = np.outer(width, width).reshape(-1) * len(first)
    return float(stats.chisquare(observed, expected).pvalue)


PAIRS = [(1, 2), (1, 3), (2, 4), (3, 4)]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("secret", [0, 21, -21])
def test_privacy_shares_are_uniform_whatever_the_secret(
    pair: tuple[int, int], secret: int, replay: Callable[[str], RandomBytes]
) -> None:
    """Two of four learn nothing. Error rate 1e-6 for fresh bytes; replayed here."""
    thresholds = Thresholds.for_roster(4)
    coefficients = np.full(ring.DEGREE, secret)

    shares = deal(
        coefficients, thresholds, random_bytes=replay(f"uniform-{pair}-{secret}")
    )

    assert joint_p_value(shares, pair) > 1e-6


@pytest.mark.parametrize("pair", PAIRS)
def test_dealing_without_randomness_would_be_noticed(pair: tuple[int, int]) -> None:
    """The broken variant: the same test rejects shares of constant 'randomness'."""
    thresholds = Thresholds.for_roster(4)

    shares = deal(np.zeros(ring.DEGREE, dtype=np.int64), thresholds, random_bytes=bytes)

    assert joint_p_value(shares, pair) < 1e-6


@pytest.mark.parametrize("pair", PAIRS)
def test_one_random_value_too_few_would_be_noticed(
    pair: tuple[int, int], replay: Callable[[str], RandomBytes]
) -> None:
    """The broken variant: a polynomial of one degree less ties two shares together."""
    too_low = Thresholds(holders=4, corrupt=1, privacy=1, pack=1)

    shares = deal(
        np.zeros(ring.DEGREE, dtype=np.int64), too_low, random_bytes=replay("too-low")
    )

    assert joint_p_value(shares, pair) < 1e-6


def test_sum_of_shares_is_the_share_of_the_sum() -> None:
    """Holders add without learning what they add; the masks stay behind."""
    thresholds = Thresholds.for_roster(5)
    values = np.stack([deal(ring.sample_small(1)[0], thresholds) for _ in range(40)])

    total = sum_shares(list(values[:, 2]))

    assert total.shape == (thresholds.columns,)
    expected = values[:, 2, :-CHECKS].astype(object).sum(axis=0) % PRIME
    assert total.tolist() == expected.tolist()


@settings(max_examples=30, deadline=None)
@given(content=st.binary(max_size=600), holders=st.integers(3, 200))
def test_any_bytes_are_a_share_or_refused_by_name(content: bytes, holders: int) -> None:
    """Nothing a dealer sends raises anything but CiphertextMalformed."""
    thresholds = Thresholds.for_roster(holders)
    filled = (content or b"\xff") * thresholds.share_bytes

    for attempt in (content, filled[: thresholds.share_bytes]):
        try:
            share = share_from_bytes(attempt, thresholds)
        except CiphertextMalformed:
            continue
        assert share_to_bytes(share) == attempt


def test_word_at_the_prime_is_refused() -> None:
    """It would be a second form of zero."""
    thresholds = Thresholds.for_roster(4)
    words = np.zeros(thresholds.share_columns, dtype=np.uint16)
    words[9] = PRIME

    with pytest.raises(CiphertextMalformed, match="not below"):
        share_from_bytes(share_to_bytes(words), thresholds)
