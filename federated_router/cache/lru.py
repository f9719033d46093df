"""Least recently used entries within bytes, for all tenants and for each. Pure.

Decides what has to go so that something new fits. Refuses to know what the entries
hold and where they lie. A tenant at its own limit loses its own entries, never those of
another.
"""

import heapq
from collections import OrderedDict
from dataclasses import dataclass

from federated_router.cache.entries import Place

_HEAP_SLACK = 64


@dataclass(frozen=True, slots=True)
class Slot:
    """What is known of an entry: how much it counts and until when it serves."""

    place: Place
    size_bytes: int
    expires_time_s: float


class ByteLru:
    """Which entries there are, the least recently used first."""

    def __init__(self, *, bytes_max: int, tenant_share_max: float) -> None:
        self._bytes_max = bytes_max
        self._tenant_bytes_max = int(bytes_max * tenant_share_max)
        self._slots: OrderedDict[bytes, Slot] = OrderedDict()
        self._tenants: dict[bytes, OrderedDict[bytes, None]] = {}
        self._tenant_bytes: dict[bytes, int] = {}
        self._bytes = 0
        self._ends: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        """Return how many entries there are."""
        return len(self._slots)

    def __contains__(self, digest: bytes) -> bool:
        """Whether there is an entry under this digest, expired or not."""
        return digest in self._slots

    @property
    def bytes_held(self) -> int:
        """What all entries count together."""
        return self._bytes

    def tenant_bytes(self, tenant: bytes) -> int:
        """Return what a tenant's entries count together."""
        return self._tenant_bytes.get(tenant, 0)

    def fits(self, size_bytes: int) -> bool:
        """Whether an entry of this size may be kept at all."""
        return size_bytes <= self._tenant_bytes_max

    def put(self, slot: Slot) -> tuple[bytes, ...]:
        """Take an entry as the newest; return the digests of those that had to go.

        An older one under the same digest is replaced and not among them. Raises
        ValueError for an entry that does not fit.
        """
        if not self.fits(slot.size_bytes):
            raise ValueError("The entry does not fit; ask before.")
        self.drop(slot.place.digest)
        gone = self._make_room(slot)
        digest, tenant = slot.place.digest, slot.place.tenant
        self._slots[digest] = slot
        self._tenants.setdefault(tenant, OrderedDict())[digest] = None
        self._count(tenant, slot.size_bytes)
        heapq.heappush(self._ends, (slot.expires_time_s, digest))
        self._trim_heap()
        return gone

    def use(self, place: Place) -> Slot | None:
        """Return an entry and make it the newest."""
        slot = self._slots.get(place.digest)
        if slot is None or slot.place != place:
            return None
        self._slots.move_to_end(place.digest)
        self._tenants[place.tenant].move_to_end(place.digest)
        return slot

    def drop(self, digest: bytes) -> Slot | None:
        """Take an entry out; return it, None where there is none."""
        slot = self._slots.pop(digest, None)
        if slot is None:
            return None
        tenant = slot.place.tenant
        del self._tenants[tenant][digest]
        self._count(tenant, -slot.size_bytes)
        if not self._tenants[tenant]:
            del self._tenants[tenant], self._tenant_bytes[tenant]
        return slot

    def expire(self, now_s: float) -> tuple[bytes, ...]:
        """Take out what has expired; return the digests."""
        gone: list[bytes] = []
        while self._ends and self._ends[0][0] <= now_s:
            end = heapq.heappop(self._ends)
            if self._is_current(end):
                self.drop(end[1])
                gone.append(end[1])
        return tuple(gone)

    def _make_room(self, slot: Slot) -> tuple[bytes, ...]:
        gone: list[bytes] = []
        own = self._tenants.get(slot.place.tenant, OrderedDict())
        room = self._tenant_bytes_max - slot.size_bytes
        while self.tenant_bytes(slot.place.tenant) > room:
            gone.append(next(iter(own)))
            self.drop(gone[-1])
        while self._bytes > self._bytes_max - slot.size_bytes:
            gone.append(next(iter(self._slots)))
            self.drop(gone[-1])
        return tuple(gone)

    def _count(self, tenant: bytes, size_bytes: int) -> None:
        self._bytes += size_bytes
        self._tenant_bytes[tenant] = self.tenant_bytes(tenant) + size_bytes

    def _is_current(self, end: tuple[float, bytes]) -> bool:
        slot = self._slots.get(end[1])
        return slot is not None and slot.expires_time_s == end[0]

    def _trim_heap(self) -> None:
        """Forget ends of entries that are gone, before they outnumber the others."""
        if len(self._ends) > 2 * len(self._slots) + _HEAP_SLACK:
            self._ends = [(one.expires_time_s, key) for key, one in self._slots.items()]
            heapq.heapify(self._ends)
