"""The cohorts of a round, drawn once.

Decides that they are kept for every look at the same roster. Refuses to know rounds,
and how they are drawn (`crypto.cohorts`).
"""

from functools import lru_cache

from federated_router.crypto import cohorts
from federated_router.crypto.transcript import RosterHash, RoundAttempt


@lru_cache(maxsize=8)
def drawn(
    attempt: RoundAttempt,
    roster_hash: RosterHash,
    beacon: bytes,
    holders: int,
    size: int,
) -> tuple[tuple[int, ...], ...]:
    """Return the holders' numbers by cohort."""
    return cohorts.assign(attempt, roster_hash, beacon, holders=holders, size=size)
