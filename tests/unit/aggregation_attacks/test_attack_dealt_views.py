"""What `privacy` holders see of a dealing together: nothing, whatever the secret is.

A coalition's joint view must be uniform. Each broken dealing below looks right share
by share and is caught only when the coalition's shares are looked at together.
"""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from federated_router.crypto import packed_shamir, ring
from federated_router.crypto.field import PRIME
from federated_router.crypto.packed_shamir import Share, Thresholds

ERROR_RATE = 1e-6
BINS, DEALINGS = 3, 16
BLINDED = Thresholds.for_roster(10).columns
"""The secret's columns; masks behind them are uniform whatever becomes of these."""


def view_p_value(
    dealings: list[tuple[Share, ...]], coalition: tuple[int, ...]
) -> float:
    """Return the chi-square p-value that the coalition's shares are jointly uniform.

    Each share falls in one of BINS ranges; all the coalition's ranges make one cell.
    """
    columns = np.concatenate(
        [np.stack([dealt[h - 1][:BLINDED] for h in coalition]) for dealt in dealings],
        axis=1,
    )
    ranges = columns.astype(np.int64) * BINS // PRIME
    places = BINS ** np.arange(len(coalition))
    cells = np.bincount(places @ ranges, minlength=BINS ** len(coalition))
    return float(stats.chisquare(cells).pvalue)


def replayed(seed: int) -> Callable[[int], bytes]:
    """Return uniform bytes that are the same in every run."""
    generator = np.random.default_rng(seed)
    return generator.bytes


def dealings_of(
    secret: int, thresholds: Thresholds, source: Callable[[int], bytes]
) -> list[tuple[Share, ...]]:
    """Deal one extreme secret several times."""
    coefficients = np.full(ring.DEGREE, secret)
    return [
        packed_shamir.deal(coefficients, thresholds, random_bytes=source)
        for _ in range(DEALINGS)
    ]


COALITIONS = [(1, 2, 3, 4, 5), (6, 7, 8, 9, 10), (1, 3, 5, 7, 9), (2, 4, 8, 9, 10)]


@pytest.mark.parametrize("secret", [0, 21, -21])
def test_joint_view_of_privacy_holders_is_uniform(secret: int) -> None:
    """Five of ten, 243 cells, 32768 columns, for the two extremes and for zero.

    False alarm rate 1e-6 for each coalition, if the bytes were not replayed.
    """
    thresholds = Thresholds.for_roster(10)
    dealings = dealings_of(secret, thresholds, replayed(100 + secret))

    for coalition in COALITIONS:
        assert len(coalition) == thresholds.privacy
        assert view_p_value(dealings, coalition) > ERROR_RATE


def dependent(thresholds: Thresholds) -> Callable[[int], bytes]:
    """Return a source whose last row is the sum of the others: each row is uniform."""
    generator = np.random.default_rng(12)
    rows = thresholds.privacy

    def random_bytes(length: int) -> bytes:
        if length != 2 * rows * thresholds.share_columns:
            return generator.integers(0, PRIME, length // 2).astype("<u2").tobytes()
        uniform = generator.integers(0, PRIME, (rows, thresholds.share_columns))
        uniform[-1] = uniform[:-1].sum(axis=0) % PRIME
        return uniform.astype("<u2").tobytes()

    return random_bytes


def test_dealer_with_dependent_rows_is_caught_by_the_joint_view_only() -> None:
    """Any four of its five shares are uniform together; all five are not."""
    thresholds = Thresholds.for_roster(10)
    dealings = dealings_of(21, thresholds, dependent(thresholds))

    assert view_p_value(dealings, (1, 2, 3, 4)) > ERROR_RATE
    assert view_p_value(dealings, (1, 2, 3, 4, 5)) < ERROR_RATE


def test_dealer_of_too_low_degree_is_caught() -> None:
    """One random value too few, dealt by the same arithmetic: five see the secret."""
    lower = Thresholds(10, corrupt=3, privacy=2, pack=2)
    dealings = dealings_of(21, lower, replayed(13))

    assert view_p_value(dealings, (1, 2, 3, 4, 5)) < ERROR_RATE


def test_answers_of_a_coalition_about_a_sum_are_uniform_too() -> None:
    """What a coalition can add up over the survivors stays as blind as each share."""
    thresholds = Thresholds.for_roster(10)
    source = replayed(14)
    added = []
    for _ in range(DEALINGS):
        several = [
            packed_shamir.deal(
                np.full(ring.DEGREE, secret), thresholds, random_bytes=source
            )
            for secret in (21, -21, 7)
        ]
        added.append(
            tuple(
                packed_shamir.sum_shares([dealt[holder] for dealt in several])
                for holder in range(10)
            )
        )

    assert view_p_value(added, COALITIONS[0]) > ERROR_RATE
