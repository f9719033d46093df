"""Every check of a member, each with a round in which exactly one thing is wrong."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from federated_router.crypto import beacon, signing
from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.credentials import Credentials
from federated_router.federation.round_view import (
    NoiseTerms,
    RosterMember,
    Round,
    RoundState,
)
from federated_router.federation.statements import (
    Survivor,
    attempt_of,
    contribution_statement,
    sha256,
)
from federated_router.federation.survivor_signature import SurvivorSet, sign_survivors
from federated_router.federation.verification import (
    Floor,
    Roster,
    survivors_least,
    verify_offer,
    verify_roster,
    verify_survivor_set,
    verify_terms,
)
from federated_router.kit.errors import (
    HeadroomExceeded,
    NotNow,
    NotOnRoster,
    RosterMismatch,
    RosterTooSmall,
    SignatureInvalid,
)
from tests.support.round_coordinator import CATALOGUE, NOISE, ROUND
from tests.support.round_member import FLOOR, NAMES, Certificates

# Certificates are issued when a test first asks for them, minutes after this line runs.
NOW_S = time.time() + 1800
NOT_AFTER_S = int(NOW_S) + 3600
NONCE = bytes(range(32))


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


@pytest.fixture(scope="module")
def world(certificates: Certificates) -> World:
    """Return a federation in which nothing is wrong."""
    credentials = {MemberName(name): certificates.credentials(name) for name in NAMES}
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


def test_honest_roster_is_accepted_and_numbered_by_name(world: World) -> None:
    """The negatives below mean something only if this passes."""
    roster = verified(world, world.round)

    assert [entry.member for entry in roster.members] == sorted(NAMES)
    assert roster.thresholds.holders == 4


def test_substituted_sealing_key_is_refused(world: World) -> None:
    """The classic middle: the coordinator puts its own key under a member's name."""
    victim = world.round.roster[1]
    binding = victim.announcement.binding
    own = MemberKeys.generate().public
    other = replace(binding, keys=PublicKeys(binding.keys.signing, own.sealing))
    forged = replace(victim, announcement=replace(victim.announcement, binding=other))
    roster = (world.round.roster[0], forged, *world.round.roster[2:])

    with pytest.raises(SignatureInvalid):
        verified(world, honest_round(roster))


def test_member_of_another_authority_is_refused(
    world: World, strangers: Certificates
) -> None:
    """A name is worth nothing without the federation's authority."""
    stranger = roster_member(
        strangers.credentials(world.round.roster[1].member), MemberKeys.generate()
    )
    roster = (world.round.roster[0], stranger, *world.round.roster[2:])

    with pytest.raises(SignatureInvalid):
        verified(world, honest_round(roster))


def test_client_on_the_roster_is_refused(
    world: World, certificates: Certificates
) -> None:
    """Clients have certificates too; a coordinator could pad a roster with them."""
    client = roster_member(
        certificates.credentials("client/c-1"), MemberKeys.generate()
    )

    with pytest.raises(SignatureInvalid):
        verified(world, honest_round((client, *world.round.roster)))


def test_expired_binding_is_refused(world: World) -> None:
    """Rotated keys must not come back."""
    with pytest.raises(SignatureInvalid):
        verify_roster(
            world.round,
            own=world.own,
            floor=FLOOR,
            trust=world.coordinator.trust,
            now_s=NOT_AFTER_S + 1,
        )


def _own_missing(world: World) -> Round:
    return honest_round(world.round.roster[1:])


def _own_keys_replaced(world: World) -> Round:
    other = roster_member(world.credentials[world.own.member], MemberKeys.generate())
    return honest_round((other, *world.round.roster[1:]))


def _out_of_order(world: World) -> Round:
    return honest_round(tuple(reversed(world.round.roster)))


def _other_hash(world: World) -> Round:
    return replace(world.round, roster_hash=sha256(b"other"))  # type: ignore[arg-type]


