"""Drives rounds: applies events and deadlines, stores, works, wakes watchers.

Decides the order only: lifecycle, then the store, then everybody else; what is told
has been committed. What waits while a transaction runs shares the next one. Refuses
to decide transitions, and to believe memory after a store failed: then the round is
read again. Holds no task: `run` is background work of the daemon, and a coordinator
that was killed anywhere goes on from the stored round.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from coordinator.charging import guard
from coordinator.charging.port import Charges
from coordinator.newest import Newest, woken_or_after
from coordinator.priors import feed
from coordinator.priors.store import PriorsStore
from coordinator.rounds import chronicle, events, lifecycle
from coordinator.rounds.inbox import BATCH_MAX, Batch, Told, batch_of
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.schedule import Schedule, Timetable
from coordinator.rounds.store import Request, RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.upload import Body
from coordinator.rounds.work import Workshop
from coordinator.validation.judgement import Judgement
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    NotNow,
    RoundStateWrong,
    StoreUnavailable,
    Unavailable,
)
from federated_router.kit.log import get_logger
from federated_router.priors.blocks import Block
from federated_router.priors.publication import Priors

IDLE_S: Final = 60.0
STORE_RETRY_S: Final = 1.0
log = get_logger("conductor")


class Conductor:
    """The one that moves rounds. All its methods may be called concurrently."""

    def __init__(
        self,
        *,
        store: RoundStore,
        priors_store: PriorsStore,
        workshop: Workshop,
        clock: Clock,
        schedule: Schedule,
        charges: Charges,
        rounds: Newest[Round],
        priors: Newest[Priors],
        draw_name: Callable[[], RoundName],
        batch_max: int = BATCH_MAX,
    ) -> None:
        self._store = store
        self._priors_store = priors_store
        self._workshop = workshop
        self._clock = clock
        self._timetable = Timetable(schedule)
        self._charges = charges
        self._rounds = rounds
        self._priors = priors
        self._draw_name = draw_name
        self._batch_max = batch_max
        # Holds what calls wait for, so that the server's limit on calls bounds it.
        self._waiting: deque[Told] = deque()
        self._one_writer = asyncio.Lock()
        self._changed = asyncio.Event()
        self._held: Round | None = None

    async def resume(self) -> None:
        """Take up what the store holds; a running round gets time to go on."""
        async with self._one_writer:
            round_ = await self._newest()
            if round_ is not None:
                round_ = await self._move(round_, events.Resumed())
            await self._charges.settle(round_)

    async def create(self, terms: Terms, request: Request) -> Round:
        """Open a round, or return the one that this request opened.

        Raises:
            RoundStateWrong: another round runs.
            RequestIdReused: the id opened a round of other terms.
            FieldInvalid, HeadroomExceeded: terms that no round can keep.
            BudgetExhausted, AccountClosed: the federation's account cannot bear it.
        """
        async with self._one_writer:
            known = await self._store.of_request(request)
            if known is not None:
                return known
            newest = await self._newest()
            if newest is not None:
                newest = await self._on_time(newest)
            if newest is None or newest.ended:
                await self._charges.settle(newest)
                await self._charges.admit(terms)
            opened = lifecycle.open_round(self._draw_name(), terms, self._clock.now_s())
            self._held = None
            try:
                stored = await self._store.create(opened, request)
            except BaseException:
                # It may be there all the same; whoever watches looks again.
                self._changed.set()
                raise
            return self._hold(None, stored)

    async def get(self, name: RoundName) -> Round:
        """Return a round as it was last seen stored; raise RoundUnknown.

        While a transition is being stored this is the round before it, so that
        readers neither wait for the writer nor ask the store.
        """
        seen = self._rounds.value
        if seen is not None and seen.name == name:
            return seen
        return await self._store.load(name)

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

    async def _store_waiting(self, first: Told) -> None:
        """Store what waits, `first` before all else, in one transaction."""
        newest = await self._newest()
        if newest is not None:
            newest = await self._on_time(newest)
        if newest is None or newest.name != first.name:
            ended = await self._store.load(first.name)
            first.after = lifecycle.advance(ended, first.event, self._clock.now_s())
            return
        now_s, most = self._clock.now_s(), 1 if first.alone else self._batch_max
        batch = batch_of(newest, first, self._waiting, now_s=now_s, most=most)
        batch, after = await self._secured(batch)
        try:
            stored = await self._stored(batch.before, after, bodies=batch.bodies)
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

    async def _secured(self, batch: Batch) -> tuple[Batch, Round]:
        """Return the batch and what may be stored of it.

        Where the ledger does not answer, the event that ends a state waits for another
        attempt of whoever sent it, and the rest is stored.
        """
        now_s = self._clock.now_s()
        try:
            after = await guard.secured(
                self._charges, batch.before_last, batch.after, now_s=now_s
            )
        except Unavailable as error:
            batch.taken[-1].error = error
            batch = batch.without_last()
            after = batch.after
        return batch, after

    async def run(self) -> None:
        """Apply deadlines and do the coordinator's own work, until cancelled."""
        while True:
            self._changed.clear()
            try:
                rest_s = await self.step()
            except RoundStateWrong as error:
                log.info("work came too late", cause=error.message)
                continue
            except StoreUnavailable as error:
                log.warning("store unavailable", cause=error.message)
                await self._clock.sleep(STORE_RETRY_S)
                continue
            await woken_or_after(self._changed, rest_s, self._clock)

    async def step(self) -> float:
        """Do one piece of what is due; return how long to rest if nothing changes."""
        async with self._one_writer:
            round_ = await self._newest()
            if round_ is not None:
                round_ = await self._on_time(round_)
        if round_ is None or round_.ended:
            return await self._open_scheduled(round_)
        work = lifecycle.work_due(round_)
        if work is None:
            return max(0.0, round_.deadline_s - self._clock.now_s())
        await self._do(work, round_)
        return 0.0

    async def _do(self, work: lifecycle.Work, round_: Round) -> None:
        match work:
            case lifecycle.Work.JUDGE:
                await self.tell(round_.name, await self._workshop.judge(round_))
            case lifecycle.Work.SUM:
                await self.tell(round_.name, await self._workshop.sum_up(round_))
            case lifecycle.Work.OPEN:
                await self.tell(round_.name, await self._workshop.open(round_))
            case lifecycle.Work.VALIDATE:
                await self._validate(round_)

    async def _validate(self, round_: Round) -> None:
        """Publish what was judged sound; end the round with its report either way."""
        found = await self._workshop.validate(round_)
        async with self._one_writer:
            newest = await self._newest()
            if newest is None or newest.name != round_.name:
                return
            current = await self._on_time(newest)
            if found.rejected:
                refused = events.Refused(found.cause)
                await self._move(current, refused, judgement=found)
                return
            priors = await self._priors_of(round_, found)
            await self._move(
                current,
                events.Released(priors.revision),
                priors=priors,
                judgement=found,
            )

    async def _priors_of(self, round_: Round, found: Judgement) -> Priors:
        earlier = await self._priors_store.newest_revision()
        return Priors(
            revision=feed.next_revision(earlier),
            round_name=round_.name,
            create_time_s=self._clock.now_s(),
            catalogue=round_.terms.catalogue,
            members=found.members,
            noise_standard_deviation=found.noise_by_block[Block.PERFORMANCE],
            noise_by_block=found.noise_by_block,
            contents=round_.terms.catalogue.decode(found.values),
            withdrawn_revision=earlier if found.earlier_harmful else 0,
        )

    async def _open_scheduled(self, newest: Round | None) -> float:
        rest_s = self._timetable.rest_s(newest, now_s=self._clock.now_s())
        if rest_s > 0:
            return min(rest_s, IDLE_S)
        try:
            await self.create(self._timetable.terms, Request(None, b""))
        except RoundStateWrong:
            raise
        except NotNow as error:
            log.warning(
                "scheduled round refused", reason=error.reason, cause=error.message
            )
            self._timetable.refused(now_s=self._clock.now_s())
        return 0.0

    async def _newest(self) -> Round | None:
        """Return the newest round; where memory cannot be trusted, from the store."""
        if self._held is None:
            found = await self._store.newest()
            if found is not None:
                await self._adopt(found)
        return self._held

    async def _adopt(self, found: Round) -> None:
        """Hold what the store says, and tell what was committed and not yet told."""
        priors = await self._priors_store.newest()
        if priors is not None and priors != self._priors.value:
            self._priors.put(priors)
        told = self._rounds.value
        if told is None:
            self._held = found
            self._rounds.put(found)
        else:
            self._hold(told if told.name == found.name else None, found)

    async def _on_time(self, round_: Round) -> Round:
        """Return the round once its deadline, if it has passed, has been applied."""
        return await self._move(round_, events.TimePassed())

    async def _move(
        self,
        round_: Round,
        event: events.Event,
        *,
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Advance by an event that is applied alone, and store."""
        after = lifecycle.advance(round_, event, self._clock.now_s())
        if after is not round_:
            after = await guard.secured(
                self._charges, round_, after, now_s=self._clock.now_s()
            )
        return await self._stored(round_, after, priors=priors, judgement=judgement)

    async def _stored(
        self,
        before: Round,
        after: Round,
        *,
        bodies: Sequence[Body] = (),
        priors: Priors | None = None,
        judgement: Judgement | None = None,
    ) -> Round:
        """Store, then hold; a store that fails leaves nothing held."""
        if after is before:
            return before
        self._held = None
        try:
            stored = await self._store.save(
                before, after, bodies=bodies, priors=priors, judgement=judgement
            )
        except BaseException:
            # The outcome is unknown, also where a caller hung up: look it up.
            self._changed.set()
            raise
        if priors is not None:
            self._priors.put(priors)
        held = self._hold(before, stored)
        if held.ended:
            self._timetable.ended(held)
            await guard.settled_if_possible(self._charges, held)
        return held

    def _hold(self, before: Round | None, after: Round) -> Round:
        self._held = after
        chronicle.tell(before, after)
        if before is None or before.state is not after.state:
            self._rounds.put(after)
        else:
            self._rounds.amend(after)
        if after.ended:
            self._workshop.clear()
        self._changed.set()
        return after
