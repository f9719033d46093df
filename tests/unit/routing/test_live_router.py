"""The live router: counts, strategies, and errors that say what to do."""

import pytest

from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FieldInvalid,
    ModelUnknown,
    NoNodeAvailable,
    PrivateNotOffered,
)
from federated_router.priors.contents import Cell
from federated_router.priors.performance import Performance
from federated_router.registry.membership import Load, Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing import scene as scene_module
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.router import Router
from federated_router.routing.settings import RoutingSettings

MODEL = "models/m"
QUERY = RouteQuery(MODEL)


@pytest.fixture
def clock() -> ManualClock:
    """Return time that the test moves."""
    return ManualClock()


@pytest.fixture
def registry(clock: ManualClock) -> Registry:
    """Return an empty registry."""
    return Registry(RegistrySettings(lease_s=6.0), clock)


@pytest.fixture
def router(registry: Registry) -> Router:
    """Return a router with the default strategy."""
    return Router(RoutingSettings(), registry)


def join(
    registry: Registry,
    node: str,
    *,
    region: str = "north",
    private: bool = False,
    address: str = "a:1",
) -> str:
    """Register a node; return its lease."""
    return registry.register(
        name=node,
        address=address,
        region=region,
        offers=[Offer(MODEL, 128, private=private, slots=2)],
    ).lease_id


def test_choice_is_the_one_explained(registry: Registry, router: Router) -> None:
    """Whatever is in flight: what ExplainRoute says is what the next request gets."""
    for name in ("a", "b", "c"):
        join(registry, f"nodes/{name}")

    for _ in range(9):
        explained = router.explain(QUERY).chosen
        chosen = router.choose(QUERY)

        assert chosen == explained
        router.counted(chosen).__enter__()


def test_explaining_changes_nothing(registry: Registry, router: Router) -> None:
    """An explanation takes no turn and holds no slot."""
    router.set_strategy("round_robin")
    for name in ("a", "b"):
        join(registry, f"nodes/{name}")

    for _ in range(5):
        router.explain(QUERY)

    assert router.choose(QUERY).node == "nodes/a"
    assert router.in_flight("nodes/a") == 0


