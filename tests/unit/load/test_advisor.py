"""The advisor watches, settles, and counts what was refused."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import REGISTRY

from federated_router.admission.ask import AdmissionFigures
from federated_router.kit.clock import ManualClock
from federated_router.load import metrics
from federated_router.load.advisor import Advisor
from federated_router.load.settings import LoadSettings, ScalingSettings
from federated_router.load.window import ActivityWindow
from federated_router.proxy.breaker import BreakerState
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.served import Served
from tests.support.candidates import candidates_of

MODEL = "models/m"
SETTINGS = LoadSettings(
    window_s=60.0, scaling=ScalingSettings(settle_s=120.0, interval_s=10.0)
)


NOTHING = AdmissionFigures(
    requests_running=0,
    requests_waiting=0,
    saturation=0.0,
    requests_shed=0,
    requests_rate_limited=0,
    tenants=0,
)


@dataclass
class World:
    """A registry, counts, and the advisor that looks at them."""

    clock: ManualClock = field(default_factory=ManualClock)
    figures: AdmissionFigures = NOTHING
    in_flight: dict[str, int] = field(default_factory=dict)
    open: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.registry = Registry(RegistrySettings(lease_s=1e9), self.clock)
        self.window = ActivityWindow(SETTINGS, self.clock)
        self.advisor = Advisor(
            SETTINGS.scaling,
            window=self.window,
            registry=self.registry,
            in_flight=lambda node: self.in_flight.get(node, 0),
            admission=self,
            breakers=self,
            clock=self.clock,
        )

    def activity(self) -> AdmissionFigures:
        """Return what admission says."""
        return self.figures

    def states(self) -> dict[str, BreakerState]:
        """Return the breakers that are not closed."""
        return dict.fromkeys(self.open, BreakerState.OPEN)

    def join(self, *nodes: str, model: str = MODEL) -> None:
        """Register nodes of 4 slots."""
        for node in nodes:
            self.registry.register(
                name=node,
                address="a:1",
                region="north",
                offers=[Offer(model, 128, private=False, slots=4)],
            )

    async def serve(self, seconds: int, *, per_s: int) -> None:
        """Let requests of 1 s end, spread over the nodes; look every 10 s."""
        served = Served(succeeded=True, total_ms=1000.0)
        for second in range(seconds):
            if second % 10 == 0:
                await self.advisor.look()
            there = list(candidates_of(self.registry.present(), RouteQuery(MODEL), {}))
            for request in range(per_s):
                self.window.ended(there[request % len(there)], served)
            await self.clock.advance(1.0)

    async def advised(self) -> int:
        """Return the nodes to add."""
        (advice,) = await self.advisor.advice()
        return advice.nodes_to_add


@pytest.fixture
def world() -> Iterator[World]:
    """Return a world without nodes; metrics are left as they were."""
    yield World()
    metrics.show([])


async def test_load_above_the_bound_asks_for_nodes(world: World) -> None:
    """14 requests of a second each second want 14 of 16 slots: more than 80 %."""
    world.join("nodes/a", "nodes/b", "nodes/c", "nodes/d")

    await world.serve(30, per_s=14)

    assert await world.advised() == 1


async def test_nodes_go_only_after_the_whole_settling_time(world: World) -> None:
    """A peak two tenths ago still keeps its nodes."""
    world.join(*(f"nodes/{n}" for n in "abcde"))
    await world.serve(70, per_s=10)

    advised = []
    for _ in range(20):
        await world.serve(10, per_s=1)
        advised.append(await world.advised())

    assert advised[:11] == [0] * 11
    assert advised[-1] == -4
    assert advised == sorted(advised, reverse=True)


async def test_nodes_that_left_leave_their_demand(world: World) -> None:
    """The last node of a model crashed: somebody must be told to start one."""
    world.join("nodes/a")
    await world.serve(20, per_s=2)
    world.registry.deregister(
        "nodes/a", world.registry.present().member("nodes/a").lease_id
    )

    (advice,) = await world.advisor.advice()

    assert (advice.nodes_to_add, advice.wait_s) == (1, math.inf)
    assert "no node takes them" in advice.reason


@pytest.mark.parametrize("cause", ["drains", "breaker"])
async def test_node_that_takes_no_work_is_not_counted(world: World, cause: str) -> None:
    """Its slots are no help to who waits."""
    world.join("nodes/a", "nodes/b")
    await world.serve(30, per_s=4)
    assert await world.advised() == 0

    if cause == "drains":
        world.registry.drain("nodes/a")
    else:
        world.open.add("nodes/a")

    (advice,) = await world.advisor.advice()
    assert advice.demand.nodes == ("nodes/b",)
    assert advice.nodes_to_add == 1


async def test_refused_requests_are_demand(world: World) -> None:
    """A router that sheds half of them does not look well equipped."""
    world.join("nodes/a", "nodes/b")
    for tenth in range(1, 7):
        await world.serve(10, per_s=4)
        world.figures = replace(NOTHING, requests_shed=40 * tenth)

    (advice,) = await world.advisor.advice()

    assert advice.demand.arrivals_per_s == pytest.approx(8.0, rel=0.1)
    assert advice.nodes_to_add >= 1


async def test_metrics_show_the_advice_and_forget_models_that_left(
    world: World,
) -> None:
    """An autoscaler reads them; a label of yesterday would keep nodes for ever."""

    def shown(name: str, model: str = MODEL) -> float | None:
        return REGISTRY.get_sample_value(name, {"model": model})

    world.join("nodes/a", "nodes/b")
    world.join("nodes/x", model="models/x")
    await world.serve(31, per_s=7)

    assert (shown("router_nodes"), shown("router_nodes_advised")) == (2.0, 3.0)
    assert shown("router_model_utilisation") == pytest.approx(0.875, rel=0.1)
    assert shown("router_nodes", "models/x") == 1.0
    lease = world.registry.present().member("nodes/x").lease_id
    world.registry.deregister("nodes/x", lease)
    await world.advisor.look()
    assert shown("router_nodes", "models/x") is None


async def test_history_is_bounded(world: World) -> None:
    """One look for each interval of the settling time, one more for its start."""
    world.join("nodes/a")

    await world.serve(1000, per_s=0)

    assert len(world.advisor._looks) <= 120 / 10 + 2
    assert len(world.advisor._backlogs) <= 60 / 10 + 2
