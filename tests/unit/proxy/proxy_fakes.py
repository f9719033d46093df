"""Neighbours of the proxy that remember what they were told."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.entries import CacheKey, Place
from federated_router.registry.membership import Tariff
from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.served import Served
from federated_router.sensitivity.levels import Sensitivity


@dataclass
class FakeRouter:
    """Counts requests at nodes, and keeps what it saw of them."""

    nodes: list[str] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    saw: list[str] = field(default_factory=list)

    @contextmanager
    def counted(self, candidate: Candidate, _: Shape) -> Iterator[None]:
        """Count a request."""
        self.nodes.append(candidate.node)
        yield
        self.nodes.remove(candidate.node)

    @property
    def in_flight(self) -> int:
        """Return how many requests run."""
        return len(self.nodes)

    def observe(self, candidate: Candidate, served: Served) -> None:
        """Keep what became of a request, and where."""
        self.saw.append(candidate.node)
        self.served.append(served)

    def block(self, node: str, model: str | None = None) -> None:
        """Choose as before."""

    def unblock(self, node: str, model: str | None = None) -> None:
        """Choose as before."""


@dataclass
class FakeFootprints:
    """A joule for a token, by tenant; CO2 is known of one region."""

    added: list[tuple[str, float]] = field(default_factory=list)
    cached: list[str] = field(default_factory=list)
    sources: list[tuple[str, str]] = field(default_factory=list)

    def of(
        self,
        region: str,
        tariff: Tariff,
        *,
        prompt_tokens: int,
        prompt_tokens_cached: int,
        completion_tokens: int,
    ) -> pb.Footprint:
        """Return a joule for a token that was read or made."""
        tokens = prompt_tokens - prompt_tokens_cached + completion_tokens
        return pb.Footprint(
            joules=tokens * tariff.completion_joules,
            co2e_mg=float(tokens) if region == "eu" else None,
            cost=float(tokens),
            energy_basis=pb.ENERGY_BASIS_MEASURED,
            carbon_intensity=100.0 if region == "eu" else None,
        )

    def add(
        self, tenant: str, footprint: pb.Footprint, *, model: str = "", region: str = ""
    ) -> None:
        """Keep what a tenant took, and where it came from."""
        self.added.append((tenant, footprint.joules))
        self.sources.append((model, region))

    def add_cached(self, tenant: str) -> None:
        """Keep who was served again."""
        self.cached.append(tenant)


@dataclass
class FakeAnswers:
    """Keeps answers by request id."""

    stored: dict[bytes, pb.CompleteResponse] = field(default_factory=dict)
    abandoned: list[bytes] = field(default_factory=list)
    levels: list[Sensitivity] = field(default_factory=list)

    def key(
        self, generation: pb.Generation, *, tenant: str, sensitivity: Sensitivity
    ) -> CacheKey | None:
        """Return a key of the request's own."""
        place = Place(generation.request_id.encode(), tenant.encode())
        return CacheKey(place, sensitivity, fresh=generation.fresh)

    async def find(self, key: CacheKey) -> pb.CompleteResponse | None:
        """Return what was kept."""
        return None if key.fresh else self.stored.get(key.place.digest)

    async def keep(
        self, key: CacheKey, response: pb.CompleteResponse, sensitivity: Sensitivity
    ) -> None:
        """Keep an answer, and how personal its question was."""
        self.levels.append(sensitivity)
        self.stored[key.place.digest] = response

    def abandon(self, key: CacheKey) -> None:
        """Note that no answer comes."""
        self.abandoned.append(key.place.digest)
