"""A node's life as a member, by the operator's command: enrolled, renewed, revoked."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc, ops_pb2
from federated_router.kit.errors import MemberNotEnrolled, MemberRevoked
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.identity import Role
from tests.fault.round_observer import Observer
from tests.support.members_cli import NEW, EnrolledFederation
from tests.support.processes import CALL_S, until

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]
SHORT_DAYS = "0.0016"
"""138 seconds; with the skew that the authority allows for, a third is left at once."""


@pytest_asyncio.fixture
async def world(
    tmp_path: Path, endless_model: Path
) -> AsyncIterator[EnrolledFederation]:
    """Run a federation in which everybody but the newest node is enrolled."""
    made = EnrolledFederation.prepared(tmp_path, endless_model)
    try:
        await asyncio.to_thread(made.processes.launch, "coordinator", "router")
        for name in made.enrolled:
            await made.enrol(name)
        others = [name for name in made.enrolled if name != "router"]
        await asyncio.to_thread(made.processes.launch, *others)
        yield made
    finally:
        made.processes.close()


async def joined(observer: Observer, name: str, count: int) -> pb.Round:
    """Return the round once so many have joined."""

    async def look() -> pb.Round | None:
        response = await observer.calls.rounds.GetRound(
            pb.GetRoundRequest(name=name), timeout=CALL_S
        )
        return response.round if response.round.joined_count >= count else None

    return await until(look, what=f"{count} have joined '{name}'")


async def test_enrolled_node_renews_joins_and_is_revoked_at_once(
    world: EnrolledFederation,
) -> None:
    """The whole life, with a round before the revocation and one during it."""
    processes = world.processes
    await world.enrol(NEW, "--days", SHORT_DAYS)
    first = world.certificate(NEW)
    await asyncio.to_thread(processes.launch, NEW)
    async with processes.calls() as calls:
        observer = Observer(processes, calls)

        async def renewed() -> bool:
            await world.renew()
            return world.certificate(NEW).serial_number != first.serial_number

        await until(renewed, what="the renewed certificate is in its place")
        async with processes.ops(NEW) as ops:
            await ops.GetStatus(ops_pb2.GetStatusRequest(), timeout=CALL_S)
        whole = await observer.ended(await observer.create(members=4))
        active = await world.shown(NEW)

        running = await observer.create(members=5)
        await joined(observer, running, 4)
        began_s = time.monotonic()
        await world.revoke(NEW)
        revoked_s = time.monotonic() - began_s
        async with processes.channel("coordinator", processes.own_tls(NEW)) as channel:
            stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
            with pytest.raises(MemberRevoked):
                async with translated_errors():
                    await stub.ListRounds(pb.ListRoundsRequest(), timeout=CALL_S)
        ended = await processes.logged("coordinator", "MEMBER_REVOKED")
        at_router = await processes.logged("router", "MEMBER_REVOKED")
        without = await observer.ended(running)
        gone = await world.shown(NEW)

    assert whole.state == pb.Round.STATE_PUBLISHED, whole.end_cause
    assert len(whole.survivors) == 4
    assert active["state"] == "STATE_ACTIVE"
    assert active["lastRound"] == whole.name
    assert len(active["certificates"]) == 2  # type: ignore[arg-type]
    assert ended["peer"] == at_router["peer"] == f"node/{NEW}"
    assert revoked_s < 30
    assert without.state == pb.Round.STATE_PUBLISHED, without.end_cause
    assert len(without.survivors) == 3
    assert gone["state"] == "STATE_REVOKED"


async def test_second_certificate_of_the_authority_is_no_second_member(
    world: EnrolledFederation,
) -> None:
    """A Sybil gets its certificate, and no place."""
    tls = world.processes.tls(Role.NODE, "sybil")
    async with world.processes.channel("coordinator", tls) as channel:
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        with pytest.raises(MemberNotEnrolled):
            async with translated_errors():
                await stub.ListRounds(pb.ListRoundsRequest(), timeout=CALL_S)
