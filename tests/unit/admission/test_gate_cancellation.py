"""Nothing is lost to a cancellation, wherever it strikes."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.admission.ask import AdmissionAsk, Priority
from federated_router.admission.bucket import Measure, Rate, Taken, Want
from federated_router.admission.port import MemoryBucketStore
from federated_router.admission.settings import AdmissionSettings, TenantSettings
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FederationError, QueueFull
from tests.support.admission_world import World, world

TENANTS = ("alice", "bob", "carol")
SETTINGS = AdmissionSettings(
    waiting_max=6,
    tenant_waiting_max=4,
    tenants=(TenantSettings(requests_per_minute=60, tokens_per_minute=6000),),
)
RATE = Rate(Measure.TOKENS, 6000, 60.0)
STEPS_MAX = 40


class SlowTable(MemoryBucketStore):
    """Takes some turns of the event loop for each transaction."""

    async def take(self, tenant: str, wants: Sequence[Want]) -> Taken:
        """Take, before some turns and after others."""
        await steps(2)
        taken = await super().take(tenant, wants)
        await steps(2)
        return taken

    async def give_back(self, tenant: str, returned: Mapping[Rate, int]) -> None:
        """Put back after some turns."""
        await steps(2)
        await super().give_back(tenant, returned)


async def steps(count: int) -> None:
    """Let the event loop go round so often."""
    for _ in range(count):
        await asyncio.sleep(0)


async def visit(at: World, ask: AdmissionAsk, inside: int) -> bool:
    """Go through the gate; return whether it was let in."""
    try:
        async with at.admission.admitted(ask, deadline_s=30.0):
            await steps(inside)
            return True
    except FederationError:
        return False


async def visited(at: World, ask: AdmissionAsk, inside: int) -> None:
    """Go through the gate, or be refused."""
    await visit(at, ask, inside)


async def cancelled_after(
    at: World, ask: AdmissionAsk, inside: int, turns: int
) -> None:
    """Go through the gate, and be cancelled after so many turns of the loop."""
    task = asyncio.create_task(visit(at, ask, inside))
    await steps(turns)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("turns", range(STEPS_MAX))
async def test_a_cancellation_at_any_step_leaves_nothing(turns: int) -> None:
    """The place and the tokens are free again, and the next one is let in.

    A request that was let in has used one request of its rate, no more.
    """
    at = world(SETTINGS, store=SlowTable(ManualClock()))
    before = asyncio.create_task(visit(at, AdmissionAsk("alice", tokens=9), 8))
    await asyncio.sleep(0)

    await cancelled_after(at, AdmissionAsk("alice", tokens=9), 10, turns)
    await before

    assert at.is_empty
    assert await visit(at, AdmissionAsk("alice", tokens=9), 0)
    assert at.is_empty


@pytest.mark.parametrize("limits", [(9, 1), (1, 9)])
async def test_no_more_ask_for_their_rate_than_may_wait(
    limits: tuple[int, int],
) -> None:
    """A table that is slow gathers no crowd."""
    most, tenants_most = limits
    settings = SETTINGS.model_copy(
        update={"waiting_max": most, "tenant_waiting_max": tenants_most}
    )
    at = world(settings, store=SlowTable(ManualClock()))
    ask = AdmissionAsk("alice")
    asking = [asyncio.create_task(visit(at, ask, 0)) for _ in range(2)]
    await steps(1)

    with pytest.raises(QueueFull):
        async with at.admission.admitted(ask, deadline_s=30.0):
            pytest.fail("two ask already")

    assert await asyncio.gather(*asking) == [True, True]
    assert at.is_empty


async def test_a_wait_that_is_cancelled_costs_nothing_of_the_rate() -> None:
    """Units of requests that never ran are the tenant's again, at any router."""
    clock = ManualClock()
    store = MemoryBucketStore(clock)
    at = world(SETTINGS, clock=clock, store=store)
    running = asyncio.create_task(visit(at, AdmissionAsk("alice"), 200))
    await steps(5)
    for _ in range(30):
        await cancelled_after(at, AdmissionAsk("alice", tokens=100), 0, 3)
    assert not running.done()

    await clock.advance(0.5)
    await at.rates.give_back()
    await clock.advance(2)
    await at.rates.give_back()
    left = await store.take("alice", [Want(RATE, 5999, 6000)])

    assert left.units[Measure.TOKENS] >= 5999
    assert await running


@given(
    visits=st.lists(
        st.tuples(
            st.sampled_from(TENANTS),
            st.sampled_from(Priority),
            st.integers(0, 6),
            st.integers(0, 30),
            st.booleans(),
        ),
        max_size=30,
    ),
    places=st.integers(1, 3),
)
@settings(max_examples=150, deadline=None)
def test_whatever_comes_and_is_cancelled_the_gate_is_empty_in_the_end(
    visits: list[tuple[str, Priority, int, int, bool]], places: int
) -> None:
    """No place, ticket, future or count survives its request."""

    async def live() -> None:
        at = world(SETTINGS, places=places, store=SlowTable(ManualClock()))
        tasks = []
        for tenant, priority, inside, turns, is_cancelled in visits:
            ask = AdmissionAsk(tenant, priority, tokens=10)
            tasks.append(
                asyncio.create_task(
                    cancelled_after(at, ask, inside, turns)
                    if is_cancelled
                    else visited(at, ask, inside)
                )
            )
            assert at.line.running.total() <= places
            await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        assert at.is_empty
        assert await visit(at, AdmissionAsk("dave"), 0)

    asyncio.run(live())
