"""Whether a message is its sender's own, and belongs to this round.

Decides by signatures, bindings and digests alone, and gives the event that `lifecycle`
then judges. Refuses to know states and deadlines, and to take a name from a message:
the sender is the identity of the connection. Pure: the time is an argument.
"""

import hmac
from dataclasses import dataclass

from coordinator.rounds import events, refusals
from coordinator.rounds.participants import Contribution, JoinedMember
from coordinator.rounds.round import Round
from federated_router.crypto import beacon, dealing_check, signing
from federated_router.crypto.binding import verify_binding
from federated_router.crypto.packed_shamir import answer_from_bytes
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import DIGEST_BYTES, MemberName, RosterHash
from federated_router.federation import statements
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.errors import FieldInvalid, RosterMismatch


@dataclass(frozen=True, slots=True)
class ContributionClaim:
    """What a header says about the body that follows it."""

    roster_hash: bytes
    size_bytes: int
    sha256: bytes
    signature: bytes


def joined(
    round_: Round,
    entry: JoinedMember,
    *,
    signature: bytes,
    trust: Trust,
    now_s: float,
) -> events.Joined:
    """Return the event, once keys, certificate and statement belong together.

    Raises:
        SignatureInvalid: a binding or a statement that does not hold.
        FieldInvalid: a commitment of another length.
    """
    binding = entry.binding
    if len(entry.commitment) != DIGEST_BYTES:
        raise FieldInvalid(
            f"A commitment has {DIGEST_BYTES} bytes.", field="beacon_commitment"
        )
    verify_binding(
        binding,
        certificate_der=entry.certificate_der,
        authorities_pem=trust.authorities_pem,
        trust_domain=trust.trust_domain,
        now_s=now_s,
    )
    statement = statements.join_statement(
        round_.name,
        binding.member,
        keys=binding.keys,
        not_after_s=binding.not_after_s,
        commitment=entry.commitment,
    )
    signing.verify(statement, signature, binding.keys)
    return events.Joined(binding.member, entry)


def revealed(
    round_: Round, member: MemberName, *, nonce: bytes, signature: bytes
) -> events.Revealed:
    """Return the event, once the nonce is the one committed to.

    Raises:
        NotOnRoster: the sender has not joined.
        SignatureInvalid: another nonce, or a statement that does not hold.
        FieldInvalid: a nonce of another length.
    """
    statement = statements.reveal_statement(round_.name, member, nonce=nonce)
    signing.verify(statement, signature, _keys(round_, member))
    beacon.verify_reveal(round_.attempt, round_.members[member].entry, nonce)
    return events.Revealed(member, nonce)


def contributed(
    round_: Round, member: MemberName, claim: ContributionClaim
) -> events.Contributed:
    """Return the event that a body of this claim will be, before any of it is read.

    Raises:
        NotOnRoster: the sender has not joined.
        RosterMismatch: bound to another roster.
        SignatureInvalid: a statement that does not hold.
        FieldInvalid: another size than every body of this round has.
    """
    keys = _keys(round_, member)
    if not hmac.compare_digest(claim.roster_hash, round_.roster_hash):
        raise RosterMismatch(
            "The contribution is bound to another roster than this round's.",
            metadata={"round": round_.name},
        )
    if len(claim.sha256) != DIGEST_BYTES:
        raise FieldInvalid(f"A digest has {DIGEST_BYTES} bytes.", field="sha256")
    if claim.size_bytes != round_.contribution_bytes:
        raise FieldInvalid(
            f"A contribution to this round has {round_.contribution_bytes} bytes.",
            field="size_bytes",
            metadata={"expected": str(round_.contribution_bytes)},
        )
    statement = statements.contribution_statement(
        round_.name,
        member,
        roster_hash=RosterHash(claim.roster_hash),
        body_sha256=claim.sha256,
    )
    signing.verify(statement, claim.signature, keys)
    accepted = Contribution(claim.sha256, claim.signature, claim.size_bytes)
    return events.Contributed(member, accepted)


def checked(
    round_: Round, member: MemberName, *, combinations: bytes, signature: bytes
) -> events.Checked:
    """Return the event, once the check is one of this round and its sender's.

    Raises:
        NotOnRoster: the sender has not joined.
        SignatureInvalid: a statement that does not hold.
        CiphertextMalformed: another length, or words that no check has.
    """
    keys = _keys(round_, member)
    statement = statements.check_statement(
        round_.name, member, roster_hash=round_.roster_hash, combinations=combinations
    )
    signing.verify(statement, signature, keys)
    dealing_check.combinations_from_bytes(combinations, len(round_.contributors))
    return events.Checked(member, combinations)


def answered(
    round_: Round, member: MemberName, *, share_sum: bytes, signature: bytes
) -> events.Answered:
    """Return the event, once the answer is one of this round and its sender's.

    Raises:
        NotOnRoster: the sender has not joined.
        SignatureInvalid: a statement that does not hold.
        CiphertextMalformed: another length, or a word that is no field element.
    """
    keys = _keys(round_, member)
    statement = statements.opening_statement(
        round_.name, member, roster_hash=round_.roster_hash, share_sum=share_sum
    )
    signing.verify(statement, signature, keys)
    cohorts = len(round_.open_cohorts)
    answer_from_bytes(share_sum, round_.thresholds, cohorts=cohorts)
    return events.Answered(member, share_sum)


def _keys(round_: Round, member: MemberName) -> PublicKeys:
    known = round_.members.get(member)
    if known is None:
        raise refusals.not_on_roster(member)
    return known.binding.keys
