"""A router that dies between reserve and commit charges what it granted, once."""

import asyncio

import grpc
import pytest

from federated_router.kit.errors import RequestAlreadyServed
from federated_router.kit.grpc_client import translated_errors
from tests.support.processes import (
    LONG_POLICY,
    LONG_TOKENS,
    Processes,
    events_of,
    private,
    until,
)


async def test_router_killed_between_reserve_and_commit_charges_what_it_granted(
    pair: Processes,
) -> None:
    """Tokens had left and nobody can tell how many, so all that was granted is spent.

    The nodes come back to the new router by themselves, and the same request is
    refused, because sampling it again would be another release.
    """
    generation = private(policy=LONG_POLICY)
    async with pair.calls() as calls:
        before = await calls.open_dataset()
        call = calls.stream(generation)
        started = (await call.read()).started
        delivered = len((await call.read()).chunk.token_ids)
        held = await calls.account()
        pair.kill("router")
        with pytest.raises(grpc.aio.AioRpcError):
            await events_of(call)
    await pair.restart("router")

    async with pair.calls() as calls:
        after = await calls.account()

        async def returned() -> bool:
            return await calls.nodes() == set(pair.nodes)

        await until(returned, what="the nodes register again")
        with pytest.raises(RequestAlreadyServed):
            async with translated_errors():
                await calls.complete(generation)
        again = await calls.account()

    token_units, rest = divmod(held.held_units, LONG_TOKENS)
    tokens, part = divmod(after.spent_units - before.spent_units, token_units)
    assert started.reservation == f"reservations/alice.{generation.request_id}"
    assert (rest, part) == (0, 0)
    assert delivered <= tokens < LONG_TOKENS
    assert after.held_units == 0
    assert again.spent_units == after.spent_units


async def test_router_told_to_stop_finishes_what_it_has_begun(
    pair: Processes,
) -> None:
    """An orderly stop loses no answer and no charge, and ends with status 0."""
    async with pair.calls() as calls:
        before = await calls.open_dataset()
        call = calls.stream(private(policy=LONG_POLICY))
        await call.read()
        await call.read()

        pair.terminate("router")
        events = await events_of(call)
        status = await pair.wait_end("router")
    await asyncio.to_thread(pair.launch, "router")
    async with pair.calls() as calls:
        after = await calls.account()

    finished = events[-1].finished
    assert status == 0
    assert finished.charge.tokens == LONG_TOKENS
    assert after.spent_units == before.spent_units + finished.charge.units
    assert after.held_units == 0
