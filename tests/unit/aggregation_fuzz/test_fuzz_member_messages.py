"""A coordinator's messages to members, mutated: refused, or the same where it matters.

A member acts on rounds, survivor sets and sealed shares. None of them may end its
daemon, which only outlives errors of this federation.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.federation import holder
from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import Participant
from federated_router.federation.round_view import SealedShares
from federated_router.federation.set_verification import (
    verify_contributor_set,
    verify_survivor_set,
)
from federated_router.federation.survivor_signature import ContributorSet, SurvivorSet
from federated_router.federation.verification import Roster
from federated_router.federation.wire import (
    contributor_set_from_message,
    round_from_message,
    survivor_set_from_message,
)
from federated_router.kit.errors import CiphertextMalformed
from tests.unit.aggregation_fuzz.mutations import known_version, mutated, taken
from tests.unit.aggregation_fuzz.stage import parsed
from tests.unit.aggregation_fuzz.told import NOW_S, Told, read

few = settings(max_examples=30, deadline=None)
many = settings(max_examples=5000, deadline=None)
no_warning = pytest.mark.filterwarnings("ignore::UserWarning")


def believed_of_round(told: Told, content: bytes) -> Roster | None:
    """Show a round of these bytes; return the roster that the member believes."""
    message = parsed(told.shown, content)
    if message is None:
        return None
    return taken(lambda: read(message, told.listing, told.own, told.stage))


def believed_of_roster(told: Told, content: bytes) -> Roster | None:
    """Show a roster of these bytes; return the one that the member believes."""
    listing = parsed(told.listing, content)
    if listing is None or not all(
        known_version(entry.keys.certificate_der) for entry in listing.members
    ):
        return None
    return taken(lambda: read(told.shown, listing, told.own, told.stage))


def believed_contributors(told: Told, content: bytes) -> ContributorSet | None:
    """Show a contributor set of these bytes; return the one that is believed."""
    header = parsed(told.header, content)
    if header is None or not known_version(header.coordinator_certificate_der):
        return None
    record = told.stage.record(0)
    contribution, promise = record.contribution, record.promise
    assert contribution is not None
    assert promise is not None

    def verified() -> ContributorSet:
        claim = contributor_set_from_message(header)
        verify_contributor_set(
            claim,
            roster=told.roster,
            promise=promise,
            own=told.own.member,
            own_sha256=contribution.sha256,
            trust=told.stage.members[0].credentials.trust,
            now_s=NOW_S,
        )
        return claim

    return taken(verified)


def believed_survivors(told: Told, content: bytes) -> SurvivorSet | None:
    """Show a survivor set of these bytes; return the one that is believed."""
    message = parsed(told.survivors, content)
    if message is None or not known_version(message.coordinator_certificate_der):
        return None
    promise = told.stage.record(0).promise
    assert promise is not None
    shown = contributor_set_from_message(told.header)

    def verified() -> SurvivorSet:
        claim = survivor_set_from_message(message)
        verify_survivor_set(
            claim,
            roster=told.roster,
            promise=promise,
            contributors=shown.contributors,
            contributors_sha256=shown.sha256(told.stage.name, told.roster.hash),
            trust=told.stage.members[0].credentials.trust,
            now_s=NOW_S,
        )
        return claim

    return taken(verified)


def answer_to(told: Told, shares: bytes) -> bytes:
    """Return the first member's answer to these sealed shares."""
    sealed = SealedShares(contributor_set_from_message(told.header), shares)
    dealt = holder.unseal(
        sealed,
        own=told.own.member,
        keys=told.stage.record(0).held.keys,
        roster=told.roster,
    )
    return holder.answer(dealt, [[one.number for one in sealed.claim.contributors]])


def test_unmutated_messages_are_believed(told: Told) -> None:
    """What the mutations start from is valid; without this they would prove nothing."""
    contributors = believed_contributors(told, told.header.SerializeToString())
    survivors = believed_survivors(told, told.survivors.SerializeToString())

    assert believed_of_round(told, told.shown.SerializeToString()) == told.roster
    assert believed_of_roster(told, told.listing.SerializeToString()) == told.roster
    assert contributors == contributor_set_from_message(told.header)
    assert survivors == survivor_set_from_message(told.survivors)
    assert answer_to(told, told.shares)


@no_warning
@few
@given(data=st.data())
def test_mutated_round_is_refused_or_has_the_same_roster(
    told: Told, data: st.DataObject
) -> None:
    """States, deadlines and causes may change; hash, beacon and layout may not."""
    content = data.draw(mutated(told.shown.SerializeToString()))

    assert believed_of_round(told, content) in (None, told.roster)


@no_warning
@few
@given(data=st.data())
def test_mutated_roster_is_refused_or_is_the_same(
    told: Told, data: st.DataObject
) -> None:
    """Keys, nonces and names follow from hash and beacon, which do not change."""
    content = data.draw(mutated(told.listing.SerializeToString()))

    assert believed_of_roster(told, content) in (None, told.roster)


@no_warning
@pytest.mark.simulation
@pytest.mark.timeout(600)
@many
@given(data=st.data())
def test_long_sweep_of_mutated_rounds_and_rosters(
    told: Told, data: st.DataObject
) -> None:
    """The same, thousands of times."""
    round_ = data.draw(mutated(told.shown.SerializeToString()))
    listing = data.draw(mutated(told.listing.SerializeToString()))

    assert believed_of_round(told, round_) in (None, told.roster)
    assert believed_of_roster(told, listing) in (None, told.roster)


@no_warning
@few
@given(data=st.data())
def test_mutated_contributor_set_is_refused_or_says_the_same(
    told: Told, data: st.DataObject
) -> None:
    """The holder checks exactly the set that was signed, or sends nothing."""
    content = data.draw(mutated(told.header.SerializeToString()))

    believed = believed_contributors(told, content)

    assert believed in (None, contributor_set_from_message(told.header))


@no_warning
@few
@given(data=st.data())
def test_mutated_survivor_set_is_refused_or_says_the_same(
    told: Told, data: st.DataObject
) -> None:
    """The holder answers for exactly the set that was signed, or not at all."""
    content = data.draw(mutated(told.survivors.SerializeToString()))

    believed = believed_survivors(told, content)

    assert believed in (None, survivor_set_from_message(told.survivors))


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mutated_sealed_shares_give_no_answer(told: Told, data: st.DataObject) -> None:
    """One altered bit of one survivor's share, and the holder keeps silent."""
    shares = data.draw(mutated(told.shares))

    assert taken(lambda: answer_to(told, shares), refusal=CiphertextMalformed) is None


def test_member_outlives_a_roster_with_a_certificate_of_unknown_version(
    told: Told,
) -> None:
    """Its background work ends with any other error than this federation's."""
    message = told.stage.newest(full=True)
    der = message.roster[1].keys.certificate_der
    version = der.index(bytes.fromhex("a003020102")) + 4
    message.roster[1].keys.certificate_der = (
        der[:version] + b"\x01" + der[version + 1 :]
    )
    running = told.stage.members[0]
    participant = Participant(
        steps=running.member,
        watcher=told.stage.world.client(running.member.name),
        backoff=Backoff(least_s=0.1, most_s=1.0),
        clock=told.stage.world.clock,
    )
    round_ = round_from_message(message)

    told.stage.run(participant._step(round_))

    assert participant._done == (round_.name, round_.state)
