"""What the tests of the crypto package share: replayed bytes and a fixed round."""

import hashlib
from collections.abc import Callable

import pytest

from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.ring import RandomBytes, Residues
from federated_router.crypto.transcript import RosterHash, RoundAttempt

Replay = Callable[[str], RandomBytes]


@pytest.fixture(scope="session")
def replay() -> Replay:
    """Give a stream of bytes that is the same in every run, by its seed."""

    def from_seed(seed: str) -> RandomBytes:
        taken = 0

        def random_bytes(count: int) -> bytes:
            nonlocal taken
            taken += 1
            return hashlib.shake_256(f"{seed}/{taken}".encode()).digest(count)

        return random_bytes

    return from_seed


@pytest.fixture(scope="session")
def attempt() -> RoundAttempt:
    """Give the round that the tests are about."""
    return RoundAttempt("rounds/r-1", 0)


@pytest.fixture(scope="session")
def roster() -> RosterHash:
    """Give a roster hash that stands for any."""
    return RosterHash(hashlib.sha256(b"roster").digest())


@pytest.fixture(scope="session")
def polynomials(attempt: RoundAttempt, roster: RosterHash) -> Residues:
    """Give two public polynomials."""
    return public_polynomials(attempt, roster, bytes(32), count=2)
