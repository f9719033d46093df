"""What a router counts, of whom, and what it tells nodes about its users."""

from collections.abc import Iterator

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.federation.batch import Batch
from federated_router.federation.statistics import Statistics
from federated_router.federation.user_clipping import METADATA_KEY, UserKey
from federated_router.kit import identity
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    ModelUnknown,
    NodeLost,
    QueueFull,
)
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.priors.contents import Cell, PatternCell, PatternCounts
from federated_router.priors.features import REWARD_MAX, features_of
from federated_router.priors.prompt import prompt_of
from federated_router.proxy.pseudonyms import Pseudonyms
from federated_router.proxy.recording import Recording
from federated_router.registry.membership import NodeState
from federated_router.routing.candidate import Candidate

CANDIDATE = Candidate(
    node="nodes/n1",
    address="a:1",
    model="models/a",
    region="eu",
    state=NodeState.READY,
    private=True,
    context_tokens_max=128,
    slots=1,
    in_flight=0,
    tier="premium",
)
QUESTION = "Is it raining?"
ALICE = Identity(Role.CLIENT, "alice", "a.example")
BOB = Identity(Role.CLIENT, "bob", "a.example")


@pytest.fixture(autouse=True)
def _caller() -> Iterator[None]:
    """Let alice be the caller of every test here, and of none elsewhere."""
    token = identity._current.set(ALICE)
    yield
    identity._current.reset(token)


@pytest.fixture
def statistics() -> Statistics:
    """Return empty statistics that tell users apart."""
    return Statistics(requests_per_user_max=100)


@pytest.fixture
def recording(statistics: Statistics) -> Recording:
    """Return a router's recording."""
    pseudonyms = Pseudonyms()
    statistics.announce_users(pseudonyms.epoch)
    return Recording(statistics, pseudonyms=pseudonyms)


def generation(*, private: bool = False) -> pb.Generation:
    """Return a question; a private one has a record that must not be read."""
    asked = pb.Generation(
        messages=[
            pb.Message(role=pb.ROLE_SYSTEM, content="Translate everything."),
            pb.Message(role=pb.ROLE_USER, content=QUESTION),
        ]
    )
    if private:
        record = pb.Record(id="r", text=b"def f(): return import class ```")
        asked.private_context.records.append(record)
    return asked


def contents(statistics: Statistics) -> tuple[Batch, dict[PatternCell, PatternCounts]]:
    """Return what is pending, and its patterns."""
    batch = statistics.pending()
    return batch, dict(batch.over(statistics.latency_bounds_ms).patterns)


def test_answer_teaches_its_pattern_and_features(
    recording: Recording, statistics: Statistics
) -> None:
    """Only what the user said counts: the application's instructions are not asked."""
    recording.answered(generation(), CANDIDATE)

    batch, patterns = contents(statistics)
    question = PatternCell("question", "models/a")
    assert patterns == {question: PatternCounts(successes=1, failures=0)}
    sums = batch.over(statistics.latency_bounds_ms).bandits["models/a"]
    features = features_of(prompt_of([QUESTION]))
    assert sums.moment == tuple(REWARD_MAX * value for value in features)


def test_router_fills_no_block_that_nodes_fill(
    recording: Recording, statistics: Statistics
) -> None:
    """One request enters each block at one member only; the node counted this one."""
    recording.answered(generation(), CANDIDATE)
    recording.failed(generation(), CANDIDATE, QueueFull("full", retry_after_s=1))

    batch, _ = contents(statistics)
    whole = batch.over(statistics.latency_bounds_ms)
    assert whole.performance == {}
    assert whole.carbon == {}


def test_lost_node_is_counted_by_the_router_because_it_cannot_itself(
    recording: Recording, statistics: Statistics
) -> None:
    """A failure at its tier, and no pattern: the request may succeed elsewhere."""
    recording.lost(CANDIDATE)
    recording.lost(CANDIDATE, private=True)

    batch, patterns = contents(statistics)
    failures = {cell: counts.failures for cell, counts in batch.cells.items()}
    assert failures == {
        Cell("models/a", "eu", "premium"): 1,
        Cell("models/a", "eu", "private"): 1,
    }
    assert patterns == {}


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (NodeLost("lost"), 1),
        (QueueFull("full", retry_after_s=1), 1),
        (FieldInvalid("wrong", field="x"), 0),
        (ModelUnknown("unknown"), 0),
    ],
)
def test_failure_for_the_nodes_reasons_counts_and_the_callers_does_not(
    recording: Recording, statistics: Statistics, error: FederationError, counted: int
) -> None:
    """A client that sends nonsense must not make a model look bad."""
    recording.failed(generation(), CANDIDATE, error)

    _, patterns = contents(statistics)
    assert sum(one.failures for one in patterns.values()) == counted
    assert sum(one.successes for one in patterns.values()) == 0


def test_private_records_are_not_read(
    recording: Recording, statistics: Statistics
) -> None:
    """The record would make it `code`; the question alone decides."""
    recording.answered(generation(private=True), CANDIDATE)

    batch, patterns = contents(statistics)
    assert set(patterns) == {PatternCell("question", "models/a")}
    assert set(batch.tallies) == {Cell("models/a", "eu", "private")}


def test_router_without_a_federation_computes_nothing() -> None:
    """Nobody would ever take it."""
    statistics = Statistics()
    recording = Recording(statistics, pseudonyms=Pseudonyms(), learns=False)

    recording.answered(generation(), CANDIDATE)

    assert statistics.pending().requests == 0


def test_each_caller_is_a_user_of_its_own(
    recording: Recording, statistics: Statistics
) -> None:
    """The limit per user needs to tell two callers from one."""
    recording.lost(CANDIDATE)
    set_current_identity(BOB)
    recording.lost(CANDIDATE)
    recording.lost(CANDIDATE)

    assert sorted(statistics.pending().users.values()) == [1, 2]


def test_node_is_told_a_pseudonym_that_it_can_read_and_nobody_can_name(
    recording: Recording,
) -> None:
    """The same for each request of a user; nothing of the name in it."""
    told = dict(recording.metadata(CANDIDATE))[METADATA_KEY]
    again = dict(recording.metadata(CANDIDATE))[METADATA_KEY]

    assert told == again
    assert "alice" not in told
    assert UserKey.from_metadata(told) is not None


def test_nodes_and_later_processes_get_other_pseudonyms() -> None:
    """Two nodes cannot compare notes, and a restart ends what could be linked."""
    names = Pseudonyms()
    first = names.user(ALICE, audience="nodes/n1")
    other_node = names.user(ALICE, audience="nodes/n2")
    restarted = Pseudonyms().user(ALICE, audience="nodes/n1")

    assert first == names.user(ALICE, audience="nodes/n1")
    assert first != names.user(BOB, audience="nodes/n1")
    assert first.pseudonym not in {other_node.pseudonym, restarted.pseudonym}
    assert first.epoch == other_node.epoch != restarted.epoch
