"""A coordinator's messages to members, mutated: refused, or the same where it matters.

A member acts on rounds, survivor sets and sealed shares. None of them may end its
daemon, which only outlives errors of this federation.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.federation import holder
from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import Participant
from federated_router.federation.round_view import SealedShares
from federated_router.federation.set_verification import (
    verify_contributor_set,
    verify_survivor_set,
)
from federated_router.federation.wire import (
    contributor_set_from_message,
    round_from_message,
    survivor_set_from_message,
)
from federated_router.kit.errors import CiphertextMalformed, FederationError
from tests.unit.aggregation_fuzz.mutations import bounded, known_version, mutated
from tests.unit.aggregation_fuzz.stage import parsed
from tests.unit.aggregation_fuzz.told import NOW_S, Told, read

few = settings(max_examples=30, deadline=None)
many = settings(max_examples=5000, deadline=None)
no_warning = pytest.mark.filterwarnings("ignore::UserWarning")


def try_round(told: Told, content: bytes) -> None:
    """Show a mutated round; what is believed binds what the honest one bound."""
    message = parsed(told.shown, content)
    if message is not None:
        try_both(told, message, told.listing)


def try_listing(told: Told, content: bytes) -> None:
    """Show a mutated roster; it is refused or the honest one to the byte."""
    listing = parsed(told.listing, content)
    if listing is not None and all(
        known_version(entry.keys.certificate_der) for entry in listing.members
    ):
        try_both(told, told.shown, listing)


def try_both(told: Told, message: pb2.Round, listing: pb2.GetRosterResponse) -> None:
    """Read what is shown; whoever believes it believes what is true."""
    with bounded():
        try:
            believed = read(message, listing, told.own, told.stage)
        except FederationError:
            return
    assert believed.hash == told.roster.hash
    assert believed.beacon == told.roster.beacon
    assert believed.members == told.roster.members


@no_warning
@few
@given(data=st.data())
def test_mutated_round_is_refused_or_has_the_same_roster(
    told: Told, data: st.DataObject
) -> None:
    """States, deadlines and causes may change; hash, beacon and layout may not."""
    try_round(told, data.draw(mutated(told.shown.SerializeToString())))


@no_warning
@few
@given(data=st.data())
def test_mutated_roster_is_refused_or_is_the_same(
    told: Told, data: st.DataObject
) -> None:
    """Keys, nonces and names follow from hash and beacon, which do not change."""
    try_listing(told, data.draw(mutated(told.listing.SerializeToString())))


@no_warning
@pytest.mark.simulation
@pytest.mark.timeout(600)
@many
@given(data=st.data())
def test_long_sweep_of_mutated_rounds_and_rosters(
    told: Told, data: st.DataObject
) -> None:
    """The same, thousands of times."""
    try_round(told, data.draw(mutated(told.shown.SerializeToString())))
    try_listing(told, data.draw(mutated(told.listing.SerializeToString())))


@no_warning
@few
@given(data=st.data())
def test_mutated_contributor_set_is_refused_or_says_the_same(
    told: Told, data: st.DataObject
) -> None:
    """The holder checks exactly the set that was signed, or sends nothing."""
    content = data.draw(mutated(told.header.SerializeToString()))
    header = parsed(told.header, content)
    if header is None or not known_version(header.coordinator_certificate_der):
        return
    record = told.stage.record(0)
    assert record.contribution is not None
    assert record.promise is not None
    with bounded():
        try:
            claim = contributor_set_from_message(header)
            verify_contributor_set(
                claim,
                roster=told.roster,
                promise=record.promise,
                own=told.own.member,
                own_sha256=record.contribution.sha256,
                trust=told.stage.members[0].credentials.trust,
                now_s=NOW_S,
            )
        except FederationError:
            return
    assert claim == contributor_set_from_message(told.header)


@no_warning
@few
@given(data=st.data())
def test_mutated_survivor_set_is_refused_or_says_the_same(
    told: Told, data: st.DataObject
) -> None:
    """The holder answers for exactly the set that was signed, or not at all."""
    content = data.draw(mutated(told.survivors.SerializeToString()))
    message = parsed(told.survivors, content)
    if message is None or not known_version(message.coordinator_certificate_der):
        return
    promise = told.stage.record(0).promise
    assert promise is not None
    shown = contributor_set_from_message(told.header)
    with bounded():
        try:
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
        except FederationError:
            return
    assert claim == survivor_set_from_message(told.survivors)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mutated_sealed_shares_give_no_answer(told: Told, data: st.DataObject) -> None:
    """One altered bit of one survivor's share, and the holder keeps silent."""
    sealed = SealedShares(
        contributor_set_from_message(told.header), data.draw(mutated(told.shares))
    )
    everybody = [entry.number for entry in sealed.claim.contributors]

    def answered() -> bytes:
        dealt = holder.unseal(
            sealed,
            own=told.own.member,
            keys=told.stage.record(0).held.keys,
            roster=told.roster,
        )
        return holder.answer(dealt, [everybody])

    with bounded(), pytest.raises(CiphertextMalformed):
        answered()


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
