"""What a synthesis job refuses: before anything is sent, and without a charge."""

import asyncio

import grpc
import pytest

from federated_router.api.v1 import inference_pb2
from federated_router.kit import errors
from tests.support.fix_router import TOKEN_UNITS, TOKENS_MAX, RouterSetting
from tests.support.scripted_node import Events, ScriptedNode, chunk, finished, started
from tests.support.synthesis_world import (
    NAME,
    Caller,
    job_request,
    records_of,
)


@pytest.fixture
async def node(router: RouterSetting) -> ScriptedNode:
    """Run a node that answers two tokens."""
    await router.open_dataset()
    return await router.node("n1")


async def test_record_of_another_batch_is_refused_before_anything_is_sent(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """The one charge rests on every record being in one batch."""
    caller = await Caller.of(router)
    await caller.create(job_request())
    await caller.sample(0)
    mixed = [*records_of(0)[:1], *records_of(1)[1:]]

    with pytest.raises(errors.FieldInvalid) as refused:
        await caller.sample_records(1, mixed)

    assert refused.value.metadata["field"] == "records"
    assert len(node.requests) == 1
    await caller.sample(1)


@pytest.mark.parametrize(("number", "count"), [(0, 7), (2, 8), (3, 8), (-1, 8)])
async def test_batch_of_another_size_or_number_is_refused(
    router: RouterSetting, node: ScriptedNode, number: int, count: int
) -> None:
    """The shape of every batch follows from public numbers."""
    caller = await Caller.of(router)
    await caller.create(job_request())

    with pytest.raises(errors.FieldInvalid):
        await caller.sample(number, count)
    assert not node.requests


async def test_exhausted_budget_refuses_the_job_and_leaves_nothing(
    router: RouterSetting,
) -> None:
    """The worst case is held before anything is sampled, or nothing is."""
    await router.open_dataset(epsilon=0.5)
    caller = await Caller.of(router)

    with pytest.raises(errors.BudgetExhausted):
        await caller.create(job_request())

    with pytest.raises(errors.NotFound):
        await caller.get()
    assert (await router.account()).held_units == 0


async def test_same_request_finds_its_job_and_another_body_is_refused(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """One id is one job, and one hold."""
    del node
    caller = await Caller.of(router)
    first = await caller.create(job_request())

    again = await caller.create(job_request())

    assert again == first
    assert (await router.account()).held_units == TOKENS_MAX * TOKEN_UNITS
    with pytest.raises(errors.RequestIdReused):
        await caller.create(job_request(records=21))


async def test_jobs_of_others_do_not_exist(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """Texts belong to whoever paid; nobody else learns that there is a job."""
    del node
    alice, bob = await Caller.of(router), await Caller.of(router, "bob")
    await alice.create(job_request())

    for ask in (bob.get(), bob.sample(0), bob.finish(), bob.batches()):
        with pytest.raises(errors.NotFound):
            await ask


async def test_job_is_not_closed_while_a_batch_is_sampled(
    router: RouterSetting, node: ScriptedNode
) -> None:
    """What a running batch will have sampled is not known yet."""
    go_on = asyncio.Event()

    async def slow(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        await go_on.wait()
        yield chunk()
        yield finished(1)

    node.script = slow
    caller = await Caller.of(router)
    await caller.create(job_request())
    running = asyncio.create_task(caller.sample(0))
    async with asyncio.timeout(30):
        while not node.requests:
            await asyncio.sleep(0.01)

    with pytest.raises(errors.NotNow):
        await caller.finish()
    go_on.set()
    await running

    assert (await caller.finish()).tokens_charged == 1
    with pytest.raises(errors.NotNow):
        await caller.sample(1)
    assert (await caller.get(NAME)).batches_sampled == 1
