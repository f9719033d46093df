"""Drives rounds: applies events and deadlines, stores, works, wakes watchers.

Decides the order only: lifecycle, then the store, then everybody else; what is told
has been committed. Refuses to decide transitions, and to believe memory after a store
failed: then the round is read again. Holds no task: `run` is background work of the
daemon, and a coordinator that was killed anywhere goes on from the stored round.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from coordinator.newest import Newest, woken_or_after
from coordinator.priors import feed
from coordinator.priors.store import PriorsStore
from coordinator.rounds import chronicle, events, lifecycle
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.store import Body, Request, RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.work import Workshop
from federated_router.kit.clock import Clock
from federated_router.kit.errors import RoundStateWrong, StoreUnavailable
from federated_router.kit.log import get_logger
from federated_router.priors.publication import Priors

IDLE_S: Final = 60.0
STORE_RETRY_S: Final = 1.0
log = get_logger("conductor")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Rounds that open by themselves: `interval_s` from start to start; 0 is never."""

    interval_s: float
    terms: Terms


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
        rounds: Newest[Round],
        priors: Newest[Priors],
        draw_name: Callable[[], RoundName],
    ) -> None:
        self._store = store
        self._priors_store = priors_store
        self._workshop = workshop
        self._clock = clock
        self._schedule = schedule
        self._rounds = rounds
        self._priors = priors
        self._draw_name = draw_name
        self._one_writer = asyncio.Lock()
        self._changed = asyncio.Event()
        self._held: Round | None = None

    async def resume(self) -> None:
        """Take up what the store holds; a running round gets time to go on."""
        async with self._one_writer:
            round_ = await self._newest()
            if round_ is not None:
                await self._move(round_, events.Resumed())

    async def create(self, terms: Terms, request: Request) -> Round:
        """Open a round, or return the one that this request opened.

        Raises:
            RoundStateWrong: another round runs.
            RequestIdReused: the id opened a round of other terms.
            FieldInvalid, HeadroomExceeded: terms that no round can keep.
        """
        async with self._one_writer:
            known = await self._store.of_request(request)
            if known is not None:
                return known
            newest = await self._newest()
            if newest is not None:
                await self._on_time(newest)
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
        """Return a round as stored; raise RoundUnknown."""
        held = self._held
        if held is not None and held.name == name:
            return held
        return await self._store.load(name)

    async def tell(
        self, name: RoundName, event: events.Event, *, body: Body | None = None
    ) -> Round:
        """Apply an event, its body stored with it, and return the round after it.

        Raises what `lifecycle.advance` raises, and RoundUnknown.
        """
        async with self._one_writer:
            newest = await self._newest()
            if newest is None or newest.name != name:
                ended = await self._store.load(name)
                return lifecycle.advance(ended, event, self._clock.now_s())
            return await self._move(await self._on_time(newest), event, body=body)

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
            case lifecycle.Work.SUM:
                await self.tell(round_.name, await self._workshop.sum_up(round_))
            case lifecycle.Work.OPEN:
                await self.tell(round_.name, await self._workshop.open(round_))
            case lifecycle.Work.VALIDATE:
                await self._validate(round_)

    async def _validate(self, round_: Round) -> None:
        found = await self._workshop.validate(round_)
        if isinstance(found, events.Refused):
            await self.tell(round_.name, found)
            return
        async with self._one_writer:
            newest = await self._newest()
            if newest is None or newest.name != round_.name:
                return
            priors = Priors(
                revision=feed.next_revision(await self._priors_store.newest_revision()),
                round_name=round_.name,
                create_time_s=self._clock.now_s(),
                catalogue=round_.terms.catalogue,
                members=len(round_.survivors),
                noise_standard_deviation=round_.noise_sigma,
                performance=round_.terms.catalogue.decode(found),
            )
            await self._move(
                await self._on_time(newest),
                events.Released(priors.revision),
                priors=priors,
            )

    async def _open_scheduled(self, newest: Round | None) -> float:
        interval_s = self._schedule.interval_s
        if not interval_s:
            return IDLE_S
        due_s = newest.started_s + interval_s if newest is not None else 0.0
        rest_s = due_s - self._clock.now_s()
        if rest_s > 0:
            return min(rest_s, IDLE_S)
        await self.create(self._schedule.terms, Request(None, b""))
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
        body: Body | None = None,
        priors: Priors | None = None,
    ) -> Round:
        """Advance, store, then hold; a store that fails leaves nothing held."""
        after = lifecycle.advance(round_, event, self._clock.now_s())
        if after is round_:
            return round_
        self._held = None
        try:
            stored = await self._store.save(round_, after, body=body, priors=priors)
        except BaseException:
            # The outcome is unknown, also where a caller hung up: look it up.
            self._changed.set()
            raise
        if priors is not None:
            self._priors.put(priors)
        return self._hold(round_, stored)

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
