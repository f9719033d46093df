"""The ring computes exactly, and as SEAL does."""

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
import tenseal.sealapi.util as seal_util
from scipy import stats

from federated_router.crypto import ring, seal_bytes
from federated_router.crypto.ring import RandomBytes

EDGES = [0, 1, 2, ring.MODULUS // 2, ring.MODULUS - 2, ring.MODULUS - 1]
NTT_FIRST = 478716305806975
NTT_SECOND = 15798414841811397
NTT_DIGEST = "77904b23047c8fc24afd1b08dc775935b9a7e9af684877233cd2e57ba8c3c140"
"""Of 0, 1, .., 4095; checked once by Horner's rule at single powers of the root."""


def uniform(seed: int, rows: int = 1) -> ring.Residues:
    """Return reproducible residues."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, ring.MODULUS, (rows, ring.DEGREE), dtype=np.uint64)


def test_product_is_exact_at_the_edges_and_everywhere_between() -> None:
    """The float quotient may be off by a few; the remainder may not."""
    edges = np.array([[x, y] for x in EDGES for y in EDGES], dtype=np.uint64)
    left = np.concatenate([edges[:, 0], *uniform(1, 5)])
    right = np.concatenate([edges[:, 1], *uniform(2, 5)])

    product = ring.multiply(left, right)

    pairs = zip(left.tolist(), right.tolist(), strict=True)
    assert product.tolist() == [x * y % ring.MODULUS for x, y in pairs]


def test_sum_and_difference_wrap_at_the_modulus() -> None:
    """Residues stay residues, at the edges too."""
    left = np.array([x for x in EDGES for _ in EDGES], dtype=np.uint64)
    right = np.array([y for _ in EDGES for y in EDGES], dtype=np.uint64)

    total, difference = ring.add(left, right), ring.subtract(left, right)

    pairs = list(zip(left.tolist(), right.tolist(), strict=True))
    assert total.tolist() == [(x + y) % ring.MODULUS for x, y in pairs]
    assert difference.tolist() == [(x - y) % ring.MODULUS for x, y in pairs]


def test_transform_equals_seals_bit_for_bit() -> None:
    """SEAL is the oracle; its decryptor reads what we transform."""
    tables = seal_bytes.context().key_context_data().small_ntt_tables()
    coefficients = uniform(3)[0]

    ours = ring.to_evaluations(coefficients)

    theirs = seal_util.ntt_negacyclic_harvey(coefficients.tolist(), tables)
    assert ours.tolist() == theirs


def test_transform_has_its_frozen_answer() -> None:
    """Parties of different releases must compute alike."""
    coefficients = np.arange(ring.DEGREE, dtype=np.uint64)

    evaluations = ring.to_evaluations(coefficients)

    digest = hashlib.sha256(evaluations.astype("<u8").tobytes()).hexdigest()
    assert evaluations[:2].tolist() == [NTT_FIRST, NTT_SECOND]
    assert digest == NTT_DIGEST


def test_inverse_undoes_the_transform_of_several_rows() -> None:
    """Rows are transformed side by side without touching each other."""
    coefficients = uniform(4, rows=3)

    back = ring.to_coefficients(ring.to_evaluations(coefficients))

    assert np.array_equal(back, coefficients)


def test_x_to_the_degree_is_minus_one() -> None:
    """The pointwise product of evaluations is the negacyclic product."""
    last, first = np.zeros((2, ring.DEGREE), dtype=np.uint64)
    last[ring.DEGREE - 1] = first[1] = 1

    product = ring.to_coefficients(
        ring.multiply(ring.to_evaluations(last), ring.to_evaluations(first))
    )

    assert ring.to_signed(product)[0] == -1
    assert not product[1:].any()


def test_root_is_the_least_primitive_one() -> None:
    """SEAL takes the least; any other gives another order of evaluations."""
    square = ring.ROOT * ring.ROOT % ring.MODULUS
    power, least = ring.ROOT, ring.ROOT
    for _ in range(ring.DEGREE):
        least = min(least, power)
        power = power * square % ring.MODULUS

    assert pow(ring.ROOT, ring.DEGREE, ring.MODULUS) == ring.MODULUS - 1
    assert least == ring.ROOT


def test_signed_numbers_survive_the_ring() -> None:
    """Secrets and errors are small and of both signs."""
    numbers = np.array([-21, -1, 0, 1, 21, -(2**52), 2**52], dtype=np.int64)

    assert ring.to_signed(ring.from_signed(numbers)).tolist() == numbers.tolist()


def binomial_p_value(samples: np.ndarray) -> float:
    """Return the chi-square p-value against the centred binomial, tails pooled."""
    edge = 8
    expected = stats.binom.pmf(np.arange(-edge, edge + 1) + 21, 42, 0.5)
    expected[0] = expected[-1] = stats.binom.cdf(21 - edge, 42, 0.5)
    pooled = np.clip(samples, -edge, edge) + edge
    observed = np.bincount(pooled.reshape(-1), minlength=2 * edge + 1)
    return float(stats.chisquare(observed, expected * samples.size).pvalue)


def test_small_samples_follow_the_centred_binomial(
    replay: Callable[[str], RandomBytes],
) -> None:
    """Error rate 1e-6 for fresh bytes; the bytes are replayed, so it is fixed."""
    samples = ring.sample_small(32, random_bytes=replay("small"))

    assert samples.shape == (32, ring.DEGREE)
    assert binomial_p_value(samples) > 1e-6


@pytest.mark.parametrize("width", [20, 22])
def test_binomial_of_another_width_would_be_noticed(width: int) -> None:
    """The test above has the power to see one bit too few or too many."""
    generator = np.random.default_rng(5)
    size = 32 * ring.DEGREE

    samples = generator.binomial(2 * width, 0.5, size) - width

    assert binomial_p_value(samples) < 1e-6


def test_samples_come_from_the_operating_system_by_default() -> None:
    """Two draws without a replayed source differ."""
    assert not np.array_equal(ring.sample_small(1), ring.sample_small(1))
