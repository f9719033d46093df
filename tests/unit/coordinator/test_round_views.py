"""What members and operators see of rounds: small by default, rosters by digest."""

import pytest

from coordinator.rounds.round import RoundName
from coordinator.rounds.views import Views
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
from federated_router.federation.wire import roster_from_message
from federated_router.kit.errors import (
    FieldInvalid,
    LimitReached,
    NotOnRoster,
    RoundStateWrong,
)
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import CONTEXT, CoordinatorWorld, identity
from tests.support.round_member import NAMES, RunningMember
from tests.unit.coordinator.test_coordinator_rounds import (
    _made,
    _swap_ciphertext,
    reach,
)


async def roster_of(
    world: CoordinatorWorld, name: str, known: list[bytes], *, caller: str = NAMES[0]
) -> pb2.GetRosterResponse:
    """Ask for a roster as `caller`."""
    set_current_identity(identity(caller))
    request = pb2.GetRosterRequest(round=name, known_keys=known)
    return await world.core.aggregation.GetRoster(request, CONTEXT)


async def test_basic_view_has_neither_roster_nor_progress(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Its size must not grow with the roster: every member watches it."""
    await world.open_round()
    basic = await reach(world, members, "COLLECTING")
    full = await world.newest(full=True)

    assert (list(basic.roster), list(basic.progress)) == ([], [])
    assert len(full.roster) == len(full.progress) == basic.roster_count == 4
    assert basic.ByteSize() < full.ByteSize() / 4


async def test_watchers_of_one_round_get_the_same_message(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """It is made once for all of them, and anew when the round changes."""
    await world.open_round()
    views, conductor = Views(), world.core.conductor
    name = RoundName((await world.newest()).name)
    before = await conductor.get(name)

    first = views.watched(before)
    again = views.watched(before)
    await members[0].member.act(await world.client(NAMES[0]).get(name))
    after = views.watched(await conductor.get(name))

    assert first is again
    assert after is not first
    assert (first.round.joined_count, after.round.joined_count) == (0, 1)


async def test_progress_tells_when_each_member_came_how_far(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """An operator sees who keeps a round waiting."""
    await world.open_round()
    await reach(world, members, "CHECKING")
    await world.clock.advance(5)
    await members[1].member.act(
        await world.client(NAMES[1]).get((await world.newest()).name)
    )

    full = await world.newest(full=True)

    checked = [entry.member for entry in full.progress if entry.HasField("check_time")]
    assert checked == [NAMES[1]]
    assert all(entry.HasField("contribute_time") for entry in full.progress)
    assert {entry.cohort for entry in full.progress} == {1}
    assert (full.contributed_count, full.checked_count, full.answered_count) == (
        4,
        1,
        0,
    )


async def test_survivors_are_named_to_members_once_the_round_has_ended(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Before, holders fetch the signed set; the names are most of a view."""
    await world.open_round()
    opening = await reach(world, members, "OPENING")
    whole = await world.newest(full=True)

    ended = await reach(world, members, "PUBLISHED")

    assert not opening.survivors
    assert len(whole.survivors) == 4
    assert ended.survivors == whole.survivors


@pytest.mark.parametrize("garbage", [False, True])
async def test_full_watch_ends_with_the_report(
    world: CoordinatorWorld, members: list[RunningMember], *, garbage: bool
) -> None:
    """Who watches to the end needs no other call; members are spared the bytes."""
    await world.open_round()
    if garbage:
        round_ = await reach(world, members, "COLLECTING")
        other = await _made(members[1], round_)
        _swap_ciphertext(members[0], other.body[:CIPHERTEXT_BYTES])
    ended = "REJECTED" if garbage else "PUBLISHED"
    basic = await reach(world, members, ended)
    set_current_identity(identity("operator/op"))
    asked = await world.core.aggregation.GetRound(
        pb2.GetRoundRequest(name=basic.name, view=pb2.ROUND_VIEW_FULL), CONTEXT
    )

    full = await world.newest(full=True)

    assert full == asked.round
    assert list(full.report.failed_checks) == (["plausibility"] if garbage else [])
    assert len(full.report.cohorts) == 1
    assert not basic.HasField("report")


async def test_roster_leaves_out_keys_that_the_caller_knows(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Certificates are most of a roster, and travel once."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    whole = await roster_of(world, round_.name, [])
    members_seen = roster_from_message(whole, round_name=round_.name, known={})
    known = {entry.announcement.sha256: entry.announcement for entry in members_seen}

    short = await roster_of(world, round_.name, list(known))

    assert [entry.HasField("keys") for entry in short.members] == [False] * 4
    assert short.ByteSize() < whole.ByteSize() / 5
    assert (
        roster_from_message(short, round_name=round_.name, known=known) == members_seen
    )
    with pytest.raises(FieldInvalid):
        roster_from_message(short, round_name=round_.name, known={})


async def test_keys_known_under_another_name_are_refused_by_the_member(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A digest may not stand for somebody else's keys."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    whole = await roster_of(world, round_.name, [])
    seen = roster_from_message(whole, round_name=round_.name, known={})
    known = {entry.announcement.sha256: entry.announcement for entry in seen}
    short = await roster_of(world, round_.name, list(known))
    short.members[0].keys_sha256 = short.members[1].keys_sha256

    with pytest.raises(FieldInvalid):
        roster_from_message(short, round_name=round_.name, known=known)


async def test_roster_is_given_once_it_is_final_and_to_those_on_it(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Nonces stay hidden before; strangers have no use for it; operators look on."""
    await world.open_round()
    round_ = await reach(world, members, "REVEALING")
    with pytest.raises(RoundStateWrong):
        await roster_of(world, round_.name, [])
    await reach(world, members, "COLLECTING")

    with pytest.raises(NotOnRoster):
        await roster_of(world, round_.name, [], caller="node/node-9")
    seen = await roster_of(world, round_.name, [], caller="operator/op")

    assert len(seen.members) == 4


async def test_more_known_digests_than_a_roster_holds_are_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A limit that is reached, not a set that grows as somebody likes."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    digests = [number.to_bytes(32, "big") for number in range(ROSTER_SIZE_MAX + 1)]

    with pytest.raises(LimitReached):
        await roster_of(world, round_.name, digests)
    assert len((await roster_of(world, round_.name, digests[1:])).members) == 4


async def test_members_fetch_each_key_once_and_not_in_every_round(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The second round's roster refers to what the first one brought."""
    await world.open_round()
    await reach(world, members, "PUBLISHED")
    for running in members:
        await running.member.act(
            await world.client(running.member.name).get((await world.newest()).name)
        )
    await world.restart()
    await world.open_round()
    asked: list[int] = []
    client = members[0].member._client
    honest = client.roster

    async def counting(round_name: str, *, known: dict[bytes, object]) -> object:
        asked.append(len(known))
        return await honest(round_name, known=known)  # type: ignore[arg-type]

    client.roster = counting  # type: ignore[assignment, method-assign]
    await reach(world, members, "PUBLISHED")

    assert asked == [4]
