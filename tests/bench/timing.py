"""How long a mocked model takes: what router and peer have behind them alike."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds until the first token, and from each token to the next."""

    first_ms: float = 0.0
    token_ms: float = 0.0

    async def first(self) -> None:
        """Wait as long as a first token takes."""
        await _sleep(self.first_ms)

    async def paced(self, events: Iterable[T]) -> AsyncIterator[T]:
        """Yield one event after the other, each as late as a token is."""
        await self.first()
        for number, event in enumerate(events):
            if number:
                await _sleep(self.token_ms)
            yield event


async def _sleep(milliseconds: float) -> None:
    if milliseconds:
        await asyncio.sleep(milliseconds / 1000)
