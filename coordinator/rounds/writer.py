"""Writes rounds, one writer at a time: event, account, store, in this order.

Decides that what waits while a transaction runs shares the next one, and that a
deadline which has passed is applied before anything else. Refuses to decide transitions
(`lifecycle`), what a round costs (`charging`) and what the coordinator has to do
(`conductor`).
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from coordinator.charging import guard
from coordinator.charging.port import Charges
from coordinator.rounds import events, lifecycle
from coordinator.rounds.contents import NOTHING, Contents
from coordinator.rounds.inbox import BATCH_MAX, Batch, Told, batch_of
from coordinator.rounds.keeper import Keeper
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.steady import SteadyClock
from coordinator.rounds.store import RoundStore
from coordinator.rounds.upload import Body
from coordinator.validation.judgement import Judgement
from federated_router.kit.errors import StoreUnavailable, Unavailable
from federated_router.priors.publication import Priors


class Writer:
    """Moves the newest round; `ended` hears of each that has ended."""

    def __init__(
        self,
        *,
        keeper: Keeper,
        store: RoundStore,
        charges: Charges,
        time: SteadyClock,
        ended: Callable[[Round], None],
        batch_max: int = BATCH_MAX,
    ) -> None:
        self._keeper = keeper
        self._store = store
        self._charges = charges
        self._time = time
        self._ended = ended
        self._batch_max = batch_max
        # Holds what calls wait for, so that the server's limit on calls bounds it.
        self._waiting: deque[Told] = deque()
        self._one_writer = asyncio.Lock()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[Round | None]:
        """Let nobody else write; give the newest round, no deadline applied yet."""
        async with self._one_writer:
            yield await self._keeper.newest()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Round | None]:
        """Let nobody else write; give the newest round, on time."""
        async with self._one_writer:
            yield await self._newest_on_time()

    async def tell(
        self, name: RoundName, event: events.Event, *, body: Body | None = None
    ) -> Round:
        """Apply an event, its body stored with it, and return the round after it.

        Raises what `lifecycle.advance` raises, and RoundUnknown.
        """
        told = Told(name, event, body)
        self._waiting.append(told)
        try:
            async with self._one_writer:
                while not told.decided:
                    await self._store_waiting(told)
        finally:
            if told in self._waiting:
                self._waiting.remove(told)
        return told.outcome()

    async def move(
        self,
        round_: Round,
        event: events.Event,
        *,
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Advance by an event that is applied alone, and store; in one's own turn."""
        now_s = self._time.now_s()
        after = lifecycle.advance(round_, event, now_s)
        if after is not round_:
            after = await guard.secured(self._charges, round_, after, now_s=now_s)
        return await self._stored(round_, after, priors=priors, judgement=judgement)

    async def _newest_on_time(self) -> Round | None:
        newest = await self._keeper.newest()
        if newest is None:
            return None
        return await self.move(newest, events.TimePassed())

    async def _store_waiting(self, first: Told) -> None:
        """Store what waits, `first` before all else, in one transaction."""
        newest = await self._newest_on_time()
        now_s = self._time.now_s()
        if newest is None or newest.name != first.name:
            ended = await self._store.load(first.name)
            first.after = lifecycle.advance(ended, first.event, now_s)
            return
        most = 1 if first.alone else self._batch_max
        batch = batch_of(newest, first, self._waiting, now_s=now_s, most=most)
        batch, after = await self._secured(batch, now_s)
        try:
            stored = await self._stored(batch.before, after, contents=batch.contents)
        except StoreUnavailable as error:
            for told in batch.taken:
                told.error = error
            return
        except Exception as error:  # noqa: BLE001 - each is tried alone.
            if len(batch.taken) == 1:
                batch.taken[0].error = error
            for told in batch.taken:
                told.alone = True
            return
        for told in batch.taken:
            told.after = stored

    async def _secured(self, batch: Batch, now_s: float) -> tuple[Batch, Round]:
        """Return the batch and what may be stored of it.

        Where the ledger does not answer, the event that ends a state waits for another
        attempt of whoever sent it, and the rest is stored.
        """
        try:
            after = await guard.secured(
                self._charges, batch.before_last, batch.after, now_s=now_s
            )
        except Unavailable as error:
            batch.taken[-1].error = error
            batch = batch.without_last()
            after = batch.after
        return batch, after

    async def _stored(
        self,
        before: Round,
        after: Round,
        *,
        contents: Contents = NOTHING,
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Store, and settle what a round that has ended held."""
        if after is before:
            return before
        stored = await self._keeper.save(
            before, after, contents=contents, priors=priors, judgement=judgement
        )
        if stored.ended:
            self._ended(stored)
            await guard.settled_if_possible(self._charges, stored)
        return stored
