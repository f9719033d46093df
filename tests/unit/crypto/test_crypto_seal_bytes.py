"""SEAL reads the bytes that we lay out, and they stay the same."""

import cmath
import hashlib
import math

import numpy as np
import pytest

from federated_router.crypto import ring, seal_bytes

CIPHERTEXT_DIGEST = "9ff2e37faa2f2c3ef09532bb344bf4bb833beee9a4e0a4a800995db8eb17d4f5"
PLAINTEXT_DIGEST = "9f77ecd3fb4de7741c44b147c73ca0c7c9bb34a4282077828b7a6d03c3b54665"


def uniform(seed: int) -> ring.Residues:
    """Return one reproducible polynomial."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, ring.MODULUS, ring.DEGREE, dtype=np.uint64)


def test_seal_holds_exactly_the_polynomials_we_wrote() -> None:
    """Both polynomials, in order, and the scale."""
    first, second = uniform(1), uniform(2)

    loaded = seal_bytes.load_ciphertext(first, second)

    words = np.fromiter(loaded.dyn_array(), dtype=np.uint64, count=2 * ring.DEGREE)
    assert np.array_equal(words, np.concatenate([first, second]))
    assert (loaded.scale, loaded.size()) == (seal_bytes.SCALE, 2)
    assert loaded.is_ntt_form()


def test_byte_layout_has_its_frozen_digest() -> None:
    """Another version of the library shows here before it shows in a round."""
    counting = np.arange(ring.DEGREE, dtype=np.uint64)

    ciphertext = seal_bytes.ciphertext_bytes(counting, counting[::-1])
    plaintext = seal_bytes.plaintext_bytes(counting, 1.0)

    assert hashlib.sha256(ciphertext).hexdigest() == CIPHERTEXT_DIGEST
    assert hashlib.sha256(plaintext).hexdigest() == PLAINTEXT_DIGEST


def test_seal_refuses_a_residue_above_the_modulus() -> None:
    """The library's own check stands behind ours."""
    polynomial = uniform(3)
    polynomial[0] = ring.MODULUS

    with pytest.raises(RuntimeError, match="data is invalid"):
        seal_bytes.load_ciphertext(polynomial, uniform(4))


def test_encoding_is_the_canonical_embedding() -> None:
    """An encoder of our own reading of CKKS: slot j is the value at zeta^(3^j)."""
    values = [float(value) for value in range(-1024, 1024)]

    evaluations = seal_bytes.encode(values)

    signed = ring.to_signed(ring.to_coefficients(evaluations)).astype(float)
    twist = [cmath.exp(1j * math.pi * i / ring.DEGREE) for i in range(ring.DEGREE)]
    at_odd_powers = np.fft.ifft(signed * np.array(twist)) * ring.DEGREE
    powers = [pow(3, j, 2 * ring.DEGREE) // 2 for j in range(ring.DEGREE // 2)]
    slots = at_odd_powers[powers].real / seal_bytes.SCALE
    assert np.abs(slots - values).max() < 1e-4
