"""Check that what a dealer shared lies on polynomials, and say who is in dispute.

Decides the question that holders answer, the form of their answers, and the verdict
(the random-combination test of SCRAPE, Cascudo and David 2017, with masks, over shares
that stay sealed). Refuses to know names, signatures and deadlines: dealers and holders
are numbers on the roster, from 1.

Each holder sends, for each dealer, CHECKS combinations `mask + weights . share` of the
share it was dealt, and ABSENT where the share did not open. Over all the holders, an
honest dealer's combinations lie on polynomials of degree below `reconstruct`.

What is revealed of an honest dealer: the CHECKS polynomials of its combinations. Each
is its own uniform mask plus something, and so uniform whatever the secret is, also to
`privacy` holders who know their shares and masks: of `reconstruct` free values of a
mask they know `privacy`. A second question under other weights would give away the
difference, so the weights follow from the dealer's body, which it signed, and from
nothing that anybody could choose afterwards.

What is not covered:

- Weights follow from the body, so a dealer can try bodies by itself. One of them hides
  inconsistent shares with probability at most holders / 65521^CHECKS (the correlated
  agreement of Ben-Sasson et al. 2020, over an extension of degree CHECKS): 2^57 bodies
  for 100 holders. It gains a round that cannot be opened, and no wrong sum.
- Good shares of a secret that did not encrypt pass; the opened sum then fails.
- Dealers are named rightly while at most `located_max` holders lie. Where two stories
  fit, the contribution is left out and nobody is named.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto import field
from federated_router.crypto.field import PRIME, Elements
from federated_router.crypto.packed_shamir import CHECKS, Share, Thresholds
from federated_router.crypto.transcript import (
    DIGEST_BYTES,
    RosterHash,
    RoundAttempt,
    encode_round,
)
from federated_router.kit.errors import CiphertextMalformed, FieldInvalid

ABSENT = 0xFFFF
"""Each word about a share that did not open; no element is so large."""

WORD_BYTES = 2
COMBINATIONS_BYTES = CHECKS * WORD_BYTES
"""What a holder sends about one dealer."""

Combinations = NDArray[np.uint16]
"""A holder's combinations, shape (dealers, CHECKS): elements, or ABSENT in a row."""


def weights(
    attempt: RoundAttempt,
    roster_hash: RosterHash,
    beacon: bytes,
    *,
    body_sha256: bytes,
    thresholds: Thresholds,
) -> Elements:
    """Return the weights for one dealer, shape (CHECKS, columns), uniform elements.

    `body_sha256` is the digest of the dealer's whole body, sealed shares included, as
    it signed it, expanded by SHAKE-256.

    Raises:
        FieldInvalid: a digest of another length.
    """
    if len(body_sha256) != DIGEST_BYTES:
        raise FieldInvalid("A SHA-256 digest has 32 bytes.", field="body_sha256")
    seed = encode_round("dealing-check", attempt, roster_hash, beacon, body_sha256)
    shape = (CHECKS, thresholds.columns)
    return field.expand(seed, shape[0] * shape[1]).reshape(shape)


def combinations(
    shares: Sequence[Share | None], challenges: Sequence[Elements]
) -> Combinations:
    """Return what one holder sends: shape (dealers, CHECKS).

    Args:
        shares: its dealt shares, in the order of the contributors; None where a share
            did not open or is malformed.
        challenges: each contributor's `weights`, in the same order.
    """
    told = np.full((len(shares), CHECKS), ABSENT, dtype=np.uint16)
    for row, (share, weight) in enumerate(zip(shares, challenges, strict=True)):
        if share is not None:
            elements = share.astype(np.int64)
            secret, masks = elements[:-CHECKS, None], elements[-CHECKS:]
            combined = field.matrix_product(weight, secret)[:, 0] + masks
            told[row] = combined % PRIME
    return told


def combinations_to_bytes(told: Combinations) -> bytes:
    """Return combinations as 16-bit little-endian words, dealer by dealer."""
    return told.astype("<u2").tobytes()


def combinations_from_bytes(content: bytes, contributors: int) -> Combinations:
    """Return a holder's combinations about so many contributors.

    Raises:
        CiphertextMalformed: another length, a word that is neither an element nor
            ABSENT, or a row that is absent in part.
    """
    expected = contributors * COMBINATIONS_BYTES
    if len(content) != expected:
        raise _malformed(f"A check has {expected} bytes here; {len(content)} came.")
    words = np.frombuffer(content, dtype="<u2").astype(np.uint16, copy=False)
    told = words.reshape(contributors, CHECKS)
    absent = told == ABSENT
    if bool(((told >= PRIME) & ~absent).any()):
        raise _malformed(f"A word of the check is not below {PRIME}.")
    if bool((absent.any(axis=1) != absent.all(axis=1)).any()):
        raise _malformed("A share opened or it did not; half of one is absent.")
    return told


def _malformed(message: str) -> CiphertextMalformed:
    return CiphertextMalformed(message, field="combinations")
