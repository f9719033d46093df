"""Drives rounds: opens them, has their work done, and lets what members say in.

Decides only when something is done; `lifecycle` says what is due, and `writer` in which
order it is written. Refuses to decide transitions, and to ask the wall clock while a
round runs (`steady`). Holds no task: `run` is background work of the daemon, and a
coordinator that was killed anywhere goes on from the stored round.
"""

from collections.abc import Callable
from typing import Final

from coordinator.charging.port import Charges
from coordinator.newest import Newest, woken_or_after
from coordinator.priors.store import PriorsStore
from coordinator.rounds import events, lifecycle
from coordinator.rounds.inbox import BATCH_MAX
from coordinator.rounds.keeper import Keeper
from coordinator.rounds.publishing import publication
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.schedule import Schedule, Timetable
from coordinator.rounds.steady import SteadyClock
from coordinator.rounds.store import Request, RoundStore
from coordinator.rounds.terms import Terms
from coordinator.rounds.upload import Body
from coordinator.rounds.work import Workshop
from coordinator.rounds.writer import Writer
from federated_router.kit.clock import Clock
from federated_router.kit.errors import NotNow, RoundStateWrong, StoreUnavailable
from federated_router.kit.log import get_logger
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
        self._time = SteadyClock(clock)
        self._timetable = Timetable(schedule)
        self._charges = charges
        self._rounds = rounds
        self._draw_name = draw_name
        self._keeper = Keeper(
            store=store,
            priors_store=priors_store,
            rounds=rounds,
            priors=priors,
            ended=workshop.clear,
        )
        self._writer = Writer(
            keeper=self._keeper,
            store=store,
            charges=charges,
            time=self._time,
            ended=self._timetable.ended,
            batch_max=batch_max,
        )

    def now_s(self) -> float:
        """Return the time by which rounds are judged; nobody sets it while one runs."""
        return self._time.now_s()

    async def resume(self) -> None:
        """Take up what the store holds; a running round gets time to go on."""
        async with self._writer.alone() as newest:
            self._time.set()
            resumed = newest
            if newest is not None:
                resumed = await self._writer.move(newest, events.Resumed())
            await self._charges.settle(resumed)

    async def create(self, terms: Terms, request: Request) -> Round:
        """Open a round, or return the one that this request opened.

        Raises:
            RoundStateWrong: another round runs.
            RequestIdReused: the id opened a round of other terms.
            FieldInvalid, HeadroomExceeded: terms that no round can keep.
            BudgetExhausted, AccountClosed: the federation's account cannot bear it.
        """
        async with self._writer.turn() as newest:
            known = await self._store.of_request(request)
            if known is not None:
                return known
            if newest is None or newest.ended:
                await self._charges.settle(newest)
                await self._charges.admit(terms)
                self._time.set()
            opened = lifecycle.open_round(self._draw_name(), terms, self.now_s())
            return await self._keeper.create(opened, request)

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
        return await self._writer.tell(name, event, body=body)

    async def run(self) -> None:
        """Apply deadlines and do the coordinator's own work, until cancelled."""
        while True:
            self._keeper.changed.clear()
            try:
                rest_s = await self.step()
            except RoundStateWrong as error:
                log.info("work came too late", cause=error.message)
                continue
            except StoreUnavailable as error:
                log.warning("store unavailable", cause=error.message)
                await self._clock.sleep(STORE_RETRY_S)
                continue
            await woken_or_after(self._keeper.changed, rest_s, self._clock)

    async def step(self) -> float:
        """Do one piece of what is due; return how long to rest if nothing changes."""
        async with self._writer.turn() as newest:
            round_ = newest
        if round_ is None or round_.ended:
            return await self._open_scheduled(round_)
        work = lifecycle.work_due(round_)
        if work is None:
            return max(0.0, round_.deadline_s - self.now_s())
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
        if isinstance(found, events.AbortRequested):
            await self.tell(round_.name, found)
            return
        async with self._writer.turn() as current:
            if current is None or current.name != round_.name:
                return
            if found.rejected:
                refused = events.Refused(found.cause)
                await self._writer.move(current, refused, judgement=found)
                return
            priors = publication(
                round_,
                found,
                earlier=await self._priors_store.newest_revision(),
                now_s=self._clock.now_s(),
            )
            await self._writer.move(
                current,
                events.Released(priors.revision),
                priors=priors,
                judgement=found,
            )

    async def _open_scheduled(self, newest: Round | None) -> float:
        rest_s = self._timetable.rest_s(newest, now_s=self.now_s())
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
            self._timetable.refused(now_s=self.now_s())
        return 0.0
