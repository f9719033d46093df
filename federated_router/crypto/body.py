"""Write and strictly read the bytes of a contribution: 54 bits for each coefficient.

Decides the wire form of ciphertext polynomials. Refuses to know keys and meaning, and
to accept anything that the sender's own encoder would not have written.
"""

import numpy as np

from federated_router.crypto.ring import DEGREE, MODULUS, MODULUS_BITS, Residues
from federated_router.kit.errors import CiphertextMalformed

CIPHERTEXT_BYTES = DEGREE * MODULUS_BITS // 8
"""27,648: one polynomial, little-endian bit order, no header."""

_WORD_BITS = 64


def to_bytes(polynomials: Residues) -> bytes:
    """Return k x DEGREE residues as k * CIPHERTEXT_BYTES bytes."""
    octets = np.ascontiguousarray(polynomials, dtype="<u8").view(np.uint8)
    bits = np.unpackbits(octets, bitorder="little").reshape(-1, _WORD_BITS)
    return np.packbits(bits[:, :MODULUS_BITS], bitorder="little").tobytes()


def from_bytes(body: bytes, *, ciphertexts: int) -> Residues:
    """Return the polynomials of `body`, shape (ciphertexts, DEGREE).

    Raises:
        CiphertextMalformed: wrong length, a residue that is not below MODULUS, or a
            polynomial of zeros, which hides nothing.
    """
    if len(body) != ciphertexts * CIPHERTEXT_BYTES:
        raise _malformed(
            f"Send {ciphertexts} ciphertexts of {CIPHERTEXT_BYTES} bytes each; "
            f"{len(body)} bytes came."
        )
    octets = np.frombuffer(body, dtype=np.uint8)
    bits = np.unpackbits(octets, bitorder="little").reshape(-1, MODULUS_BITS)
    words = np.zeros((bits.shape[0], _WORD_BITS), dtype=np.uint8)
    words[:, :MODULUS_BITS] = bits
    residues = np.packbits(words, bitorder="little").view("<u8").astype(np.uint64)
    polynomials = residues.reshape(ciphertexts, DEGREE)
    if bool((polynomials >= MODULUS).any()):
        raise _malformed("A residue of the ciphertext is not below the modulus.")
    if not bool(polynomials.any(axis=1).all()):
        raise _malformed("A ciphertext of zeros hides nothing and is refused.")
    return polynomials


def _malformed(message: str) -> CiphertextMalformed:
    return CiphertextMalformed(message, field="ciphertext")
