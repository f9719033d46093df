"""Send half of the holders a seed in place of their share: it is random all the same.

A dealing draws uniform values at the points of the first `privacy` holders, and these
values are those holders' shares. Decides that they are expanded from a fresh seed of
each such holder, so that the seed travels and not the share; the other holders' shares
follow from the polynomials and travel whole. Refuses to know seals and names.

What is given up: with drawn values `privacy` holders learn nothing, whatever they can
compute; with expanded ones they learn nothing unless they tell SHAKE-256 under a seed
of 256 bits, which they do not hold, from random. The seal around every share rests on
no less. The seeds of a coalition's own members are of no use to it: the values of the
other seeded holders are at least as many as the coalition's unseeded members, and so
these see uniform shares whatever the secret is.
"""

import secrets
from collections.abc import Sequence

import numpy as np

from federated_router.crypto import field, packed_shamir
from federated_router.crypto.field import Elements
from federated_router.crypto.packed_shamir import Share, Thresholds
from federated_router.crypto.ring import RandomBytes
from federated_router.crypto.transcript import encode
from federated_router.kit.errors import CiphertextMalformed

SEED_BYTES = 32


def draw(
    thresholds: Thresholds, *, random_bytes: RandomBytes = secrets.token_bytes
) -> tuple[bytes, ...]:
    """Return a fresh seed for each of the first `privacy` holders."""
    return tuple(random_bytes(SEED_BYTES) for _ in range(thresholds.privacy))


def blinding(seeds: Sequence[bytes], thresholds: Thresholds) -> Elements:
    """Return what the seeds stand for: shape (privacy, share_columns), for `deal`."""
    return np.stack([_expanded(seed, thresholds) for seed in seeds])


def contents(shares: Sequence[Share], seeds: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return what is sealed to each holder, when `blinding(seeds)` dealt `shares`."""
    whole = shares[len(seeds) :]
    return (*seeds, *map(packed_shamir.share_to_bytes, whole))


def content_bytes(thresholds: Thresholds, holder: int) -> int:
    """Return the length of what is sealed to a holder, who is numbered from 1."""
    return SEED_BYTES if holder <= thresholds.privacy else thresholds.share_bytes


def share_of(content: bytes, thresholds: Thresholds, *, holder: int) -> Share:
    """Return the share that a holder was dealt.

    Raises:
        CiphertextMalformed: wrong length, or a word that is no element of the field.
    """
    if holder > thresholds.privacy:
        return packed_shamir.share_from_bytes(content, thresholds)
    if len(content) != SEED_BYTES:
        raise CiphertextMalformed(
            f"The seed of a share has {SEED_BYTES} bytes; {len(content)} came.",
            field="share",
        )
    return _expanded(content, thresholds).astype(np.uint16)


def _expanded(seed: bytes, thresholds: Thresholds) -> Elements:
    return field.expand(encode("share-seed", seed), thresholds.share_columns)
