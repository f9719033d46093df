"""The fixed inputs of the frozen answers.

Nothing here depends on the product's code beyond its types, and nothing is random.
"""

import hashlib
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName, RosterHash, RoundAttempt

ROUND_NAME = "rounds/20300101t000000-0123456789abcdef"
ATTEMPT = RoundAttempt(ROUND_NAME, 0)
LAYOUT = bytes(range(32))
NAMES = tuple(
    MemberName(name) for name in ("node/alpha", "node/beta", "node/gamma", "router/one")
)
ROSTER = RosterHash(hashlib.sha256(b"frozen roster").digest())
BEACON = hashlib.sha256(b"frozen beacon").digest()
NOT_AFTER_S = 1_893_456_000
ROSTER_SIZES = (3, 4, 10, 100)
DIVISIONS = ((4, 0), (3, 5), (12, 3), (14, 3), (100, 8))
"""Holders, and the least size of a cohort."""


def seed(purpose: str, *words: object) -> bytes:
    """Return 32 bytes that stand for a secret or a nonce."""
    return hashlib.sha256("/".join(map(str, (purpose, *words))).encode()).digest()


def stream(purpose: str) -> Callable[[int], bytes]:
    """Return a source of bytes for product code that asks for randomness."""
    taken = 0

    def random_bytes(count: int) -> bytes:
        nonlocal taken
        taken += 1
        return hashlib.shake_256(f"{purpose}/{taken}".encode()).digest(count)

    return random_bytes


def keys_of(name: str) -> MemberKeys:
    """Return a member's fixed keys."""
    return MemberKeys(
        Ed25519PrivateKey.from_private_bytes(seed("signing", name)),
        X25519PrivateKey.from_private_bytes(seed("sealing", name)),
    )


def secret(degree: int) -> list[int]:
    """Return small coefficients in [-21, 21] in a fixed disorder."""
    return [(index * index * 7 + index * 13) % 43 - 21 for index in range(degree)]


def sha256(content: bytes) -> str:
    """Return the digest in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
