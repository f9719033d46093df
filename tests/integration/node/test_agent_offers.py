"""The agent tells the router other offers: by another registration, or by leaving."""

import asyncio
from typing import cast

from federated_router.api.v1 import registry_pb2 as pb
from tests.integration.node.test_agent import LEASE_S, Registry, agent_of
from tests.support.running import eventually

M = pb.ModelOffer(model="models/m")
N = pb.ModelOffer(model="models/n")


def registered(registry: Registry) -> list[list[str]]:
    """Return the models of each registration."""
    requests = cast("list[pb.RegisterNodeRequest]", registry.named("RegisterNode"))
    return [[one.model for one in request.node.models] for request in requests]


async def test_new_offer_is_registered_under_the_lease_that_stands() -> None:
    """At once, and so that a drain which the router ordered goes on."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        agent.announce([M, N])
        await eventually(lambda: len(registry.named("RegisterNode")) == 2)
        await eventually(lambda: bool(registry.named("RenewLease")))

    requests = cast("list[pb.RegisterNodeRequest]", registry.named("RegisterNode"))
    assert registered(registry) == [["models/m"], ["models/m", "models/n"]]
    assert [one.lease_id for one in requests] == ["", "lease-1"]
    assert not registry.named("DeregisterNode")


async def test_node_without_an_offer_holds_no_lease() -> None:
    """It comes back with the first offer."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        agent.announce([])
        await eventually(lambda: not registry.leases)
        known = len(registry.calls)
        await asyncio.sleep(3 * LEASE_S)
        assert len(registry.calls) == known
        agent.announce([N])
        await eventually(lambda: bool(registry.leases))

    assert registered(registry) == [["models/m"], ["models/n"]]


async def test_drained_node_stays_away_whatever_it_could_offer() -> None:
    """An operator's word stands above a server that comes back."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        await agent.leave()
        agent.announce([M, N])
        await asyncio.sleep(3 * LEASE_S)
        assert len(registry.named("RegisterNode")) == 1
        await agent.rejoin()
        await eventually(lambda: bool(registry.leases))

    assert registered(registry)[-1] == ["models/m", "models/n"]


async def test_offer_that_changes_during_a_registration_is_told_after_it() -> None:
    """What was under way told the old one."""
    registry = Registry(hold_registration=asyncio.Event())

    async with agent_of(registry) as agent:
        await eventually(lambda: len(registry.named("RegisterNode")) == 1)
        agent.announce([N])
        assert registry.hold_registration is not None
        registry.hold_registration.set()
        await eventually(lambda: len(registry.named("RegisterNode")) == 2)

    assert registered(registry) == [["models/m"], ["models/n"]]
