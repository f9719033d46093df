"""Every check of a member, each with a round in which exactly one thing is wrong."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from federated_router.crypto.signing import MemberKeys, PublicKeys
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.round_view import Round
from federated_router.federation.statements import sha256
from federated_router.federation.terms_verification import (
    Floor,
    verify_offer,
    verify_terms,
)
from federated_router.federation.verification import Promise, promised, verify_roster
from federated_router.kit.errors import (
    HeadroomExceeded,
    NotNow,
    RosterMismatch,
    RosterTooSmall,
    SignatureInvalid,
)
from tests.support.round_coordinator import CATALOGUE, NOISE
from tests.support.round_member import FLOOR, NAMES, Certificates
from tests.support.verification_world import (
    NOT_AFTER_S,
    NOW_S,
    World,
    honest_round,
    honest_world,
    roster_member,
    verified,
)

NONCE = bytes(range(32))
COHORTS = replace(
    NOISE,
    survivors_min=9,
    cohort_size=4,
    cohort_survivors_min=3,
    cohort_colluders_max=2,
)


@pytest.fixture(scope="module")
def world(certificates: Certificates) -> World:
    """Return a federation in which nothing is wrong."""
    return honest_world(certificates)


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


def test_promise_is_the_strictest_of_its_bounds(world: World) -> None:
    """Noise, participation of those who joined, and opening each set a minimum."""
    roster = verified(world, world.round)
    many_left = replace(world.round, joined_count=20)

    assert promised(world.round, roster, FLOOR) == Promise(
        contributors_min=3, survivors_min=3
    )
    assert promised(many_left, roster, FLOOR).contributors_min == 15
    assert promised(many_left, roster, FLOOR).survivors_min == 3


def test_share_of_the_noise_follows_from_the_cohort(world: World) -> None:
    """One honest of three survivors carries the scale of 4 alone."""
    round_ = replace(world.round, noise=COHORTS)

    assert verify_terms(round_, FLOOR, members=12) == pytest.approx(4.0)


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"cohort_colluders_max": 1}, "cohort_colluders_max"),
        ({"cohort_survivors_min": 5, "cohort_colluders_max": 4}, "cohort_size"),
        ({"cohort_survivors_min": 0}, "cohort_size"),
        ({"cohort_size": 13}, "cohort_size"),
        ({"cohort_size": -1}, "cohort_size"),
    ],
)
def test_weak_cohorts_are_refused(
    world: World, changes: dict[str, int], check: str
) -> None:
    """Of 12 members 3 may collude, and by chance all three in one cohort."""
    terms = replace(COHORTS, **changes)

    with pytest.raises(NotNow) as refused:
        verify_terms(replace(world.round, noise=terms), FLOOR, members=12)

    assert refused.value.metadata["check"] == check
