"""The deployment's cache key: digests that tell nothing, and content that is sealed.

Decides that whoever reads the disk or the Redis server learns sizes, times and which
entries are equal, and neither a prompt, an answer nor a tenant; and that nobody who can
write there can put an answer in the place of another, or make one last longer. Refuses
to know what is sealed. Whoever has the key file reads everything.

BLAKE2b (RFC 7693) keyed, as a pseudorandom function for digests and for one key an
entry; HKDF-SHA256 (RFC 5869) for the keys of each use; AES-256-GCM (NIST SP 800-38D)
with random nonces, under keys that few messages share.
"""

import hashlib
import math
import secrets
import struct
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from federated_router.cache.entries import Place, StoredAnswer

SECRET_BYTES: Final = 32
TENANT_BYTES: Final = 16
DIGEST_BYTES: Final = 32
HEADER: Final = struct.Struct(">4sQ16s")
_MAGIC: Final = b"FRA1"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
SEALED_OVERHEAD_BYTES: Final = HEADER.size + _NONCE_BYTES + _TAG_BYTES


class Unreadable(Exception):
    """The bytes are no answer that this deployment kept in this place."""


class CacheSecret:
    """What the key of a deployment can do; it shows itself to nobody."""

    __slots__ = ("_questions", "_seals", "_tenants")

    def __init__(self, secret: bytes) -> None:
        """Derive the keys of each use from 32 secret bytes."""
        if len(secret) != SECRET_BYTES:
            raise ValueError("A cache key has 32 bytes.")
        self._questions = _derived(secret, b"questions")
        self._tenants = _derived(secret, b"tenants")
        self._seals = _derived(secret, b"seals")

    @classmethod
    def fresh(cls) -> Self:
        """Return one that ends with this process."""
        return cls(secrets.token_bytes(SECRET_BYTES))

    def place(self, *, tenant: str, question: bytes) -> Place:
        """Return where a tenant's answer to a question lies."""
        whom = _keyed(self._tenants, tenant.encode(), size=TENANT_BYTES)
        return Place(
            digest=_keyed(self._questions, whom + question, size=DIGEST_BYTES),
            tenant=whom,
        )

    def seal(self, place: Place, answer: StoredAnswer) -> bytes:
        """Return an answer as bytes that only this place and this key open.

        Its end is readable, in whole milliseconds, and cannot be changed.
        """
        header = HEADER.pack(_MAGIC, _milliseconds(answer), place.tenant)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher(place).encrypt(
            nonce, answer.content, header + place.digest
        )
        return header + nonce + sealed

    def open(self, place: Place, sealed: bytes) -> StoredAnswer:
        """Return what was sealed for a place; raise Unreadable for anything else."""
        expires_time_s, tenant = read_header(sealed)
        header, rest = sealed[: HEADER.size], sealed[HEADER.size :]
        nonce, content = rest[:_NONCE_BYTES], rest[_NONCE_BYTES:]
        if tenant != place.tenant or len(content) < _TAG_BYTES:
            raise Unreadable
        try:
            plain = self._cipher(place).decrypt(nonce, content, header + place.digest)
        except InvalidTag:
            raise Unreadable from None
        return StoredAnswer(content=plain, expires_time_s=expires_time_s)

    def _cipher(self, place: Place) -> AESGCM:
        return AESGCM(_keyed(self._seals, place.digest, size=32))


def read_header(sealed: bytes) -> tuple[float, bytes]:
    """Return the end (Unix time) and the tenant that sealed bytes claim.

    Raises Unreadable where they are no sealed answer. Only `open` proves the claim.
    """
    try:
        magic, expires_ms, tenant = HEADER.unpack_from(sealed)
    except struct.error:
        raise Unreadable from None
    if magic != _MAGIC:
        raise Unreadable
    return expires_ms / 1000, tenant


def _milliseconds(answer: StoredAnswer) -> int:
    return math.floor(answer.expires_time_s * 1000)


def _keyed(key: bytes, content: bytes, *, size: int) -> bytes:
    return hashlib.blake2b(content, key=key, digest_size=size).digest()


def _derived(secret: bytes, use: bytes) -> bytes:
    return HKDF(
        algorithm=SHA256(),
        length=SECRET_BYTES,
        salt=None,
        info=b"federated-router cache 1 " + use,
    ).derive(secret)
