"""A request that fails at several nodes is counted once, and each lost node once."""

import time
from dataclasses import replace

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    NodeLost,
    NoNodeAvailable,
    QueueFull,
)
from federated_router.registry.membership import AUTO
from tests.unit.proxy.attempts_world import FULL, Counted, Nodes, attempts_at, two
from tests.unit.proxy.test_recording import CANDIDATE


@pytest.fixture
def counted() -> Counted:
    """Return attempts at two nodes."""
    return attempts_at(two())


async def test_request_that_no_node_takes_counts_as_one_failure(
    counted: Counted,
) -> None:
    """Two full nodes are one failed request of this pattern."""
    for _ in range(2):
        await counted.fail(FULL)

    with pytest.raises(QueueFull):
        await counted.attempts.next()

    assert counted.patterns() == (0, 1)
    assert counted.lost() == 0


async def test_lost_nodes_count_one_by_one_and_their_request_once(
    counted: Counted,
) -> None:
    """Each node's loss is the node's; the request fails when none is left."""
    for _ in range(2):
        await counted.fail(NodeLost("lost"))

    with pytest.raises(NodeLost):
        await counted.attempts.next()

    assert counted.patterns() == (0, 1)
    assert counted.lost() == 2


async def test_attempt_that_may_be_repeated_does_not_count_yet(
    counted: Counted,
) -> None:
    """The next node may answer."""
    await counted.fail(FULL)
    await counted.attempts.next()

    assert counted.patterns() == (0, 0)


@pytest.mark.parametrize(
    ("error", "failures"), [(NodeLost("lost"), 1), (FieldInvalid("no", field="x"), 0)]
)
async def test_error_that_ends_the_request_counts_if_it_is_not_the_callers(
    counted: Counted, error: FederationError, failures: int
) -> None:
    """What left without its tokens is not repeated; a caller's error is nobody's."""
    counted.attempts.delivered.add(pb.Chunk(text="a"))

    with pytest.raises(type(error)):
        await counted.fail(error)

    assert counted.patterns() == (0, failures)


async def test_request_for_which_there_never_was_a_node_is_not_counted() -> None:
    """It says nothing about any model."""
    nobody = attempts_at(Nodes())

    with pytest.raises(NoNodeAvailable):
        await nobody.attempts.next()

    assert nobody.statistics.balance().recorded == 0


async def test_stream_that_began_goes_on_with_the_same_model_elsewhere(
    counted: Counted,
) -> None:
    """Another model would go on with other tokens."""
    counted.attempts.query = replace(counted.attempts.query, model=AUTO)
    counted.attempts.delivered.add(pb.Chunk(text="a", token_ids=[1]))
    await counted.fail(NodeLost("lost"))

    await counted.attempts.next()

    query, _ = counted.nodes.asked[-1]
    assert query.model == CANDIDATE.model
    assert query.excluded == {CANDIDATE.node}
    assert counted.attempts.delivered.resumptions == 1


async def test_part_that_never_began_is_an_attempt_and_no_resumption() -> None:
    """A stream that goes on has as many attempts as one that begins."""
    nodes = Nodes([replace(CANDIDATE, node=f"nodes/n{at}") for at in range(9)])
    counted = attempts_at(nodes, attempts_max=3)
    counted.attempts.delivered.add(pb.Chunk(text="a", token_ids=[1]))
    await counted.fail(NodeLost("the first"))
    for _ in range(3):
        await counted.fail(NodeLost("a next"))

    with pytest.raises(NodeLost, match="the first"):
        await counted.attempts.next()

    assert counted.attempts.delivered.resumptions == 1


async def test_node_that_asks_for_too_much_patience_is_not_waited_for(
    counted: Counted,
) -> None:
    """A second is longer than a router waits; its caller hears when to come back."""
    for _ in range(2):
        await counted.fail(FULL)

    begin_s = time.monotonic()
    with pytest.raises(QueueFull) as raised:
        await counted.attempts.next()

    assert time.monotonic() - begin_s < 0.5
    assert raised.value.retry_after_s == 1


async def test_pause_is_never_longer_than_configured() -> None:
    """Pauses double with each attempt, and then no more."""
    nodes = Nodes([replace(CANDIDATE, node=f"nodes/n{at}") for at in range(9)])
    counted = attempts_at(
        nodes, attempts_max=8, retry_backoff_s=5.0, retry_backoff_s_max=0.01
    )

    begin_s = time.monotonic()
    for _ in range(8):
        await counted.fail(NodeLost("lost"))

    assert time.monotonic() - begin_s < 1.0
