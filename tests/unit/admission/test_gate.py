"""The gate as the proxy sees it."""

import asyncio

import pytest

from federated_router.admission import metrics
from federated_router.admission.ask import AdmissionAsk, Priority
from federated_router.admission.settings import (
    AdmissionSettings,
    ShedSettings,
    TenantSettings,
)
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    DeadlineExceeded,
    Overloaded,
    QueueFull,
    RateLimited,
)
from tests.support.admission_world import ASK, World, world

SOON_S = 30.0
LOW = AdmissionAsk("alice", Priority.LOW)


async def hold(at: World, ask: AdmissionAsk, end: asyncio.Event) -> Priority:
    """Run inside the gate until told to end; return the priority it had."""
    async with at.admission.admitted(ask, deadline_s=SOON_S) as admitted:
        await end.wait()
        return admitted.priority


async def turns() -> None:
    """Let everybody run who can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_request_runs_while_it_is_inside() -> None:
    """Counted from when it is let in until it leaves, whatever it does."""
    at = world()

    async with at.admission.admitted(ASK, deadline_s=SOON_S):
        assert at.admission.activity().requests_running == 1
        assert at.admission.activity().saturation == 1.0
    assert at.is_empty

    with pytest.raises(ZeroDivisionError):
        async with at.admission.admitted(ASK, deadline_s=SOON_S):
            _ = 1 / at.admission.activity().requests_waiting
    assert at.is_empty


async def test_whoever_waits_is_let_in_when_another_leaves() -> None:
    """Without polling: the one who leaves calls the next."""
    at = world()
    ends = [asyncio.Event(), asyncio.Event()]
    tasks = [asyncio.create_task(hold(at, ASK, end)) for end in ends]
    await turns()
    assert at.admission.activity().requests_waiting == 1

    ends[0].set()
    await turns()

    assert at.admission.activity().requests_running == 1
    assert at.admission.activity().requests_waiting == 0
    ends[1].set()
    await asyncio.gather(*tasks)
    assert at.is_empty


async def test_whoever_waits_is_let_in_when_a_node_comes() -> None:
    """Nobody leaves, but there is room: a look finds it."""
    clock = ManualClock()
    at = world(places=1, clock=clock)
    looking = asyncio.create_task(at.admission.look_for_ever())
    end = asyncio.Event()
    tasks = [asyncio.create_task(hold(at, ASK, end)) for _ in range(2)]
    await turns()

    at.places = 2
    await clock.advance(1)

    assert at.admission.activity().requests_running == 2
    end.set()
    await asyncio.gather(*tasks)
    looking.cancel()


async def test_a_deadline_ends_the_wait_before_anything_is_sent() -> None:
    """Its caller is told, and its place in line is free at once."""
    at = world(AdmissionSettings(tenants=(TenantSettings(requests_per_minute=2),)))
    end = asyncio.Event()
    running = asyncio.create_task(hold(at, ASK, end))
    await turns()

    with pytest.raises(DeadlineExceeded):
        async with at.admission.admitted(ASK, deadline_s=0.01):
            pytest.fail("there was no place")

    assert at.admission.activity().requests_waiting == 0
    end.set()
    await running
    async with at.admission.admitted(ASK, deadline_s=SOON_S):
        """It has not used the rate up."""


async def test_time_inside_is_not_the_gates_to_bound() -> None:
    """The deadline is for the wait alone."""
    at = world()

    async with at.admission.admitted(ASK, deadline_s=0.01):
        await asyncio.sleep(0.05)
        assert at.admission.activity().requests_running == 1

    assert at.admission.activity().requests_running == 0


async def test_a_full_line_turns_a_waiting_request_away_for_a_more_urgent_one() -> None:
    """The one that goes is told, as if it had come too late."""
    settings = AdmissionSettings(
        waiting_max=1, tenants=(TenantSettings(priority_max="high"),)
    )
    at = world(settings)
    end = asyncio.Event()
    running = asyncio.create_task(hold(at, ASK, end))
    await turns()
    goes = asyncio.create_task(hold(at, LOW, end))
    await turns()
    stays = asyncio.create_task(hold(at, AdmissionAsk("bob", Priority.HIGH), end))
    await turns()

    with pytest.raises(QueueFull):
        await goes
    end.set()
    assert await stays is Priority.HIGH
    await running
    assert at.is_empty
    assert at.admission.activity().requests_shed == 1


async def test_a_priority_is_lowered_to_the_tenants_highest() -> None:
    """Nodes are told what the gate says and not what the request said."""
    at = world()
    ask = AdmissionAsk("alice", Priority.HIGH)

    async with at.admission.admitted(ask, deadline_s=SOON_S) as admitted:
        assert admitted.priority is Priority.NORMAL


async def test_a_request_that_is_shed_has_no_effect() -> None:
    """It is refused first, and charged to no rate."""
    settings = AdmissionSettings(
        shed=ShedSettings(low=1.0),
        tenants=(TenantSettings(requests_per_minute=1),),
    )
    at = world(settings, uniform=lambda: 0.0)
    before = metrics.SHED.labels("low")._value.get()
    end = asyncio.Event()
    running = asyncio.create_task(hold(at, AdmissionAsk("alice"), end))
    await turns()

    with pytest.raises(Overloaded):
        await hold(at, AdmissionAsk("bob", Priority.LOW), end)

    assert at.admission.activity().requests_shed == 1
    assert metrics.SHED.labels("low")._value.get() == before + 1
    end.set()
    await running
    await hold(at, AdmissionAsk("bob"), end)


async def test_a_rate_is_refused_with_its_reason_and_counted() -> None:
    """By priority, because tenants in metrics would tell who asks."""
    at = world(AdmissionSettings(tenants=(TenantSettings(requests_per_minute=1),)))
    before = metrics.RATE_LIMITED.labels("normal")._value.get()
    async with at.admission.admitted(ASK, deadline_s=SOON_S):
        pass

    with pytest.raises(RateLimited):
        async with at.admission.admitted(ASK, deadline_s=SOON_S):
            pytest.fail("the minute had one request")

    assert at.admission.activity().requests_rate_limited == 1
    assert metrics.RATE_LIMITED.labels("normal")._value.get() == before + 1
    assert at.is_empty


async def test_tokens_that_an_answer_did_not_take_can_be_used() -> None:
    """A limit in tokens is one of tokens, not of what requests allow at most."""
    at = world(AdmissionSettings(tenants=(TenantSettings(tokens_per_minute=1000),)))
    ask = AdmissionAsk("alice", tokens=900)
    for _ in range(50):
        async with at.admission.admitted(ask, deadline_s=SOON_S) as admitted:
            admitted.used(2)

    async with at.admission.admitted(ask, deadline_s=SOON_S):
        """This one never says what it took, and is charged what it asked."""

    with pytest.raises(RateLimited):
        async with at.admission.admitted(ask, deadline_s=SOON_S):
            pytest.fail("a tenth of the minute's tokens is left")


async def test_a_tenant_that_waits_with_too_many_is_refused() -> None:
    """Here, as at the line: the limit is one of the configuration."""
    at = world(AdmissionSettings(tenant_waiting_max=3))
    end = asyncio.Event()
    tasks = [asyncio.create_task(hold(at, ASK, end)) for _ in range(4)]
    await turns()

    with pytest.raises(QueueFull):
        await hold(at, ASK, end)

    end.set()
    await asyncio.gather(*tasks)
