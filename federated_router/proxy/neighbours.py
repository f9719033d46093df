"""What the proxy asks of its neighbours in the router, each of which may be missing.

Decides the words in which it asks: how personal a request is, who may be let in, what
is known of an answer already, what an answer took, and who wants to know how requests
ended. Refuses to know how any of them decides.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from federated_router.admission.ask import AdmissionAsk
from federated_router.admission.visit import Admitted
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.entries import CacheKey
from federated_router.choice.sight import Sight
from federated_router.priors.prompt import Prompt
from federated_router.registry.membership import Tariff
from federated_router.routing.candidate import Candidate
from federated_router.routing.served import Served
from federated_router.sensitivity.assessment import Assessment
from federated_router.sensitivity.levels import Sensitivity


class Assesses(Protocol):
    """Finds how personal texts are."""

    async def assessed(
        self, texts: Sequence[str], declared: Sensitivity | None
    ) -> Assessment:
        """Return the level of `texts`, at least the declared one."""
        ...


class Admits(Protocol):
    """Lets requests in, each until it ends."""

    def arrived(
        self, ask: AdmissionAsk, *, deadline_s: float
    ) -> AbstractAsyncContextManager[Admitted]:
        """Return what a request is inside of; `deadline_s` is what is left to wait.

        Entering raises RateLimited, its `turn` QueueFull or Overloaded.
        """
        ...


class Keeps(Protocol):
    """Keeps public answers; a request without a key is neither kept nor found.

    Whoever found nothing owes the key a `keep` or an `abandon`.
    """

    def key(
        self, generation: pb.Generation, *, tenant: str, sensitivity: Sensitivity
    ) -> CacheKey | None:
        """Return what the answer to a request is kept under."""
        ...

    async def find(self, key: CacheKey) -> pb.CompleteResponse | None:
        """Return a stored answer."""
        ...

    async def keep(
        self, key: CacheKey, response: pb.CompleteResponse, sensitivity: Sensitivity
    ) -> None:
        """Store an answer."""
        ...

    def abandon(self, key: CacheKey) -> None:
        """Say that no answer comes."""
        ...


class Footprints(Protocol):
    """Says what tokens take, and sums it by tenant."""

    def of(
        self,
        region: str,
        tariff: Tariff,
        *,
        prompt_tokens: int,
        prompt_tokens_cached: int,
        completion_tokens: int,
    ) -> pb.Footprint:
        """Return what these tokens took."""
        ...

    def add(
        self, tenant: str, footprint: pb.Footprint, *, model: str = "", region: str = ""
    ) -> None:
        """Count an answer."""
        ...

    def add_cached(self, tenant: str) -> None:
        """Count an answer that was served again."""
        ...


class Activity(Protocol):
    """Counts what nodes did lately."""

    def ended(self, candidate: Candidate, served: Served) -> None:
        """Count a request that ended at a node."""
        ...


class Outcomes(Protocol):
    """Learns which model answered what, how that ended, and what callers report."""

    def remember(
        self,
        tenant: str,
        request_id: str,
        model: str,
        prompt: Prompt,
        *,
        tell: Callable[[Sight, float], None],
    ) -> None:
        """Note that `model` answers; `tell` hears what was seen, and the reward."""
        ...

    def served(
        self,
        tenant: str,
        request_id: str,
        *,
        succeeded: bool,
        stopped_by_length: bool = False,
    ) -> None:
        """Note how the request ended."""
        ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Those that this router has."""

    assessor: Assesses | None = None
    admission: Admits | None = None
    answers: Keeps | None = None
    footprints: Footprints | None = None
    activity: Activity | None = None
    outcomes: Outcomes | None = None


ALONE = Neighbours()
"""A router with none of them."""
