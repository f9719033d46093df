"""Encrypt integer vectors under one-time keys, add them in TenSEAL, open the sum.

Decides the scheme: key-additive CKKS with public polynomials common to the round,
c_i = encode(m_i) - a*s_i + e_i, so that sum c_i decrypts under sum s_i (the family of
ACORN, LERNA and Willow). Refuses to know who sent what, and where shares go.
"""

import math
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import tenseal.sealapi as seal
from numpy.typing import NDArray

from federated_router.crypto import body, ring, seal_bytes
from federated_router.crypto.ring import RandomBytes, Residues
from federated_router.kit.errors import CiphertextMalformed, HeadroomExceeded

SLOTS = ring.DEGREE // 2
"""Integers in one ciphertext."""

SUM_BOUND = 1 << 28
"""No slot of a sum, and so no contributed integer, may reach this in magnitude."""

_ROUNDING_SIGMAS = 10.0
_FLOAT_SLACK = 2.0**-16
_VARIANCE = ring.CBD_WIDTH / 2 + 1 / 12
"""Of one member's error in one coefficient: binomial, and rounding by the encoder."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class OneTimeSecret:
    """The key of one contribution: DEGREE coefficients in [-21, 21], to be shared."""

    coefficients: NDArray[np.int8] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Encryption:
    """What a member sends, `body`, and what it shares among the holders, `secret`."""

    body: bytes = field(repr=False)
    secret: OneTimeSecret


@dataclass(frozen=True, slots=True)
class SummedCiphertext:
    """The sum (C, a) inside SEAL, one ciphertext for each public polynomial."""

    parts: tuple[seal.Ciphertext, ...] = field(repr=False)
    contributors: int


def ciphertexts_for(values: int) -> int:
    """Return how many public polynomials a vector of `values` integers needs."""
    return max(1, math.ceil(values / SLOTS))


def encrypt(
    values: Integers,
    *,
    polynomials: Residues,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> Encryption:
    """Encrypt integers under a secret that this call draws and nobody can reuse.

    Args:
        values: at most SLOTS for each public polynomial, below SUM_BOUND in magnitude;
            missing ones are 0.
        polynomials: the round's public polynomials, shape (k, DEGREE), evaluations.
        random_bytes: the operating system's, unless a test replays one.

    Raises:
        HeadroomExceeded: too many or too large values.
    """
    ciphertexts = len(polynomials)
    padded = _padded(values, ciphertexts)
    small = ring.sample_small(1 + ciphertexts, random_bytes=random_bytes)
    noise = ring.to_evaluations(ring.from_signed(small))
    message = np.stack(
        [seal_bytes.encode(row) for row in padded.astype(float).tolist()]
    )
    masks = ring.multiply(polynomials, np.broadcast_to(noise[0], polynomials.shape))
    ciphertext = ring.subtract(ring.add(message, noise[1:]), masks)
    return Encryption(body.to_bytes(ciphertext), OneTimeSecret(small[0]))


def sum_bodies(bodies: Iterable[bytes], *, polynomials: Residues) -> SummedCiphertext:
    """Add contributions homomorphically in TenSEAL; only one is in memory at a time.

    The first enters as (c_1, a), the others as (c_i, 0).

    Raises:
        CiphertextMalformed: a body that `body.from_bytes` refuses, or none at all.
    """
    evaluator = seal.Evaluator(seal_bytes.context())
    ciphertexts = len(polynomials)
    nothing = np.zeros(ring.DEGREE, dtype=np.uint64)
    parts: list[seal.Ciphertext] = []
    contributors = 0
    for content in bodies:
        rows = body.from_bytes(content, ciphertexts=ciphertexts)
        contributors += 1
        if not parts:
            pairs = zip(rows, polynomials, strict=True)
            parts = [seal_bytes.load_ciphertext(row, a) for row, a in pairs]
            continue
        for part, row in zip(parts, rows, strict=True):
            evaluator.add_inplace(part, seal_bytes.load_ciphertext(row, nothing))
    if not parts:
        raise CiphertextMalformed("There is no contribution to add.", field="bodies")
    return SummedCiphertext(tuple(parts), contributors)


def decrypt(total: SummedCiphertext, secret: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the slots of `total` under the summed secret, as CKKS gives them."""
    key = ring.to_evaluations(ring.from_signed(secret))
    decryptor = seal.Decryptor(seal_bytes.context(), seal_bytes.load_secret_key(key))
    slots: list[list[float]] = []
    for part in total.parts:
        plaintext = seal.Plaintext()
        decryptor.decrypt(part, plaintext)
        slots.append(seal_bytes.encoder().decode_double(plaintext))
    return np.array(slots).reshape(-1)


def open_sum(total: SummedCiphertext, secret: NDArray[np.int64]) -> Integers:
    """Return the exact integer sum, SLOTS for each ciphertext.

    Raises:
        CiphertextMalformed: the slots are no integers within bounds. Then a body was
            mutated, made for other polynomials or another secret, or a holder lied.
    """
    slots = decrypt(total, secret)
    rounded = np.rint(slots)
    distance = float(np.abs(slots - rounded).max())
    magnitude = float(np.abs(rounded).max())
    near = distance <= rounding_distance_max(total.contributors)
    if not (near and magnitude <= SUM_BOUND):
        raise CiphertextMalformed(
            "The sum does not open to integers: a contribution or a share does not "
            "belong to this round.",
            field="contributions",
        )
    return rounded.astype(np.int64)


def rounding_distance_max(contributors: int) -> float:
    """Return how far from an integer an honest sum's slot may lie.

    Ten standard deviations of the real part of a slot,
    sqrt(N/2 * contributors * variance) / Delta, and room for float64.
    """
    deviation = math.sqrt(ring.DEGREE / 2 * contributors * _VARIANCE)
    return _ROUNDING_SIGMAS * deviation / seal_bytes.SCALE + _FLOAT_SLACK


def _padded(values: Integers, ciphertexts: int) -> Integers:
    if len(values) > ciphertexts * SLOTS:
        raise HeadroomExceeded(
            f"The round's {ciphertexts} ciphertexts hold {ciphertexts * SLOTS} values; "
            f"{len(values)} were given."
        )
    if bool(((values >= SUM_BOUND) | (values <= -SUM_BOUND)).any()):
        raise HeadroomExceeded(f"A contributed integer reaches {SUM_BOUND}.")
    padded = np.zeros(ciphertexts * SLOTS, dtype=np.int64)
    padded[: len(values)] = values
    return padded.reshape(ciphertexts, SLOTS)