def test_request_is_uncounted_whatever_its_end(
    registry: Registry, router: Router
) -> None:
    """A leak of one per failure would starve a node that is only unlucky."""
    join(registry, "nodes/a")
    candidate = router.choose(QUERY)

    seen: list[int] = []

    def fail() -> None:
        with router.counted(candidate):
            seen.append(router.in_flight("nodes/a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (seen, router.in_flight("nodes/a")) == ([1], 0)


def test_counts_of_concurrent_requests_add_up(
    registry: Registry, router: Router
) -> None:
    """Nested and interleaved, the count is how many there are."""
    join(registry, "nodes/a")
    candidate = router.choose(QUERY)
    first, second = router.counted(candidate), router.counted(candidate)

    first.__enter__()
    second.__enter__()
    both = router.in_flight("nodes/a")
    first.__exit__(None, None, None)

    assert (both, router.in_flight("nodes/a")) == (2, 1)


def test_reported_load_never_steers(registry: Registry, router: Router) -> None:
    """A node that says it is idle must not draw everybody's requests."""
    busy = join(registry, "nodes/a")
    join(registry, "nodes/b")
    registry.renew("nodes/a", busy, Load(running=1000, waiting=1000))

    assert router.choose(QUERY).node == "nodes/a"


def test_lapsed_node_is_never_chosen(
    registry: Registry, router: Router, clock: ManualClock
) -> None:
    """What was remembered of earlier decisions must not outlive the lease."""
    join(registry, "nodes/a")
    router.choose(QUERY)
    clock._now_s += 6.0

    with pytest.raises(NoNodeAvailable):
        router.choose(QUERY)


def test_node_that_moved_is_reached_at_its_new_address(
    registry: Registry, router: Router
) -> None:
    """A restart changes the port and nothing else."""
    join(registry, "nodes/a", address="a:1")
    before = router.choose(QUERY)

    join(registry, "nodes/a", address="a:2")

    assert (before.address, router.choose(QUERY).address) == ("a:1", "a:2")


def test_drained_node_is_passed_over_at_once(
    registry: Registry, router: Router
) -> None:
    """The next decision already knows."""
    join(registry, "nodes/a")
    join(registry, "nodes/b")
    before = router.choose(QUERY).node

    registry.drain("nodes/a")

    assert (before, router.choose(QUERY).node) == ("nodes/a", "nodes/b")


def test_new_priors_reach_the_next_decision(registry: Registry, router: Router) -> None:
    """A published round changes the route without a restart."""
    join(registry, "nodes/a", region="north")
    join(registry, "nodes/b", region="south")
    before = router.choose(QUERY).node
    slow = Performance(1000, 0.9, 90.0, None, None, 1.0)
    fast = Performance(1000, 0.9, 9.0, None, None, 1.0)

    router.believe(
        PriorsView(4, {Cell(MODEL, "north"): slow, Cell(MODEL, "south"): fast})
    )

    assert (before, router.choose(QUERY).node) == ("nodes/a", "nodes/b")
    assert router.explain(QUERY).priors_revision == 4


@pytest.mark.parametrize("name", ["", "Round_Robin", "fastest"])
def test_unknown_strategy_is_refused_and_nothing_changes(
    registry: Registry, router: Router, name: str
) -> None:
    """The message lists what there is."""
    with pytest.raises(FieldInvalid, match="round_robin") as raised:
        router.set_strategy(name)
    with pytest.raises(FieldInvalid):
        Router(RoutingSettings(strategy=name), registry)

    assert raised.value.metadata["field"] == "strategy"
    assert router.strategy == "federated_priors"


def test_strategy_is_switched_between_two_decisions(
    registry: Registry, router: Router
) -> None:
    """What was remembered under the old strategy is forgotten."""
    join(registry, "nodes/a")
    join(registry, "nodes/b")
    before = [router.choose(QUERY).node for _ in range(2)]

    router.set_strategy("round_robin")

    after = {router.choose(QUERY).node for _ in range(2)}
    assert (before, after) == (["nodes/a"] * 2, {"nodes/a", "nodes/b"})


def test_nobody_there_is_a_reason_to_wait(router: Router) -> None:
    """Before the first node registers, retrying helps."""
    with pytest.raises(NoNodeAvailable) as raised:
        router.choose(QUERY)

    assert raised.value.retry_after_s is not None


def test_model_that_nobody_serves_is_named(registry: Registry, router: Router) -> None:
    """Retrying does not help; another name does."""
    join(registry, "nodes/a")

    with pytest.raises(ModelUnknown) as raised:
        router.choose(RouteQuery("models/other"))

    assert raised.value.metadata == {"model": "models/other"}


def test_private_request_without_a_private_node_is_told_so(
    registry: Registry, router: Router
) -> None:
    """No amount of waiting makes a node offer what it does not."""
    join(registry, "nodes/a")

    with pytest.raises(PrivateNotOffered):
        router.choose(RouteQuery(MODEL, private=True))


def test_private_node_that_drains_is_a_reason_to_wait(
    registry: Registry, router: Router
) -> None:
    """It offers private decoding, only not now."""
    join(registry, "nodes/a")
    join(registry, "nodes/b", private=True)
    registry.drain("nodes/b")

    with pytest.raises(NoNodeAvailable):
        router.choose(RouteQuery(MODEL, private=True))


def test_every_node_failed_is_a_reason_to_wait(
    registry: Registry, router: Router
) -> None:
    """The attempts are over, the model exists."""
    join(registry, "nodes/a")
    query = RouteQuery(MODEL, excluded=frozenset({"nodes/a"}))

    with pytest.raises(NoNodeAvailable):
        router.choose(query)


def test_what_is_remembered_is_bounded(
    registry: Registry, router: Router, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every retried request is a query of its own; a week of them must not add up."""
    monkeypatch.setattr(scene_module, "SLATES_MAX", 4)
    join(registry, "nodes/a")
    join(registry, "nodes/b")

    for number in range(50):
        excluded = frozenset({f"nodes/gone-{number}", "nodes/a"})
        assert router.choose(RouteQuery(MODEL, excluded=excluded)).node == "nodes/b"

    assert len(router._scene.slates) <= 4
