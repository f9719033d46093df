"""Compute in the prime field F_65521, whose elements fit 16 bits.

Decides exact vectorised arithmetic and interpolation. Refuses to know what is shared.
"""

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto.ring import RandomBytes
from federated_router.kit.errors import Internal

PRIME = 65521
"""The largest prime below 2^16."""

_EXACT_TERMS = 1 << 21
"""Products below 2^32, so many of them, still add up exactly in float64."""

_SPARE_WORDS = 64
"""One word of 4,369 is too large; more are missing almost never."""

_ROWS_TOGETHER = 128
"""Rows of an interpolation that are computed side by side: what they take at a time."""

Elements = NDArray[np.int64]
"""Elements in [0, PRIME)."""


def inverse(elements: Elements) -> Elements:
    """Return the multiplicative inverses (Fermat); the inverse of 0 comes out as 0."""
    result = np.ones_like(elements)
    square, exponent = elements % PRIME, PRIME - 2
    while exponent:
        if exponent & 1:
            result = result * square % PRIME
        square = square * square % PRIME
        exponent >>= 1
    return result


def matrix_product(left: Elements, right: Elements) -> Elements:
    """Return left @ right, exactly, by way of float64 and the platform's BLAS."""
    if left.shape[-1] >= _EXACT_TERMS:
        raise Internal("The sum of products would leave the exact range of float64.")
    product = left.astype(np.float64) @ right.astype(np.float64)
    return product.astype(np.int64) % PRIME


def interpolation(known: Elements, wanted: Elements) -> Elements:
    """Return the matrix that takes values at `known` points to values at `wanted`.

    Shape (wanted, known), for the polynomial of degree below len(known). Distinct
    known points; a wanted point may be a known one. Lagrange in barycentric form.
    """
    weights = np.ones(len(known), dtype=np.int64)
    for point in known:
        difference = (known - point) % PRIME
        weights = weights * np.where(difference == 0, 1, difference) % PRIME
    matrix = np.empty((len(wanted), len(known)), dtype=np.int64)
    for start in range(0, len(wanted), _ROWS_TOGETHER):
        rows = slice(start, start + _ROWS_TOGETHER)
        matrix[rows] = _interpolation_rows(known, weights, wanted[rows])
    return matrix


def _interpolation_rows(
    known: Elements, weights: Elements, wanted: Elements
) -> Elements:
    distances = (wanted[:, None] - known[None, :]) % PRIME
    whole = np.ones(len(wanted), dtype=np.int64)
    for column in distances.T:
        whole = whole * column % PRIME
    matrix = whole[:, None] * inverse(distances * weights[None, :] % PRIME) % PRIME
    hits = distances == 0
    matrix[hits.any(axis=1)] = hits[hits.any(axis=1)]
    return matrix


def sample(count: int, *, random_bytes: RandomBytes = secrets.token_bytes) -> Elements:
    """Draw `count` uniform elements; 16-bit words that are too large are refused."""
    taken: list[Elements] = []
    missing = count
    while missing > 0:
        words = np.frombuffer(random_bytes(2 * missing), dtype="<u2").astype(np.int64)
        accepted = words[words < PRIME]
        taken.append(accepted)
        missing -= len(accepted)
    return np.concatenate(taken) if taken else np.zeros(0, dtype=np.int64)


def expand(seed: bytes, count: int) -> Elements:
    """Return `count` uniform elements that follow from `seed`.

    SHAKE-256 in 16-bit words, little-endian; words that are too large pass by.
    """
    expander = hashlib.shake_256(seed)
    words = count
    while True:
        words += _SPARE_WORDS
        stream = np.frombuffer(expander.digest(2 * words), dtype="<u2")
        accepted = stream[stream < PRIME].astype(np.int64)
        if len(accepted) >= count:
            return accepted[:count]


def centred(elements: Elements) -> Elements:
    """Return elements as integers between -PRIME/2 and PRIME/2."""
    return np.where(elements > PRIME // 2, elements - PRIME, elements)
