"""Make a contribution, and a holder's answer: the mathematics of a member's part.

Decides the order of the steps: clipped counts, noise share, count, encryption, shares,
seals. Refuses to know rounds' life, storage and transport. Takes milliseconds of CPU,
so drivers call it in a thread.

The one-time secret lives inside `build_body` and is never returned or stored: what was
not sent is built anew under another secret, and what was stored is sent as it is.
"""

from collections.abc import Callable, Sequence

import numpy as np

from federated_router.crypto import ckks, packed_shamir, quantise, sealing
from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.ckks import ciphertexts_for
from federated_router.crypto.sealing import OVERHEAD_BYTES, Envelope
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.statements import attempt_of
from federated_router.federation.verification import Roster
from federated_router.kit.errors import CiphertextMalformed
from federated_router.priors.catalogue import Catalogue
from federated_router.privacy.noise import gaussian_vector

NoiseSource = Callable[[int, float], Sequence[int]]
"""Gives that many independent integers of that standard deviation."""


def discrete_gaussian(length: int, sigma: float) -> Sequence[int]:
    """Return integer noise from the operating system's randomness."""
    return gaussian_vector(length=length, sigma=sigma)


def sealed_bytes(roster: Roster) -> int:
    """Return the size of one sealed share."""
    return roster.thresholds.share_bytes + OVERHEAD_BYTES


def body_bytes(roster: Roster, catalogue: Catalogue) -> int:
    """Return the size of a contribution, known before anybody sends one."""
    ciphertext = ciphertexts_for(catalogue.vector_length) * CIPHERTEXT_BYTES
    return ciphertext + len(roster.members) * sealed_bytes(roster)


def build_body(
    values: Sequence[int],
    *,
    sigma: float,
    own: MemberName,
    keys: MemberKeys,
    roster: Roster,
    noise: NoiseSource = discrete_gaussian,
) -> bytes:
    """Return the ciphertext of `values` and noise, then one sealed share per holder.

    `values` are counts within the catalogue's bounds; `sigma` is this member's share of
    the noise. Every call draws new noise and a new secret.
    """
    counts = np.array(values, dtype=np.int64)
    counts = counts + np.array(noise(len(values), sigma), dtype=np.int64)
    vector = quantise.with_count(counts)
    polynomials = public_polynomials(
        attempt_of(roster.round_name),
        roster.hash,
        roster.beacon,
        count=ciphertexts_for(len(vector)),
    )
    encryption = ckks.encrypt(vector, polynomials=polynomials)
    shares = packed_shamir.deal(encryption.secret.coefficients, roster.thresholds)
    parts = [encryption.body]
    for holder, share in zip(roster.members, shares, strict=True):
        parts.append(
            sealing.seal(
                packed_shamir.share_to_bytes(share),
                sender=keys,
                receiver=holder.announcement.binding.keys,
                envelope=_envelope(roster, sender=own, receiver=holder.member),
            )
        )
    return b"".join(parts)


def sum_sealed_shares(
    body: bytes,
    *,
    survivors: Sequence[MemberName],
    own: MemberName,
    keys: MemberKeys,
    roster: Roster,
) -> bytes:
    """Return the holder's answer: the sum of the shares in `body`.

    `body` holds one sealed share per survivor, in their order.

    Raises:
        CiphertextMalformed: another length, or a share that its survivor did not seal
            to this member for this round.
    """
    size = sealed_bytes(roster)
    if len(body) != size * len(survivors):
        raise CiphertextMalformed(
            f"{len(survivors)} sealed shares of this round have "
            f"{size * len(survivors)} bytes; {len(body)} came.",
            field="sealed_shares",
        )
    shares = []
    for index, survivor in enumerate(survivors):
        content = sealing.unseal(
            body[index * size : (index + 1) * size],
            keys=keys,
            sender=roster.keys_of(survivor),
            envelope=_envelope(roster, sender=survivor, receiver=own),
        )
        shares.append(packed_shamir.share_from_bytes(content, roster.thresholds))
    return packed_shamir.share_to_bytes(packed_shamir.sum_shares(shares))


def _envelope(roster: Roster, *, sender: MemberName, receiver: MemberName) -> Envelope:
    return Envelope(attempt_of(roster.round_name), roster.hash, sender, receiver)
