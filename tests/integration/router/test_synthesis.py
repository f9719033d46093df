"""Synthesis jobs at a real router: one charge for all batches, each sampled once."""

import grpc
import pytest

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_router import TOKEN_UNITS, TOKENS_MAX, RouterSetting
from tests.support.scripted_node import Events, ScriptedNode, chunk, finished, started
from tests.support.synthesis_world import (
    SLOTS,
    Caller,
    job_request,
)


@pytest.fixture
async def node(router: RouterSetting) -> ScriptedNode:
    """Run a node that answers two tokens."""
    await router.open_dataset()
    return await router.node("n1")


def of_length(*lengths: int) -> "Lengths":
    """Return a script that answers so many tokens, call by call."""
    return Lengths(list(lengths))


class Lengths:
    """Answers of given lengths."""

    def __init__(self, lengths: list[int]) -> None:
        self._lengths = lengths

    async def __call__(
        self, _: inference_pb2.Generation, __: grpc.aio.ServicerContext
    ) -> Events:
        """Answer the next length."""
        tokens = self._lengths.pop(0)
        yield started()
        for _number in range(tokens):
            yield chunk()
        yield finished(tokens)


async def test_all_batches_together_cost_what_the_longest_text_costs(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """Each record is in one batch, so the charge is the maximum and not the sum."""
    node.script = of_length(3, 5, 2)
    caller = await Caller.of(router)
    job = await caller.create(job_request())
    assert (job.batches_count, job.batch_records) == (3, SLOTS)
    assert (await router.account()).held_units == TOKENS_MAX * TOKEN_UNITS

    texts = [await caller.sample(0), await caller.sample(1), await caller.sample(2, 4)]
    closed = await caller.finish()

    assert [one.text for one in texts] == ["aaa", "aaaaa", "aa"]
    assert closed.state == pb.Synthesis.STATE_FINISHED
    assert closed.tokens_charged == 5
    assert closed.epsilon_charged < closed.epsilon_max
    assert await caller.tokens_spent() == 5


async def test_job_of_which_nothing_was_sampled_costs_nothing(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """A job that is closed at once gives its whole hold back."""
    caller = await Caller.of(router)
    await caller.create(job_request())

    closed = await caller.finish()

    assert closed.tokens_charged == 0
    assert await caller.tokens_spent() == 0
    assert not node.requests


async def test_stored_text_comes_again_without_sampling(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """A caller that was killed asks again: the text is there, the node is not asked."""
    caller = await Caller.of(router)
    await caller.create(job_request())
    first = await caller.sample(0)

    again = await caller.sample(0)

    assert again == first
    assert len(node.requests) == 1
    assert [one.text for one in await caller.batches()] == [first.text]


async def test_batch_whose_node_was_lost_is_never_sampled_again(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """Nobody knows what was sampled: the job pays for the grant and goes on."""

    async def lost(
        _: inference_pb2.Generation, context: grpc.aio.ServicerContext
    ) -> Events:
        yield started()
        yield chunk()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "gone")

    node.script = lost
    caller = await Caller.of(router)
    await caller.create(job_request())
    with pytest.raises(errors.FederationError):
        await caller.sample(0)
    node.script = of_length(2)

    with pytest.raises(errors.RequestAlreadyServed):
        await caller.sample(0)
    await caller.sample(1)
    closed = await caller.finish()

    assert len(node.requests) == 2
    assert (closed.batches_spent, closed.batches_sampled) == (1, 1)
    assert closed.tokens_charged == TOKENS_MAX  # All of it was granted at once.


async def test_batch_that_the_node_refused_before_sampling_may_be_tried_again(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """A full queue samples nothing, so the batch is not spent and costs nothing."""

    async def full(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("The queue is full.")
        yield started()

    node.script = full
    caller = await Caller.of(router)
    await caller.create(job_request())
    with pytest.raises(errors.QueueFull):
        await caller.sample(0)
    node.script = of_length(2)

    sampled = await caller.sample(0)
    closed = await caller.finish()

    assert sampled.state == pb.SynthesisBatch.STATE_SAMPLED
    assert closed.tokens_charged == 2


async def test_price_is_told_without_a_job(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """`validate_only` holds nothing and opens nothing."""
    del node
    caller = await Caller.of(router)
    request = job_request()
    request.validate_only = True
    async with translated_errors():
        answer = await caller.stub.CreateSynthesis(request, timeout=30)

    assert answer.price.worst_case_units == TOKENS_MAX * TOKEN_UNITS
    assert not answer.HasField("synthesis")
    assert (await router.account()).held_units == 0
    with pytest.raises(errors.NotFound):
        await caller.get()
