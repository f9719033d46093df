"""A coordinator killed in each state of a round, and members that disappear in one."""

import asyncio
import math

import pytest

from federated_router.api.v1 import aggregation_pb2 as pb2
from tests.fault.round_observer import Observer
from tests.fault.store_turnstile import Turnstile, turnstile
from tests.support.processes import Processes, private

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]
REQUESTS = 450
MEMBERS = 4
ATTEMPTS = 15
STATES = (
    "joining",
    "revealing",
    "collecting",
    "checking",
    "summing",
    "opening",
    "validating",
)


async def caught(observer: Observer, door: Turnstile, state: str) -> str:
    """Open rounds until one is held in `state`, with requests to count; its name.

    A state that was missed costs one round more, which publishes as any other.
    """
    for _ in range(ATTEMPTS):
        await observer.serve(REQUESTS)
        name = await observer.create(members=MEMBERS)
        if await asyncio.to_thread(door.catch, name, state):
            return name
        missed = await observer.ended(name)
        assert missed.state == pb2.Round.STATE_PUBLISHED, missed.end_cause
        await observer.settled(name, ("router", *observer.federation.nodes))
    raise AssertionError(f"No round of {ATTEMPTS} was caught in '{state}'.")


@pytest.mark.parametrize("state", STATES)
async def test_coordinator_killed_in_any_state_counts_nobody_twice(
    state: str, federation: Processes
) -> None:
    """The round goes on or says why not; the next one publishes, one revision on.

    What all rounds published, and what members still hold, is what was served: a batch
    told twice would show 150 requests too many, where noise reaches 125.
    """
    everybody = ("router", *federation.nodes)
    store = federation.layout.state("coordinator") / "rounds.sqlite"
    async with federation.calls() as calls:
        observer = Observer(federation, calls)
        drained = await observer.ended(await observer.create(members=MEMBERS))
        await observer.settled(drained.name, everybody)
        with turnstile(store) as door:
            name = await caught(observer, door, state)
            before = await observer.newest_revision()
            federation.kill("coordinator")
        await federation.restart("coordinator")

        first = await observer.ended(name)
        await observer.settled(name, everybody)
        second = await observer.ended(await observer.create(members=MEMBERS))
        await observer.settled(second.name, everybody)
        left = sum((await observer.pending()).values())
        after = await observer.newest_revision()
        told = [await observer.published(one) for one in range(before + 1, after + 1)]

    assert first.state == pb2.Round.STATE_PUBLISHED or first.end_cause
    assert second.state == pb2.Round.STATE_PUBLISHED, second.end_cause
    assert second.priors_revision == after
    assert after - before == 1 + (first.state == pb2.Round.STATE_PUBLISHED)
    counted = sum(one.requests for one in told) + left
    tolerance = math.hypot(*(one.tolerance for one in told))
    assert tolerance < REQUESTS / 3
    assert counted < REQUESTS + tolerance
    if first.state == pb2.Round.STATE_PUBLISHED:
        assert counted > REQUESTS - tolerance


@pytest.mark.parametrize("state", ["revealing", "collecting", "checking", "opening"])
async def test_member_that_disappears_is_carried_through(
    state: str, federation: Processes
) -> None:
    """Three of four is the participation that was promised."""
    victim = federation.nodes[-1]
    store = federation.layout.state("coordinator") / "rounds.sqlite"
    async with federation.calls() as calls:
        observer = Observer(federation, calls)
        account = await calls.open_dataset()
        with turnstile(store) as door:
            name = await caught(observer, door, state)
            federation.kill(victim)

        first = await observer.ended(name)
        await federation.heal()
        second = await observer.ended(await observer.create(members=MEMBERS))
        balance = await calls.account()

    assert first.state == pb2.Round.STATE_PUBLISHED, first.end_cause
    assert {"node/node-1", "node/node-2", "router/router"} <= set(first.survivors)
    assert second.state == pb2.Round.STATE_PUBLISHED, second.end_cause
    assert len(second.survivors) == MEMBERS
    assert second.priors_revision == first.priors_revision + 1
    assert balance.spent_units == account.spent_units
    assert balance.held_units == 0


async def test_round_that_loses_too_many_members_is_aborted_with_its_cause(
    federation: Processes,
) -> None:
    """Two of four would carry too little noise; what they had counts in the next."""
    victims = federation.nodes[-2:]
    store = federation.layout.state("coordinator") / "rounds.sqlite"
    async with federation.calls() as calls:
        observer = Observer(federation, calls)
        await calls.open_dataset()
        with turnstile(store) as door:
            name = await caught(observer, door, "joining")
            federation.kill(*victims)
            revision = await observer.newest_revision()

        first = await observer.ended(name, within_s=90)
        served = await calls.complete(private())
        await federation.heal()
        second = await observer.ended(await observer.create(members=MEMBERS))

    assert first.state == pb2.Round.STATE_ABORTED
    assert first.end_cause
    assert served.finished.charge.units > 0
    assert second.state == pb2.Round.STATE_PUBLISHED, second.end_cause
    assert second.priors_revision == revision + 1
