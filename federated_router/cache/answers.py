"""Public answers, found and kept: the cache as the proxy sees it.

Decides which requests may be served again, from which tier, and for how long an answer
is kept. Refuses to know who routes and how an answer is sent. Private answers never
come here: the ledger keeps them.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache import question
from federated_router.cache.entries import CacheKey, Place, StoredAnswer
from federated_router.cache.far_tier import FarTier
from federated_router.cache.flights import Flights
from federated_router.cache.kept_message import is_keepable, kept, served_again
from federated_router.cache.memory_tier import MEMORY, MemoryTier
from federated_router.cache.metrics import BYTES, HITS, MISSES
from federated_router.cache.secret import CacheSecret, Unreadable
from federated_router.cache.settings import CacheSettings
from federated_router.kit.clock import Clock
from federated_router.sensitivity.levels import Sensitivity


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """What the cache did since the start, and what each tier holds in bytes.

    `failures` counts what tiers were asked and did not do; they are misses, not errors.
    """

    hits: Mapping[str, int]
    misses: int
    bytes_held: Mapping[str, int]
    failures: Mapping[str, int]


class AnswerCache:
    """Stored answers of one router, by exact question and tenant."""

    def __init__(
        self,
        settings: CacheSettings,
        clock: Clock,
        *,
        secret: CacheSecret,
        memory: MemoryTier | None,
        far: Sequence[FarTier],
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._secret = secret
        self._memory = memory
        self._far = tuple(far)
        self._flights = Flights(
            wait_s=settings.coalesce_s, waiting_max=settings.coalesced_max
        )
        self._misses = 0
        tiers = ([MEMORY] if memory else []) + [tier.name for tier in far]
        self._hits = dict.fromkeys(tiers, 0)

    @property
    def has_tiers(self) -> bool:
        """Return whether anything is kept at all."""
        return bool(self._hits)

    async def __aenter__(self) -> Self:
        """Return the cache; it is open already."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what still waits, and close every tier."""
        for tier in self._far:
            await tier.close()

    @property
    def background(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs as long as the router does, by name."""
        writers = {f"cache {tier.name}": tier.write_for_ever for tier in self._far}
        return {"cache": self._sweep_for_ever, **writers}

    def key(
        self, generation: pb.Generation, *, tenant: str, sensitivity: Sensitivity
    ) -> CacheKey | None:
        """Return where the answer may lie; None where none may be served or kept.

        None for private and continued requests, for those whose answer would be drawn
        anew (unless the configuration keeps it), and where the lifetime is 0. `tenant`
        is the id of the caller's certificate. Each RPC asks with what the router took
        the request's sensitivity to be.
        """
        if not self._hits or not question.is_servable(generation):
            return None
        repeats = question.is_repeatable(generation.sampling)
        if not (repeats or self._settings.keep_sampled):
            return None
        if not self._settings.lifetimes.of(sensitivity):
            return None
        place = self._secret.place(
            tenant=tenant, question=question.canonical(generation, sensitivity)
        )
        return CacheKey(place, sensitivity, fresh=generation.fresh)

    async def find(self, key: CacheKey) -> pb.CompleteResponse | None:
        """Return the answer that may be served again, marked with where it comes from.

        Never raises for a tier that does not work: that is a miss.
        """
        if key.fresh:
            return None
        stored = self._near(key.place)
        if stored is None and await self._flights.join(key.place.digest):
            stored = self._near(key.place)
        if stored is None:
            stored = await self._fetched(key.place)
        if stored is None:
            self._misses += 1
            MISSES.inc()
            return None
        return served_again(stored.content, key.sensitivity)

    async def keep(
        self, key: CacheKey, response: pb.CompleteResponse, sensitivity: Sensitivity
    ) -> None:
        """Keep a finished answer, near now and far soon.

        Skips what is too long, unfinished, or came out of a store itself. The shorter
        of both sensitivities' lifetimes holds.
        """
        try:
            stored = self._stored(response, self._lifetime_s(key, sensitivity))
            if stored is not None:
                self._fill(key.place, stored, self._far)
        finally:
            self._flights.end(key.place.digest)

    def abandon(self, key: CacheKey) -> None:
        """Say that no answer comes: let equal requests that wait for it go on."""
        self._flights.end(key.place.digest)

    def activity(self) -> CacheFigures:
        """Return what was served, missed, held and not done."""
        held = {tier.name: tier.bytes_held for tier in self._far}
        if self._memory is not None:
            held[MEMORY] = self._memory.bytes_held
        return CacheFigures(
            hits=dict(self._hits),
            misses=self._misses,
            bytes_held=held,
            failures={tier.name: tier.failures for tier in self._far},
        )

    def _lifetime_s(self, key: CacheKey, sensitivity: Sensitivity) -> float:
        lifetimes = self._settings.lifetimes
        return min(lifetimes.of(key.sensitivity), lifetimes.of(sensitivity))

    def _near(self, place: Place) -> StoredAnswer | None:
        if self._memory is None:
            return None
        stored = self._memory.find(place, now_s=self._clock.now_s())
        if stored is not None:
            self._hit(MEMORY)
        return stored

    async def _fetched(self, place: Place) -> StoredAnswer | None:
        """Ask the far tiers, nearest first; what one has, those before it get."""
        for index, tier in enumerate(self._far):
            sealed = await tier.find(place)
            if sealed is None:
                continue
            stored = await self._opened(tier, place, sealed)
            if stored is not None:
                self._fill(place, stored, self._far[:index])
                self._flights.end(place.digest)
                self._hit(tier.name)
                return stored
        return None

    async def _opened(
        self, tier: FarTier, place: Place, sealed: bytes
    ) -> StoredAnswer | None:
        try:
            stored = self._secret.open(place, sealed)
        except Unreadable:
            tier.failed("unreadable")
            await tier.forget(place)
            return None
        return stored if stored.expires_time_s > self._clock.now_s() else None

    def _stored(
        self, response: pb.CompleteResponse, lifetime_s: float
    ) -> StoredAnswer | None:
        if not lifetime_s or not is_keepable(response):
            return None
        content = kept(response)
        if len(content) > self._settings.answer_bytes_max:
            return None
        return StoredAnswer(content, self._clock.now_s() + lifetime_s)

    def _fill(self, place: Place, stored: StoredAnswer, far: Sequence[FarTier]) -> None:
        if self._memory is not None:
            self._memory.keep(place, stored)
            BYTES.labels(MEMORY).set(self._memory.bytes_held)
        if far:
            sealed = self._secret.seal(place, stored)
            for tier in far:
                tier.keep(place, sealed)

    def _hit(self, tier: str) -> None:
        self._hits[tier] += 1
        HITS.labels(tier).inc()

    async def _sweep_for_ever(self) -> None:
        while True:
            await self._clock.sleep(self._settings.sweep_interval_s)
            if self._memory is not None:
                self._memory.sweep(now_s=self._clock.now_s())
                BYTES.labels(MEMORY).set(self._memory.bytes_held)
            for tier in self._far:
                await tier.sweep()
