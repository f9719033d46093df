"""Every check of the sets that a coordinator signs, each with one thing wrong."""

from dataclasses import replace

import pytest

from federated_router.crypto import cohorts as drawing
from federated_router.crypto.signing import MemberKeys
from federated_router.federation.credentials import Credentials
from federated_router.federation.set_verification import (
    Survivors,
    verify_contributor_set,
    verify_survivor_set,
)
from federated_router.federation.statements import Contributor, attempt_of, sha256
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
    sign_contributors,
    sign_survivors,
)
from federated_router.federation.verification import Promise
from federated_router.kit.errors import (
    NotOnRoster,
    RosterMismatch,
    RosterTooSmall,
    SignatureInvalid,
)
from tests.support.round_coordinator import ROUND
from tests.support.round_member import Certificates
from tests.support.verification_world import (
    NOW_S,
    World,
    contributor,
    contributors_of,
    honest_world,
    verified,
)

PROMISE = Promise(contributors_min=3, survivors_min=3)
EIGHT = tuple(f"node/node-{number}" for number in range(1, 9))


@pytest.fixture(scope="module")
def world(certificates: Certificates) -> World:
    """Return a federation in which nothing is wrong."""
    return honest_world(certificates)


@pytest.fixture(scope="module")
def eight(certificates: Certificates) -> World:
    """Return a federation of eight, enough for two cohorts."""
    return honest_world(certificates, EIGHT)


def signed(
    world: World, contributors: tuple[Contributor, ...], *, by: Credentials
) -> ContributorSet:
    """Return the contributors under a signature."""
    signature = sign_contributors(
        ROUND, world.round.roster_hash, contributors, certificate_key=by.certificate_key
    )
    return ContributorSet(contributors, signature, by.certificate_der)


def check(world: World, claim: ContributorSet) -> None:
    """Check the set as the world's first member."""
    verify_contributor_set(
        claim,
        roster=verified(world, world.round),
        promise=PROMISE,
        own=world.own.member,
        own_sha256=sha256(world.own.member.encode()),
        trust=world.coordinator.trust,
        now_s=NOW_S,
    )


def survive(
    world: World,
    survivors: tuple[int, ...],
    *,
    by: Credentials | None = None,
    of: bytes = b"",
    promise: Promise = PROMISE,
) -> Survivors:
    """Check survivors, signed as a part of `of` or of everybody."""
    contributors = contributors_of(world)
    digest = signed(world, contributors, by=world.coordinator).sha256(
        ROUND, world.round.roster_hash
    )
    signer = by or world.coordinator
    signature = sign_survivors(
        ROUND,
        world.round.roster_hash,
        survivors,
        contributors_sha256=of or digest,
        certificate_key=signer.certificate_key,
    )
    return verify_survivor_set(
        SurvivorSet(survivors, signature, signer.certificate_der),
        roster=verified(world, world.round),
        promise=promise,
        contributors=contributors,
        contributors_sha256=digest,
        trust=world.coordinator.trust,
        now_s=NOW_S,
    )


def test_honest_contributor_set_is_accepted(world: World) -> None:
    """The negatives below mean something only if this passes."""
    check(world, signed(world, contributors_of(world), by=world.coordinator))


def test_own_digest_missing_is_refused(world: World) -> None:
    """Without its own contribution in it, a sum may be built around one victim."""
    others = contributors_of(world)[1:]

    with pytest.raises(RosterMismatch):
        check(world, signed(world, others, by=world.coordinator))


def test_own_digest_of_another_body_is_refused(world: World) -> None:
    """Another body under this member's name would be a second contribution."""
    mine, *others = contributors_of(world)
    forged = (replace(mine, sha256=sha256(b"other")), *others)

    with pytest.raises(RosterMismatch):
        check(world, signed(world, forged, by=world.coordinator))


def test_too_few_contributors_are_refused(world: World) -> None:
    """A sum of few is nearly one contribution."""
    few = contributors_of(world)[:2]

    with pytest.raises(RosterTooSmall):
        check(world, signed(world, few, by=world.coordinator))


@pytest.mark.parametrize("order", [(0, 1, 1), (0, 2, 1), (1, 0, 2, 3)])
def test_contributors_stand_once_and_in_order(
    world: World, order: tuple[int, ...]
) -> None:
    """Repeating a number must not fill the minimum; one set has one digest."""
    everybody = contributors_of(world)
    shown = tuple(everybody[index] for index in order)

    with pytest.raises(RosterMismatch):
        check(world, signed(world, shown, by=world.coordinator))


