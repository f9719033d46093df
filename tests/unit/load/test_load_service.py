"""LoadService copies what is counted, and shows a client itself alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import grpc
import pytest

from federated_router.admission.ask import AdmissionFigures
from federated_router.api.v1 import load_pb2, registry_pb2
from federated_router.cache.answers import CacheFigures
from federated_router.cache.settings import CacheSettings, MemorySettings
from federated_router.footprint.totals import Totals
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.load import metrics
from federated_router.load.service import LoadServicer
from federated_router.load.settings import LoadSettings
from federated_router.load.window import ActivityWindow
from federated_router.load.wiring import load_limb
from federated_router.proxy.breaker import BreakerState
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.served import Served
from tests.support.candidates import candidates_of

NODE = load_pb2.NodeActivity
NO_CALL: grpc.aio.ServicerContext = None


@dataclass
class Parts:
    """Everything that the service asks, as small as it gets."""

    strategy: str = "random"
    priors: PriorsView = field(default_factory=PriorsView)
    requests: dict[str, int] = field(default_factory=dict)
    broken: dict[str, BreakerState] = field(default_factory=dict)

    def in_flight(self, node: str) -> int:
        """Return a node's requests."""
        return self.requests.get(node, 0)

    def states(self) -> dict[str, BreakerState]:
        """Return the breakers that are not closed."""
        return self.broken

    def activity(self) -> AdmissionFigures:
        """Return what admission counted."""
        return AdmissionFigures(
            requests_running=1,
            requests_waiting=2,
            saturation=0.5,
            requests_shed=4,
            requests_rate_limited=5,
            tenants=6,
        )


class KeptAnswers:
    """A cache with one tier."""

    def activity(self) -> CacheFigures:
        """Return what it did."""
        return CacheFigures(
            hits={"memory": 7}, misses=3, bytes_held={"memory": 100}, failures={}
        )


@pytest.fixture
def build() -> Iterator[Callable[[Parts, KeptAnswers | None], LoadServicer]]:
    """Return what builds the service over two nodes, one of which served a request."""
    clock = ManualClock()

    def built(parts: Parts, cache: KeptAnswers | None) -> LoadServicer:
        registry = Registry(RegistrySettings(lease_s=1e9), clock)
        for name in ("nodes/a", "nodes/b"):
            registry.register(
                name=name,
                address="a:1",
                region="north",
                offers=[Offer("models/m", 100, private=False, slots=4)],
            )
        registry.drain("nodes/b")
        window = ActivityWindow(LoadSettings(), clock)
        first = next(
            iter(candidates_of(registry.present(), RouteQuery("models/m"), {}))
        )
        window.ended(first, Served(True, 500.0, 100.0, 20, 5, 10))  # noqa: FBT003
        limb = load_limb(
            LoadSettings(),
            window=window,
            routing=parts,
            registry=registry,
            admission=parts,
            breakers=parts,
            footprints=totals(),
            cache=cache,
            cache_settings=CacheSettings(memory=MemorySettings(bytes_max=1000)),
            clock=clock,
        )
        servicer = limb.binding.servicer
        assert isinstance(servicer, LoadServicer)
        return servicer

    yield built
    metrics.show([])


def totals() -> Totals:
    """Return sums of three tenants."""
    sums = Totals(tenants_max=10)
    for name in ("alice", "bob", "carol"):
        sums.of(name).answers = len(name)
    return sums


Build = Callable[[Parts, KeptAnswers | None], LoadServicer]


async def test_load_is_what_was_counted(build: Build) -> None:
    """Of the node that served, rates and latency; of the other, that it drains."""
    parts = Parts(requests={"nodes/a": 3}, broken={"nodes/a": BreakerState.HALF_OPEN})

    load = await build(parts, KeptAnswers()).GetLoad(load_pb2.GetLoadRequest(), NO_CALL)

    served, idle = load.nodes
    assert (served.node, served.state) == ("nodes/a", registry_pb2.Node.STATE_READY)
    assert served.breaker == NODE.BREAKER_HALF_OPEN
    assert (served.requests_in_flight, served.slots) == (3, 4)
    assert served.requests_per_second == pytest.approx(1 / 5)
    assert served.tokens_per_second == pytest.approx(10 / 5)
    assert served.first_token_ms_p99 == pytest.approx(100, rel=0.03)
    assert served.prompt_cached_ratio == 0.25
    assert idle.state == registry_pb2.Node.STATE_DRAINING
    assert idle.breaker == NODE.BREAKER_CLOSED
    assert not idle.HasField("first_token_ms_p50")
    assert not idle.HasField("prompt_cached_ratio")


async def test_load_shows_strategy_admission_and_cache(build: Build) -> None:
    """With the tier's limit, which the configuration sets."""
    load = await build(Parts(), KeptAnswers()).GetLoad(
        load_pb2.GetLoadRequest(), NO_CALL
    )

    assert (load.strategy, load.window.ToSeconds()) == ("random", 60)
    assert load.admission == load_pb2.AdmissionActivity(
        requests_running=1,
        requests_waiting=2,
        saturation=0.5,
        requests_shed=4,
        requests_rate_limited=5,
        tenants=6,
    )
    assert load.cache == load_pb2.CacheActivity(
        tiers=[load_pb2.CacheTier(name="memory", bytes=100, bytes_max=1000, hits=7)],
        hits=7,
        misses=3,
    )
    without = await build(Parts(), None).GetLoad(load_pb2.GetLoadRequest(), NO_CALL)
    assert not without.HasField("cache")


async def test_advice_has_no_number_for_a_wait_without_end(build: Build) -> None:
    """A node whose breaker is open takes no work: the queue grows.

    One request ended, four were refused and two wait, within one slice of 5 s.
    """
    parts = Parts(broken={"nodes/a": BreakerState.OPEN})

    response = await build(parts, None).GetScalingAdvice(
        load_pb2.GetScalingAdviceRequest(), NO_CALL
    )

    (advice,) = response.advice
    assert (advice.model, advice.nodes, advice.nodes_to_add) == ("models/m", 0, 1)
    assert advice.arrivals_per_second == pytest.approx(7 / 5)
    assert advice.service_seconds == pytest.approx(0.5)
    assert not advice.HasField("wait_seconds")
    assert advice.HasField("wait_seconds_advised")


@pytest.mark.parametrize(
    ("role", "seen"),
    [(Role.CLIENT, ["bob"]), (Role.OPERATOR, ["alice", "bob", "carol"])],
)
async def test_client_sees_its_own_footprint_alone(
    build: Build, role: Role, seen: list[str]
) -> None:
    """What others ask is their own affair."""
    set_current_identity(Identity(role=role, id="bob", trust_domain="test"))

    response = await build(Parts(), None).ListFootprints(
        load_pb2.ListFootprintsRequest(), NO_CALL
    )

    assert [one.tenant for one in response.footprints] == seen


async def test_footprints_come_in_pages(build: Build) -> None:
    """By the rule of every list."""
    set_current_identity(Identity(role=Role.OPERATOR, id="op", trust_domain="test"))
    service = build(Parts(), None)

    first = await service.ListFootprints(
        load_pb2.ListFootprintsRequest(page_size=2), NO_CALL
    )
    rest = await service.ListFootprints(
        load_pb2.ListFootprintsRequest(page_token=first.next_page_token), NO_CALL
    )

    assert [one.tenant for one in (*first.footprints, *rest.footprints)] == [
        "alice",
        "bob",
        "carol",
    ]
    with pytest.raises(FieldInvalid):
        await service.ListFootprints(
            load_pb2.ListFootprintsRequest(page_size=-1), NO_CALL
        )
