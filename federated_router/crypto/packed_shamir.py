"""Share the coefficients of a one-time secret among the holders of a round.

Decides thresholds, the packing of several secrets into one polynomial (Franklin and
Yung 1992) over F_65521, and the wire form of a share. Refuses to know who the holders
are: here they are 1..n, in the order of the roster.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto import field
from federated_router.crypto.field import PRIME, Elements
from federated_router.crypto.ring import CBD_WIDTH, DEGREE, RandomBytes
from federated_router.kit.errors import (
    CiphertextMalformed,
    HeadroomExceeded,
    RosterTooSmall,
)

ROSTER_SIZE_MIN = 3
ROSTER_SIZE_MAX = (PRIME // 2) // CBD_WIDTH
"""1,560: sums of so many coefficients in [-21, 21] do not wrap around the prime."""

Share = NDArray[np.uint16]
"""One holder's values, one for each polynomial (`Thresholds.columns`)."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """How many holders learn nothing, and how many open.

    `privacy` holders together learn nothing; `reconstruct` = `privacy` + `pack` open.
    As 2 * reconstruct > holders + corrupt, two different sets of survivors cannot both
    be opened as long as at most `corrupt` holders answer twice.
    """

    holders: int
    corrupt: int
    privacy: int
    pack: int

    @classmethod
    def for_roster(cls, holders: int) -> "Thresholds":
        """Choose thresholds for so many holders.

        Raises:
            RosterTooSmall: fewer than ROSTER_SIZE_MIN.
            HeadroomExceeded: more than ROSTER_SIZE_MAX.
        """
        if holders < ROSTER_SIZE_MIN:
            raise RosterTooSmall(
                f"A round needs {ROSTER_SIZE_MIN} members; {holders} take part.",
                metadata={"members": str(holders), "needed": str(ROSTER_SIZE_MIN)},
            )
        if holders > ROSTER_SIZE_MAX:
            raise HeadroomExceeded(
                f"A round holds {ROSTER_SIZE_MAX} members; split {holders} in cohorts.",
                metadata={"members": str(holders), "max": str(ROSTER_SIZE_MAX)},
            )
        corrupt = (holders - 1) // 3
        reconstruct = (holders + corrupt) // 2 + 1
        privacy = min(max(1, holders // 2), reconstruct - 1)
        return cls(holders, corrupt, privacy, reconstruct - privacy)

    @property
    def reconstruct(self) -> int:
        """Return how many answers open a sum."""
        return self.privacy + self.pack

    @property
    def columns(self) -> int:
        """Return how many polynomials, and so elements of a share, a secret takes."""
        return -(-DEGREE // self.pack)

    @property
    def share_bytes(self) -> int:
        """Return the length of a share on the wire."""
        return 2 * self.columns

    @property
    def holder_points(self) -> Elements:
        """Return where the holders' shares lie: 1..n."""
        return np.arange(1, self.holders + 1, dtype=np.int64)

    @property
    def secret_points(self) -> Elements:
        """Return where the packed secrets lie: -1..-pack, modulo the prime."""
        return PRIME - np.arange(1, self.pack + 1, dtype=np.int64)

    def liars_located_max(self, answers: int) -> int:
        """Return how many liars among so many answers are certain to be named."""
        return max(0, (answers - self.reconstruct) // 2)


def deal(
    coefficients: NDArray[np.integer],
    thresholds: Thresholds,
    *,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> tuple[Share, ...]:
    """Return one share for each holder, in roster order.

    Each polynomial takes `pack` coefficients at the secret points and uniform values
    at the first `privacy` holders' points, and is evaluated at all the others.
    """
    padded = np.zeros(thresholds.columns * thresholds.pack, dtype=np.int64)
    padded[:DEGREE] = coefficients
    rows = padded.reshape(thresholds.columns, thresholds.pack).T % PRIME
    shape = (thresholds.privacy, thresholds.columns)
    uniform = field.sample(shape[0] * shape[1], random_bytes=random_bytes)
    shares = field.matrix_product(
        _dealing_matrix(thresholds), np.concatenate([rows, uniform.reshape(shape)])
    )
    return tuple(shares.astype(np.uint16))


@lru_cache(maxsize=4)
def _dealing_matrix(thresholds: Thresholds) -> Elements:
    """Return what takes secrets and uniform values to all the holders' shares."""
    holders = thresholds.holder_points
    known = np.concatenate([thresholds.secret_points, holders[: thresholds.privacy]])
    matrix = field.interpolation(known, holders)
    matrix.flags.writeable = False
    return matrix


def sum_shares(shares: Sequence[Share]) -> Share:
    """Return the holder's answer: its shares of all accepted secrets, added."""
    total: Elements = np.stack(shares).astype(np.int64).sum(axis=0) % PRIME
    return total.astype(np.uint16)


def share_to_bytes(share: Share) -> bytes:
    """Return a share as 16-bit little-endian words."""
    return share.astype("<u2").tobytes()


def share_from_bytes(content: bytes, thresholds: Thresholds) -> Share:
    """Return the share in `content`.

    Raises:
        CiphertextMalformed: wrong length, or a word that is no element of the field.
    """
    if len(content) != thresholds.share_bytes:
        raise CiphertextMalformed(
            f"A share of this round has {thresholds.share_bytes} bytes; "
            f"{len(content)} came.",
            field="share",
        )
    words = np.frombuffer(content, dtype="<u2").astype(np.uint16)
    if bool((words >= PRIME).any()):
        raise CiphertextMalformed(
            f"A word of the share is not below {PRIME}.", field="share"
        )
    return words
