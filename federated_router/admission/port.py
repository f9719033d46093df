"""Where tenants' buckets are kept: the port, and buckets in this process alone."""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from federated_router.admission import bucket as rules
from federated_router.admission.bucket import Buckets, Rate, Taken, Want
from federated_router.kit.clock import Clock

_SECOND_NS: Final = 1_000_000_000


class BucketStore(Protocol):
    """Buckets by tenant; each call is one transaction."""

    async def take(self, tenant: str, wants: Sequence[Want]) -> Taken:
        """Take of all buckets or of none; raise StoreUnavailable."""
        ...

    async def give_back(self, tenant: str, returned: Mapping[Rate, int]) -> None:
        """Put unspent units back; raise StoreUnavailable."""
        ...

    async def delete_full(self) -> int:
        """Forget buckets that are full, as unknown ones are; return how many."""
        ...

    async def close(self) -> None:
        """Let the running transaction end, and close."""
        ...


class MemoryBucketStore:
    """Buckets of one process, for a router that counts alone."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, Buckets] = {}

    async def take(self, tenant: str, wants: Sequence[Want]) -> Taken:
        """Take of all buckets or of none."""
        before = self._buckets.get(tenant, {})
        self._buckets[tenant], taken = rules.take(before, wants, self._now_ns())
        return taken

    async def give_back(self, tenant: str, returned: Mapping[Rate, int]) -> None:
        """Put unspent units back."""
        if tenant in self._buckets:
            self._buckets[tenant] = rules.give_back(self._buckets[tenant], returned)

    async def delete_full(self) -> int:
        """Forget buckets that are full."""
        now_ns = self._now_ns()
        full = [
            tenant
            for tenant, buckets in self._buckets.items()
            if all(full_ns < now_ns for full_ns in buckets.values())
        ]
        for tenant in full:
            del self._buckets[tenant]
        return len(full)

    async def close(self) -> None:
        """Forget everything."""
        self._buckets.clear()

    def _now_ns(self) -> int:
        return int(self._clock.now_s() * _SECOND_NS)
