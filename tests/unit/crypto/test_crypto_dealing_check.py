"""The check asks what tells nothing of an honest dealer, and reads strictly."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federated_router.crypto import dealing_check, field, ring
from federated_router.crypto.dealing_check import ABSENT
from federated_router.crypto.field import PRIME, Elements
from federated_router.crypto.packed_shamir import CHECKS, Share, Thresholds, deal
from federated_router.crypto.transcript import RosterHash, RoundAttempt
from federated_router.kit.errors import CiphertextMalformed, FieldInvalid

ATTEMPT = RoundAttempt("rounds/checked", 0)
ROSTER = RosterHash(bytes(32))
BEACON = bytes(range(32))
SEVEN = Thresholds.for_roster(7)
ERROR_RATE = 1e-6
BINS, DEALINGS = 4, 1500


def weights_of(body: bytes, thresholds: Thresholds = SEVEN) -> Elements:
    """Return the weights for the dealer of a body."""
    return dealing_check.weights(
        ATTEMPT,
        ROSTER,
        BEACON,
        body_sha256=hashlib.sha256(body).digest(),
        thresholds=thresholds,
    )


@settings(max_examples=30, deadline=None)
@given(holders=st.integers(3, 150), seed=st.integers(0, 2**32))
def test_honest_combinations_lie_on_polynomials(holders: int, seed: int) -> None:
    """Any `reconstruct` of them give all the others, for every roster."""
    thresholds = Thresholds.for_roster(holders)
    shares = deal(ring.sample_small(1)[0], thresholds)
    weights = weights_of(seed.to_bytes(5, "big"), thresholds)
    order = np.random.default_rng(seed).permutation(holders)
    basis = order[: thresholds.reconstruct]

    told = np.stack([dealing_check.combinations([s], [weights])[0] for s in shares])

    matrix = field.interpolation(basis + 1, thresholds.holder_points)
    assert np.array_equal(field.matrix_product(matrix, told[basis].astype(int)), told)


def test_weights_are_each_dealers_own_and_follow_from_its_body() -> None:
    """Another body, round, roster or beacon: another question; else the same."""
    digest = hashlib.sha256(b"body").digest()
    asked = [
        (ATTEMPT, ROSTER, BEACON, digest),
        (RoundAttempt("rounds/other", 0), ROSTER, BEACON, digest),
        (ATTEMPT, RosterHash(b"r" * 32), BEACON, digest),
        (ATTEMPT, ROSTER, bytes(32), digest),
        (ATTEMPT, ROSTER, BEACON, bytes(32)),
    ]

    found = {
        dealing_check.weights(
            attempt, roster, beacon, body_sha256=body, thresholds=SEVEN
        ).tobytes()
        for attempt, roster, beacon, body in asked
    }

    assert len(found) == len(asked)
    assert weights_of(b"body").tobytes() in found
    assert weights_of(b"body").shape == (CHECKS, SEVEN.columns)


def test_weights_are_uniform_elements() -> None:
    """Chi-square over 256 ranges, 65,536 weights; false alarms 1e-6."""
    thresholds = Thresholds.for_roster(3)
    drawn = np.concatenate(
        [weights_of(bytes([n]), thresholds).reshape(-1) for n in range(4)]
    )

    counts = np.bincount(drawn * 256 // PRIME, minlength=256)
    width = np.bincount(np.arange(PRIME) * 256 // PRIME) / PRIME
    assert stats.chisquare(counts, width * len(drawn)).pvalue > ERROR_RATE


@pytest.mark.parametrize("digest", [b"", bytes(31), bytes(33)])
def test_weights_need_a_whole_digest(digest: bytes) -> None:
    """A short one would let two bodies share their weights."""
    with pytest.raises(FieldInvalid):
        dealing_check.weights(
            ATTEMPT, ROSTER, BEACON, body_sha256=digest, thresholds=SEVEN
        )


def revealed_p_value(dealings: list[tuple[Share, ...]], extra: Share | None) -> float:
    """Return the p-value that what the coordinator and a coalition see is uniform.

    They see CHECKS polynomials of combinations, of which the values of two holders
    outside the coalition of `privacy` are looked at, and one share of the coalition.
    With `extra`, that share's masks stand in place of every share's own.
    """
    weights = weights_of(b"body")
    seen = []
    for dealt in dealings:
        shares = [dealt[holder].copy() for holder in (0, 3, 5)]
        if extra is not None:
            for share in shares:
                share[-CHECKS:] = extra[-CHECKS:]
        told = [dealing_check.combinations([s], [weights])[0] for s in shares[1:]]
        seen.append(np.stack([shares[0][:CHECKS], *told]))
    columns = np.concatenate(seen, axis=1).astype(np.int64)
    cells = BINS ** np.arange(3) @ (columns * BINS // PRIME)
    return float(stats.chisquare(np.bincount(cells, minlength=BINS**3)).pvalue)


def dealings_of(secret: int, seed: int) -> list[tuple[Share, ...]]:
    """Deal one extreme secret many times."""
    coefficients = np.full(ring.DEGREE, secret)
    source = np.random.default_rng(seed).bytes
    return [deal(coefficients, SEVEN, random_bytes=source) for _ in range(DEALINGS)]


@pytest.mark.parametrize("secret", [0, 21, -21])
def test_combinations_are_uniform_whatever_the_secret(secret: int) -> None:
    """Jointly with a share that a colluding holder gives away; false alarms 1e-6."""
    assert revealed_p_value(dealings_of(secret, 50 + secret), None) > ERROR_RATE


def test_masks_that_all_holders_share_would_be_noticed() -> None:
    """The broken variant: the same masks hide nothing of the polynomial's shape.

    Three of seven shares of a secret whose blinding is constant are tied together.
    """
    constant = deal(
        np.full(ring.DEGREE, 21), SEVEN, random_bytes=np.random.default_rng(7).bytes
    )
    dealings = dealings_of(21, 8)
    again = [constant] * len(dealings)

    assert revealed_p_value(again, dealings[0][0]) < ERROR_RATE


def difference_p_value(*, reused: bool) -> float:
    """Return the p-value that a second question under other weights tells nothing.

    With `reused` masks, as if one dealing were asked twice, the difference of two
    combinations is a combination of the share, without any mask. All the holders'
    differences then give the secret's, of which zeros are looked at here.
    """
    first, second = weights_of(b"first"), weights_of(b"second")
    matrix = field.interpolation(SEVEN.holder_points[:5], SEVEN.secret_points)
    values = []
    for shares in dealings_of(0, 60)[:600]:
        told = np.stack(
            [dealing_check.combinations([s, s], [first, second]) for s in shares[:5]]
        ).astype(np.int64)
        other = told[:, 1] if reused else np.roll(told[:, 1], 1, axis=1)
        at_secrets = field.matrix_product(matrix, (told[:, 0] - other) % PRIME)
        values.append(at_secrets.reshape(-1))
    counts = np.bincount(np.concatenate(values) * 16 // PRIME, minlength=16)
    return float(stats.chisquare(counts).pvalue)


def test_second_question_under_the_same_masks_would_give_the_secret_away() -> None:
    """Why weights follow from the body alone: asked twice, the masks cancel."""
    assert difference_p_value(reused=False) > ERROR_RATE
    assert difference_p_value(reused=True) < ERROR_RATE


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=80), contributors=st.integers(0, 8))
def test_any_bytes_are_combinations_or_refused_by_name(
    content: bytes, contributors: int
) -> None:
    """One form only: what is read is written the same."""
    length = contributors * dealing_check.COMBINATIONS_BYTES
    for tried in (content, (content * length)[:length]):
        try:
            told = dealing_check.combinations_from_bytes(tried, contributors)
        except CiphertextMalformed:
            continue
        assert dealing_check.combinations_to_bytes(told) == tried


@pytest.mark.parametrize(
    "row",
    [[PRIME, 0, 0, 0], [ABSENT - 1, 0, 0, 0], [ABSENT, ABSENT, ABSENT, 0]],
)
def test_words_that_are_no_element_are_refused(row: list[int]) -> None:
    """And a share of which half opened."""
    content = np.array(row, dtype="<u2").tobytes()

    with pytest.raises(CiphertextMalformed):
        dealing_check.combinations_from_bytes(content, 1)


def test_share_that_did_not_open_is_absent_in_its_place() -> None:
    """The other contributors' rows stay where they are."""
    share = deal(ring.sample_small(1)[0], SEVEN)[2]
    weights = weights_of(b"body")

    told = dealing_check.combinations([None, share], [weights, weights])
    read = dealing_check.combinations_from_bytes(
        dealing_check.combinations_to_bytes(told), 2
    )

    assert (read[0] == ABSENT).all()
    assert np.array_equal(read[1], dealing_check.combinations([share], [weights])[0])
