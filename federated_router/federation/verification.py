"""What a member checks of a roster; the coordinator's word alone is not enough.

Decides when a member goes on: a roster of certified members with itself unchanged among
them, and a beacon that follows from everyone's nonce. Terms are judged in
`terms_verification`, what is summed in `set_verification`. Refuses to know how messages
arrive and what happens after a refusal. Pure: the time is an argument. Every refusal
names the first thing that is wrong.
"""

import hmac
import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from federated_router.crypto import beacon
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.roster_cache import RosterCache
from federated_router.federation.round_view import RosterMember, Round
from federated_router.federation.statements import attempt_of
from federated_router.federation.survivor_signature import Trust
from federated_router.federation.terms_verification import Floor
from federated_router.kit.errors import (
    NotOnRoster,
    RosterMismatch,
    RosterTooSmall,
    SignatureInvalid,
)
from federated_router.kit.identity import Role

MEMBER_ROLES = frozenset({Role.NODE.value, Role.ROUTER.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """The terms under which a member contributed, and helps to open what it is in.

    The fewest contributors and survivors of the round, and how its cohorts are drawn:
    none with survivors has fewer than `cohort_survivors_min`. `cohort_size` 0 is one
    cohort.
    """

    contributors_min: int
    survivors_min: int
    cohort_size: int = 0
    cohort_survivors_min: int = 0


@dataclass(frozen=True, slots=True)
class Roster:
    """A roster that was verified, in the order that numbers the holders from 1."""

    round_name: str
    members: tuple[RosterMember, ...]
    hash: RosterHash
    beacon: bytes
    thresholds: Thresholds
    layout: bytes

    def member_of(self, number: int) -> MemberName:
        """Return the name of a holder; raise NotOnRoster for another number."""
        if not 1 <= number <= len(self.members):
            raise NotOnRoster(
                f"The roster of this round has no number {number}.",
                metadata={"number": str(number)},
            )
        return self.members[number - 1].member

    def number_of(self, member: MemberName) -> int:
        """Return a holder's number; raise NotOnRoster for anybody else."""
        for number, entry in enumerate(self.members, start=1):
            if entry.member == member:
                return number
        raise NotOnRoster(f"{member} is not on the roster of this round.")

    def keys_at(self, number: int) -> PublicKeys:
        """Return the keys of a holder; raise NotOnRoster for another number."""
        self.member_of(number)
        return self.members[number - 1].announcement.binding.keys

    def keys_of(self, member: MemberName) -> PublicKeys:
        """Return a member's keys; raise NotOnRoster for anybody else."""
        return self.keys_at(self.number_of(member))


def verify_roster(
    round_: Round,
    *,
    own: RosterMember,
    floor: Floor,
    trust: Trust,
    now_s: float,
    cache: RosterCache | None = None,
) -> Roster:
    """Return the roster, once every part of it was recomputed or verified.

    Bindings that `cache` knows as verified are not verified again.

    Raises:
        RosterTooSmall: fewer members than the floor.
        RosterMismatch: out of order, this member missing or altered, another hash or
            another beacon.
        SignatureInvalid: a binding that does not hold, or a nonce that was not
            committed to.
    """
    _verify_size_and_order(round_.roster, floor)
    if own not in round_.roster:
        raise mismatch("it does not hold this member as it joined", "own_entry")
    bindings = RosterCache() if cache is None else cache
    for entry in round_.roster:
        _verify_role(entry)
        bindings.verify(entry.announcement, trust=trust, now_s=now_s)
    attempt = attempt_of(round_.name)
    entries = [entry.entry for entry in round_.roster]
    layout = round_.catalogue.sha256
    roster_hash = beacon.roster_hash(attempt, entries, layout=layout)
    if not hmac.compare_digest(roster_hash, round_.roster_hash):
        raise mismatch("its hash does not follow from it", "roster_hash")
    nonces = {entry.member: entry.nonce for entry in round_.roster}
    expected = beacon.beacon(attempt, entries, nonces, layout=layout)
    if not hmac.compare_digest(expected, round_.beacon):
        raise mismatch("the beacon does not follow from its nonces", "beacon")
    thresholds = Thresholds.for_roster(len(entries))
    return Roster(round_.name, round_.roster, roster_hash, expected, thresholds, layout)


def promised(round_: Round, roster: Roster, floor: Floor) -> Promise:
    """Return what this member holds the coordinator to once it has contributed.

    The promised noise, the promised and the demanded participation, and the number
    of holders that open: each is a lower bound.
    """
    members = len(roster.members)
    joined = max(round_.joined_count, members)
    # Exact for decimal ratios, as the coordinator counts: 0.55 of 100 is 55, not 56.
    participation = Fraction(
        repr(max(round_.participation_min, floor.participation_min))
    )
    noise = round_.noise
    survivors = max(noise.survivors_min, roster.thresholds.reconstruct)
    return Promise(
        contributors_min=max(survivors, math.ceil(participation * joined)),
        survivors_min=survivors,
        cohort_size=noise.cohort_size,
        cohort_survivors_min=noise.cohort_survivors_min,
    )


def _verify_size_and_order(roster: tuple[RosterMember, ...], floor: Floor) -> None:
    require_members(len(roster), floor.members_min)
    rising = all(low.member < high.member for low, high in pairwise(roster))
    if not rising:
        raise mismatch("its members do not stand in the order of names", "order")


def _verify_role(entry: RosterMember) -> None:
    role = entry.member.partition("/")[0]
    if role not in MEMBER_ROLES:
        raise SignatureInvalid(
            f"{entry.member} has no role that takes part in rounds.",
            metadata={"member": entry.member},
        )


def require_members(members: int, members_min: int) -> None:
    """Refuse fewer members than that with RosterTooSmall."""
    if members < members_min:
        raise RosterTooSmall(
            f"This member takes part with {members_min} members and more.",
            metadata={"members": str(members), "needed": str(members_min)},
        )


def mismatch(what: str, check: str) -> RosterMismatch:
    """Return the refusal of a roster, or of a set of its members."""
    return RosterMismatch(
        f"The roster of this round is refused: {what}.", metadata={"check": check}
    )