def _other_beacon(world: World) -> Round:
    return replace(world.round, beacon=sha256(b"chosen"))


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (_own_missing, "own_entry"),
        (_own_keys_replaced, "own_entry"),
        (_out_of_order, "order"),
        (_other_hash, "roster_hash"),
        (_other_beacon, "beacon"),
    ],
)
def test_altered_roster_is_refused(
    world: World, broken: Callable[[World], Round], check: str
) -> None:
    """Each derived figure is recomputed, and holders are numbered one way only."""
    with pytest.raises(RosterMismatch) as refused:
        verified(world, broken(world))

    assert refused.value.metadata["check"] == check


def test_nonce_that_was_not_committed_to_is_refused(world: World) -> None:
    """Who may choose a nonce after seeing the others chooses the polynomials."""
    cheat = replace(world.round.roster[1], nonce=NONCE)
    roster = (world.round.roster[0], cheat, *world.round.roster[2:])

    with pytest.raises(SignatureInvalid):
        verified(world, replace(world.round, roster=roster))


def test_roster_below_the_floor_is_refused(world: World) -> None:
    """An operator may demand more company than the protocol does."""
    with pytest.raises(RosterTooSmall):
        verify_roster(
            world.round,
            own=world.own,
            floor=replace(FLOOR, members_min=5),
            trust=world.coordinator.trust,
            now_s=NOW_S,
        )


@pytest.mark.parametrize(
    ("terms", "floor", "check"),
    [
        (replace(NOISE, scale=0.9), FLOOR, "scale"),
        (replace(NOISE, scale=float("nan")), FLOOR, "scale"),
        (replace(NOISE, scale=float("inf")), FLOOR, "scale"),
        (replace(NOISE, sensitivity_squared=0), FLOOR, "sensitivity"),
        (replace(NOISE, colluders_max=0), FLOOR, "colluders_max"),
        (replace(NOISE, survivors_min=5), FLOOR, "survivors_min"),
        (NOISE, replace(FLOOR, participation_min=0.9), "participation"),
        (NOISE, replace(FLOOR, colluders_min=2), "colluders_max"),
    ],
)
def test_weak_terms_are_refused(
    world: World, terms: NoiseTerms, floor: Floor, check: str
) -> None:
    """The floor is the member's own promise to those whose requests it counts."""
    with pytest.raises(NotNow) as refused:
        verify_terms(replace(world.round, noise=terms), floor, members=4)

    assert refused.value.metadata["check"] == check


def test_weak_noise_is_refused_before_joining(world: World) -> None:
    """Nothing is announced to a round that could not be contributed to."""
    with pytest.raises(NotNow):
        verify_offer(replace(world.round, noise=replace(NOISE, scale=0.5)), FLOOR)


def test_share_of_the_noise_covers_colluders(world: World) -> None:
    """Two honest of three survivors must carry the whole scale of 4: 4 / sqrt(2)."""
    assert verify_terms(world.round, FLOOR, members=4) == pytest.approx(2.8284271)


def test_sum_that_could_wrap_is_refused(world: World) -> None:
    """2^24 per slot and 17 members exceed 2^28."""
    wide = replace(
        world.round,
        catalogue=replace(CATALOGUE, slot_max=1 << 24),
        noise=replace(NOISE, scale=6.0, survivors_min=14, colluders_max=5),
    )

    with pytest.raises(HeadroomExceeded):
        verify_terms(wide, FLOOR, members=17)


def test_survivors_least_is_the_strictest_of_its_bounds(world: World) -> None:
    """Noise, participation of those who joined, and opening each set a minimum."""
    roster = verified(world, world.round)
    many_left = replace(world.round, joined_count=20)

    assert survivors_least(world.round, roster, FLOOR) == 3
    assert survivors_least(many_left, roster, FLOOR) == 15


def survivors_of(world: World) -> tuple[Survivor, ...]:
    """Return everybody's signed contribution."""
    return tuple(
        survivor(world, entry.member, keys=world.keys[entry.member])
        for entry in world.round.roster
    )


def survivor(
    world: World, member: MemberName, *, keys: MemberKeys, roster_hash: bytes = b""
) -> Survivor:
    """Return a contribution of `member` signed by `keys`."""
    digest = sha256(member.encode())
    statement = contribution_statement(
        ROUND,
        member,
        roster_hash=type(world.round.roster_hash)(
            roster_hash or world.round.roster_hash
        ),
        body_sha256=digest,
    )
    return Survivor(member, digest, signing.sign(statement, keys))


