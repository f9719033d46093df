"""Which requests pass which breakers, and what routing and people are told of it."""

from dataclasses import dataclass, field, replace

import pytest

from federated_router.kit.clock import ManualClock
from federated_router.proxy.breaker import BreakerSettings, BreakerState, Outcome
from federated_router.proxy.breakers import Breakers
from tests.unit.proxy.test_recording import CANDIDATE

SETTINGS = BreakerSettings(
    failures_max=2, open_s=1.0, open_jitter=0.0, probes_to_close=1, nodes_max=2
)
NODE, MODEL = CANDIDATE.node, CANDIDATE.model
OTHER = replace(CANDIDATE, model="models/other")


@dataclass
class Blocked:
    """What routing was told."""

    now: set[tuple[str, str | None]] = field(default_factory=set)

    def block(self, node: str, model: str | None = None) -> None:
        """Note a block; twice is a mistake."""
        assert (node, model) not in self.now
        self.now.add((node, model))

    def unblock(self, node: str, model: str | None = None) -> None:
        """Take a block back that there is."""
        self.now.remove((node, model))


@dataclass
class World:
    """Breakers, their clock, and what they told."""

    clock: ManualClock = field(default_factory=ManualClock)
    blocked: Blocked = field(default_factory=Blocked)
    breakers: Breakers = field(init=False)

    def __post_init__(self) -> None:
        self.breakers = Breakers(SETTINGS, self.blocked, self.clock)

    def ended(self, of_node: Outcome, of_model: Outcome) -> None:
        """Send a request that ends at once."""
        passage = self.breakers.begin(CANDIDATE)
        self.breakers.end(passage, of_node=of_node, of_model=of_model)

    def lose_node(self) -> None:
        """Lose the node as often as opens its breaker."""
        for _ in range(SETTINGS.failures_max):
            self.ended(Outcome.FAILED, Outcome.UNKNOWN)

    def state(self) -> BreakerState:
        """Return what people see of the node."""
        return self.breakers.states()[NODE]


@pytest.fixture
def world() -> World:
    """Return breakers of which none is open."""
    return World()


def test_lost_node_is_blocked_whole(world: World) -> None:
    """A connection that breaks says nothing good of any model there."""
    world.lose_node()

    assert world.blocked.now == {(NODE, None)}
    assert world.state() is BreakerState.OPEN


def test_wrong_answers_block_their_model_alone(world: World) -> None:
    """The node answers, so its other models are still chosen."""
    for _ in range(2):
        world.ended(Outcome.SUCCEEDED, Outcome.FAILED)

    assert world.blocked.now == {(NODE, MODEL)}


async def test_block_ends_with_its_time_without_any_request(world: World) -> None:
    """Nothing is sent to a blocked node, so nothing but time can end its block."""
    world.lose_node()

    await world.clock.advance(1.0)
    world.breakers.refresh()

    assert world.blocked.now == set()
    assert world.state() is BreakerState.HALF_OPEN


async def test_only_as_many_probes_as_allowed_are_routed(world: World) -> None:
    """While the probe runs the node is blocked again; then its success counts."""
    world.lose_node()
    await world.clock.advance(1.0)
    world.breakers.refresh()

    probe = world.breakers.begin(CANDIDATE)
    during = set(world.blocked.now)
    world.breakers.end(probe, of_node=Outcome.SUCCEEDED, of_model=Outcome.SUCCEEDED)

    assert during == {(NODE, None)}
    assert world.blocked.now == set()
    assert world.state() is BreakerState.CLOSED


async def test_probe_that_its_caller_ended_makes_room_for_the_next(
    world: World,
) -> None:
    """Otherwise one impatient caller would keep a healthy node out for ever."""
    world.lose_node()
    await world.clock.advance(1.0)
    world.breakers.refresh()

    world.ended(Outcome.UNKNOWN, Outcome.UNKNOWN)

    assert world.blocked.now == set()
    assert world.state() is BreakerState.HALF_OPEN


def test_node_that_comes_anew_is_closed(world: World) -> None:
    """It is another process; what the last one did is nobody's fault now."""
    world.lose_node()

    world.breakers.forget(NODE)

    assert world.blocked.now == set()
    assert world.breakers.states() == {}


def test_requests_of_a_nodes_earlier_life_do_not_count_for_the_next(
    world: World,
) -> None:
    """They end when its connection is closed, which is after it was forgotten."""
    passages = [world.breakers.begin(CANDIDATE) for _ in range(5)]
    world.breakers.forget(NODE)
    begun = world.breakers.begin(CANDIDATE)
    for passage in passages:
        world.breakers.end(passage, of_node=Outcome.FAILED, of_model=Outcome.UNKNOWN)

    assert world.blocked.now == set()
    world.breakers.end(begun, of_node=Outcome.SUCCEEDED, of_model=Outcome.SUCCEEDED)
    assert world.state() is BreakerState.CLOSED


def test_as_many_nodes_are_kept_as_configured(world: World) -> None:
    """The oldest is forgotten, and its block with it."""
    world.lose_node()

    for name in ("nodes/b", "nodes/c"):
        world.breakers.begin(replace(CANDIDATE, node=name))

    assert set(world.breakers.states()) == {"nodes/b", "nodes/c"}
    assert world.blocked.now == set()


def test_worst_of_a_nodes_breakers_is_shown(world: World) -> None:
    """One model that fails is worth a look, though the node does well otherwise."""
    for _ in range(2):
        world.ended(Outcome.SUCCEEDED, Outcome.FAILED)
    passage = world.breakers.begin(OTHER)
    world.breakers.end(passage, of_node=Outcome.SUCCEEDED, of_model=Outcome.SUCCEEDED)

    assert world.state() is BreakerState.OPEN
