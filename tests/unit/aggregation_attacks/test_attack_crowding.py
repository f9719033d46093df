"""One member takes what is there for all: the places for bodies in memory.

Every place is bounded and freed; who may hold how many of them decides whether one
member can keep the others out until the round's deadline.
"""

import asyncio
from collections.abc import AsyncIterator

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.federation.round_view import Contribution
from tests.support.coordinator_world import ROUNDS, CoordinatorWorld, header_of
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks.steps import made_by, reach

Part = pb2.SubmitContributionRequest
PLACES = 2


async def stalled(own: Contribution) -> AsyncIterator[Part]:
    """Send a valid header and one byte, and then nothing for ever."""
    yield Part(header=header_of(own))
    yield Part(chunk=own.body[:1])
    await asyncio.Event().wait()


@pytest.fixture
async def crowded(
    world: CoordinatorWorld, members: list[RunningMember]
) -> AsyncIterator[CoordinatorWorld]:
    """Let the first member hold as many uploads open as it gets."""
    world.rounds = ROUNDS.model_copy(update={"uploads_max": PLACES})
    await world.restart()
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    crowder = members[0]
    own = await made_by(crowder, world, round_.name)
    door = world.client(crowder.member.name)
    open_ones = [asyncio.create_task(door.send(stalled(own))) for _ in range(PLACES)]
    async with asyncio.timeout(30):
        while not world.core.aggregation._uploads.running:
            await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    yield world
    for task in open_ones:
        task.cancel()
    await asyncio.gather(*open_ones, return_exceptions=True)
    assert not world.core.aggregation._uploads.running


async def test_one_member_does_not_hold_every_place_for_uploads(
    crowded: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Calls end at their time limit, and the crowder opens them anew at once."""
    other = members[1]
    round_ = await crowded.newest()
    own = await made_by(other, crowded, round_.name)

    await crowded.client(other.member.name).contribute(own)

    sizes = {
        row.member: row.contribution_bytes
        for row in (await crowded.newest(full=True)).roster
    }
    assert sizes[other.member.name] == len(own.body)
