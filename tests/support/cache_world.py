"""A cache for tests: questions, answers, and stores that do as they are told."""

import asyncio
from collections.abc import Sequence

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.answers import AnswerCache
from federated_router.cache.entries import CacheKey, Place
from federated_router.cache.far_tier import FarTier
from federated_router.cache.memory_tier import MemoryTier
from federated_router.cache.secret import CacheSecret
from federated_router.cache.settings import CacheSettings, FarSettings, MemorySettings
from federated_router.cache.store import AnswerStore, StoreDown
from federated_router.kit.clock import ManualClock
from federated_router.sensitivity.levels import Sensitivity

PUBLIC = Sensitivity.PUBLIC
WHO = "clinic"


def question(
    text: str = "What is metformin for?",
    *,
    temperature: float = 0.0,
    seed: int | None = None,
) -> pb.Generation:
    """Return a greedy request, unless the temperature says otherwise."""
    return pb.Generation(
        request_id="r1",
        model="models/small",
        messages=[pb.Message(role=pb.ROLE_USER, content=text)],
        sampling=pb.Sampling(temperature=temperature, seed=seed),
    )


def answer(text: str = "For diabetes.") -> pb.CompleteResponse:
    """Return a whole answer, as a router is about to send it."""
    return pb.CompleteResponse(
        started=pb.Started(node="nodes/n1", model="models/small"),
        text=text,
        finished=pb.Finished(
            reason=pb.FINISH_REASON_END,
            prompt_tokens=7,
            completion_tokens=4,
            prompt_tokens_cached=3,
            footprint=pb.Footprint(joules=2.0, co2e_mg=0.3, cost=1.5),
        ),
    )


def cache(
    settings: CacheSettings | None = None,
    *,
    clock: ManualClock | None = None,
    secret: CacheSecret | None = None,
    far: Sequence[FarTier] = (),
) -> AnswerCache:
    """Return a cache over memory, unless `settings` has none, and `far` tiers."""
    settings = settings or CacheSettings(memory=MemorySettings())
    memory = settings.memory and MemoryTier(
        bytes_max=settings.memory.bytes_max, tenant_share_max=settings.tenant_share_max
    )
    return AnswerCache(
        settings,
        clock or ManualClock(),
        secret=secret or CacheSecret.fresh(),
        memory=memory if isinstance(memory, MemoryTier) else None,
        far=far,
    )


def key_of(
    store: AnswerCache,
    generation: pb.Generation,
    *,
    tenant: str = WHO,
    sensitivity: Sensitivity = PUBLIC,
) -> CacheKey:
    """Return the key of a request that has one."""
    key = store.key(generation, tenant=tenant, sensitivity=sensitivity)
    assert key is not None
    return key


async def found(
    store: AnswerCache, generation: pb.Generation, *, tenant: str = WHO
) -> pb.CompleteResponse | None:
    """Return what the cache serves to a request."""
    return await store.find(key_of(store, generation, tenant=tenant))


class ScriptedStore:
    """A far store in a dictionary, which can be away, hang, or hold nonsense."""

    tier = "scripted"

    def __init__(self) -> None:
        self.kept: dict[Place, bytes] = {}
        self.asked = 0
        self.away = False
        self.hanging = asyncio.Event()
        self.hanging.set()

    @property
    def bytes_held(self) -> int:
        """Return the sum of all sizes."""
        return sum(map(len, self.kept.values()))

    async def find(self, place: Place, *, now_s: float) -> bytes | None:
        """Return what is kept, unless away."""
        del now_s
        await self._answer()
        return self.kept.get(place)

    async def keep(self, place: Place, sealed: bytes, *, now_s: float) -> None:
        """Keep, unless away."""
        del now_s
        await self._answer()
        self.kept[place] = sealed

    async def forget(self, place: Place) -> None:
        """Forget, unless away."""
        await self._answer()
        self.kept.pop(place, None)

    async def sweep(self, *, now_s: float) -> None:
        """Do nothing, unless away."""
        del now_s
        await self._answer()

    async def close(self) -> None:
        """Do nothing."""

    async def _answer(self) -> None:
        self.asked += 1
        await self.hanging.wait()
        if self.away:
            raise StoreDown("away")


def far_tier(
    store: AnswerStore, clock: ManualClock, settings: FarSettings | None = None
) -> FarTier:
    """Return a far tier over a store."""
    return FarTier(store, settings or FarSettings(), clock)
