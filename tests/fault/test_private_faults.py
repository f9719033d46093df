"""Private answers whose node or router dies: the account pays what was granted.

At least what was delivered, because that was sampled; at most two instalments more,
because the node was allowed no more; never the whole hold of 400 tokens.
"""

import asyncio

import grpc
import pytest

from federated_router.api.v1 import budget_pb2
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import NodeLost
from federated_router.kit.grpc_client import translated_errors
from federated_router.proxy.settings import ProxySettings
from tests.support.processes import (
    LONG_POLICY,
    LONG_TOKENS,
    Calls,
    Processes,
    events_of,
    private,
    until,
)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
INSTALMENT = ProxySettings().private_instalment_tokens
DELIVERED = (1, 12, 40)
"""How far an answer has come when its node dies: in the first instalment, at its end,
after several."""


class Answer:
    """A long private answer, and how many of its tokens have arrived."""

    def __init__(self, calls: Calls) -> None:
        generation = private(policy=LONG_POLICY)
        self.reservation = f"reservations/alice.{generation.request_id}"
        self.call = calls.stream(generation)
        self.node = ""
        self.tokens = 0
        self.finished = 0

    async def read(self, tokens: int) -> None:
        """Read until so many tokens have arrived."""
        while self.tokens < tokens:
            self.take(await self.call.read())

    async def rest(self) -> None:
        """Read to the end; raise what ended it."""
        async with translated_errors():
            while (event := await self.call.read()) is not grpc.aio.EOF:
                self.take(event)

    def take(self, event: pb.GenerateResponse) -> None:
        """Count one event."""
        self.node = self.node or event.started.node.removeprefix("nodes/")
        self.tokens += len(event.chunk.token_ids)
        self.finished = self.finished or event.finished.completion_tokens


async def charged(calls: Calls, answer: Answer) -> int:
    """Return how many tokens the answer was charged, once it is settled."""

    async def settled() -> budget_pb2.Reservation | None:
        page = await calls.budget.ListReservations(
            budget_pb2.ListReservationsRequest(account="accounts/dataset-d"),
            timeout=10,
            wait_for_ready=True,
        )
        named = {one.name: one for one in page.reservations}
        one = named[answer.reservation]
        held = one.state == budget_pb2.Reservation.STATE_HELD
        return None if held else one

    one = await until(settled, what="the hold is settled", within_s=20)
    token_units = one.reserved_units // LONG_TOKENS
    assert one.charged_units == one.steps * token_units
    return int(one.steps)


@pytest.mark.parametrize("delivered", DELIVERED)
async def test_node_killed_in_a_private_answer_costs_what_was_granted(
    federation: Processes, delivered: int
) -> None:
    """Nobody can tell what was sampled beyond what arrived; the grant bounds it."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answer = Answer(calls)
        await answer.read(delivered)

        federation.kill(answer.node)
        with pytest.raises(NodeLost) as caught:
            await answer.rest()
        tokens = await charged(calls, answer)

    assert tokens == int(caught.value.metadata["tokens_granted"])
    assert answer.tokens <= tokens <= answer.tokens + 2 * INSTALMENT
    assert tokens < LONG_TOKENS


async def test_frozen_node_costs_what_was_granted(federation: Processes) -> None:
    """A silent node may have used its credit; its silence is no refund."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answer = Answer(calls)
        await answer.read(1)

        federation.freeze(answer.node)
        with pytest.raises(NodeLost):
            await answer.rest()
        tokens = await charged(calls, answer)

    assert answer.tokens <= tokens <= answer.tokens + 2 * INSTALMENT


async def test_caller_who_leaves_costs_what_was_granted(
    federation: Processes,
) -> None:
    """The router does not know how far the node came, and need not."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answer = Answer(calls)
        await answer.read(20)

        answer.call.cancel()
        tokens = await charged(calls, answer)

    assert answer.tokens <= tokens
    assert tokens < LONG_TOKENS


async def test_router_killed_in_a_private_answer_charges_what_it_had_granted(
    federation: Processes,
) -> None:
    """Its successor finds the bound on disk: written before any node could use it."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answer = Answer(calls)
        await answer.read(20)

        federation.kill("router")
        with pytest.raises(grpc.aio.AioRpcError):
            await events_of(answer.call)
    await federation.restart("router")
    async with federation.calls() as calls:
        tokens = await charged(calls, answer)

    assert answer.tokens <= tokens
    assert tokens < LONG_TOKENS


async def test_node_told_to_stop_is_granted_to_the_end_of_its_answer(
    federation: Processes,
) -> None:
    """An orderly stop costs nobody an answer, and charges exactly."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answer = Answer(calls)
        await answer.read(1)

        federation.terminate(answer.node)
        await answer.rest()
        status = await federation.wait_end(answer.node)
        tokens = await charged(calls, answer)

    assert status == 0
    assert answer.finished == answer.tokens == tokens == LONG_TOKENS


@pytest.mark.parametrize("pause_s", [0.0, 0.03, 0.1])
async def test_nodes_killed_under_many_answers_are_never_charged_too_little(
    federation: Processes, pause_s: float
) -> None:
    """At whatever instant nodes die, each caller's tokens are paid for."""
    async with federation.calls() as calls:
        await calls.open_dataset()
        answers = [Answer(calls) for _ in range(4)]
        await answers[0].read(1)
        await asyncio.sleep(pause_s)

        federation.kill(*federation.nodes)
        ended = await asyncio.gather(
            *(one.rest() for one in answers), return_exceptions=True
        )
        tokens = [await charged(calls, one) for one in answers if one.node]

    began = [one for one in answers if one.node]
    assert any(isinstance(one, NodeLost) for one in ended)
    for one, charge in zip(began, tokens, strict=True):
        assert one.tokens <= charge <= one.tokens + 2 * INSTALMENT
