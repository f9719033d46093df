"""What operators and members may ask for, with any text and any number in it.

Names, tokens, sizes and causes are free text on the wire. The service answers, or
refuses with an error of this federation; an unhandled error is a finding.
"""

from collections.abc import Iterator

import pytest
from google.protobuf.message import Message
from hypothesis import example, given, settings
from hypothesis import strategies as st

from coordinator.rounds import events, lifecycle
from coordinator.rounds.endings import CAUSE_LENGTH_MAX
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import FederationError
from tests.support import round_script
from tests.unit.aggregation_fuzz import stage as staging
from tests.unit.aggregation_fuzz.mutations import taken
from tests.unit.aggregation_fuzz.stage import Stage

OPERATOR, MEMBER = "operator/op", "node/node-1"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
INT32 = st.integers(-(2**31), 2**31 - 1)
few = settings(max_examples=30, deadline=None)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Give a coordinator with a round that is JOINING."""
    made = staging.at("JOINING", tmp_path_factory.mktemp("joining"))
    yield made
    made.close()


def ask(stage: Stage, method: str, caller: str, request: Message) -> Message | None:
    """Return the answer, or nothing for a refusal."""
    return taken(lambda: stage.run(stage.call(method, caller, request)))


@few
@given(name=TEXT)
@example(name="rounds/-")
@example(name="rounds/../rounds/a")
def test_round_of_any_name_is_refused(stage: Stage, name: str) -> None:
    """Only a name that the coordinator drew finds a round."""
    answer = ask(stage, "GetRound", MEMBER, pb2.GetRoundRequest(name=name))

    assert answer is None or name == stage.name


@few
@given(
    size=INT32,
    token=st.one_of(TEXT, st.integers(0, 2**63 - 1).map(str), st.just("0" * 4000)),
)
def test_page_of_any_size_and_token_is_given_or_refused(
    stage: Stage, size: int, token: str
) -> None:
    """A page never holds more than there is."""
    request = pb2.ListRoundsRequest(page_size=size, page_token=token)

    answer = ask(stage, "ListRounds", MEMBER, request)

    if answer is not None:
        assert isinstance(answer, pb2.ListRoundsResponse)
        assert len(answer.rounds) <= 1


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("9" * 5000, id="more digits than Python converts"),
        pytest.param("9" * 30, id="more than a store's integer holds"),
    ],
)
def test_page_token_of_too_many_digits_is_refused_by_name(
    stage: Stage, token: str
) -> None:
    """Any member may send one; it must not look like a failure of the coordinator."""
    request = pb2.ListRoundsRequest(page_token=token)

    with pytest.raises(FederationError):
        stage.run(stage.call("ListRounds", MEMBER, request))


@few
@given(request_id=TEXT, expected=INT32)
def test_round_of_any_terms_is_refused_while_another_runs(
    stage: Stage, request_id: str, expected: int
) -> None:
    """Ids and sizes are checked first; a running round is never replaced."""
    request = pb2.CreateRoundRequest(request_id=request_id, members_expected=expected)

    assert ask(stage, "CreateRound", OPERATOR, request) is None
    assert stage.newest().name == stage.name


@few
@given(
    name=TEXT,
    joined=st.binary(max_size=200),
    signature=st.binary(max_size=80),
    seconds=st.integers(-(2**63), 2**63 - 1),
)
def test_join_of_any_bytes_is_refused(
    stage: Stage, name: str, joined: bytes, signature: bytes, seconds: int
) -> None:
    """Nothing in it is valid; the round stays as it was."""
    request = pb2.JoinRoundRequest(
        round=stage.name if len(name) % 2 else name,
        keys=pb2.MemberKeys(
            signing_key=joined[:32],
            sealing_key=joined[32:64],
            not_after_s=seconds,
            certificate_der=joined,
            binding_signature=signature,
        ),
        beacon_commitment=joined[:32],
        signature=signature,
    )

    assert ask(stage, "JoinRound", MEMBER, request) is None
    assert stage.newest().joined_count == 0


@few
@given(nonce=st.binary(max_size=80), signature=st.binary(max_size=80))
def test_answers_and_nonces_of_any_bytes_are_refused(
    stage: Stage, nonce: bytes, signature: bytes
) -> None:
    """Nobody has joined: there is no key under which any of this could hold."""
    reveal = pb2.RevealBeaconRequest(round=stage.name, nonce=nonce, signature=signature)
    check = pb2.SubmitDealingCheckRequest(
        round=stage.name, combinations=nonce, signature=signature
    )
    opening = pb2.SubmitOpeningRequest(
        round=stage.name, share_sum=nonce, signature=signature
    )

    assert ask(stage, "RevealBeacon", MEMBER, reveal) is None
    assert ask(stage, "SubmitDealingCheck", MEMBER, check) is None
    assert ask(stage, "SubmitOpening", MEMBER, opening) is None


@few
@given(cause=st.one_of(TEXT, st.just("x" * 100_000)))
@example(cause="line\nbreak \x00 \x1b[31m")
def test_cause_of_an_abort_is_bounded_whatever_it_says(
    cause: str,
) -> None:
    """It is kept, logged and shown to everybody, so that it has a limit."""
    ended = lifecycle.advance(
        round_script.new_round(), events.AbortRequested(cause), round_script.START_S
    )

    assert len(ended.end_cause) <= CAUSE_LENGTH_MAX
    assert ended.ended
