"""The tier in the router's own memory: nobody waits for it."""

from typing import Final

from federated_router.cache.entries import Place, StoredAnswer
from federated_router.cache.lru import ByteLru, Slot

MEMORY: Final = "memory"


class MemoryTier:
    """Answers in this process, the least recently used of them the first to go."""

    def __init__(self, *, bytes_max: int, tenant_share_max: float) -> None:
        self._lru = ByteLru(bytes_max=bytes_max, tenant_share_max=tenant_share_max)
        self._answers: dict[bytes, StoredAnswer] = {}

    @property
    def bytes_held(self) -> int:
        """What its answers count."""
        return self._lru.bytes_held

    def find(self, place: Place, *, now_s: float) -> StoredAnswer | None:
        """Return what is kept in a place and has not expired."""
        slot = self._lru.use(place)
        if slot is None or slot.expires_time_s <= now_s:
            return None
        return self._answers[place.digest]

    def keep(self, place: Place, answer: StoredAnswer) -> None:
        """Keep an answer, and let others go for it; skip what never fits."""
        slot = Slot(place, answer.size_bytes, answer.expires_time_s)
        if not self._lru.fits(slot.size_bytes):
            return
        for digest in self._lru.put(slot):
            del self._answers[digest]
        self._answers[place.digest] = answer

    def sweep(self, *, now_s: float) -> None:
        """Forget what has expired."""
        for digest in self._lru.expire(now_s):
            del self._answers[digest]
