"""A real node on credit: it samples what is granted, waits, goes on, or ends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from federated_router.api.v1 import decoding_pb2 as credit_pb
from federated_router.api.v1 import decoding_pb2_grpc, ops_pb2
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.private_grant import parameters_message
from tests.integration.node.conftest import NodeSetting, federation
from tests.support.fix_pki import Pki
from tests.support.fix_router import POLICY, TOKENS_MAX, private

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESERVATION = "reservations/alice.p-1"
LONG = PolicySettings.model_validate(POLICY | {"tokens_max": 40}).policy()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory, model_directory: Path
) -> AsyncIterator[NodeSetting]:
    """Run a router that grants one token at a time, and a node."""
    directory = tmp_path_factory.mktemp("credit-state")
    async with federation(pki, directory, model_directory, instalment=1) as setting:
        yield setting


def granted(tokens: int) -> pb.GenerateRequest:
    """Return a private request of at most 40 tokens with a grant of so many."""
    message = private()
    grant = message.private_context.grant
    grant.reservation = RESERVATION
    grant.token_charge_units = token_charge_units(LONG)
    grant.parameters.CopyFrom(parameters_message(LONG))
    grant.tokens_granted = tokens
    return pb.GenerateRequest(generation=message)


async def extend(served: NodeSetting, tokens: int, router: str = "r2") -> int:
    """Extend the grant as a router; return what the node says is granted."""
    channel = await served.channel(Role.ROUTER, router)
    stub = decoding_pb2_grpc.PrivateDecodingServiceStub(channel)
    request = credit_pb.ExtendGrantRequest(
        reservation=RESERVATION, tokens_granted=tokens
    )
    async with translated_errors():
        response = await stub.ExtendGrant(request, timeout=30)
    return int(response.tokens_granted)


class Reading:
    """Reads an answer, and counts the tokens that arrived."""

    def __init__(self, call: "grpc.aio.UnaryStreamCall[object, object]") -> None:
        self.call = call
        self.tokens = 0
        self.task = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        async with translated_errors():
            async for event in self.call:
                self.tokens += len(event.chunk.token_ids)


async def begun(served: NodeSetting, tokens: int) -> Reading:
    """Ask on a grant of so many; return once they arrived and the answer waits.

    A random model may draw its end token at once; it is then asked again. So it is
    where the answer of an earlier test has not ended yet.
    """
    stub = await served.direct()
    async with asyncio.timeout(30):
        while True:
            reading = Reading(stub.Generate(granted(tokens), timeout=60))
            while reading.tokens < tokens and not reading.task.done():
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            if not reading.task.done():
                return reading
            with suppress(errors.NotNow):
                await reading.task


async def test_router_grants_token_by_token_and_charges_exactly(
    served: NodeSetting,
) -> None:
    """The smallest instalment: the ledger is written before each single token."""
    await served.router.open_dataset(40.0)
    stub = await served.router.inference()

    response = await stub.Complete(
        pb.CompleteRequest(generation=private("each")), timeout=60
    )

    tokens = response.finished.completion_tokens
    assert 1 <= tokens <= TOKENS_MAX
    assert response.finished.charge.tokens == tokens
    assert (await served.router.account()).held_units == 0


async def test_node_samples_its_grant_and_no_more_until_it_grows(
    served: NodeSetting,
) -> None:
    """Credit is the only thing that lets it draw; a later, smaller grant is none."""
    reading = await begun(served, 3)
    assert reading.tokens == 3

    assert await extend(served, 5) == 5
    assert await extend(served, 4) == 5
    async with asyncio.timeout(30):
        while reading.tokens < 5 and not reading.task.done():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)

    assert reading.tokens <= 5
    reading.call.cancel()


async def test_answer_without_further_credit_ends_with_that_reason(
    pki: Pki, tmp_path: Path, model_directory: Path
) -> None:
    """`grant_wait_s` is a limit: records do not stay in memory for a lost router."""
    async with federation(
        pki, tmp_path, model_directory, grant_wait_s=0.2
    ) as impatient:
        reading = await starved(impatient)
        with pytest.raises(errors.GrantNotExtended) as caught:
            await reading.task
        with pytest.raises(errors.GrantUnknown):
            await extend(impatient, 4)

    assert caught.value.metadata["tokens_granted"] == "2"
    assert reading.tokens == 2


async def starved(served: NodeSetting) -> Reading:
    """Return an answer that did not end by itself within a grant of two tokens."""
    stub = await served.direct()
    while True:
        reading = Reading(stub.Generate(granted(2), timeout=60))
        await asyncio.wait([reading.task])
        if reading.task.exception() is not None:
            return reading


async def test_another_router_cannot_extend_an_answer(served: NodeSetting) -> None:
    """Its ledger holds nothing for it, even under the same name."""
    reading = await begun(served, 2)

    with pytest.raises(errors.GrantUnknown):
        await extend(served, 40, router="r3")

    await asyncio.sleep(0.2)
    assert reading.tokens == 2
    reading.call.cancel()


@pytest.mark.parametrize("tokens", [-1, 41])
async def test_grant_beyond_the_reservation_is_refused(
    served: NodeSetting, tokens: int
) -> None:
    """The most that was reserved is in the grant's own parameters."""
    reading = await begun(served, 2)

    with pytest.raises(errors.FieldInvalid):
        await extend(served, tokens)
    reading.call.cancel()

    stub = await served.direct()
    with pytest.raises(errors.InvalidInput):
        async with translated_errors():
            await stub.Complete(
                pb.CompleteRequest(generation=granted(tokens).generation), timeout=30
            )


async def test_second_answer_on_a_running_reservation_is_refused(
    served: NodeSetting,
) -> None:
    """One grant pays for one answer."""
    reading = await begun(served, 2)
    stub = await served.direct()

    with pytest.raises(errors.NotNow):
        async with translated_errors():
            await stub.Complete(
                pb.CompleteRequest(generation=granted(2).generation), timeout=30
            )
    reading.call.cancel()


async def test_waiting_answer_does_not_keep_others_from_the_model(
    served: NodeSetting,
) -> None:
    """A stepper without credit gives its turn away."""
    reading = await begun(served, 2)
    stub = await served.direct()
    message = private("public")
    message.ClearField("private_context")
    message.sampling.tokens_max = 8

    response = await stub.Complete(pb.CompleteRequest(generation=message), timeout=30)

    assert response.finished.completion_tokens >= 1
    assert reading.tokens == 2
    reading.call.cancel()


async def test_draining_node_takes_grants_for_what_runs(served: NodeSetting) -> None:
    """Draining refuses new work; what was begun is paid for and may end."""
    reading = await begun(served, 2)
    ops = await served.ops()

    await ops.Drain(ops_pb2.DrainRequest(), timeout=30)
    try:
        assert await extend(served, 6) == 6
    finally:
        await ops.Resume(ops_pb2.ResumeRequest(), timeout=30)
        reading.call.cancel()
