"""What a member checks before each step; the coordinator's word alone is not enough.

Decides when a member goes on: terms that protect it, a roster of certified members
with itself unchanged among them, a beacon that follows from everyone's nonce, and a
survivor set that is large enough, signed by all and has its own contribution in it.
Refuses to know how messages arrive and what happens after a refusal. Pure: the time
is an argument. Every refusal names the first thing that is wrong.
"""

import hmac
import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from federated_router.crypto import beacon, signing
from federated_router.crypto.binding import verify_binding
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.crypto.quantise import SlotScale, refuse_overflow
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.round_view import (
    NoiseTerms,
    RosterMember,
    Round,
)
from federated_router.federation.statements import (
    attempt_of,
    contribution_statement,
)
from federated_router.federation.survivor_signature import (
    SurvivorSet,
    Trust,
    verify_survivors,
)
from federated_router.kit.errors import (
    NotNow,
    NotOnRoster,
    RosterMismatch,
    RosterTooSmall,
    SignatureInvalid,
)
from federated_router.kit.identity import Role
from federated_router.kit.names import resource_id
from federated_router.priors.catalogue import SENSITIVITY_SQUARED
from federated_router.privacy.noise import share_sigma

MEMBER_ROLES = frozenset({Role.NODE.value, Role.ROUTER.value})


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The weakest terms under which this member takes part.

    `noise_scale_min` is a standard deviation in counts; `participation_min` a share of
    those who joined; `members_min` the smallest roster; `colluders_min` how many
    colluders the noise must allow for at least, None for a third of the roster.
    """

    noise_scale_min: float
    participation_min: float
    members_min: int
    colluders_min: int | None = None

    def colluders(self, members: int) -> int:
        """Return how many colluders the noise of such a roster must allow for."""
        if self.colluders_min is not None:
            return self.colluders_min
        return (members - 1) // 3


@dataclass(frozen=True, slots=True)
class Roster:
    """A roster that was verified, in the order that numbers the holders from 1."""

    round_name: str
    members: tuple[RosterMember, ...]
    hash: RosterHash
    beacon: bytes
    thresholds: Thresholds
    layout: bytes

    def keys_of(self, member: MemberName) -> PublicKeys:
        """Return a member's keys; raise NotOnRoster for anybody else."""
        for entry in self.members:
            if entry.member == member:
                return entry.announcement.binding.keys
        raise NotOnRoster(f"{member} is not on the roster of this round.")


def verify_offer(round_: Round, floor: Floor) -> None:
    """Accept a round to join: enough noise, enough participation, a known layout.

    Raises:
        NotNow: weaker terms than the floor.
        FieldInvalid: a name that no round has.
    """
    resource_id(round_.name, "rounds")
    _verify_strength(round_, floor)


def verify_terms(round_: Round, floor: Floor, *, members: int) -> float:
    """Return this member's noise scale, once the final terms hold for `members`.

    Raises:
        NotNow: weaker terms than the floor.
        HeadroomExceeded: a sum that could wrap around.
    """
    _verify_strength(round_, floor)
    if round_.noise.colluders_max < floor.colluders(members):
        raise _weak("the noise allows for too few colluders", "colluders_max")
    if round_.noise.survivors_min > members:
        raise _weak("it counts on more noise shares than members", "survivors_min")
    sigma = share_sigma(
        sigma_total=round_.noise.scale,
        survivors_min=round_.noise.survivors_min,
        colluders_max=round_.noise.colluders_max,
    )
    refuse_overflow(
        [SlotScale(0.0, float(round_.catalogue.slot_max), 1.0)],
        members=members,
        noise_sigma_steps=sigma * math.sqrt(members),
    )
    return sigma


def verify_roster(
    round_: Round, *, own: RosterMember, floor: Floor, trust: Trust, now_s: float
) -> Roster:
    """Return the roster, once every part of it was recomputed or verified.

    Raises:
        RosterTooSmall: fewer members than the floor.
        RosterMismatch: out of order, this member missing or altered, another hash or
            another beacon.
        SignatureInvalid: a binding that does not hold, or a nonce that was not
            committed to.
    """
    _verify_size_and_order(round_.roster, floor)
    if own not in round_.roster:
        raise _mismatch("it does not hold this member as it joined", "own_entry")
    for entry in round_.roster:
        _verify_member(entry, trust=trust, now_s=now_s)
    attempt = attempt_of(round_.name)
    entries = [entry.entry for entry in round_.roster]
    layout = round_.catalogue.sha256
    roster_hash = beacon.roster_hash(attempt, entries, layout=layout)
    if not hmac.compare_digest(roster_hash, round_.roster_hash):
        raise _mismatch("its hash does not follow from it", "roster_hash")
    nonces = {entry.member: entry.nonce for entry in round_.roster}
    expected = beacon.beacon(attempt, entries, nonces, layout=layout)
    if not hmac.compare_digest(expected, round_.beacon):
        raise _mismatch("the beacon does not follow from its nonces", "beacon")
    thresholds = Thresholds.for_roster(len(entries))
    return Roster(round_.name, round_.roster, roster_hash, expected, thresholds, layout)


