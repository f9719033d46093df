"""The leader's own share of a model, in one thread: embeddings, head and the draw.

Decides that rows which wait together go through the head together. Refuses to know
shards. A chosen token is embedded in the same turn, so that a token costs one visit to
the thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from node.engine.decoding import Choice, TokenDraw, choose_all
from node.shards.parts import Ends

GivenT = TypeVar("GivenT")
FoundT = TypeVar("FoundT")


@dataclass(frozen=True, slots=True)
class Next:
    """A chosen token and its embedding (1, width)."""

    choice: Choice
    hidden: torch.Tensor


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    hidden: torch.Tensor
    draw: TokenDraw
    told: "asyncio.Future[Next]"


class LeaderThread:
    """Runs the ends of one model; make it, use it and `stop` it on one event loop."""

    def __init__(self, ends: Ends, pool: ThreadPoolExecutor) -> None:
        self._ends = ends
        self._pool = pool
        self._rows: list[_Row] = []
        self._turn: asyncio.Task[None] | None = None

    async def embed(self, token_ids: Sequence[int]) -> torch.Tensor:
        """Return the hidden states (n, width) of a prompt."""
        return await self._in_thread(self._embedded, list(token_ids))

    def _embedded(self, token_ids: list[int]) -> torch.Tensor:
        return self._ends.embed(torch.tensor(token_ids))

    async def choose(self, hidden: torch.Tensor, draw: TokenDraw) -> Next:
        """Return the token after the last layer's states (1, width) of one row.

        Raises:
            Internal: the model returned something that is not a number.
        """
        told: asyncio.Future[Next] = asyncio.get_running_loop().create_future()
        self._rows.append(_Row(hidden, draw, told))
        if self._turn is None:
            self._turn = asyncio.create_task(self._turns(), name="leader")
        return await told

    async def _turns(self) -> None:
        """Take all rows that wait, until none does."""
        try:
            while self._rows:
                rows, self._rows = self._rows, []
                await self._take(rows)
        finally:
            self._turn = None

    async def _take(self, rows: list[_Row]) -> None:
        found: Sequence[Next | Exception]
        try:
            found = await self._in_thread(self._chosen, rows)
        except Exception as failure:  # noqa: BLE001 - told to each row's caller.
            found = [failure] * len(rows)
        for row, result in zip(rows, found, strict=True):
            if row.told.done():
                continue
            if isinstance(result, Exception):
                row.told.set_exception(result)
            else:
                row.told.set_result(result)

    def _chosen(self, rows: list[_Row]) -> list[Next | Exception]:
        logits = self._ends.logits(torch.cat([row.hidden for row in rows]))
        choices = choose_all([row.draw for row in rows], logits)
        ids = [0 if isinstance(one, Exception) else one.token_id for one in choices]
        hidden = self._ends.embed(torch.tensor(ids))
        return [
            choice if isinstance(choice, Exception) else Next(choice, hidden[at, None])
            for at, choice in enumerate(choices)
        ]

    async def _in_thread(
        self, work: Callable[[GivenT], FoundT], given: GivenT
    ) -> FoundT:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, work, given)
