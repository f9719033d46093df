"""Equal replicas in eight regions, and the router that places requests on them.

Every region has one node with both models, as fast and as thrifty as any other: they
differ in the grid's carbon (Google's table, read as a router's carbon feed) and in how
far they are from callers in Frankfurt. A round trip is taken as 1.5 times the great
circle at 200 km/ms there and back. A constant number of requests is in flight.
"""

import math
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from federated_router.choice.chooser import LinearChooser
from federated_router.footprint.feed import read_feed
from federated_router.footprint.reckoning import Footprint, footprint_of
from federated_router.footprint.settings import CarbonSettings
from federated_router.kit.clock import ManualClock
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.candidate import (
    Candidate,
    NodeFacts,
    RouteQuery,
    Shape,
)
from federated_router.routing.loads import Counted
from federated_router.routing.router import Router
from federated_router.routing.served import Served
from federated_router.routing.settings import (
    RoutingSettings,
    ScorerSettings,
    StrategySettings,
)
from tests.evaluate.choice import new_chooser
from tests.evaluate.mmlu import STRONG, WEAK
from tests.evaluate.tariffs import TARIFFS, WRITTEN_TOKENS

FEED: Final = Path("carbon/gcp_region_carbon_2024.csv")
HOME: Final = "europe-west3"
PLACES: Final[Mapping[str, tuple[float, float]]] = {
    "europe-west3": (50.11, 8.68),
    "europe-west9": (48.86, 2.35),
    "europe-west2": (51.51, -0.13),
    "europe-north1": (60.57, 27.20),
    "us-east4": (39.04, -77.49),
    "us-central1": (41.26, -95.86),
    "us-west1": (45.59, -121.18),
    "asia-northeast1": (35.68, 139.69),
}
"""Frankfurt, Paris, London, Finland, Northern Virginia, Iowa, Oregon, Tokyo."""

UNION: Final = frozenset({"europe-west3", "europe-west9", "europe-north1"})
"""The regions of the European Union."""

EVERYWHERE: Final[frozenset[str]] = frozenset()
SLOTS: Final = 8
FIRST_TOKEN_MS, TOKEN_MS = 200.0, 20.0
OBSERVED: Final = 100
BLIND, GREEN = "round_robin", "green"


@dataclass(slots=True)
class Taken:
    """What requests took, summed, and how many each region got."""

    co2e_mg: float = 0.0
    cost: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)

    def add(self, region: str, one: Footprint) -> None:
        """Count a request."""
        assert one.co2e_mg is not None
        self.co2e_mg += one.co2e_mg
        self.cost += one.cost
        self.requests[region] = self.requests.get(region, 0) + 1


class Regions:
    """The nodes and their router; `load` is the share of all slots that is taken."""

    def __init__(
        self,
        data: Path,
        *,
        strategy: str,
        load: float,
        chooser: LinearChooser | None = None,
    ) -> None:
        intensities = read_feed(data / FEED, CarbonSettings(), now_s=0.0)
        self._known = {region: intensities[region] for region in PLACES}
        clock = ManualClock(0.0)
        registry = Registry(RegistrySettings(lease_s=1e9), clock)
        self.router = Router(
            settings_of(strategy),
            registry,
            chooser=chooser or new_chooser(),
            clock=clock,
        )
        offers = [
            Offer(model, 1 << 20, private=False, slots=SLOTS, tariff=TARIFFS[model])
            for model in (WEAK, STRONG)
        ]
        for region in PLACES:
            registry.register(
                name=f"nodes/{region}", address=f"{region}:1", region=region,
                offers=offers,
            )  # fmt: skip
        self.router.know(NodeFacts(carbon_intensity=self._known))
        self._running: deque[Counted] = deque()
        self._in_flight = round(load * SLOTS * len(PLACES))
        self._observe()

    def serve(
        self, query: RouteQuery, shapes: Iterable[Shape]
    ) -> tuple[Taken, list[str]]:
        """Place requests one after the other; return what they took, and models."""
        taken, models = Taken(), []
        for shape in shapes:
            if len(self._running) >= max(self._in_flight, 1):
                self._running.popleft().__exit__(None, None, None)
            chosen = self.router.choose(query, shape, explore=False)
            counted = self.router.counted(chosen, shape)
            counted.__enter__()
            self._running.append(counted)
            taken.add(chosen.region, self._footprint(chosen, shape))
            models.append(chosen.model)
        return taken, models

    def nearest_ms(self, shape: Shape) -> float:
        """Return how long an answer of the strong model takes at the nearest node."""
        shown = self.router.explain(RouteQuery("models/auto"), shape).model_choice
        assert shown is not None
        times = [
            one.option.latency_ms
            for one in shown.expectations
            if one.option.model == STRONG
        ]
        assert times[0] is not None
        return times[0]

    def _footprint(self, chosen: Candidate, shape: Shape) -> Footprint:
        """Return what the answer took, as a router reckons finished answers."""
        return footprint_of(
            chosen.tariff,
            self._known[chosen.region],
            prompt_tokens=shape.prompt_tokens,
            completion_tokens=WRITTEN_TOKENS,
        )

    def _observe(self) -> None:
        """Let the router see how long answers take at every node."""
        shape = Shape(prompt_tokens=100)
        for region, place in PLACES.items():
            for model in (WEAK, STRONG):
                away_ms = round_trip_ms(PLACES[HOME], place)
                first_ms = FIRST_TOKEN_MS + away_ms
                served = Served(
                    succeeded=True,
                    total_ms=first_ms + TOKEN_MS * (WRITTEN_TOKENS - 1),
                    first_token_ms=first_ms,
                    prompt_tokens=shape.prompt_tokens,
                    completion_tokens=WRITTEN_TOKENS,
                )
                query = RouteQuery(model, regions=frozenset({region}))
                candidate = self.router.choose(query, shape, explore=False)
                for _ in range(OBSERVED):
                    self.router.observe(candidate, served)


def settings_of(strategy: str) -> RoutingSettings:
    """Return a router whose nodes get no more requests than they have slots."""
    green = StrategySettings(
        name=GREEN,
        description="The free node whose answer emits least.",
        scorers=(ScorerSettings(name="carbon"),),
    )
    return RoutingSettings(
        strategy=strategy, strategies=(green,), queue_factor=1.0, seed=1
    )


def round_trip_ms(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return 1.5 times the light's way there and back in glass, between two places."""
    (lat, lon), (to_lat, to_lon) = (
        (math.radians(a), math.radians(b)) for a, b in (one, other)
    )
    angle = math.acos(
        min(
            1.0,
            math.sin(lat) * math.sin(to_lat)
            + math.cos(lat) * math.cos(to_lat) * math.cos(lon - to_lon),
        )
    )
    return 1.5 * 2 * 6371.0 * angle / 200.0
