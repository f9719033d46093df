"""The gate in front of every answer: charged, drawn, in line, let in, left.

Decides the order of checks: the tenant's rate first, which counts every request; then,
for those that need a node, the draw and the line. Whatever ends a request, its place is
given up and what it did not take of its rate is given back, without another await:
nothing is lost to a cancellation. Refuses to know nodes, prompts and how turns are
given.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Final

from federated_router.admission import metrics
from federated_router.admission.ask import (
    AdmissionAsk,
    AdmissionFigures,
    Lane,
    Priority,
)
from federated_router.admission.bucket import Measure
from federated_router.admission.fair_queue import Ticket, TicketState
from federated_router.admission.line import Line, line_full
from federated_router.admission.rates import Rates
from federated_router.admission.settings import AdmissionSettings
from federated_router.admission.shedding import Shedding
from federated_router.admission.tenants import Tenants
from federated_router.admission.visit import NOTHING, Admitted, Visit
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    DeadlineExceeded,
    LimitReached,
    RateLimited,
)

_QUEUE_TIMES: Final = {
    priority: metrics.QUEUE_TIME.labels(priority.label) for priority in Priority
}


class Admission:
    """Lets requests in; one per router process, on its event loop."""

    def __init__(
        self,
        settings: AdmissionSettings,
        *,
        line: Line,
        tenants: Tenants,
        rates: Rates,
        shedding: Shedding,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._line = line
        self._tenants = tenants
        self._rates = rates
        self._shedding = shedding
        self._clock = clock
        self._turns: dict[Ticket, asyncio.Future[None]] = {}
        self._asking: Counter[str] = Counter()
        self._shed = 0
        self._rate_limited = 0

    def arrived(self, ask: AdmissionAsk, *, deadline_s: float) -> Visit:
        """Return a context whose request is charged; it runs from its `turn` on.

        `deadline_s` is how long it may still wait, in seconds.

        Raises:
            RateLimited: on entering: the tenant's rate is used up for now.
            StoreUnavailable: on entering: the rates' table is away, and must be asked.
            Overloaded: at its turn: drawn, so that others keep their time.
            QueueFull: as many wait as may, or a more urgent one needed the place.
            DeadlineExceeded: its turn did not come in time.
        """
        priority = self._tenants.lowered(ask.tenant, ask.priority)
        if priority is not ask.priority:
            ask = replace(ask, priority=priority)
        return Visit(self, ask, asyncio.get_running_loop().time() + deadline_s)

    @asynccontextmanager
    async def admitted(
        self, ask: AdmissionAsk, *, deadline_s: float
    ) -> AsyncIterator[Admitted]:
        """Wait until the request may run; it runs as long as the context is open.

        Raises what `arrived` and the turn do.
        """
        async with self.arrived(ask, deadline_s=deadline_s) as admitted:
            await admitted.turn()
            yield admitted

    def look(self) -> None:
        """Let in all for whom there is room now; nodes may have come."""
        for ticket in self._line.admit(self._clock.monotonic_s()):
            self._wake(ticket)

    async def look_for_ever(self) -> None:
        """Look again every while: a node that comes tells nobody here."""
        while True:
            await self._clock.sleep(self._settings.look_interval_s)
            self.look()

    def activity(self) -> AdmissionFigures:
        """Return what runs, waits and was refused."""
        return AdmissionFigures(
            requests_running=self._line.running.total(),
            requests_waiting=self._line.waiting.total(),
            saturation=self._line.saturation(),
            requests_shed=self._shed,
            requests_rate_limited=self._rate_limited,
            tenants=self._line.tenants,
        )

    def running(self, priority: Priority) -> int:
        """Return how many requests of this priority run."""
        return self._line.running[priority]

    def waiting(self, priority: Priority) -> int:
        """Return how many requests of this priority wait."""
        return self._line.waiting[priority]

    async def charge(self, ask: AdmissionAsk, ends_s: float) -> Mapping[Measure, int]:
        """Take a request and its tokens of its tenant's rate; return what was taken."""
        if not self._tenants.of(ask.tenant).has_rate:
            return NOTHING
        with self._counting_refusals(ask.priority), self._one_more_asking(ask.tenant):
            async with _until(ends_s):
                return await self._rates.charge(ask.tenant, ask.tokens)

    async def turn(self, ask: AdmissionAsk, ends_s: float) -> Ticket:
        """Return the ticket of a request once it runs, or raise and leave nothing."""
        started_s = self._clock.monotonic_s()
        try:
            if self._shedding.sheds(ask.priority):
                lane = Lane(ask.model, ask.private)
                self._shedding.check(ask.priority, self._line.saturation(lane))
            ticket = await self._turn(ask, ends_s, started_s)
        except LimitReached:
            self._shed += 1
            metrics.SHED.labels(ask.priority.label).inc()
            raise
        _QUEUE_TIMES[ask.priority].observe(self._clock.monotonic_s() - started_s)
        return ticket

    def leave(
        self,
        ask: AdmissionAsk,
        ticket: Ticket | None,
        spent: Mapping[Measure, int],
        tokens: int | None,
    ) -> None:
        """Give a place up, and what was not taken of the rate; `tokens` was taken."""
        if ticket is not None:
            self._give_up(ticket)
        asked = spent.get(Measure.TOKENS)
        if asked is not None and tokens is not None:
            self._rates.settle(ask.tenant, {Measure.TOKENS: asked - tokens})

    def give_back(self, ask: AdmissionAsk, spent: Mapping[Measure, int]) -> None:
        """Put back all that was taken of the rate: the request had no turn."""
        if spent:
            self._rates.settle(ask.tenant, spent)

    async def _turn(self, ask: AdmissionAsk, ends_s: float, now_s: float) -> Ticket:
        """Wait in line; return the ticket that runs."""
        cost = max(1, ask.tokens) / self._tenants.of(ask.tenant).weight
        self.look()
        at_once = self._line.enter(ask, cost=cost, now_s=now_s)
        if at_once is not None:
            return at_once
        ticket, evicted = self._line.join(ask, cost=cost, now_s=now_s)
        if evicted is not None:
            self._wake(evicted)
        try:
            self.look()
            if ticket.state is not TicketState.RUNNING:
                await self._called(ticket, ends_s)
        except BaseException:
            self._give_up(ticket)
            raise
        return ticket

    async def _called(self, ticket: Ticket, ends_s: float) -> None:
        """Return when it is the ticket's turn; raise QueueFull if it had to go."""
        turn = self._turns[ticket] = asyncio.get_running_loop().create_future()
        async with _until(ends_s):
            await turn
        if ticket.state is TicketState.EVICTED:
            raise line_full("waiting_max", self._settings.waiting_max)

    def _give_up(self, ticket: Ticket) -> None:
        self._turns.pop(ticket, None)
        self._line.leave(ticket)
        self.look()

    def _wake(self, ticket: Ticket) -> None:
        turn = self._turns.pop(ticket, None)
        if turn is not None and not turn.done():
            turn.set_result(None)

    @contextmanager
    def _one_more_asking(self, tenant: str) -> Iterator[None]:
        """Count a request that asks for its rate; raise QueueFull beyond the limits."""
        limits = self._settings
        if self._asking[tenant] > limits.tenant_waiting_max:
            raise line_full("tenant_waiting_max", limits.tenant_waiting_max)
        if self._asking.total() > limits.waiting_max:
            raise line_full("waiting_max", limits.waiting_max)
        self._asking[tenant] += 1
        try:
            yield
        finally:
            self._asking[tenant] -= 1
            if not self._asking[tenant]:
                del self._asking[tenant]

    @contextmanager
    def _counting_refusals(self, priority: Priority) -> Iterator[None]:
        try:
            yield
        except RateLimited:
            self._rate_limited += 1
            metrics.RATE_LIMITED.labels(priority.label).inc()
            raise
        except LimitReached:
            self._shed += 1
            metrics.SHED.labels(priority.label).inc()
            raise


@asynccontextmanager
async def _until(ends_s: float) -> AsyncIterator[None]:
    """End what runs inside at this time of the loop; raise DeadlineExceeded."""
    deadline = asyncio.timeout_at(ends_s)
    try:
        async with deadline:
            yield
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise DeadlineExceeded(
            "The request's turn did not come within the time that its caller allows."
        ) from error
