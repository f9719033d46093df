"""Seeds in place of random shares: the same dealing, and still nobody learns anything.

Statistical tests replay fixed bytes, so that they pass or fail for ever; with fresh
bytes each would fail once in a million.
"""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import field, ring, share_seeds
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import CHECKS, Share, Thresholds, deal
from federated_router.crypto.ring import RandomBytes
from federated_router.crypto.share_seeds import SEED_BYTES, content_bytes, share_of
from federated_router.kit.errors import CiphertextMalformed

BINS = 16
P_MIN = 1e-6


def seeded(
    coefficients: np.ndarray, thresholds: Thresholds, source: RandomBytes
) -> tuple[tuple[Share, ...], tuple[bytes, ...]]:
    """Deal as a member does; return the shares, and what is sealed to the holders."""
    seeds = share_seeds.draw(thresholds, random_bytes=source)
    shares = deal(
        coefficients,
        thresholds,
        blinding=share_seeds.blinding(seeds, thresholds),
        random_bytes=source,
    )
    return shares, share_seeds.contents(shares, seeds)


def joint_p_value(first: Share, second: Share) -> float:
    """Return the chi-square p-value that two shares are jointly uniform."""
    cells = [
        share[:-CHECKS].astype(np.int64) * BINS // PRIME for share in (first, second)
    ]
    observed = np.bincount(cells[0] * BINS + cells[1], minlength=BINS * BINS)
    width = np.bincount(np.arange(PRIME) * BINS // PRIME) / PRIME
    expected = np.outer(width, width).reshape(-1) * observed.sum()
    return float(stats.chisquare(observed, expected).pvalue)


@settings(max_examples=25, deadline=None)
@given(holders=st.integers(3, 130), data=st.data())
def test_any_reconstruct_holders_open_what_was_dealt_by_seeds(
    holders: int, data: st.DataObject
) -> None:
    """Whoever answers, seeded or not: every holder reads its share from its content."""
    thresholds = Thresholds.for_roster(holders)
    small = ring.sample_small(1)[0]
    dealt, contents = seeded(small, thresholds, np.random.default_rng(holders).bytes)
    order = data.draw(st.permutations(range(holders)))
    chosen = np.array(order[: thresholds.reconstruct])

    read = [
        share_of(content, thresholds, holder=number)
        for number, content in enumerate(contents, start=1)
    ]
    matrix = field.interpolation(chosen + 1, thresholds.secret_points)
    held = np.stack(read).astype(np.int64)[chosen, :-CHECKS]
    opened = field.centred(field.matrix_product(matrix, held))

    assert np.array_equal(np.stack(read), np.stack(dealt))
    assert np.array_equal(opened.T.reshape(-1)[: ring.DEGREE], small)


@pytest.mark.parametrize("holders", [3, 4, 10, 100, 1000])
def test_lengths_are_known_before_anything_is_dealt(holders: int) -> None:
    """Half of the holders are sent 32 bytes; a coordinator refuses other sizes."""
    thresholds = Thresholds.for_roster(holders)
    _, contents = seeded(np.zeros(ring.DEGREE, dtype=np.int64), thresholds, bytes)

    sizes = [content_bytes(thresholds, number) for number in range(1, holders + 1)]

    assert list(map(len, contents)) == sizes
    assert sizes.count(SEED_BYTES) == thresholds.privacy < holders
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("secret", [0, 21, -21])
@pytest.mark.parametrize("pair", [(1, 2), (1, 4), (2, 3), (3, 4)])
def test_coalition_sees_uniform_shares_whatever_the_secret_is(
    pair: tuple[int, int], secret: int, replay: Callable[[str], RandomBytes]
) -> None:
    """Two of four learn nothing, though the first two hold seeds."""
    thresholds = Thresholds.for_roster(4)
    assert thresholds.privacy == 2

    shares, _ = seeded(
        np.full(ring.DEGREE, secret), thresholds, replay(f"seeds-{pair}-{secret}")
    )

    assert joint_p_value(*(shares[number - 1] for number in pair)) > P_MIN


def test_one_seed_for_two_holders_would_be_noticed(
    replay: Callable[[str], RandomBytes],
) -> None:
    """The broken variant: seeds that do not differ tie the shares together."""
    thresholds = Thresholds.for_roster(4)
    seeds = share_seeds.draw(thresholds, random_bytes=replay("one-seed"))[:1] * 2

    shares = deal(
        np.zeros(ring.DEGREE, dtype=np.int64),
        thresholds,
        blinding=share_seeds.blinding(seeds, thresholds),
    )

    assert joint_p_value(shares[0], shares[1]) < P_MIN


def test_every_seed_is_fresh() -> None:
    """A seed used again would deal two secrets under the same values."""
    thresholds = Thresholds.for_roster(100)

    drawn = [*share_seeds.draw(thresholds), *share_seeds.draw(thresholds)]

    assert len(set(drawn)) == 2 * thresholds.privacy
    assert {len(seed) for seed in drawn} == {SEED_BYTES}


@settings(max_examples=50, deadline=None)
@given(content=st.binary(max_size=80), holders=st.integers(3, 200))
def test_any_bytes_are_a_share_or_refused_by_name(content: bytes, holders: int) -> None:
    """Nothing that a dealer seals raises anything but CiphertextMalformed."""
    thresholds = Thresholds.for_roster(holders)

    for holder in (1, thresholds.privacy, thresholds.privacy + 1, holders):
        try:
            share = share_of(content, thresholds, holder=holder)
        except CiphertextMalformed:
            assert len(content) != SEED_BYTES or holder > thresholds.privacy
            continue
        assert share.shape == (thresholds.share_columns,)
        assert int(share.max()) < PRIME


def test_share_of_another_seed_is_another_share() -> None:
    """Each bit of a seed changes about every word of the share."""
    thresholds = Thresholds.for_roster(10)
    first = share_of(bytes(32), thresholds, holder=1)

    second = share_of(bytes(31) + b"\x01", thresholds, holder=1)

    assert np.mean(first == second) < 0.01
