"""Rounds whose sums open cohort by cohort, with members who vanish or deal badly."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.config import RoundSettings
from coordinator.robust.settings import RobustSettings
from coordinator.rounds.round import Round, RoundName
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto import signing
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.federation import statements
from federated_router.federation.batch import Batch
from federated_router.federation.round_view import Contribution
from federated_router.federation.verification import Promise
from federated_router.federation.wire import round_from_message
from federated_router.kit.clock import ManualClock
from federated_router.kit.identity import set_current_identity
from tests.support.coordinator_world import (
    CELL,
    CONTEXT,
    ROUNDS,
    CoordinatorWorld,
    identity,
)
from tests.support.round_member import Certificates, RunningMember, start_member

NAMES = tuple(f"node/node-{number}" for number in range(1, 10))
REQUESTS = 4
COHORTS = RoundSettings(
    **{
        **ROUNDS.model_dump(),
        "members_min": 9,
        "members_max": 9,
        "participation_min": 0.6,
        "cohorts": RobustSettings(
            byzantine_fraction=0.1,
            spoiled_probability_max=0.5,
            cohort_participation_min=0.6,
        ),
    }
)
STATE = pb2.Round.State


@pytest.fixture
async def nine(
    certificates: Certificates, clock: ManualClock, directory: Path
) -> AsyncIterator[tuple[CoordinatorWorld, list[RunningMember]]]:
    """Start a coordinator that draws three cohorts, and nine members alike."""
    world = CoordinatorWorld(certificates, directory, clock, rounds=COHORTS)
    await world.start()
    members: list[RunningMember] = []
    for name in NAMES:
        running = await start_member(
            certificates.credentials(name),
            client=world.client(name),
            directory=directory / "vaults",
            clock=clock,
        )
        for _ in range(REQUESTS):
            running.statistics.succeed(CELL, latency_ms_per_token=10.0)
        members.append(running)
    await world.open_round(len(NAMES))
    yield world, members
    for running in members:
        await running.close()
    await world.kill()


async def reach(
    world: CoordinatorWorld, members: list[RunningMember], state: str
) -> pb2.Round:
    """Lead the round until it stands in `state`, everybody doing their part."""
    for _ in range(12):
        round_ = await world.newest()
        if round_.state == STATE.Value(f"STATE_{state}"):
            return round_
        for running in members:
            await running.member.act(round_from_message(round_))
        await world.work()
    raise AssertionError(f"{STATE.Name(round_.state)}: {round_.end_cause}")


async def stored(world: CoordinatorWorld) -> Round:
    """Return the newest round as the coordinator has it."""
    name = RoundName((await world.newest()).name)
    return await world.core.conductor.get(name)


async def reported(world: CoordinatorWorld) -> pb2.Round:
    """Return the newest round with everything."""
    set_current_identity(identity("operator/op"))
    request = pb2.GetRoundRequest(
        name=(await world.newest()).name, view=pb2.ROUND_VIEW_FULL
    )
    return (await world.core.aggregation.GetRound(request, CONTEXT)).round


async def published_requests(world: CoordinatorWorld) -> int:
    """Return how many requests the newest priors count."""
    priors = await world.core.priors._store.newest()
    assert priors is not None
    return priors.performance[CELL].requests


def deal_badly(running: RunningMember) -> None:
    """Let a member seal garbage to everybody, under its own valid signature."""
    honest = running.vault.store_contribution

    async def store(
        contribution: Contribution, *, batch: Batch, promise: Promise
    ) -> Contribution:
        garbage = bytes(len(contribution.body) - CIPHERTEXT_BYTES)
        body = contribution.body[:CIPHERTEXT_BYTES] + garbage
        record = await running.vault.find(contribution.round_name)
        assert record is not None
        digest = hashlib.sha256(body).digest()
        statement = statements.contribution_statement(
            contribution.round_name,
            running.member.name,
            roster_hash=contribution.roster_hash,
            body_sha256=digest,
        )
        signature = signing.sign(statement, record.held.keys)
        sent = replace(contribution, body=body, sha256=digest, signature=signature)
        return await honest(sent, batch=batch, promise=promise)

    running.vault.store_contribution = store  # type: ignore[method-assign]


async def test_sums_of_cohorts_are_published_as_one(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """Nine members alike in three cohorts: the estimate is their sum, exactly."""
    world, members = nine

    await reach(world, members, "PUBLISHED")

    shown = await reported(world)
    assert await published_requests(world) == 9 * REQUESTS
    assert (shown.noise.cohort_size, shown.noise.cohort_survivors_min) == (3, 2)
    assert [cohort.survivors for cohort in shown.report.cohorts] == [3, 3, 3]
    assert sorted(entry.cohort for entry in shown.progress) == [
        1,
        1,
        1,
        2,
        2,
        2,
        3,
        3,
        3,
    ]
    assert all(entry.HasField("answer_time") for entry in shown.progress)
    assert shown.answered_count == 9


async def test_coordinator_killed_between_the_steps_finishes_a_round_of_cohorts(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """Cohorts follow from the beacon, so that a restart draws the same ones."""
    world, members = nine
    for state in ("COLLECTING", "CHECKING", "OPENING"):
        await reach(world, members, state)
        await world.restart()

    await reach(world, members, "PUBLISHED")

    assert await published_requests(world) == 9 * REQUESTS


async def test_cohort_that_lost_too_many_is_not_opened_and_its_rest_tells_again(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """Few in a sum are nearly one contribution; the others' sums need its rest."""
    world, members = nine
    await reach(world, members, "COLLECTING")
    round_ = await stored(world)
    first = [round_.roster[number - 1] for number in round_.cohorts[0]]
    lost = set(first[:2])
    present = [one for one in members if one.member.name not in lost]
    left = next(one for one in members if one.member.name == first[2])
    for running in present:
        await running.member.act(round_from_message(await world.newest()))
    await world.clock.advance(121)

    await reach(world, present, "PUBLISHED")
    shown = await reported(world)
    for running in present:
        await running.member.act(round_from_message(await world.newest()))

    assert len(shown.survivors) == 6
    assert first[2] not in shown.survivors
    assert [cohort.survivors for cohort in shown.report.cohorts] == [0, 3, 3]
    assert left.statistics.balance().pending == REQUESTS
    told = [one for one in present if one is not left]
    assert all(one.statistics.balance().published == REQUESTS for one in told)


