"""A coordinator's messages to members, mutated: refused, or the same where it matters.

A member acts on rounds, survivor sets and sealed shares. None of them may end its
daemon, which only outlives errors of this federation.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.transcript import MemberName
from federated_router.federation import contribution as making
from federated_router.federation.backoff import Backoff
from federated_router.federation.participant import Participant
from federated_router.federation.verification import (
    verify_survivor_set,
)
from federated_router.federation.wire import (
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
    message = parsed(told.collecting, content)
    if message is None or not all(
        known_version(entry.keys.certificate_der) for entry in message.roster
    ):
        return
    with bounded():
        try:
            believed = read(message, told.own, told.stage)
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
    """States, deadlines and causes may change; keys, nonces, names may not."""
    try_round(told, data.draw(mutated(told.collecting.SerializeToString())))


@no_warning
@pytest.mark.simulation
@pytest.mark.timeout(600)
@many
@given(data=st.data())
def test_long_sweep_of_mutated_rounds(told: Told, data: st.DataObject) -> None:
    """The same, thousands of times."""
    try_round(told, data.draw(mutated(told.collecting.SerializeToString())))


@no_warning
@few
@given(data=st.data())
def test_mutated_survivor_message_is_refused_or_says_the_same(
    told: Told, data: st.DataObject
) -> None:
    """The holder answers for exactly the set that was signed, or not at all."""
    content = data.draw(mutated(told.header.SerializeToString()))
    header = parsed(told.header, content)
    if header is None or not known_version(header.coordinator_certificate_der):
        return
    record = told.stage.record(0)
    assert record.contribution is not None
    claim = survivor_set_from_message(header)
    with bounded():
        try:
            verify_survivor_set(
                claim,
                roster=told.roster,
                survivors_min=record.survivors_min,
                own=told.own.member,
                own_sha256=record.contribution.sha256,
                trust=told.stage.members[0].credentials.trust,
                now_s=NOW_S,
            )
        except FederationError:
            return
    assert claim == survivor_set_from_message(told.header)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_mutated_sealed_shares_give_no_answer(told: Told, data: st.DataObject) -> None:
    """One altered bit of one survivor's share, and the holder keeps silent."""
    names = [MemberName(survivor.member) for survivor in told.header.survivors]

    with bounded(), pytest.raises(CiphertextMalformed):
        making.sum_sealed_shares(
            data.draw(mutated(told.shares)),
            survivors=names,
            own=told.own.member,
            keys=told.stage.record(0).held.keys,
            roster=told.roster,
        )


def test_member_outlives_a_roster_with_a_certificate_of_unknown_version(
    told: Told,
) -> None:
    """Its background work ends with any other error than this federation's."""
    message = pb2.Round()
    message.CopyFrom(told.collecting)
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
