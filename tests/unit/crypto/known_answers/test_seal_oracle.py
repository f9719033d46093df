"""SEAL against our own arithmetic: the sum, its decryption, and the size of its error.

The product adds and decrypts in SEAL and encrypts in numpy. Here numpy does all three,
with a decoder of its own, and both must tell the same numbers.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from federated_router.crypto import beacon, body, ckks, ring, seal_bytes
from federated_router.crypto.ring import Residues
from tests.unit.crypto.known_answers import inputs

ERROR_RATE = 1e-6
Sums = tuple[Residues, NDArray[np.int64], ckks.SummedCiphertext]


def decoded(
    ciphertext: Residues, a: Residues, secret: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Decrypt C + a * S and decode by the canonical embedding, in numpy alone.

    Slot j is the message at the root of unity zeta^(3^j); an FFT behind a twist by
    zeta gives the values at all odd powers.
    """
    key = ring.to_evaluations(ring.from_signed(secret))
    message = ring.to_coefficients(ring.add(ciphertext, ring.multiply(a, key)))
    coefficients = ring.to_signed(message).astype(np.float64)
    twist = np.exp(1j * np.pi * np.arange(ring.DEGREE) / ring.DEGREE)
    odd = np.fft.ifft(coefficients * twist) * ring.DEGREE
    powers = [pow(3, slot, 2 * ring.DEGREE) for slot in range(ckks.SLOTS)]
    order = (np.array(powers) - 1) // 2
    slots: NDArray[np.float64] = odd[order].real / seal_bytes.SCALE
    return slots


def summed(members: int, *, values: NDArray[np.int64]) -> tuple[Residues, Sums]:
    """Return the polynomial, and the members' sum in numpy and in SEAL."""
    a = beacon.public_polynomials(inputs.ATTEMPT, inputs.ROSTER, inputs.BEACON, count=1)
    source = inputs.stream(f"oracle/{members}")
    secret = np.zeros(ring.DEGREE, dtype=np.int64)
    total = np.zeros((1, ring.DEGREE), dtype=np.uint64)
    bodies = []
    for _ in range(members):
        made = ckks.encrypt(values, polynomials=a, random_bytes=source)
        bodies.append(made.body)
        secret += made.secret.coefficients
        total = ring.add(total, body.from_bytes(made.body, ciphertexts=1))
    return a[0], (total[0], secret, ckks.sum_bodies(bodies, polynomials=a))


@pytest.mark.parametrize("members", [1, 2, 10, 32])
def test_seal_and_numpy_tell_the_same_sum(members: int) -> None:
    """Float64 leaves 2^-30 between two ways to decode; the integers are the same."""
    values = np.random.default_rng(members).integers(-(10**6), 10**6, ckks.SLOTS)
    a, (total, secret, in_seal) = summed(members, values=values)

    theirs = ckks.decrypt(in_seal, secret)
    ours = decoded(total, a, secret)

    assert float(np.abs(theirs - ours).max()) < 2**-20
    assert np.array_equal(np.rint(ours).astype(np.int64), members * values)
    assert np.array_equal(ckks.open_sum(in_seal, secret), members * values)


def test_oracle_sees_a_wrong_secret() -> None:
    """Both tell rubbish under another secret: the comparison above can fail."""
    values = np.arange(ckks.SLOTS)
    a, (total, secret, in_seal) = summed(2, values=values)
    secret[0] += 1

    assert float(np.abs(decoded(total, a, secret) - 2 * values).max()) > 1
    assert float(np.abs(ckks.decrypt(in_seal, secret) - 2 * values).max()) > 1


def error_p_value(members: int) -> float:
    """Return the two-sided chi-square p-value of the slots' errors' variance.

    The real part of a slot has variance N/2 * members * (21/2 + 1/12) / Delta^2; slots
    of zeros leave nothing but the error.
    """
    values = np.zeros(ckks.SLOTS, dtype=np.int64)
    _, (_, secret, in_seal) = summed(members, values=values)
    errors = ckks.decrypt(in_seal, secret)
    variance = ring.DEGREE / 2 * members * (ring.CBD_WIDTH / 2) / seal_bytes.SCALE**2
    statistic = float((errors**2).sum()) / variance
    below = float(stats.chi2.cdf(statistic, ckks.SLOTS))
    return 2 * min(below, 1 - below)


@pytest.mark.parametrize("members", [2, 10, 100])
def test_error_of_a_sum_follows_its_formula(members: int) -> None:
    """Zeros are encoded exactly. False alarm rate 1e-6; the randomness is replayed."""
    assert error_p_value(members) > ERROR_RATE


@pytest.mark.simulation
@pytest.mark.timeout(300)
def test_error_of_a_thousand_follows_its_formula() -> None:
    """The largest roster but for a third; rounding is safe by orders of magnitude."""
    assert error_p_value(1000) > ERROR_RATE
    deviation = math.sqrt(ring.DEGREE / 2 * 1000 * (21 / 2)) / seal_bytes.SCALE
    assert ckks.rounding_distance_max(1000) > 10 * deviation
