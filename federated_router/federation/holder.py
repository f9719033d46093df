"""What a holder does with the shares that were sealed to it: check them, and add them.

Decides that a share which does not open is told as absent and never guessed, and that
an answer adds every survivor's share or is not made. Refuses to know who may ask
(`set_verification`), storage and transport. Takes milliseconds of CPU for each hundred
shares, so drivers call it in a thread.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from federated_router.crypto import (
    dealing_check,
    packed_shamir,
    sealing,
    share_seeds,
)
from federated_router.crypto.packed_shamir import Share
from federated_router.crypto.sealing import TAG_BYTES, Envelope, KeptExchanges
from federated_router.crypto.signing import KEY_BYTES, MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import SealedShares
from federated_router.federation.statements import Contributor, attempt_of
from federated_router.federation.verification import Roster
from federated_router.kit.errors import CiphertextMalformed, FederationError


@dataclass(frozen=True, slots=True)
class DealtShares:
    """The shares that each contributor dealt to this holder, by number.

    None where a share did not open, or is none of this round. `contributors_sha256` is
    the digest of the set under which they came.
    """

    round_name: str
    contributors: tuple[Contributor, ...]
    contributors_sha256: bytes
    shares: Mapping[int, Share | None] = field(repr=False)


def sealed_bytes(roster: Roster, own: MemberName) -> int:
    """Return the size of what this holder is sent of each dealer: key and box."""
    content = share_seeds.content_bytes(roster.thresholds, roster.number_of(own))
    return KEY_BYTES + content + TAG_BYTES


def unseal(
    sealed: SealedShares,
    *,
    own: MemberName,
    keys: MemberKeys,
    roster: Roster,
    exchanges: KeptExchanges | None = None,
) -> DealtShares:
    """Open one sealed share per contributor, in the order of the set.

    Raises:
        CiphertextMalformed: the body has another length.
    """
    contributors = sealed.claim.contributors
    size, number = sealed_bytes(roster, own), roster.number_of(own)
    if len(sealed.body) != size * len(contributors):
        raise CiphertextMalformed(
            f"{len(contributors)} sealed shares of this round have "
            f"{size * len(contributors)} bytes; {len(sealed.body)} came.",
            field="sealed_shares",
        )
    shares = {
        entry.number: _opened(
            sealed.body[index * size : (index + 1) * size],
            dealer=entry.number,
            own=own,
            number=number,
            keys=keys,
            roster=roster,
            exchanges=exchanges,
        )
        for index, entry in enumerate(contributors)
    }
    digest = sealed.claim.sha256(roster.round_name, roster.hash)
    return DealtShares(roster.round_name, contributors, digest, shares)


def combinations(dealt: DealtShares, roster: Roster) -> bytes:
    """Return what this holder sends about every contributor's dealing."""
    attempt = attempt_of(roster.round_name)
    challenges = [
        dealing_check.weights(
            attempt,
            roster.hash,
            roster.beacon,
            body_sha256=entry.sha256,
            thresholds=roster.thresholds,
        )
        for entry in dealt.contributors
    ]
    shares = [dealt.shares[entry.number] for entry in dealt.contributors]
    told = dealing_check.combinations(shares, challenges)
    return dealing_check.combinations_to_bytes(told)


def answer(dealt: DealtShares, cohorts: Sequence[Sequence[int]]) -> bytes:
    """Return the sums of the shares of each cohort's survivors, by number.

    Raises:
        CiphertextMalformed: the share of a survivor did not open; there is no answer.
    """
    sums = [
        packed_shamir.sum_shares([_share_of(dealt, number) for number in survivors])
        for survivors in cohorts
    ]
    return packed_shamir.answer_to_bytes(sums)


def _share_of(dealt: DealtShares, number: int) -> Share:
    share = dealt.shares.get(number)
    if share is None:
        raise CiphertextMalformed(
            f"The share of number {number} did not open for this member.",
            field="sealed_shares",
            metadata={"number": str(number)},
        )
    return share


def _opened(
    sealed: bytes,
    *,
    dealer: int,
    own: MemberName,
    number: int,
    keys: MemberKeys,
    roster: Roster,
    exchanges: KeptExchanges | None,
) -> Share | None:
    attempt, sender = attempt_of(roster.round_name), roster.member_of(dealer)
    envelope = Envelope(attempt, roster.hash, sender, own)
    try:
        content = sealing.unseal(
            sealed,
            keys=keys,
            sender=roster.keys_at(dealer),
            envelope=envelope,
            exchanges=exchanges,
        )
        return share_seeds.share_of(content, roster.thresholds, holder=number)
    except FederationError:
        # Told to everybody as an absent share: the verdict decides whose fault it is.
        return None
