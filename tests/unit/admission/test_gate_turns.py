"""What needs no node is charged to its tenant's rate, and waits for nobody."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.admission.ask import AdmissionAsk, Lane, Priority
from federated_router.admission.line import Line, LineLimits
from federated_router.admission.settings import (
    AdmissionSettings,
    ShedSettings,
    TenantSettings,
)
from federated_router.kit.errors import Overloaded, QueueFull, RateLimited
from tests.support.admission_world import ASK, world

SOON_S = 30.0
ONE_A_MINUTE = AdmissionSettings(
    waiting_max=0, tenants=(TenantSettings(requests_per_minute=1),)
)
LIMITS = LineLimits(waiting_max=10, tenant_waiting_max=10, promote_after_s=5.0)


async def test_a_request_has_no_place_before_its_turn() -> None:
    """A stored answer is served where every place is taken and nobody may wait."""
    at = world(AdmissionSettings(waiting_max=0))
    async with at.admission.admitted(ASK, deadline_s=SOON_S):
        async with at.admission.arrived(ASK, deadline_s=SOON_S) as stored:
            assert at.admission.activity().requests_running == 1
            stored.used(0)

        async with at.admission.arrived(ASK, deadline_s=SOON_S) as made:
            with pytest.raises(QueueFull):
                await made.turn()
    assert at.is_empty
    assert at.admission.activity().requests_shed == 1


async def test_a_turn_is_taken_once() -> None:
    """Whoever asks again has the place already."""
    at = world()
    async with at.admission.arrived(ASK, deadline_s=SOON_S) as made:
        await made.turn()
        await made.turn()
        assert at.admission.activity().requests_running == 1
    assert at.is_empty


async def test_a_request_without_a_turn_counts_in_its_tenants_rate() -> None:
    """Stored answers are requests: a limit on requests holds for them too."""
    at = world(ONE_A_MINUTE)
    async with at.admission.arrived(ASK, deadline_s=SOON_S) as stored:
        stored.used(0)

    with pytest.raises(RateLimited):
        async with at.admission.arrived(ASK, deadline_s=SOON_S):
            pytest.fail("the minute had one request")


async def test_a_stored_answer_takes_no_tokens_of_the_rate() -> None:
    """Where tokens are limited, what no node made is free."""
    at = world(AdmissionSettings(tenants=(TenantSettings(tokens_per_minute=1000),)))
    ask = AdmissionAsk("alice", tokens=900)
    for _ in range(50):
        async with at.admission.arrived(ask, deadline_s=SOON_S) as stored:
            stored.used(0)
    assert at.is_empty


@pytest.mark.parametrize("refused", ["shed", "full"])
async def test_a_refused_turn_gives_the_rate_back(refused: str) -> None:
    """What a request may not do is not charged, also where it says what it used."""
    settings = AdmissionSettings(
        waiting_max=0,
        shed=ShedSettings(low=1.0 if refused == "shed" else 0.0),
        tenants=(TenantSettings(requests_per_minute=1),),
    )
    at = world(settings, uniform=lambda: 0.0)
    low = AdmissionAsk("bob", Priority.LOW)
    async with (
        at.admission.admitted(ASK, deadline_s=SOON_S),
        at.admission.arrived(low, deadline_s=SOON_S) as made,
    ):
        with pytest.raises(Overloaded if refused == "shed" else QueueFull):
            await made.turn()

    async with at.admission.admitted(AdmissionAsk("bob"), deadline_s=SOON_S):
        """The one request of the minute is still there."""


async def test_a_turn_that_is_cancelled_leaves_nothing() -> None:
    """Neither a place nor a request of the rate."""
    settings = AdmissionSettings(tenants=(TenantSettings(requests_per_minute=1),))
    at = world(settings)
    bob = AdmissionAsk("bob")

    async def wait() -> None:
        async with at.admission.arrived(bob, deadline_s=SOON_S) as made:
            await made.turn()

    async with at.admission.admitted(ASK, deadline_s=SOON_S):
        waiting = asyncio.create_task(wait())
        for _ in range(10):
            await asyncio.sleep(0)
        assert at.admission.activity().requests_waiting == 1
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert at.is_empty
    async with at.admission.admitted(bob, deadline_s=SOON_S):
        """The one request of the minute is still there."""


@given(
    st.lists(st.tuples(st.sampled_from("jl"), st.integers(0, 2)), max_size=40),
    st.integers(0, 4),
)
def test_to_enter_at_once_is_to_join_and_have_the_turn(
    steps: list[tuple[str, int]], places: int
) -> None:
    """A line with the short way lets in the same requests at the same time."""

    def capacity(lane: Lane) -> int:
        return places if lane.model == "models/0" else 2 * places

    short, long = (Line(LIMITS, capacity) for _ in range(2))
    both = []
    for number, (step, which) in enumerate(steps):
        if step == "j":
            ask = AdmissionAsk(f"t{number % 3}", model=f"models/{which}")
            joined, _ = long.join(ask, cost=1.0, now_s=0.0)
            long.admit(0.0)
            entered = short.enter(ask, cost=1.0, now_s=0.0)
            if entered is None:
                entered, _ = short.join(ask, cost=1.0, now_s=0.0)
                short.admit(0.0)
            both.append((joined, entered))
        elif which < len(both):
            left = both.pop(which)
            long.leave(left[0])
            short.leave(left[1])
            long.admit(0.0)
            short.admit(0.0)
        assert [a.state for a, _ in both] == [b.state for _, b in both]
        assert long.running == short.running
        assert long.tenants == short.tenants
