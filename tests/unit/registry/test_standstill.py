"""A router that stood still: it heard nobody, so it must not call everybody lost.

Where a test hands the registry one clock for both times, a leap of that clock is a
process that stood still; small steps are one that runs.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.clock import ManualClock
from federated_router.registry.membership import Load, Member
from federated_router.registry.registry import (
    LOOKS_PER_LEASE,
    Registry,
    RegistrySettings,
)
from federated_router.registry.standstill import Standstill

LEASE_S = 6.0
BEAT_S = LEASE_S / LOOKS_PER_LEASE
PAUSE_S_MAX = 20.0


@pytest.fixture
def clock() -> ManualClock:
    """Return the time of leases and of the process."""
    return ManualClock()


@pytest.fixture
async def registry(clock: ManualClock) -> AsyncIterator[Registry]:
    """Run a registry whose process stands still where the clock leaps."""
    settings = RegistrySettings(lease_s=LEASE_S, pause_s_max=PAUSE_S_MAX)
    made = Registry(settings, clock, process_clock=clock)
    async with sweeping(made):
        yield made


@asynccontextmanager
async def sweeping(registry: Registry) -> AsyncIterator[None]:
    """Let the registry's sweep run meanwhile."""
    task = asyncio.create_task(registry.sweep())
    for _ in range(3):
        await asyncio.sleep(0)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def join(registry: Registry, name: str = "nodes/n1") -> Member:
    """Register a node."""
    return registry.register(name=name, address="a:1", region="north", offers=[])


def names(registry: Registry) -> list[str]:
    """Return who is there."""
    return [member.name for member in registry.present()]


async def run_for(clock: ManualClock, duration_s: float) -> None:
    """Let time pass in steps, as it does where the process runs."""
    steps = round(duration_s / BEAT_S * 4)
    for _ in range(steps):
        await clock.advance(duration_s / steps)


async def test_nodes_are_there_when_the_router_wakes(
    registry: Registry, clock: ManualClock
) -> None:
    """Three leases passed unheard, and a lease is left to be heard again."""
    lost: list[str] = []
    registry.on_gone(lost.append)
    member = join(registry)
    await run_for(clock, LEASE_S / 3)

    await clock.advance(3 * LEASE_S)
    awake = names(registry)
    await run_for(clock, LEASE_S / 3)
    registry.renew(member.name, member.lease_id, Load())

    assert (awake, lost) == (["nodes/n1"], [])


async def test_node_that_died_meanwhile_lapses_within_a_lease(
    registry: Registry, clock: ManualClock
) -> None:
    """A lease stands still with the router, and then it runs on."""
    join(registry)
    await clock.advance(3 * LEASE_S)
    awake = names(registry)

    await run_for(clock, LEASE_S)

    assert (awake, names(registry)) == (["nodes/n1"], [])


async def test_whoever_looks_before_the_sweep_wakes_finds_the_nodes() -> None:
    """The first call after a standstill may be answered before any timer is due."""
    clock = Leaping()
    registry = Registry(RegistrySettings(lease_s=LEASE_S), clock, process_clock=clock)
    async with sweeping(registry):
        member = join(registry)

        clock.leap(3 * LEASE_S)

        assert names(registry) == ["nodes/n1"]
        registry.renew(member.name, member.lease_id, Load())


class Leaping(ManualClock):
    """A clock that leaps before anybody who sleeps can wake."""

    def leap(self, duration_s: float) -> None:
        """Move time forward and wake nobody."""
        self._now_s += duration_s


async def test_one_pause_counts_once() -> None:
    """Looking twice does not prolong twice."""
    clock = Leaping()
    registry = Registry(RegistrySettings(lease_s=LEASE_S), clock, process_clock=clock)
    async with sweeping(registry):
        join(registry)
        clock.leap(3 * LEASE_S)

        first = registry.present().member("nodes/n1").lease_expires_s
        second = registry.present().member("nodes/n1").lease_expires_s

    assert first == second == pytest.approx(clock.now_s() + LEASE_S - BEAT_S)


async def test_pauses_prolong_a_lease_up_to_their_limit(
    registry: Registry, clock: ManualClock
) -> None:
    """A router that stands still again and again gives up a dead node all the same."""
    join(registry)
    pauses = 0

    while names(registry):
        await clock.advance(LEASE_S)
        pauses += 1

    assert pauses * (LEASE_S - BEAT_S) > PAUSE_S_MAX
    assert pauses * LEASE_S <= PAUSE_S_MAX + 2 * LEASE_S


async def test_renewal_gives_a_node_all_pauses_anew(
    registry: Registry, clock: ManualClock
) -> None:
    """The limit is on silence, and a node that is heard is not silent."""
    member = join(registry)

    for _ in range(20):
        await clock.advance(LEASE_S)
        registry.renew(member.name, member.lease_id, Load())

    assert names(registry) == ["nodes/n1"]
    assert registry.present().member("nodes/n1").paused_s == 0.0


async def test_no_pause_is_granted_where_none_may_be(clock: ManualClock) -> None:
    """With a limit of 0 leases are judged by time alone."""
    settings = RegistrySettings(lease_s=LEASE_S, pause_s_max=0.0)
    registry = Registry(settings, clock, process_clock=clock)
    async with sweeping(registry):
        join(registry)

        await clock.advance(LEASE_S)

        assert names(registry) == []


async def test_clock_that_is_set_forward_is_no_pause(clock: ManualClock) -> None:
    """Only where the process lost that time, too: a running router heard its nodes."""
    process = ManualClock()
    registry = Registry(RegistrySettings(lease_s=LEASE_S), clock, process_clock=process)
    async with sweeping(registry):
        join(registry)
        await run_for(process, 3 * LEASE_S)

        await clock.advance(LEASE_S)

        assert names(registry) == []


async def test_registry_that_is_not_swept_claims_no_pause() -> None:
    """Before the sweep begins nothing is known of what the process missed."""
    clock = Leaping()
    registry = Registry(RegistrySettings(lease_s=LEASE_S), clock, process_clock=clock)
    join(registry)

    clock.leap(LEASE_S)

    assert names(registry) == []


@given(gap_s=st.floats(0.0, 1e6))
async def test_lost_is_what_a_beat_was_late(gap_s: float) -> None:
    """A busy loop is late by little; then the whole delay counts, and never more."""
    clock = Leaping(0.0)
    standstill = Standstill(BEAT_S, (clock,))
    watching = asyncio.create_task(standstill.watch(lambda: None))
    await asyncio.sleep(0)

    clock.leap(gap_s)
    lost_s = standstill.passed_s()
    watching.cancel()
    await asyncio.wait([watching])

    late_s = gap_s - BEAT_S
    assert lost_s == (late_s if late_s >= BEAT_S / 2 else 0.0)
    assert standstill.passed_s() == 0.0
