"""What members and the coordinator sign in a round, in the same bytes on both sides.

Decides the body of each statement and which roster it names. Refuses to know keys and
transport. Both daemons build the statement from what they see and compare by
verifying; nothing that is signed travels twice.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from federated_router.crypto.binding import KeyBinding
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
class Contributor:
    """A member whose contribution was accepted, and its own signature over it.

    `number` is its place on the roster, from 1.
    """

    number: int
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


def check_statement(
    round_name: str, member: MemberName, *, roster_hash: RosterHash, combinations: bytes
) -> Statement:
    """Return what a holder signs about its one check of what was dealt to it."""
    return Statement.over(
        MessageType.DEALING_CHECK,
        combinations,
        round_attempt=attempt_of(round_name),
        roster_hash=roster_hash,
        sender=member,
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


def contributors_message(
    round_name: str, roster_hash: RosterHash, contributors: Sequence[Contributor]
) -> bytes:
    """Return what the coordinator signs with its certificate's key: one set, in order.

    The members' signatures are covered too, so that whoever is shown two sets can
    prove it. Its digest (`sha256`) is the set's.
    """
    rows = [
        encode("contributor", entry.number, entry.sha256, entry.signature)
        for entry in contributors
    ]
    return encode_round("contributors", attempt_of(round_name), roster_hash, *rows)


def survivors_message(
    round_name: str,
    roster_hash: RosterHash,
    *,
    contributors_sha256: bytes,
    survivors: Sequence[int],
) -> bytes:
    """Return what the coordinator signs about the sum: a part of one contributor set.

    `survivors` are numbers on the roster, rising.
    """
    return encode_round(
        "survivors",
        attempt_of(round_name),
        roster_hash,
        contributors_sha256,
        encode("numbers", *survivors),
    )


def keys_sha256(binding: KeyBinding, *, certificate_der: bytes) -> bytes:
    """Return the digest by which a member's keys are known to who has seen them.

    It covers the name, so that nobody's keys pass for another one's.
    """
    return hashlib.sha256(
        encode(
            "member-keys",
            binding.member,
            binding.keys.signing,
            binding.keys.sealing,
            binding.not_after_s,
            binding.signature,
            certificate_der,
        )
    ).digest()


def sha256(body: bytes) -> bytes:
    """Return the digest under which a contribution, or a set, is known."""
    return hashlib.sha256(body).digest()
