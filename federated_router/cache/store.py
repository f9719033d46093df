"""The port of a tier that is waited for, and the ways in which one fails."""

from typing import Protocol

from federated_router.cache.entries import Place


class StoreDown(Exception):
    """The store cannot be reached, or does not take what it is given, for now."""


class AnswerStore(Protocol):
    """Keeps sealed answers by place, within its bytes.

    Every method may raise StoreDown, and may be cancelled at any await.
    """

    @property
    def tier(self) -> str:
        """Its name in metrics: `disk` or `redis`."""
        ...

    @property
    def bytes_held(self) -> int:
        """What its answers count, as far as this process knows."""
        ...

    async def find(self, place: Place, *, now_s: float) -> bytes | None:
        """Return what is kept in a place; expired answers need not be."""
        ...

    async def keep(self, place: Place, sealed: bytes, *, now_s: float) -> None:
        """Keep sealed bytes, and let others go for them; skip what never fits."""
        ...

    async def forget(self, place: Place) -> None:
        """Keep nothing in a place."""
        ...

    async def sweep(self, *, now_s: float) -> None:
        """Delete what has expired."""
        ...

    async def close(self) -> None:
        """Let go of everything that is open; what is kept stays."""
        ...
