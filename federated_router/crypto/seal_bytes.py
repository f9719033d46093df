"""Lay out bytes as SEAL 4 reads them, and hand them over without touching a disk.

Decides the byte layout and the one SEAL context of this protocol. Refuses to know
rounds, members and sums; nothing that comes from the network is parsed here.
Needs Linux: SEAL loads from a path, and the path is one of an anonymous memory file.
"""

import os
import struct
from functools import lru_cache
from typing import Protocol

import numpy as np
import tenseal.sealapi as seal

from federated_router.crypto.ring import DEGREE, MODULUS, MODULUS_BITS, Residues
from federated_router.kit.errors import Internal

SCALE = float(1 << 24)
"""Delta of CKKS: 2^24 leaves 2^28 for the sum and rounds 1,000 members exactly."""

_UNCOMPRESSED = 0
_HEADER = "<HBBBBHQ"
_HEADER_BYTES = 16


class _Loadable(Protocol):
    def load(self, context: seal.SEALContext, path: str, /) -> None: ...


@lru_cache(maxsize=1)
def context() -> seal.SEALContext:
    """Return the context; SEAL itself enforces its table for 128-bit security."""
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(DEGREE)
    parameters.set_coeff_modulus(seal.CoeffModulus.Create(DEGREE, [MODULUS_BITS]))
    found = seal.SEALContext(parameters, False, seal.SEC_LEVEL_TYPE.TC128)  # noqa: FBT003
    if not found.parameters_set() or _modulus(parameters) != MODULUS:
        raise Internal("This SEAL chooses another ring than the protocol's.")
    return found


@lru_cache(maxsize=1)
def encoder() -> seal.CKKSEncoder:
    """Return the encoder of `context`."""
    return seal.CKKSEncoder(context())


def plaintext_bytes(polynomial: Residues, scale: float) -> bytes:
    """Return one polynomial in evaluations as SEAL's Plaintext."""
    head = struct.pack("<4QQd", *context().key_parms_id(), DEGREE, scale)
    return _framed(head + _words(polynomial))


def ciphertext_bytes(first: Residues, second: Residues) -> bytes:
    """Return (c0, c1) in evaluations as SEAL's Ciphertext of two polynomials."""
    head = struct.pack(
        "<4QBQQQdQ", *context().first_parms_id(), 1, 2, DEGREE, 1, SCALE, 1
    )
    return _framed(head + _words(np.concatenate([first, second])))


def load_ciphertext(first: Residues, second: Residues) -> seal.Ciphertext:
    """Return (c0, c1) inside SEAL; SEAL checks it against the context."""
    ciphertext = seal.Ciphertext()
    _load(ciphertext, ciphertext_bytes(first, second))
    return ciphertext


def load_secret_key(polynomial: Residues) -> seal.SecretKey:
    """Return a secret polynomial in evaluations as SEAL's key."""
    key = seal.SecretKey()
    _load(key, plaintext_bytes(polynomial, 1.0))
    return key


def encode(values: list[float]) -> Residues:
    """Return SEAL's CKKS encoding of at most DEGREE / 2 reals, in evaluations."""
    plaintext = seal.Plaintext()
    encoder().encode(values, context().first_parms_id(), SCALE, plaintext)
    return np.fromiter(plaintext.dyn_array(), dtype=np.uint64, count=DEGREE)


def _modulus(parameters: seal.EncryptionParameters) -> int:
    (only,) = parameters.coeff_modulus()
    return int(only.value())


def _words(words: Residues) -> bytes:
    content = np.ascontiguousarray(words, dtype="<u8").tobytes()
    return _framed(struct.pack("<Q", len(words)) + content)


def _framed(content: bytes) -> bytes:
    """Put SEAL's own header before `content`; the version must be the library's."""
    own = seal.Serialization.SEALHeader()
    header = struct.pack(
        _HEADER,
        own.magic,
        own.header_size,
        own.version_major,
        own.version_minor,
        _UNCOMPRESSED,
        0,
        _HEADER_BYTES + len(content),
    )
    return header + content


def _load(target: _Loadable, content: bytes) -> None:
    descriptor = os.memfd_create("seal", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        target.load(context(), f"/proc/self/fd/{descriptor}")
