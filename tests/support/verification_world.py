"""A roster of four with everybody's keys, in which tests make one thing wrong."""

import time
from dataclasses import dataclass

from federated_router.crypto import beacon, signing
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import RosterMember, Round, RoundState
from federated_router.federation.statements import (
    Contributor,
    attempt_of,
    contribution_statement,
    sha256,
)
from federated_router.federation.verification import Roster, verify_roster
from tests.support.round_coordinator import CATALOGUE, NOISE, ROUND
from tests.support.round_member import FLOOR, NAMES, Certificates

# Certificates are issued when a test first asks for them, minutes after this line runs.
NOW_S = time.time() + 1800
NOT_AFTER_S = int(NOW_S) + 3600


@dataclass(frozen=True, slots=True)
class World:
    """A valid roster of four, everybody's keys, and the coordinator."""

    round: Round
    keys: dict[MemberName, MemberKeys]
    credentials: dict[MemberName, Credentials]
    coordinator: Credentials

    @property
    def own(self) -> RosterMember:
        """The member whose checks are tested."""
        return self.round.roster[0]


def roster_member(credentials: Credentials, keys: MemberKeys) -> RosterMember:
    """Return a member that joined and revealed honestly."""
    nonce = sha256(credentials.member.encode())
    return RosterMember(
        credentials.announce(keys.public, not_after_s=NOT_AFTER_S),
        beacon.commit(attempt_of(ROUND), credentials.member, nonce),
        nonce,
    )


def honest_round(roster: tuple[RosterMember, ...]) -> Round:
    """Return a COLLECTING round whose hash and beacon follow from `roster`."""
    attempt = attempt_of(ROUND)
    entries = [entry.entry for entry in roster]
    nonces = {entry.member: entry.nonce for entry in roster}
    return Round(
        name=ROUND,
        state=RoundState.COLLECTING,
        catalogue=CATALOGUE,
        noise=NOISE,
        participation_min=0.75,
        joined_count=len(roster),
        roster=roster,
        roster_hash=beacon.roster_hash(attempt, entries, layout=CATALOGUE.sha256),
        beacon=beacon.beacon(attempt, entries, nonces, layout=CATALOGUE.sha256),
    )


def honest_world(certificates: Certificates, names: tuple[str, ...] = NAMES) -> World:
    """Return a federation in which nothing is wrong."""
    credentials = {MemberName(name): certificates.credentials(name) for name in names}
    keys = {name: MemberKeys.generate() for name in credentials}
    roster = tuple(
        roster_member(credentials[name], keys[name]) for name in sorted(keys)
    )
    coordinator = certificates.credentials("coordinator/main")
    return World(honest_round(roster), keys, credentials, coordinator)


def verified(world: World, round_: Round) -> Roster:
    """Verify `round_` as the world's first member."""
    return verify_roster(
        round_,
        own=world.own,
        floor=FLOOR,
        trust=world.coordinator.trust,
        now_s=NOW_S,
    )


def contributors_of(world: World) -> tuple[Contributor, ...]:
    """Return everybody's signed contribution."""
    return tuple(
        contributor(world, number, keys=world.keys[entry.member])
        for number, entry in enumerate(world.round.roster, start=1)
    )


def contributor(
    world: World, number: int, *, keys: MemberKeys, roster_hash: bytes = b""
) -> Contributor:
    """Return the contribution of a number on the roster, signed by `keys`."""
    member = world.round.roster[number - 1].member
    digest = sha256(member.encode())
    statement = contribution_statement(
        ROUND,
        member,
        roster_hash=type(world.round.roster_hash)(
            roster_hash or world.round.roster_hash
        ),
        body_sha256=digest,
    )
    return Contributor(number, digest, signing.sign(statement, keys))
