"""The simulated federation, put together: one authority, a coordinator, its members.

Decides who has which machine, disk, link and certificate, each with dice of its own.
Starts nothing before it is entered, and leaves nothing behind.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coordinator.simulation.channel import Endpoint, MemoryChannel
from coordinator.simulation.coordinator_process import SimulatedCoordinator
from coordinator.simulation.disk import StoreFaults
from coordinator.simulation.link import Link, LinkConditions
from coordinator.simulation.member_process import SimulatedMember
from coordinator.simulation.plan import Part, SimulationPlan, cast_parts, link_of
from coordinator.simulation.shared_roster import SharedRosters
from coordinator.simulation.store_faults import DiceFaults, FaultOnce
from coordinator.simulation.virtual_clock import VirtualClock
from coordinator.simulation.witness import Witness
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.federation.credentials import Credentials
from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.identity import Identity, Role

TRUST_DOMAIN: Final = "simulated.federation"


@dataclass(frozen=True, slots=True)
class Federation:
    """Everybody, running."""

    plan: SimulationPlan
    parts: tuple[Part, ...]
    coordinator: SimulatedCoordinator
    members: tuple[SimulatedMember, ...]
    witness: Witness
    operator: aggregation_pb2_grpc.AggregationServiceStub


@asynccontextmanager
async def federation(
    plan: SimulationPlan, directory: Path
) -> AsyncIterator[Federation]:
    """Run a federation until left; certificates are written into `directory`."""
    made = _made(plan, directory)
    everybody: list[SimulatedCoordinator | SimulatedMember] = [
        made.coordinator,
        *made.members,
    ]
    running = [asyncio.create_task(one.run()) for one in everybody]
    try:
        yield made
    finally:
        for task in running:
            task.cancel()
        for task in running:
            with suppress(asyncio.CancelledError):
                await task
        for one in everybody:
            one.close()


def _made(plan: SimulationPlan, directory: Path) -> Federation:
    authority = Authority.open(directory / "authority", trust_domain=TRUST_DOMAIN)
    begin_s = time.time()
    witness, parts, rosters = Witness(), cast_parts(plan), SharedRosters()
    coordinator = SimulatedCoordinator(
        plan,
        files=_issued(authority, Role.COORDINATOR, "main", directory),
        clock=VirtualClock(begin_s),
        faults=_coordinator_faults(plan),
        witness=witness,
    )
    members = tuple(
        _member(
            part,
            plan,
            files=_issued(authority, part.role, part.peer_id, directory),
            endpoint=coordinator.endpoint,
            begin_s=begin_s,
            witness=witness,
            rosters=rosters,
        )
        for part in parts
    )
    operator = MemoryChannel(
        coordinator.endpoint,
        caller=Identity(Role.OPERATOR, "op", TRUST_DOMAIN),
        link=Link(LinkConditions(), plan.dice("operator link")),
    )
    stub = aggregation_pb2_grpc.AggregationServiceStub(operator.as_channel())
    return Federation(plan, parts, coordinator, members, witness, stub)


def _member(
    part: Part,
    plan: SimulationPlan,
    *,
    files: IdentityFiles,
    endpoint: Endpoint,
    begin_s: float,
    witness: Witness,
    rosters: SharedRosters,
) -> SimulatedMember:
    return SimulatedMember(
        part,
        plan=plan,
        credentials=Credentials.load(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        ),
        endpoint=endpoint,
        link=Link(link_of(plan, part), plan.dice(f"{part.name} link")),
        clock=VirtualClock(begin_s),
        faults=DiceFaults(plan.member_store, plan.dice(f"{part.name} store")),
        witness=witness,
        rosters=rosters,
    )


def _coordinator_faults(plan: SimulationPlan) -> StoreFaults:
    if plan.fault_at is not None:
        return FaultOnce(*plan.fault_at)
    return DiceFaults(plan.coordinator_store, plan.dice("coordinator store"))


def _issued(
    authority: Authority, role: Role, peer_id: str, directory: Path
) -> IdentityFiles:
    identity = Identity(role, peer_id, TRUST_DOMAIN)
    return authority.issue(identity, directory / role.value)
