"""A router that is frozen for longer than a lease finds its nodes when it wakes."""

import asyncio

import pytest

from tests.support.processes import LEASE_S, Processes, public, until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
FROZEN_S = 3 * LEASE_S
"""What is tested is time that passes: no node can be heard meanwhile."""


async def test_nodes_of_a_frozen_router_are_not_lost(federation: Processes) -> None:
    """It could hear no renewal, so silence says nothing about anybody."""
    async with federation.calls() as calls:
        lost = len(federation.log_lines("router", "node lost"))
        await calls.warm(3)

        federation.freeze("router")
        await asyncio.sleep(FROZEN_S)
        federation.thaw("router")
        awake = await calls.nodes()
        answer = await calls.complete(public())
        pause = await federation.logged(
            "router", "router stood still", event="router stood still"
        )

    assert awake == set(federation.nodes)
    assert answer.finished.completion_tokens == 4
    assert len(federation.log_lines("router", "node lost")) == lost
    assert float(str(pause["pause_ms"])) > 1000 * LEASE_S


async def test_node_that_died_while_the_router_was_frozen_is_missed(
    federation: Processes,
) -> None:
    """A lease stands still with its router, and runs on when the router does."""
    victim = federation.nodes[0]
    async with federation.calls() as calls:
        federation.freeze("router")
        federation.kill(victim)
        await asyncio.sleep(FROZEN_S)
        federation.thaw("router")

        async def gone() -> bool:
            return await calls.nodes() == set(federation.nodes) - {victim}

        await until(gone, what="the dead node's lease lapses")
        assert await calls.nodes() == set(federation.nodes) - {victim}
