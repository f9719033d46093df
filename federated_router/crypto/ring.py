"""Compute in Z_q[X]/(X^4096 + 1) with one 54-bit prime, bit for bit as SEAL does.

Decides the ring and its exact arithmetic in numpy. Refuses to know what the
polynomials mean. Not constant time.
"""

import secrets
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from federated_router.kit.errors import Internal

DEGREE = 4096
MODULUS_BITS = 54
MODULUS = 18014398509309953
"""The largest 54-bit prime that is 1 modulo 2 * DEGREE; SEAL's own choice."""

ROOT = 2104035327373
"""The least primitive 2*DEGREE-th root of unity modulo MODULUS."""

CBD_WIDTH = 21
"""Bits on each side of the centred binomial; the standard deviation is 3.24."""

_Q = np.uint64(MODULUS)
_CBD_BYTES = 3
_CBD_MASK = np.uint32((1 << CBD_WIDTH) - 1)

Residues = NDArray[np.uint64]
"""Coefficients or evaluations below MODULUS, DEGREE of them on the last axis."""

RandomBytes = Callable[[int], bytes]
"""Gives that many unpredictable bytes; `secrets.token_bytes` outside tests."""


def add(left: Residues, right: Residues) -> Residues:
    """Return the sum modulo MODULUS."""
    total = left + right
    reduced: Residues = np.minimum(total, total - _Q)
    return reduced


def subtract(left: Residues, right: Residues) -> Residues:
    """Return the difference modulo MODULUS."""
    difference = left - right
    reduced: Residues = np.minimum(difference, difference + _Q)
    return reduced


def multiply(left: Residues, right: Residues) -> Residues:
    """Return the pointwise product modulo MODULUS, exactly.

    The quotient is estimated in float64 and is wrong by less than 16; the remainder is
    taken with wrapping 64-bit integers, which holds it for moduli up to 57 bits.
    """
    quotient = left.astype(np.float64) * right.astype(np.float64) / MODULUS
    remainder = left * right - quotient.astype(np.uint64) * _Q
    return (remainder.view(np.int64) % np.int64(MODULUS)).view(np.uint64)


def from_signed(coefficients: NDArray[np.integer]) -> Residues:
    """Return signed integers as residues."""
    return (coefficients.astype(np.int64) % np.int64(MODULUS)).view(np.uint64)


def to_signed(residues: Residues) -> NDArray[np.int64]:
    """Return residues as integers between -MODULUS/2 and MODULUS/2."""
    centred = residues.astype(np.int64)
    return np.where(centred > MODULUS // 2, centred - MODULUS, centred)


def to_evaluations(coefficients: Residues) -> Residues:
    """Return the negacyclic number-theoretic transform, in SEAL's order.

    Cooley-Tukey butterflies over powers of ROOT in bit-reversed order.
    """
    shape = coefficients.shape
    values = coefficients.reshape(-1, DEGREE).copy()
    powers = _root_powers(ROOT)
    blocks, half = 1, DEGREE // 2
    while half:
        view = values.reshape(-1, blocks, 2, half)
        twiddles = powers[blocks : 2 * blocks].reshape(1, blocks, 1)
        upper = view[:, :, 0].copy()
        lower = multiply(view[:, :, 1], np.broadcast_to(twiddles, upper.shape))
        view[:, :, 0] = add(upper, lower)
        view[:, :, 1] = subtract(upper, lower)
        blocks, half = 2 * blocks, half // 2
    return values.reshape(shape)


def to_coefficients(evaluations: Residues) -> Residues:
    """Return the inverse of `to_evaluations`."""
    shape = evaluations.shape
    values = evaluations.reshape(-1, DEGREE).copy()
    powers = _root_powers(pow(ROOT, -1, MODULUS))
    blocks, half = DEGREE // 2, 1
    while blocks:
        view = values.reshape(-1, blocks, 2, half)
        twiddles = powers[blocks : 2 * blocks].reshape(1, blocks, 1)
        upper, lower = view[:, :, 0].copy(), view[:, :, 1].copy()
        difference = subtract(upper, lower)
        view[:, :, 0] = add(upper, lower)
        view[:, :, 1] = multiply(
            difference, np.broadcast_to(twiddles, difference.shape)
        )
        blocks, half = blocks // 2, 2 * half
    inverse = np.full_like(values, pow(DEGREE, -1, MODULUS))
    return multiply(values, inverse).reshape(shape)


def sample_small(
    polynomials: int, *, random_bytes: RandomBytes = secrets.token_bytes
) -> NDArray[np.int8]:
    """Draw coefficients of the centred binomial, shape (polynomials, DEGREE)."""
    shape = (2, polynomials, DEGREE)
    raw = random_bytes(_CBD_BYTES * 2 * polynomials * DEGREE)
    octets = np.frombuffer(raw, dtype=np.uint8).reshape(-1, _CBD_BYTES)
    words = np.zeros((octets.shape[0], 4), dtype=np.uint8)
    words[:, :_CBD_BYTES] = octets
    ones = np.bitwise_count(words.view("<u4").reshape(shape) & _CBD_MASK)
    small: NDArray[np.int8] = ones[0].astype(np.int8) - ones[1].astype(np.int8)
    return small


@lru_cache(maxsize=2)
def _root_powers(root: int) -> Residues:
    """Return root^bitreverse(i) for i below DEGREE."""
    if pow(root, DEGREE, MODULUS) != MODULUS - 1:
        raise Internal("The ring's root of unity does not belong to its modulus.")
    bits = DEGREE.bit_length() - 1
    powers = np.empty(DEGREE, dtype=np.uint64)
    power = 1
    for index in range(DEGREE):
        powers[int(f"{index:0{bits}b}"[::-1], 2)] = power
        power = power * root % MODULUS
    powers.flags.writeable = False
    return powers
