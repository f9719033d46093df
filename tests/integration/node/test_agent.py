"""The node's agent against a registry that a test writes: it holds a lease or none."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import grpc
import pytest
from google.protobuf.message import Message
from grpc.aio import AioRpcError, Metadata

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.kit.errors import FederationError, LeaseLost
from federated_router.kit.grpc_errors import DETAILS_KEY, code_of, details_of
from node.agent import Agent
from node.config import RegistrationSettings
from tests.support.running import eventually

LEASE_S = 0.06
Call = Callable[..., Awaitable[Message]]


@dataclass(slots=True)
class Registry:
    """Stands in for the channel to a router; grants leases and keeps the calls."""

    calls: list[tuple[str, Message]] = field(default_factory=list)
    leases: set[str] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)
    hold_registration: asyncio.Event | None = None
    deaf: bool = False

    def unary_unary(self, path: str, **_: object) -> Call:
        """Return a method of the stub."""
        name = path.rpartition("/")[2]

        async def call(request: Message, **_: object) -> Message:
            self.calls.append((name, request))
            if self.failures and name != "DeregisterNode":
                raise self.failures.pop(0)
            return await getattr(self, name)(request)

        return call

    async def RegisterNode(self, _: Message) -> Message:  # noqa: N802 - the contract's.
        """Grant a lease."""
        if self.hold_registration is not None:
            await self.hold_registration.wait()
        lease = f"lease-{len(self.calls)}"
        self.leases = {lease}
        response = pb.RegisterNodeResponse(lease_id=lease)
        response.lease_duration.FromNanoseconds(int(LEASE_S * 1e9))
        return response

    async def RenewLease(self, request: pb.RenewLeaseRequest) -> Message:  # noqa: N802 - as above.
        """Extend a lease that stands."""
        if request.lease_id not in self.leases:
            raise wire(LeaseLost("register again"))
        response = pb.RenewLeaseResponse()
        response.lease_duration.FromNanoseconds(int(LEASE_S * 1e9))
        return response

    async def DeregisterNode(  # noqa: N802 - as above.
        self, request: pb.DeregisterNodeRequest
    ) -> Message:
        """End a lease."""
        if self.deaf:
            raise lost()
        self.leases.discard(request.lease_id)
        return pb.DeregisterNodeResponse()

    def named(self, name: str) -> list[Message]:
        """Return the requests of one method."""
        return [request for called, request in self.calls if called == name]


def wire(error: FederationError) -> AioRpcError:
    """Return an error as a client of gRPC gets it."""
    trailing = Metadata((DETAILS_KEY, details_of(error)))
    return AioRpcError(code_of(error), Metadata(), trailing, details=error.message)


def lost() -> AioRpcError:
    """Return what a router that is away looks like."""
    return AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata())


@asynccontextmanager
async def agent_of(registry: Registry) -> AsyncIterator[Agent]:
    """Run an agent until left."""
    agent = Agent(
        channel=cast("grpc.aio.Channel", registry),
        settings=RegistrationSettings(
            router_address="unused", retry_s=0.01, retry_max_s=0.02
        ),
        node=pb.Node(name="nodes/n1", models=[pb.ModelOffer(model="models/m")]),
        load=lambda: pb.NodeLoad(requests_running=2),
    )
    running = asyncio.create_task(agent.run())
    try:
        yield agent
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_lease_is_renewed_with_the_load() -> None:
    """Several times within each lease, under the same id."""
    registry = Registry()

    async with agent_of(registry):
        await eventually(lambda: len(registry.named("RenewLease")) >= 3)

    renewals = cast("list[pb.RenewLeaseRequest]", registry.named("RenewLease"))
    assert {one.lease_id for one in renewals} == {"lease-1"}
    assert renewals[0].load.requests_running == 2
    assert len(registry.named("RegisterNode")) == 1


async def test_lost_lease_is_registered_again() -> None:
    """A router that restarted knows nobody."""
    registry = Registry()

    async with agent_of(registry):
        await eventually(lambda: bool(registry.named("RenewLease")))
        registry.leases.clear()
        await eventually(lambda: len(registry.named("RegisterNode")) == 2)
        await eventually(lambda: bool(registry.leases))

    asked = [name for name, _ in registry.calls]
    assert asked.count("RegisterNode") == 2
    assert "RenewLease" in asked[: asked.index("RegisterNode", 1)]
    assert registry.leases == {f"lease-{asked.index('RegisterNode', 1) + 1}"}


@pytest.mark.parametrize("failures", [1, 5])
async def test_router_that_is_away_is_waited_for(failures: int) -> None:
    """The node keeps asking, and its process lives."""
    registry = Registry(failures=[lost() for _ in range(failures)])

    async with agent_of(registry):
        await eventually(lambda: bool(registry.leases))

    assert len(registry.named("RegisterNode")) == failures + 1


async def test_one_lost_renewal_does_not_lose_the_lease() -> None:
    """There is time for another within the same lease."""
    registry = Registry()

    async with agent_of(registry):
        await eventually(lambda: bool(registry.named("RenewLease")))
        registry.failures.append(lost())
        seen = len(registry.named("RenewLease"))
        await eventually(lambda: len(registry.named("RenewLease")) >= seen + 3)

    assert len(registry.named("RegisterNode")) == 1


async def test_node_that_left_says_nothing_more() -> None:
    """No renewal of a lease that it gave back, and no new registration."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        await agent.leave()
        known = len(registry.calls)
        await asyncio.sleep(3 * LEASE_S)
        later = len(registry.calls)

    assert registry.leases == set()
    assert later == known


async def test_return_right_after_leaving_takes_a_new_lease() -> None:
    """Drain and Resume in one breath: the old id is never renewed."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        await agent.leave()
        await agent.rejoin()
        await eventually(lambda: bool(registry.leases))

    renewals = cast("list[pb.RenewLeaseRequest]", registry.named("RenewLease"))
    assert all(one.lease_id for one in renewals)
    assert len(registry.named("RegisterNode")) == 2


async def test_registration_that_arrives_after_leaving_is_given_back() -> None:
    """Else a draining node would be sent work until the lease lapsed."""
    registry = Registry(hold_registration=asyncio.Event())

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.named("RegisterNode")))
        await agent.leave()
        assert registry.hold_registration is not None
        registry.hold_registration.set()
        await eventually(lambda: bool(registry.named("DeregisterNode")))

    assert registry.leases == set()


async def test_farewell_to_a_router_that_is_away_is_no_failure() -> None:
    """The end of a node must not hang on its router."""
    registry = Registry()

    async with agent_of(registry) as agent:
        await eventually(lambda: bool(registry.leases))
        registry.deaf = True
        await agent.leave()

    assert len(registry.named("DeregisterNode")) == 1