def signed(
    world: World, survivors: tuple[Survivor, ...], *, by: Credentials
) -> SurvivorSet:
    """Return the set under a signature."""
    signature = sign_survivors(
        ROUND, world.round.roster_hash, survivors, certificate_key=by.certificate_key
    )
    return SurvivorSet(survivors, signature, by.certificate_der)


def check(world: World, claim: SurvivorSet, *, survivors_min: int = 3) -> None:
    """Check the set as the world's first member."""
    verify_survivor_set(
        claim,
        roster=verified(world, world.round),
        survivors_min=survivors_min,
        own=world.own.member,
        own_sha256=sha256(world.own.member.encode()),
        trust=world.coordinator.trust,
        now_s=NOW_S,
    )


def test_honest_survivor_set_is_accepted(world: World) -> None:
    """The negatives below mean something only if this passes."""
    check(world, signed(world, survivors_of(world), by=world.coordinator))


def test_own_digest_missing_is_refused(world: World) -> None:
    """Without its own contribution in it, a sum may be built around one victim."""
    others = survivors_of(world)[1:]

    with pytest.raises(RosterMismatch):
        check(world, signed(world, others, by=world.coordinator))


def test_own_digest_of_another_body_is_refused(world: World) -> None:
    """Another body under this member's name would be a second contribution."""
    mine, *others = survivors_of(world)
    forged = (replace(mine, sha256=sha256(b"other")), *others)

    with pytest.raises(RosterMismatch):
        check(world, signed(world, forged, by=world.coordinator))


def test_too_few_survivors_are_refused(world: World) -> None:
    """A sum of few is nearly one contribution."""
    few = survivors_of(world)[:2]

    with pytest.raises(RosterTooSmall):
        check(world, signed(world, few, by=world.coordinator))


def test_repeated_survivor_does_not_count_twice(world: World) -> None:
    """Repeating a name must not fill the minimum."""
    mine, second, *_ = survivors_of(world)

    with pytest.raises(RosterMismatch):
        check(world, signed(world, (mine, second, second), by=world.coordinator))


def test_survivor_that_did_not_sign_is_refused(world: World) -> None:
    """Contributions made up by the coordinator carry no member's signature."""
    mine, second, third, _ = survivors_of(world)
    made_up = survivor(world, second.member, keys=MemberKeys.generate())

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, (mine, made_up, third), by=world.coordinator))


def test_survivor_of_another_roster_is_refused(world: World) -> None:
    """A signature from another roster is not a word about this sum."""
    mine, second, third, _ = survivors_of(world)
    stale = survivor(
        world,
        second.member,
        keys=world.keys[second.member],
        roster_hash=sha256(b"another roster"),
    )

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, (mine, stale, third), by=world.coordinator))


def test_survivor_who_is_not_on_the_roster_is_refused(
    world: World, certificates: Certificates
) -> None:
    """Strangers are not counted, whoever signed for them."""
    mine, second, third, _ = survivors_of(world)
    name = certificates.credentials("node/node-9").member
    stranger = survivor(world, name, keys=MemberKeys.generate())

    with pytest.raises(NotOnRoster):
        check(
            world, signed(world, (mine, second, third, stranger), by=world.coordinator)
        )


def test_set_signed_by_a_node_is_refused(world: World) -> None:
    """Every member has a certificate; only a coordinator's may fix the survivors."""
    node = world.credentials[world.round.roster[1].member]

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, survivors_of(world), by=node))


def test_set_signed_under_another_authority_is_refused(
    world: World, strangers: Certificates
) -> None:
    """A coordinator of another federation is nobody here."""
    other = strangers.credentials("coordinator/main")

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, survivors_of(world), by=other))


def test_set_altered_after_signing_is_refused(world: World) -> None:
    """The signature covers every survivor."""
    claim = signed(world, survivors_of(world), by=world.coordinator)

    with pytest.raises(SignatureInvalid):
        check(world, replace(claim, survivors=claim.survivors[:3]))