async def test_inconsistent_dealer_is_named_and_the_round_goes_on_without_it(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """What it sealed opens for nobody; its cohort has two survivors left."""
    world, members = nine
    deal_badly(members[4])

    await reach(world, members, "PUBLISHED")

    shown = await reported(world)
    assert list(shown.inconsistent_dealers) == ["node/node-5"]
    assert "node/node-5" not in shown.survivors
    assert list(shown.liars) == []
    assert shown.checked_count == 9
    assert sorted(cohort.survivors for cohort in shown.report.cohorts) == [2, 3, 3]
    assert await published_requests(world) == 8 * REQUESTS


async def test_member_that_vanishes_before_checking_is_carried(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """At its deadline checking goes on with those who checked, if they can open."""
    world, members = nine
    await reach(world, members, "CHECKING")
    for running in members[1:]:
        await running.member.act(round_from_message(await world.newest()))
    await world.work()
    waiting = await world.newest()
    await world.clock.advance(121)

    await reach(world, members[1:], "PUBLISHED")

    assert waiting.state == STATE.STATE_CHECKING
    assert waiting.checked_count == 8
    assert await published_requests(world) == 9 * REQUESTS


async def test_too_few_checks_abort_with_the_cause(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """Nobody could open a sum with them, and nobody waits for ever."""
    world, members = nine
    await reach(world, members, "CHECKING")
    for running in members[4:]:
        await running.member.act(round_from_message(await world.newest()))
    await world.clock.advance(121)

    ended = await reach(world, [], "ABORTED")

    assert "5 of 9 contributors checked their shares; 6 are needed" in ended.end_cause


async def test_every_cohort_too_small_aborts_with_the_cause(
    nine: tuple[CoordinatorWorld, list[RunningMember]],
) -> None:
    """One of each cohort stays away, and three would be needed of each."""
    world, members = nine
    await reach(world, members, "COLLECTING")
    round_ = await stored(world)
    lost = {
        round_.roster[number - 1] for cohort in round_.cohorts for number in cohort[:1]
    }
    conductor = world.core.conductor
    assert conductor._keeper.held is not None
    strict = replace(round_.terms, cohort_survivors_min=3, cohort_colluders_max=2)
    conductor._keeper.held = replace(conductor._keeper.held, terms=strict)
    present = [one for one in members if one.member.name not in lost]
    for running in present:
        await running.member.act(round_from_message(await world.newest()))
    await world.clock.advance(121)

    ended = await reach(world, present, "ABORTED")

    assert "No cohort is left with 3 survivors" in ended.end_cause
