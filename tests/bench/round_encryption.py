"""The encrypted sum alone: what NVFlare's homomorphic path does, done by this project.

Encrypt at every client, add at the coordinator, decrypt, on one vector for each client;
no shares, seals, signatures, noise or transport, which the compared path lacks as well.
"""

import time
from dataclasses import dataclass

import numpy as np

from federated_router.crypto import ckks
from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.transcript import RosterHash, RoundAttempt

VALUE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Seconds of the path, and bytes of one client's ciphertext."""

    encrypt_s: float
    sum_s: float
    decrypt_s: float
    bytes: int

    @property
    def seconds(self) -> float:
        """Return the whole path's."""
        return self.encrypt_s + self.sum_s + self.decrypt_s


def encrypted_sum(clients: int, values: int) -> Encrypted:
    """Run the path once; raise RuntimeError unless the sum is exact."""
    draw = np.random.default_rng(1)
    vectors = draw.integers(-VALUE_MAX, VALUE_MAX, (clients, values), dtype=np.int64)
    polynomials = public_polynomials(
        RoundAttempt("rounds/bench", 0), RosterHash(bytes(32)), bytes(32), count=1
    )
    begin_s = time.perf_counter()
    sent = [ckks.encrypt(vector, polynomials=polynomials) for vector in vectors]
    encrypted_s = time.perf_counter()
    total = ckks.sum_bodies((one.body for one in sent), polynomials=polynomials)
    summed_s = time.perf_counter()
    # In a round the holders' answers give this sum of the secrets and nothing else.
    secrets = np.stack([one.secret.coefficients for one in sent]).astype(np.int64)
    secret = secrets.sum(axis=0)
    opened_at_s = time.perf_counter()
    opened = ckks.open_sum(total, secret)
    ended_s = time.perf_counter()
    if not np.array_equal(opened[:values], vectors.sum(axis=0)):
        raise RuntimeError("The opened sum is not the sum of what clients sent.")
    return Encrypted(
        encrypted_s - begin_s,
        summed_s - encrypted_s,
        ended_s - opened_at_s,
        len(sent[0].body),
    )
