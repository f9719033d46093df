"""What members and the coordinator sign in a round, in the same bytes on both sides.

Decides the body of each statement and which roster it names. Refuses to know keys and
transport. Both daemons build the statement from what they see and compare by
verifying; nothing that is signed travels twice.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.crypto.signing import MessageType, PublicKeys, Statement
from federated_router.crypto.transcript import (
    DIGEST_BYTES,
    NO_ROSTER,
    MemberName,
    RosterHash,
    RoundAttempt,
    encode,
    encode_round,
)

ROSTER_OPEN = RosterHash(bytes(DIGEST_BYTES))
"""Stands for the roster where it is not final yet: who reveals decides who is on it."""


@dataclass(frozen=True, slots=True)
class Survivor:
    """A member whose contribution is in the sum, and its own signature over it."""

    member: MemberName
    sha256: bytes
    signature: bytes


def attempt_of(round_name: str) -> RoundAttempt:
    """Return the one attempt of a round; a round that failed is not tried again."""
    return RoundAttempt(round_name, 0)


def join_statement(
    round_name: str,
    member: MemberName,
    *,
    keys: PublicKeys,
    not_after_s: int,
    commitment: bytes,
) -> Statement:
    """Return what a member signs when it joins."""
    return Statement.over(
        MessageType.JOIN,
        encode("join-body", keys.signing, keys.sealing, not_after_s, commitment),
        round_attempt=attempt_of(round_name),
        roster_hash=NO_ROSTER,
        sender=member,
    )


def reveal_statement(round_name: str, member: MemberName, *, nonce: bytes) -> Statement:
    """Return what a member signs when it reveals its nonce."""
    return Statement.over(
        MessageType.BEACON_REVEAL,
        nonce,
        round_attempt=attempt_of(round_name),
        roster_hash=ROSTER_OPEN,
        sender=member,
    )


def contribution_statement(
    round_name: str, member: MemberName, *, roster_hash: RosterHash, body_sha256: bytes
) -> Statement:
    """Return what a member signs about its contribution, and holders verify."""
    return Statement(
        MessageType.CONTRIBUTION,
        attempt_of(round_name),
        roster_hash,
        member,
        body_sha256,
    )


def opening_statement(
    round_name: str, member: MemberName, *, roster_hash: RosterHash, share_sum: bytes
) -> Statement:
    """Return what a holder signs about its one answer."""
    return Statement.over(
        MessageType.OPENING,
        share_sum,
        round_attempt=attempt_of(round_name),
        roster_hash=roster_hash,
        sender=member,
    )


def survivors_message(
    round_name: str, roster_hash: RosterHash, survivors: Sequence[Survivor]
) -> bytes:
    """Return what the coordinator signs with its certificate's key: one set, in order.

    The members' signatures are covered too, so that whoever is shown two sets can
    prove it.
    """
    rows = [
        encode("survivor", survivor.member, survivor.sha256, survivor.signature)
        for survivor in survivors
    ]
    return encode_round("survivors", attempt_of(round_name), roster_hash, *rows)


def sha256(body: bytes) -> bytes:
    """Return the digest under which a contribution is known."""
    return hashlib.sha256(body).digest()
