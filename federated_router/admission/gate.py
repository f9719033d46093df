"""The gate in front of every answer: drawn, charged, in line, let in, left.

Decides the order of checks: what is refused without any effect first, the tenant's
rate next, the line last. Whatever ends a request, its place is given up and what it did
not take of its rate is given back, without another await: nothing is lost to a
cancellation. Refuses to know nodes, prompts and how turns are given.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

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
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    DeadlineExceeded,
    LimitReached,
    RateLimited,
)


@dataclass(slots=True)
class Admitted:
    """A request that was let in.

    `priority` is what its tenant may use of what it asked for; nodes are told this one.
    `tokens` is what it took, where `used` has said so.
    """

    priority: Priority
    tokens: int | None = None

    def used(self, tokens: int) -> None:
        """Say what the request took; one that never says is charged what it asked."""
        self.tokens = tokens


@dataclass(frozen=True, slots=True)
class _Visit:
    ticket: Ticket
    spent: Mapping[Measure, int]


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

    @asynccontextmanager
    async def admitted(
        self, ask: AdmissionAsk, *, deadline_s: float
    ) -> AsyncIterator[Admitted]:
        """Wait until the request may run; it runs as long as the context is open.

        `deadline_s` is how long it may still wait, in seconds.

        Raises:
            Overloaded: drawn, so that others keep their time.
            RateLimited: the tenant's rate is used up for now.
            QueueFull: as many wait as may, or a more urgent one needed the place.
            StoreUnavailable: the rates' table is away, and must be asked.
            DeadlineExceeded: its turn did not come in time.
        """
        priority = self._tenants.lowered(ask.tenant, ask.priority)
        if priority is not ask.priority:
            ask = replace(ask, priority=priority)
        started_s = self._clock.monotonic_s()
        with self._counting_refusals(priority):
            visit = await self._enter(ask, deadline_s)
        admitted = Admitted(priority)
        try:
            waited_s = self._clock.monotonic_s() - started_s
            metrics.QUEUE_TIME.labels(priority.label).observe(waited_s)
            yield admitted
        finally:
            self._leave(visit, admitted)

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

    async def _enter(self, ask: AdmissionAsk, deadline_s: float) -> _Visit:
        """Return once the request may run, or raise and leave nothing behind."""
        lane = Lane(ask.model, ask.private)
        self._shedding.check(ask.priority, self._line.saturation(lane))
        ends_s = asyncio.get_running_loop().time() + deadline_s
        spent: Mapping[Measure, int] = {}
        if self._tenants.of(ask.tenant).has_rate:
            with self._one_more_asking(ask.tenant):
                async with _until(ends_s):
                    spent = await self._rates.charge(ask.tenant, ask.tokens)
        try:
            return _Visit(await self._turn(ask, ends_s), spent)
        except BaseException:
            self._rates.settle(ask.tenant, spent)
            raise

    async def _turn(self, ask: AdmissionAsk, ends_s: float) -> Ticket:
        """Wait in line; return the ticket that runs."""
        cost = max(1, ask.tokens) / self._tenants.of(ask.tenant).weight
        self.look()
        ticket, evicted = self._line.join(
            ask, cost=cost, now_s=self._clock.monotonic_s()
        )
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

    def _leave(self, visit: _Visit, admitted: Admitted) -> None:
        """Give the place up, and what was not taken of the rate."""
        self._give_up(visit.ticket)
        asked = visit.spent.get(Measure.TOKENS)
        if asked is not None and admitted.tokens is not None:
            unspent = {Measure.TOKENS: asked - admitted.tokens}
            self._rates.settle(visit.ticket.tenant, unspent)

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
