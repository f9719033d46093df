"""Puts the load into a router: the window, the advice, and their contract.

Decides what is built of them; refuses to know who counts and who asks. `app` joins it
with the rest.
"""

from dataclasses import dataclass

from federated_router.api.v1 import load_pb2
from federated_router.cache.settings import CacheSettings
from federated_router.kit.clock import Clock
from federated_router.kit.daemon import Background
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.load.advisor import Advisor
from federated_router.load.service import LoadServicer
from federated_router.load.settings import LoadSettings
from federated_router.load.views import (
    Admission,
    Breakers,
    Cache,
    Footprints,
    Routing,
)
from federated_router.load.window import ActivityWindow
from federated_router.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class LoadLimb:
    """The load of one router process."""

    binding: ServiceBinding
    advisor: Advisor

    @property
    def background(self) -> dict[str, Background]:
        """What runs as long as the router does, by name."""
        return {"scaling": self.advisor.run}


def load_limb(
    settings: LoadSettings,
    *,
    window: ActivityWindow,
    routing: Routing,
    registry: Registry,
    admission: Admission,
    breakers: Breakers,
    footprints: Footprints,
    cache: Cache | None,
    cache_settings: CacheSettings,
    clock: Clock,
) -> LoadLimb:
    """Return the load's contract and what runs beside it.

    `window` is the one that the proxy tells of requests that ended.
    """
    advisor = Advisor(
        settings.scaling,
        window=window,
        registry=registry,
        in_flight=routing.in_flight,
        admission=admission,
        breakers=breakers,
        clock=clock,
    )
    servicer = LoadServicer(
        routing=routing,
        registry=registry,
        window=window,
        advisor=advisor,
        admission=admission,
        breakers=breakers,
        footprints=footprints,
        cache=cache,
        cache_bytes_max=_bytes_max(cache_settings),
    )
    return LoadLimb(
        binding=ServiceBinding(
            load_pb2.DESCRIPTOR.services_by_name["LoadService"], servicer
        ),
        advisor=advisor,
    )


def _bytes_max(cache: CacheSettings) -> dict[str, int]:
    """Return the most bytes that each tier may hold, by its name."""
    tiers = {"memory": cache.memory, "disk": cache.disk, "redis": cache.redis}
    return {name: tier.bytes_max for name, tier in tiers.items() if tier is not None}
