"""Limits of synthesis jobs, changed policies, and data sets with blocks."""

import asyncio
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import budget_pb2, inference_pb2
from federated_router.kit import errors
from federated_router.synthesis.settings import SynthesisSettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    POLICY,
    TOKEN_UNITS,
    RouterSetting,
)
from tests.support.scripted_node import Events, started
from tests.support.synthesis_world import (
    Caller,
    job_request,
    records_of,
    router_with,
    stuck,
)


async def test_limits_of_jobs_are_enforced(pki: Pki, tmp_path: Path) -> None:
    """Records of a job, jobs of a user, batches at a time."""
    limits = SynthesisSettings(records_max=20, open_jobs_max=1, batches_live_max=1)
    async with router_with(pki, tmp_path, limits) as router:
        await router.open_dataset()
        node = await router.node("n1")
        node.script = stuck
        caller = await Caller.of(router)
        for records in (0, 21):
            with pytest.raises(errors.InvalidInput):
                await caller.create(job_request(records=records))
        await caller.create(job_request())
        with pytest.raises(errors.QueueFull):
            await caller.create(job_request(request_id="job-2"))

        live = asyncio.create_task(caller.sample(0))
        async with asyncio.timeout(30):
            while not node.requests:
                await asyncio.sleep(0.01)
        with pytest.raises(errors.QueueFull):
            await caller.sample(1)
        live.cancel()
        await asyncio.gather(live, return_exceptions=True)


async def test_policy_that_changed_refuses_further_batches(
    pki: Pki, tmp_path: Path
) -> None:
    """The hold was priced by what the policy was; the job can still be closed."""
    limits = SynthesisSettings()
    async with router_with(pki, tmp_path, limits) as router:
        await router.open_dataset()
        await router.node("n1")
        caller = await Caller.of(router)
        await caller.create(job_request())
        await caller.sample(0)

    dearer = {**POLICY, "clip": "2"}
    async with router_with(pki, tmp_path, limits, dearer) as router:
        node = await router.node("n1")
        caller = await Caller.of(router)
        with pytest.raises(errors.NotNow):
            await caller.sample(1)
        assert not node.requests
        assert (await caller.finish()).tokens_charged == 2


async def test_blocks_are_charged_batch_by_batch(router: RouterSetting) -> None:
    """A record's block pays for its one text; the data set pays once for all."""
    await (await router.budget()).CreateAccount(
        budget_pb2.CreateAccountRequest(
            account=budget_pb2.Account(
                name="accounts/dataset-d",
                kind=budget_pb2.Account.KIND_DATASET,
                epsilon=6.0,
                delta=1e-6,
                renewal=budget_pb2.Account.RENEWAL_NONE,
                blocks=budget_pb2.BlockTerms(
                    scheme=budget_pb2.BlockTerms.SCHEME_RECORD, epsilon=3.0
                ),
            )
        ),
        timeout=30,
    )
    node = await router.node("n1")
    caller = await Caller.of(router)
    await caller.create(job_request())
    refused = errors.QueueFull("The queue is full.")

    async def full(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise refused
        yield started()

    node.script = full
    with pytest.raises(errors.QueueFull):
        await caller.sample(0)
    node.script = node.answer
    await caller.sample(0)
    await caller.sample(1)
    await caller.finish()

    assert await caller.tokens_spent() == 2
    for record in (records_of(0)[0], records_of(1)[7]):
        block = await router.account(f"accounts/block-d.{record.id}")
        assert (block.spent_units, block.held_units) == (2 * TOKEN_UNITS, 0)