def survivors_least(round_: Round, roster: Roster, floor: Floor) -> int:
    """Return how many contributions a sum must have before this member helps open it.

    The promised noise, the promised and the demanded participation, and the number
    of holders that open: each is a lower bound.
    """
    members = len(roster.members)
    joined = max(round_.joined_count, members)
    # Exact for decimal ratios, as the coordinator counts: 0.55 of 100 is 55, not 56.
    participation = Fraction(
        repr(max(round_.participation_min, floor.participation_min))
    )
    return max(
        round_.noise.survivors_min,
        math.ceil(participation * joined),
        roster.thresholds.reconstruct,
    )


def verify_survivor_set(
    claim: SurvivorSet,
    *,
    roster: Roster,
    survivors_min: int,
    own: MemberName,
    own_sha256: bytes,
    trust: Trust,
    now_s: float,
) -> None:
    """Accept the set whose sum this member may help to open.

    Raises:
        SignatureInvalid: not signed by a coordinator, or a contribution that its
            member did not sign.
        RosterTooSmall: fewer survivors than `survivors_min`.
        RosterMismatch: a repeated survivor, or this member's contribution missing.
        NotOnRoster: a survivor of another round.
    """
    verify_survivors(roster.round_name, roster.hash, claim, trust=trust, now_s=now_s)
    names = [survivor.member for survivor in claim.survivors]
    if len(set(names)) != len(names):
        raise _mismatch("a survivor is counted twice", "survivors")
    _require_members(len(names), survivors_min)
    digests = {survivor.member: survivor.sha256 for survivor in claim.survivors}
    if not hmac.compare_digest(digests.get(own, b""), own_sha256):
        raise _mismatch("this member's contribution is not in the sum", "survivors")
    for survivor in claim.survivors:
        statement = contribution_statement(
            roster.round_name,
            survivor.member,
            roster_hash=roster.hash,
            body_sha256=survivor.sha256,
        )
        signing.verify(statement, survivor.signature, roster.keys_of(survivor.member))


def _verify_strength(round_: Round, floor: Floor) -> None:
    terms = round_.noise
    if not _strong(terms, floor):
        raise _weak("there is less noise than this member demands", "scale")
    if terms.sensitivity_squared != SENSITIVITY_SQUARED:
        raise _weak("its noise is measured against another layout", "sensitivity")
    if not floor.participation_min <= round_.participation_min <= 1:
        raise _weak("too small a part of the members may be summed", "participation")


def _strong(terms: NoiseTerms, floor: Floor) -> bool:
    return math.isfinite(terms.scale) and terms.scale >= floor.noise_scale_min


def _verify_size_and_order(roster: tuple[RosterMember, ...], floor: Floor) -> None:
    _require_members(len(roster), floor.members_min)
    rising = all(low.member < high.member for low, high in pairwise(roster))
    if not rising:
        raise _mismatch("its members do not stand in the order of names", "order")


def _verify_member(entry: RosterMember, *, trust: Trust, now_s: float) -> None:
    role = entry.member.partition("/")[0]
    if role not in MEMBER_ROLES:
        raise SignatureInvalid(
            f"{entry.member} has no role that takes part in rounds.",
            metadata={"member": entry.member},
        )
    verify_binding(
        entry.announcement.binding,
        certificate_der=entry.announcement.certificate_der,
        authorities_pem=trust.authorities_pem,
        trust_domain=trust.trust_domain,
        now_s=now_s,
    )


def _require_members(members: int, members_min: int) -> None:
    if members < members_min:
        raise RosterTooSmall(
            f"This member takes part with {members_min} members and more.",
            metadata={"members": str(members), "needed": str(members_min)},
        )


def _mismatch(what: str, check: str) -> RosterMismatch:
    return RosterMismatch(
        f"The roster of this round is refused: {what}.", metadata={"check": check}
    )


def _weak(what: str, check: str) -> NotNow:
    return NotNow(
        f"The terms of this round are refused: {what}.", metadata={"check": check}
    )
