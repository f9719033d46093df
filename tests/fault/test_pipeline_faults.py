"""Shards as real processes, killed, frozen and stopped in the middle of answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import registry_pb2
from federated_router.kit.errors import ModelUnknown, Unavailable
from federated_router.kit.grpc_client import translated_errors
from tests.support.pipeline_processes import LEADER, RANGES, prepared_pipeline
from tests.support.processes import Calls, Processes, events_of, public, until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
TOKENS = 600
REPLICAS = ("node-3", "node-4")


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory, endless_model: Path
) -> Iterator[Processes]:
    """Run a router, a coordinator, a leader and three shards."""
    made = prepared_pipeline(tmp_path_factory.mktemp("pipeline"), endless_model)
    try:
        made.launch(*made.local.plans)
        yield made
    finally:
        made.close()


@pytest.fixture
async def processes(whole: Processes) -> Processes:
    """Return the federation with every shard listed and the pipeline offered."""
    await whole.heal()
    async with whole.calls() as calls:

        async def answers() -> bool:
            try:
                await calls.complete(public(tokens_max=1))
            except grpc.aio.AioRpcError:
                return False
            return await shards(calls) == set(RANGES)

        await until(answers, what="the pipeline answers", within_s=60)
    return whole


async def shards(calls: Calls) -> set[str]:
    """Return the nodes that hold a shard's lease, as an operator sees them."""
    response = await calls.registry.ListNodes(
        registry_pb2.ListNodesRequest(), timeout=5
    )
    return {node.name.removeprefix("nodes/") for node in response.nodes if node.shards}


async def disturbed(
    calls: Calls, disturb: Callable[[], object]
) -> list[pb.GenerateResponse]:
    """Return the events of an answer after whose first chunks something happens."""
    call = calls.stream(public(tokens_max=TOKENS))
    events = [await call.read() for _ in range(3)]
    disturb()
    return events + await events_of(call)


def tokens_of(events: list[pb.GenerateResponse]) -> list[int]:
    """Return all tokens of an answer."""
    return [one for event in events for one in event.chunk.token_ids]


def in_use(processes: Processes) -> str:
    """Return the replica that the last chunk went through, by the leader's log."""
    lines = processes.log_lines(LEADER, "chain taken")
    return next(one for one in REPLICAS if one in str(lines[-1]["nodes"]))


async def test_answer_outlives_a_killed_shard_with_the_same_tokens(
    processes: Processes,
) -> None:
    """The client sees an undisturbed answer, through the router."""
    async with processes.calls() as calls:
        expected = tokens_of(await disturbed(calls, lambda: None))

        found = await disturbed(calls, lambda: processes.kill(in_use(processes)))

    assert tokens_of(found) == expected
    assert found[-1].finished.completion_tokens == TOKENS
    assert processes.log_lines(LEADER, "shard replaced")


async def test_answer_outlives_a_frozen_shard_after_the_frame_timeout(
    processes: Processes,
) -> None:
    """SIGSTOP keeps every connection; the frame's time is what tells."""
    async with processes.calls() as calls:
        expected = tokens_of(await disturbed(calls, lambda: None))

        found = await disturbed(calls, lambda: processes.freeze(in_use(processes)))

    assert tokens_of(found) == expected


async def test_shard_told_to_stop_finishes_what_runs_there(
    processes: Processes,
) -> None:
    """An orderly stop takes no new sequence, cuts none, and waits for no stream."""
    async with processes.calls() as calls:
        expected = tokens_of(await disturbed(calls, lambda: None))
        victim = in_use(processes)

        found = await disturbed(calls, lambda: processes.terminate(victim))

        assert tokens_of(found) == expected
        assert await processes.wait_end(victim, within_s=10) == 0


async def test_model_without_a_layer_is_withdrawn_and_comes_back(
    processes: Processes,
) -> None:
    """Nobody is sent to a leader whose pipeline has a gap."""
    async with processes.calls() as calls:
        processes.kill(*REPLICAS)

        async def gone() -> bool:
            try:
                async with translated_errors():
                    await calls.complete(public(tokens_max=1))
            except (ModelUnknown, Unavailable):
                return True
            return False

        await until(gone, what="the model is gone", within_s=30)
        await processes.restart(*REPLICAS)

        async def back() -> bool:
            return not await gone()

        await until(back, what="the model is back", within_s=60)
        answer = await calls.complete(public(tokens_max=4))

    assert answer.finished.completion_tokens == 4
