"""Divide a roster into cohorts that nobody could choose.

Decides the division: a uniformly random one that follows from the beacon, the same at
the coordinator and at every member. Refuses to know who the holders are (1..n, in the
order of the roster), who contributes, and how large a cohort must be.

Each cohort's sum is opened by itself, from the holders' same shares, so that members
who poison a round spoil the sums of their own cohorts only.

What the draw does not withstand: k members who see the others' nonces first can choose
which of them reveal, and so the best of 2^k divisions. Who stays away loses its place.
"""

import hashlib
from collections.abc import Iterator

import numpy as np

from federated_router.crypto.transcript import (
    RosterHash,
    RoundAttempt,
    encode_round,
)
from federated_router.kit.errors import FieldInvalid

Cohorts = tuple[tuple[int, ...], ...]
"""The holders' numbers in each cohort, rising."""

_WORD_BITS = 32
_WORDS_AT_ONCE = 1 << 7


def count(holders: int, size: int) -> int:
    """Return how many cohorts of at least `size` the holders make; 1 for size 0.

    Raises:
        FieldInvalid: no holders, or a negative size.
    """
    if holders < 1 or size < 0:
        raise FieldInvalid(
            "Cohorts have at least one holder, and a size of 0 or more.",
            field="cohort_size",
        )
    return max(1, holders // size) if size else 1


def assign(
    attempt: RoundAttempt,
    roster_hash: RosterHash,
    beacon: bytes,
    *,
    holders: int,
    size: int,
) -> Cohorts:
    """Return the cohorts of holders 1..`holders`, in the order of their numbers.

    Each has at least `size` holders, or is the whole roster where it is smaller; sizes
    differ by at most 1. Size 0 makes one cohort. Drawn by Fisher and Yates' shuffle
    with numbers from SHAKE-256, of which those that would favour a place are refused.

    Raises:
        FieldInvalid: no holders, or a negative size.
    """
    cohorts = count(holders, size)
    seed = encode_round("cohorts", attempt, roster_hash, beacon)
    order = list(range(1, holders + 1))
    if cohorts > 1:
        _shuffle(order, _words(seed))
    return tuple(tuple(sorted(order[first::cohorts])) for first in range(cohorts))


def _shuffle(order: list[int], words: Iterator[int]) -> None:
    for last in range(len(order) - 1, 0, -1):
        chosen = _below(last + 1, words)
        order[last], order[chosen] = order[chosen], order[last]


def _below(bound: int, words: Iterator[int]) -> int:
    """Return a uniform number below `bound`; words in the incomplete range pass by."""
    complete = (1 << _WORD_BITS) // bound * bound
    return next(word for word in words if word < complete) % bound


def _words(seed: bytes) -> Iterator[int]:
    """Yield 32-bit words, little-endian, of SHAKE-256 of the seed, without end."""
    expander = hashlib.shake_256(seed)
    taken, asked = 0, _WORDS_AT_ONCE
    while True:
        stream = expander.digest(asked * _WORD_BITS // 8)
        yield from np.frombuffer(stream, dtype="<u4")[taken:].tolist()
        taken, asked = asked, 2 * asked
