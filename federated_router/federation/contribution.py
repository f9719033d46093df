"""Make a contribution: the mathematics of what a member sends.

Decides the order of the steps: clipped counts, noise share, count, encryption, shares,
seals. Refuses to know rounds' life, storage and transport. Takes milliseconds of CPU,
so drivers call it in a thread.

The one-time secret lives inside `build_body` and is never returned or stored: what was
not sent is built anew under another secret, and what was stored is sent as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from federated_router.crypto import (
    ckks,
    packed_shamir,
    quantise,
    sealing,
    share_seeds,
)
from federated_router.crypto.beacon import public_polynomials
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.ckks import Integers, OneTimeSecret, ciphertexts_for
from federated_router.crypto.sealing import Envelope, KeptExchanges, Letter
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.batch import Batch
from federated_router.federation.round_view import Contribution
from federated_router.federation.statements import attempt_of
from federated_router.federation.verification import Promise, Roster
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue, Encoding
from federated_router.privacy.noise import NoiseSource, discrete_gaussian


@dataclass(frozen=True, slots=True)
class MadeContribution:
    """A contribution that is not stored yet, and what is stored with it."""

    contribution: Contribution = field(repr=False)
    batch: Batch = field(repr=False)
    promise: Promise

    def is_of(self, round_name: str, roster: Roster) -> bool:
        """Return whether it was made for this round and this roster."""
        made = self.contribution
        return made.round_name == round_name and made.roster_hash == roster.hash


def layout_of(roster: Roster, catalogue: Catalogue) -> BodyLayout:
    """Return the layout of every contribution, known before anybody sends one."""
    return BodyLayout(ciphertexts_for(catalogue.vector_length), roster.thresholds)


def slot_noise(
    noise_factors: Sequence[int], *, sigma: float, noise: NoiseSource
) -> Integers:
    """Return independent noise, of standard deviation sigma * factor on each slot.

    Drawn at once for all slots of one factor: a sampler costs as much as 1,000 draws.
    """
    factors = np.array(noise_factors, dtype=np.int64)
    drawn = np.zeros(len(factors), dtype=np.int64)
    for factor in np.unique(factors).tolist():
        places = np.flatnonzero(factors == factor)
        drawn[places] = noise(len(places), sigma * factor)
    return drawn


def encode_and_build(
    batch: Batch,
    *,
    catalogue: Catalogue,
    sigma: float,
    own: MemberName,
    keys: MemberKeys,
    roster: Roster,
    noise: NoiseSource = discrete_gaussian,
    exchanges: KeptExchanges | None = None,
) -> tuple[Encoding, bytes]:
    """Return how a batch was clipped, and its body as `build_body` makes it."""
    encoding = catalogue.encode(batch.over(catalogue.latency_bounds_ms))
    body = build_body(
        encoding.values,
        sigma=sigma,
        noise_factors=catalogue.noise_factors,
        own=own,
        keys=keys,
        roster=roster,
        noise=noise,
        exchanges=exchanges,
    )
    return encoding, body


def build_body(
    values: Sequence[int],
    *,
    sigma: float,
    noise_factors: Sequence[int],
    own: MemberName,
    keys: MemberKeys,
    roster: Roster,
    noise: NoiseSource = discrete_gaussian,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    """Return the ciphertext of `values` and noise, then a sealed share per holder.

    `values` are one member's slots within the catalogue's bounds, `noise_factors` the
    catalogue's, one per slot; `sigma` is this member's share of the noise on a slot of
    factor 1. Every call draws new noise and a new secret.
    """
    if len(values) != len(noise_factors):
        raise FieldInvalid("Every slot has one noise factor.", field="noise_factors")
    counts = np.array(values, dtype=np.int64)
    vector = quantise.with_count(
        counts + slot_noise(noise_factors, sigma=sigma, noise=noise)
    )
    polynomials = public_polynomials(
        attempt_of(roster.round_name),
        roster.hash,
        roster.beacon,
        count=ciphertexts_for(len(vector)),
    )
    encryption = ckks.encrypt(vector, polynomials=polynomials)
    letters = _letters(encryption.secret, roster, own=own)
    return encryption.body + sealing.seal(letters, sender=keys, exchanges=exchanges)


def _letters(secret: OneTimeSecret, roster: Roster, *, own: MemberName) -> list[Letter]:
    """Return what each holder is to be sent of the secret, in roster order."""
    attempt, thresholds = attempt_of(roster.round_name), roster.thresholds
    seeds = share_seeds.draw(thresholds)
    blinding = share_seeds.blinding(seeds, thresholds)
    shares = packed_shamir.deal(secret.coefficients, thresholds, blinding=blinding)
    return [
        Letter(
            content,
            holder.announcement.binding.keys,
            Envelope(attempt, roster.hash, own, holder.member),
        )
        for holder, content in zip(
            roster.members, share_seeds.contents(shares, seeds), strict=True
        )
    ]
