"""Mutated messages to the product's own AggregationService, in the state they fit.

Only errors of this federation come out. What is accepted says, field by field, what
its sender said: the mutation touched nothing that anybody reads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.kit.errors import FederationError
from tests.unit.aggregation_fuzz import stage as staging
from tests.unit.aggregation_fuzz.mutations import bounded, known_version, mutated, taken
from tests.unit.aggregation_fuzz.stage import Stage, parsed

MEMBER = "node/node-1"
OPERATOR = "operator/op"
Part = pb2.SubmitContributionRequest
few = settings(max_examples=25, deadline=None)
many = settings(max_examples=3000, deadline=None)
no_warning = pytest.mark.filterwarnings("ignore::UserWarning")
Make = Callable[[Stage, int], Message]

UNARY: dict[str, tuple[str, Make]] = {
    "JoinRound": ("JOINING", staging.join_request),
    "RevealBeacon": ("REVEALING", staging.reveal_request),
    "SubmitDealingCheck": ("CHECKING", staging.check_request),
    "SubmitOpening": ("OPENING", staging.opening_request),
}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Stage]]:
    """Give one round in each state that takes messages; the first member is silent."""
    made: dict[str, Stage] = {}
    for state in ("JOINING", "REVEALING", "COLLECTING", "CHECKING", "OPENING"):
        directory: Path = tmp_path_factory.mktemp(state.lower())
        made[state] = staging.at(state, directory)
    yield made
    for stage in made.values():
        stage.close()


@pytest.fixture(scope="module")
def valid(stages: dict[str, Stage]) -> dict[str, Message]:
    """Give the first member's own message for each method."""
    return {method: make(stages[state], 0) for method, (state, make) in UNARY.items()}


def known(request: Message, original: Message) -> bool:
    """Leave out certificates of a version that is not handled yet."""
    if not isinstance(request, pb2.JoinRoundRequest):
        return True
    assert isinstance(original, pb2.JoinRoundRequest)
    return known_version(request.keys.certificate_der)


def accepted(
    stages: dict[str, Stage], method: str, original: Message, content: bytes
) -> Message | None:
    """Send bytes in the state that the method is for; return what was accepted."""
    request = parsed(original, content)
    if request is None or not known(request, original):
        return None
    stage = stages[UNARY[method][0]]

    def sent() -> Message:
        stage.run(stage.call(method, MEMBER, request))
        return request

    return taken(sent)


@no_warning
@pytest.mark.parametrize("method", UNARY)
@few
@given(data=st.data())
def test_mutated_message_is_refused_or_says_the_same(
    stages: dict[str, Stage],
    valid: dict[str, Message],
    method: str,
    data: st.DataObject,
) -> None:
    """Bytes of the whole message: tags, lengths, keys, certificates, signatures."""
    original = valid[method]
    content = data.draw(mutated(original.SerializeToString()))

    assert accepted(stages, method, original, content) in (None, original)


@no_warning
@pytest.mark.simulation
@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", UNARY)
@many
@given(data=st.data())
def test_long_sweep_of_mutated_messages(
    stages: dict[str, Stage],
    valid: dict[str, Message],
    method: str,
    data: st.DataObject,
) -> None:
    """The same as above, thousands of times."""
    original = valid[method]
    content = data.draw(mutated(original.SerializeToString()))

    assert accepted(stages, method, original, content) in (None, original)


@pytest.mark.parametrize("method", UNARY)
@few
@given(data=st.data())
def test_message_in_the_wrong_state_is_refused(
    stages: dict[str, Stage],
    valid: dict[str, Message],
    method: str,
    data: st.DataObject,
) -> None:
    """A valid message under the name of a round that stands elsewhere."""
    fitting = UNARY[method][0]
    others = sorted(set(stages) - {fitting})
    stage = stages[data.draw(st.sampled_from(others))]
    moved = type(valid[method])()
    moved.CopyFrom(valid[method])
    moved.round = stage.name  # type: ignore[attr-defined]

    before = stage.newest()

    with bounded(), pytest.raises(FederationError):
        stage.run(stage.call(method, MEMBER, moved))
    assert stage.newest() == before


@pytest.fixture(scope="module")
def contribution(stages: dict[str, Stage]) -> tuple[pb2.ContributionHeader, bytes]:
    """Give the first member's own contribution, which it has not sent."""
    return staging.contribution_parts(stages["COLLECTING"], 0)


def contributed_bytes(stage: Stage) -> int:
    """Return the size of what is kept as the first member's contribution."""
    roster = stage.newest(full=True).roster
    (kept,) = (row.contribution_bytes for row in roster if row.member == MEMBER)
    return kept


@few
@given(data=st.data())
def test_mutated_header_is_refused(
    stages: dict[str, Stage],
    contribution: tuple[pb2.ContributionHeader, bytes],
    data: st.DataObject,
) -> None:
    """Nothing of the body is read for a header that is not the sender's."""
    header, body = contribution
    changed = parsed(header, data.draw(mutated(header.SerializeToString())))
    if changed is None or changed == header:
        return
    read: list[int] = []

    def chunks() -> Iterator[Message]:
        yield Part(header=changed)
        read.append(1)
        yield Part(chunk=body)

    stage = stages["COLLECTING"]
    with bounded(), pytest.raises(FederationError):
        stage.run(stage.send(MEMBER, chunks()))  # type: ignore[arg-type]
    assert not read
    assert not contributed_bytes(stage)


@few
@given(data=st.data())
def test_mutated_body_is_refused(
    stages: dict[str, Stage],
    contribution: tuple[pb2.ContributionHeader, bytes],
    data: st.DataObject,
) -> None:
    """In any chunks: the digest in the header is of the bytes that were signed."""
    header, body = contribution
    changed = data.draw(mutated(body))
    cut = data.draw(st.integers(0, len(changed)))
    parts = [Part(header=header), Part(chunk=changed[:cut]), Part(chunk=changed[cut:])]

    stage = stages["COLLECTING"]
    with bounded(), pytest.raises(FederationError):
        stage.run(stage.send(MEMBER, parts))
    assert not contributed_bytes(stage)


@few
@given(order=st.lists(st.sampled_from("hcex"), max_size=6))
def test_stream_of_any_shape_is_refused(
    stages: dict[str, Stage],
    contribution: tuple[pb2.ContributionHeader, bytes],
    order: list[str],
) -> None:
    """Headers, halves of a body, empty parts and parts of nothing, in any order."""
    header, body = contribution
    kinds = {
        "h": Part(header=header),
        "c": Part(chunk=body[: len(body) // 2]),
        "e": Part(chunk=b""),
        "x": Part(),
    }

    stage = stages["COLLECTING"]
    with bounded(), pytest.raises(FederationError):
        stage.run(stage.send(MEMBER, [kinds[kind] for kind in order]))
    assert not contributed_bytes(stage)


def test_unmutated_messages_are_accepted(
    stages: dict[str, Stage], valid: dict[str, Message], tmp_path: Path
) -> None:
    """What the mutations start from is valid; without this they would prove nothing.

    The same message again changes nothing, so that the stages stay as they are; a
    contribution ends what can be tried, and gets a stage of its own.
    """
    taken_as_sent = {
        method: accepted(stages, method, original, original.SerializeToString())
        for method, original in valid.items()
    }
    stage = staging.at("COLLECTING", tmp_path)
    header, body = staging.contribution_parts(stage, 0)
    stage.run(stage.send(MEMBER, [Part(header=header), Part(chunk=body)]))
    size_bytes = contributed_bytes(stage)
    stage.close()
    assert taken_as_sent == valid
    assert size_bytes == len(body)
