"""Bodies are read strictly: one form for each ciphertext, and nothing else."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.crypto import body, ring
from federated_router.kit.errors import CiphertextMalformed

SIZE = body.CIPHERTEXT_BYTES
BODY_HEAD = "00000000000040fa9fc0f4930020"
BODY_DIGEST = "f1d9bdb26761abefea2414b6b9e9a0c52673c62e1892c59e3bb8a2943117391e"
"""Checked once as one little-endian integer, the sum of r_i * 2^(54 i)."""


def uniform(seed: int, rows: int) -> ring.Residues:
    """Return reproducible residues."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, ring.MODULUS, (rows, ring.DEGREE), dtype=np.uint64)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_every_residue_returns_from_the_wire(rows: int) -> None:
    """Largest and smallest residues included."""
    polynomials = uniform(1, rows)
    polynomials[0, :3] = [0, 1, ring.MODULUS - 1]

    content = body.to_bytes(polynomials)

    assert len(content) == rows * SIZE
    assert np.array_equal(body.from_bytes(content, ciphertexts=rows), polynomials)


def test_layout_has_its_frozen_digest() -> None:
    """The wire form is part of the protocol, not of this release."""
    polynomials = np.arange(ring.DEGREE, dtype=np.uint64)[None, :] * np.uint64(3**26)

    content = body.to_bytes(polynomials)

    assert content[:14].hex() == BODY_HEAD
    assert hashlib.sha256(content).hexdigest() == BODY_DIGEST


@pytest.mark.parametrize("length", [0, 1, SIZE - 1, SIZE + 1, 2 * SIZE])
def test_other_lengths_are_refused(length: int) -> None:
    """A length decides before anything is parsed."""
    with pytest.raises(CiphertextMalformed) as caught:
        body.from_bytes(b"\x01" * length, ciphertexts=1)

    assert caught.value.metadata["field"] == "ciphertext"


def test_residue_at_the_modulus_is_refused() -> None:
    """It would be a second form of zero."""
    polynomials = uniform(2, 1)
    polynomials[0, 7] = ring.MODULUS

    with pytest.raises(CiphertextMalformed, match="below the modulus"):
        body.from_bytes(body.to_bytes(polynomials), ciphertexts=1)


def test_zeros_are_refused_in_any_of_several_ciphertexts() -> None:
    """A transparent ciphertext shows that its sender hid nothing."""
    polynomials = uniform(3, 2)
    polynomials[1] = 0

    with pytest.raises(CiphertextMalformed, match="zeros"):
        body.from_bytes(body.to_bytes(polynomials), ciphertexts=2)


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=64),
    place=st.integers(0, SIZE - 1),
    ciphertexts=st.integers(1, 3),
)
def test_any_bytes_are_read_or_refused_by_name(
    content: bytes, place: int, ciphertexts: int
) -> None:
    """Nothing a member sends raises anything but CiphertextMalformed."""
    full = bytearray(b"\xff" * SIZE * ciphertexts)
    full[place : place + len(content)] = content

    for attempt in (content, bytes(full), bytes(full)[: SIZE * ciphertexts]):
        try:
            read = body.from_bytes(attempt, ciphertexts=ciphertexts)
        except CiphertextMalformed:
            continue
        assert body.to_bytes(read) == attempt


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32), place=st.integers(0, SIZE - 1), bit=st.integers(0, 7)
)
def test_flipped_bit_gives_another_ciphertext_or_a_refusal(
    seed: int, place: int, bit: int
) -> None:
    """No two bodies mean the same polynomial."""
    polynomials = uniform(seed, 1)
    content = bytearray(body.to_bytes(polynomials))
    content[place] ^= 1 << bit

    try:
        read = body.from_bytes(bytes(content), ciphertexts=1)
    except CiphertextMalformed:
        return

    assert not np.array_equal(read, polynomials)
