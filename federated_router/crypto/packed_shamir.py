"""Share the coefficients of a one-time secret among the holders of a round.

Decides thresholds, the packing of several secrets into one polynomial (Franklin and
Yung 1992) over F_65521, and the wire form of a dealt share and of an answer. Refuses to
know who the holders are: here they are 1..n, in the order of the roster.

Behind the columns of the secret each dealt share has CHECKS masks: values of uniformly
random polynomials of the same degree, which hide what `dealing_check` asks for. A sum
leaves them out.
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

_WORD_BYTES = 2
ROSTER_SIZE_MIN = 3
ROSTER_SIZE_MAX = (PRIME // 2) // CBD_WIDTH
"""1,560: sums of so many coefficients in [-21, 21] do not wrap around the prime."""

CHECKS = 4
"""Masks of a dealt share, and so combinations of it that can be asked for: 64 bits."""

Share = NDArray[np.uint16]
"""One holder's values, one for each polynomial: as dealt `Thresholds.share_columns` of
them, the masks last; in a sum `Thresholds.columns`."""


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
        """Return how many polynomials, and so elements of a sum, a secret takes."""
        return -(-DEGREE // self.pack)

    @property
    def share_columns(self) -> int:
        """Return how many elements a dealt share has: the secret's, then the masks."""
        return self.columns + CHECKS

    @property
    def share_bytes(self) -> int:
        """Return the length of a dealt share on the wire."""
        return _WORD_BYTES * self.share_columns

    @property
    def answer_bytes(self) -> int:
        """Return the length of a sum of shares, for one cohort, on the wire."""
        return _WORD_BYTES * self.columns

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
    blinding: Elements | None = None,
    random_bytes: RandomBytes = secrets.token_bytes,
) -> tuple[Share, ...]:
    """Return one share of `share_columns` elements for each holder, in roster order.

    Each polynomial takes `pack` values at the secret points and uniform values at the
    first `privacy` holders' points, and is evaluated at all the others. The values at
    the secret points are the coefficients, in the last CHECKS columns uniform too.

    `blinding` is those holders' shares where they are expanded from seeds
    (`share_seeds`), shape (privacy, share_columns); without it they are drawn here.
    """
    padded = np.zeros(thresholds.columns * thresholds.pack, dtype=np.int64)
    padded[:DEGREE] = coefficients
    packed = padded.reshape(thresholds.columns, thresholds.pack).T % PRIME
    masks = _uniform(thresholds.pack, CHECKS, random_bytes)
    if blinding is None:
        blinding = _uniform(thresholds.privacy, thresholds.share_columns, random_bytes)
    known = np.concatenate([np.concatenate([packed, masks], axis=1), blinding])
    others = field.matrix_product(_dealing_matrix(thresholds), known)
    return tuple(np.concatenate([blinding, others]).astype(np.uint16))


def _uniform(rows: int, columns: int, random_bytes: RandomBytes) -> Elements:
    drawn = field.sample(rows * columns, random_bytes=random_bytes)
    return drawn.reshape(rows, columns)


@lru_cache(maxsize=4)
def _dealing_matrix(thresholds: Thresholds) -> Elements:
    """Return what takes secrets and uniform values to the other holders' shares."""
    holders = thresholds.holder_points
    seeded, others = holders[: thresholds.privacy], holders[thresholds.privacy :]
    known = np.concatenate([thresholds.secret_points, seeded])
    matrix = field.interpolation(known, others)
    matrix.flags.writeable = False
    return matrix


def sum_shares(shares: Sequence[Share]) -> Share:
    """Return the sum of a holder's dealt shares of some secrets, without the masks."""
    total: Elements = np.stack(shares).astype(np.int64).sum(axis=0) % PRIME
    return total[:-CHECKS].astype(np.uint16)


def share_to_bytes(share: Share) -> bytes:
    """Return a share, dealt or summed, as 16-bit little-endian words."""
    return share.astype("<u2").tobytes()


def share_from_bytes(content: bytes, thresholds: Thresholds) -> Share:
    """Return the dealt share in `content`.

    Raises:
        CiphertextMalformed: wrong length, or a word that is no element of the field.
    """
    return _words(content, thresholds.share_bytes)


def answer_to_bytes(sums: Sequence[Share]) -> bytes:
    """Return a holder's answer: its sum of shares for each cohort, one after another.

    The cohorts are those that have survivors, in the order of their numbers.
    """
    return b"".join(map(share_to_bytes, sums))


def answer_from_bytes(
    content: bytes, thresholds: Thresholds, *, cohorts: int = 1
) -> tuple[Share, ...]:
    """Return the sums of shares in `content`, one for each of so many cohorts.

    Raises:
        CiphertextMalformed: wrong length, or a word that is no element of the field.
    """
    words = _words(content, cohorts * thresholds.answer_bytes)
    return tuple(words.reshape(cohorts, thresholds.columns))


def _words(content: bytes, length: int) -> Share:
    if len(content) != length:
        raise CiphertextMalformed(
            f"Shares of this round have {length} bytes here; {len(content)} came.",
            field="share",
        )
    words = np.frombuffer(content, dtype="<u2").astype(np.uint16)
    if bool((words >= PRIME).any()):
        raise CiphertextMalformed(
            f"A word of the share is not below {PRIME}.", field="share"
        )
    return words