def test_contributor_that_did_not_sign_is_refused(world: World) -> None:
    """Contributions made up by the coordinator carry no member's signature."""
    mine, _, third, _ = contributors_of(world)
    made_up = contributor(world, 2, keys=MemberKeys.generate())

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, (mine, made_up, third), by=world.coordinator))


def test_contributor_of_another_roster_is_refused(world: World) -> None:
    """A signature from another roster is not a word about this sum."""
    mine, _, third, _ = contributors_of(world)
    keys = world.keys[world.round.roster[1].member]
    stale = contributor(world, 2, keys=keys, roster_hash=sha256(b"another roster"))

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, (mine, stale, third), by=world.coordinator))


@pytest.mark.parametrize("number", [0, 5])
def test_number_that_is_not_on_the_roster_is_refused(world: World, number: int) -> None:
    """Strangers are not counted, whoever signed for them."""
    everybody = contributors_of(world)
    stranger = replace(everybody[0], number=number)
    shown = tuple(sorted((*everybody, stranger), key=lambda entry: entry.number))

    with pytest.raises(NotOnRoster):
        check(world, signed(world, shown, by=world.coordinator))


def test_set_signed_by_a_node_is_refused(world: World) -> None:
    """Every member has a certificate; only a coordinator's may fix a set."""
    node = world.credentials[world.round.roster[1].member]

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, contributors_of(world), by=node))
    with pytest.raises(SignatureInvalid):
        survive(world, (1, 2, 3, 4), by=node)


def test_set_signed_under_another_authority_is_refused(
    world: World, strangers: Certificates
) -> None:
    """A coordinator of another federation is nobody here."""
    other = strangers.credentials("coordinator/main")

    with pytest.raises(SignatureInvalid):
        check(world, signed(world, contributors_of(world), by=other))
    with pytest.raises(SignatureInvalid):
        survive(world, (1, 2, 3, 4), by=other)


def test_set_altered_after_signing_is_refused(world: World) -> None:
    """The signature covers every contributor."""
    claim = signed(world, contributors_of(world), by=world.coordinator)

    with pytest.raises(SignatureInvalid):
        check(world, replace(claim, contributors=claim.contributors[:3]))


def test_honest_survivors_are_returned_as_one_cohort(world: World) -> None:
    """The negatives below mean something only if this passes; 1 need not survive."""
    assert survive(world, (2, 3, 4)) == ((2, 3, 4),)


def test_survivors_of_another_contributor_set_are_refused(world: World) -> None:
    """Two contributor sets cannot share one survivor set."""
    with pytest.raises(SignatureInvalid):
        survive(world, (1, 2, 3), of=sha256(b"another set"))


def test_too_few_survivors_are_refused(world: World) -> None:
    """The noise was drawn for so many."""
    with pytest.raises(RosterTooSmall):
        survive(world, (1, 2))


@pytest.mark.parametrize("survivors", [(1, 2, 2), (3, 2, 1), (1, 2, 5)])
def test_survivors_are_contributors_once_and_in_order(
    world: World, survivors: tuple[int, ...]
) -> None:
    """Nobody survives who did not contribute, and nobody twice."""
    with pytest.raises(RosterMismatch):
        survive(world, survivors)


def test_survivors_are_split_into_the_cohorts_that_the_beacon_draws(
    eight: World,
) -> None:
    """Each member draws them itself, so that nobody is moved to a cohort of few."""
    promise = replace(PROMISE, cohort_size=4, cohort_survivors_min=3)
    roster = verified(eight, eight.round)
    drawn = drawing.assign(
        attempt_of(ROUND), roster.hash, roster.beacon, holders=8, size=4
    )
    first, second = drawn

    assert survive(eight, tuple(range(1, 9)), promise=promise) == drawn
    assert survive(eight, first, promise=promise) == (first,)
    one_less = tuple(sorted(first + second[1:]))
    assert survive(eight, one_less, promise=promise) == (first, second[1:])


def test_cohort_of_too_few_survivors_is_refused(eight: World) -> None:
    """Its sum is opened by itself: few in it are few in a sum, however many others."""
    promise = replace(PROMISE, cohort_size=4, cohort_survivors_min=3)
    roster = verified(eight, eight.round)
    first, second = drawing.assign(
        attempt_of(ROUND), roster.hash, roster.beacon, holders=8, size=4
    )

    with pytest.raises(RosterTooSmall):
        survive(eight, tuple(sorted(first + second[:2])), promise=promise)
