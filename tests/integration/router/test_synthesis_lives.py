"""Synthesis jobs across restarts, lapsed holds, limits and data sets with blocks."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.kit import errors
from federated_router.synthesis.settings import SynthesisSettings
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    TOKEN_UNITS,
    TOKENS_MAX,
    router_in,
)
from tests.support.scripted_node import Events, chunk, finished, started
from tests.support.synthesis_world import (
    Caller,
    job_request,
    router_with,
    stuck,
)


async def one_token(
    _: inference_pb2.Generation, __: grpc.aio.ServicerContext
) -> Events:
    """Answer one token."""
    yield started()
    yield chunk()
    yield finished(1)


async def test_job_goes_on_at_the_next_boot_of_its_router(
    pki: Pki, tmp_path: Path
) -> None:
    """The hold is not settled by the restart, and what was stored is there."""
    async with router_in(pki, tmp_path) as router:
        await router.open_dataset()
        await router.node("n1")
        caller = await Caller.of(router)
        await caller.create(job_request())
        first = await caller.sample(0)

    async with router_in(pki, tmp_path) as router:
        await router.node("n1")
        caller = await Caller.of(router)
        assert (await router.account()).held_units == TOKENS_MAX * TOKEN_UNITS
        assert [one.text for one in await caller.batches()] == [first.text]
        await caller.sample(1)
        assert (await caller.finish()).tokens_charged == 2
        assert await caller.tokens_spent() == 2


async def test_hold_whose_job_was_lost_opens_no_second_job(
    pki: Pki, tmp_path: Path
) -> None:
    """A restored ledger knows the hold alone: its batches could be sampled twice."""
    async with router_in(pki, tmp_path, instalment=1) as router:
        await router.open_dataset()
        (await router.node("n1")).script = one_token
        caller = await Caller.of(router)
        await caller.create(job_request())
        await caller.sample(0)
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        for table in ("records", "batches", "jobs"):
            ledger.execute(f"DELETE FROM synthesis_{table}")  # noqa: S608 - a name.
        ledger.commit()

    async with router_in(pki, tmp_path) as router:
        caller = await Caller.of(router)
        with pytest.raises(errors.RequestAlreadyServed):
            await caller.create(job_request())
        with pytest.raises(errors.NotFound):
            await caller.get()


async def test_request_that_was_cut_while_it_opened_its_job_opens_it_again(
    pki: Pki, tmp_path: Path
) -> None:
    """The router died between the hold and the job: one hold, one open job."""
    async with router_in(pki, tmp_path) as router:
        await router.open_dataset()
        await (await Caller.of(router)).create(job_request())
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as ledger:
        ledger.execute("UPDATE synthesis_jobs SET state = 'opening'")
        ledger.commit()

    async with router_in(pki, tmp_path) as router:
        await router.node("n1")
        caller = await Caller.of(router)
        with pytest.raises(errors.NotNow):
            await caller.sample(0)
        await caller.create(job_request())
        await caller.sample(0)
        assert (await router.account()).held_units == TOKENS_MAX * TOKEN_UNITS


async def test_caller_who_leaves_spends_the_batch_and_no_more(
    pki: Pki, tmp_path: Path
) -> None:
    """The node may have sampled what it was granted: that is what the job owes."""
    async with router_in(pki, tmp_path, instalment=2) as router:
        await router.open_dataset()
        node = await router.node("n1")
        node.script = stuck
        caller = await Caller.of(router)
        await caller.create(job_request())
        leaving = asyncio.create_task(caller.sample(0))
        async with asyncio.timeout(30):
            while not node.credit.taken:
                await asyncio.sleep(0.01)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        async with asyncio.timeout(30):
            while not (await caller.get()).batches_spent:
                await asyncio.sleep(0.02)

        closed = await caller.finish()

        assert closed.tokens_charged == 4  # One arrived: a second instalment of two.
        assert await caller.tokens_spent() == 4


async def test_abandoned_job_is_charged_and_closed_when_its_hold_is_over(
    pki: Pki, tmp_path: Path
) -> None:
    """Nobody came back: what was allowed is charged, the rest is free again."""
    limits = SynthesisSettings(hold_s=3.0, lifetime_s=60.0, delete_interval_s=0.1)
    async with router_with(pki, tmp_path, limits) as router:
        await router.open_dataset()
        await router.node("n1")
        caller = await Caller.of(router)
        await caller.create(job_request())
        await caller.sample(0)

        async with asyncio.timeout(30):
            while (await caller.get()).state != pb.Synthesis.STATE_FINISHED:
                await asyncio.sleep(0.05)

        job = await caller.get()
        assert job.tokens_charged == TOKENS_MAX
        assert await caller.tokens_spent() == TOKENS_MAX
        assert len(await caller.batches()) == 1
        with pytest.raises(errors.NotNow):
            await caller.sample(1)
