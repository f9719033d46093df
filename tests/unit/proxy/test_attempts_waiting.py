"""An attempt waits for a node that comes, and tries one again that came back."""

import asyncio
from dataclasses import replace

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import NodeLost, NoNodeAvailable
from federated_router.proxy.connections import NodeUnreachable
from tests.unit.proxy.attempts_world import Nodes, attempts_at, two
from tests.unit.proxy.test_recording import CANDIDATE

PATIENT = {"longest_s": 20.0, "look_s": 0.01}
UNREACHABLE = NodeUnreachable("no connection")


def many(number: int) -> Nodes:
    """Return so many nodes."""
    return Nodes([replace(CANDIDATE, node=f"nodes/n{at}") for at in range(number)])


async def test_first_attempt_waits_for_a_node_to_come() -> None:
    """A request that came while the only node was away is answered by it."""
    nodes = Nodes()
    counted = attempts_at(nodes, node_waits=PATIENT)

    waiting = asyncio.create_task(counted.attempts.next())
    await asyncio.sleep(0.05)
    nodes.left.append(CANDIDATE)

    assert await waiting == CANDIDATE


async def test_node_that_registered_anew_may_take_what_it_lost() -> None:
    """It is another process: what failed there says nothing of it."""
    counted = attempts_at(two(), node_waits=PATIENT)
    for _ in range(2):
        await counted.fail(NodeLost("lost"))

    waiting = asyncio.create_task(counted.attempts.next())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    counted.learners.breakers.forget(CANDIDATE.node)

    assert (await waiting).node == CANDIDATE.node


async def test_node_in_the_same_life_is_not_tried_again() -> None:
    """Its lease stands and it lost the request: the loss is told in the end."""
    counted = attempts_at(two(), node_waits={"longest_s": 0.1, "look_s": 0.01})
    for _ in range(2):
        await counted.fail(NodeLost("lost"))

    with pytest.raises(NodeLost):
        await counted.attempts.next()


async def test_resumed_stream_waits_for_a_node_as_well() -> None:
    """What its caller has already is worth a wait."""
    counted = attempts_at(Nodes([CANDIDATE]), node_waits=PATIENT)
    await counted.attempts.next()
    sent = counted.learners.sent(CANDIDATE, counted.attempts.asked.shape)
    counted.attempts.delivered.add(pb.Chunk(text="a", token_ids=[1]))
    counted.attempts.failed(sent, NodeLost("lost"))

    waiting = asyncio.create_task(counted.attempts.next())
    await asyncio.sleep(0.05)
    counted.nodes.left.append(replace(CANDIDATE, node="nodes/n2"))

    assert (await waiting).node == "nodes/n2"
    assert counted.attempts.delivered.resumptions == 1


async def test_nodes_that_accept_no_connection_cost_no_attempt_and_no_budget() -> None:
    """Nothing was sent to them: nobody bears more load by asking the next."""
    retries = {"share": 0.0, "per_second": 0.0}
    counted = attempts_at(many(6), attempts_max=1, retries=retries)
    for _ in range(5):
        await counted.fail(UNREACHABLE)

    assert (await counted.attempts.next()).node == "nodes/n5"


async def test_only_so_many_nodes_may_accept_no_connection() -> None:
    """Beyond that each is an attempt like any other."""
    counted = attempts_at(many(9), attempts_max=2, unreachable_max=3)
    for _ in range(5):
        await counted.fail(UNREACHABLE)

    with pytest.raises(NodeUnreachable):
        await counted.attempts.next()


async def test_refusal_of_a_first_attempt_is_told_as_it_is() -> None:
    """Where nothing was lost, nobody says so."""
    counted = attempts_at(Nodes(), node_waits={"longest_s": 0.05, "look_s": 0.01})

    with pytest.raises(NoNodeAvailable):
        await counted.attempts.next()
