"""Who runs, who waits and who is refused, as numbers and turns.

Decides admission purely: requests join, are let in by turns and leave; the time comes
in as an argument. A request is let in while its lane, and all lanes together, run less
than their capacity. Of several lanes and priorities with room the turn is:

1. one that had no turn for `promote_after_s`, the longest first, so that none starves;
   of each four turns at most one, so that where turns are rare urgent requests still
   go first;
2. otherwise the highest priority;
3. among lanes, the one whose turn came first into the router;
4. within, the tenants' fair order (`fair_queue`).

Refuses to know rates, shedding, tasks and who the tenants are.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from federated_router.admission.ask import AdmissionAsk, Lane, Priority
from federated_router.admission.fair_queue import Ticket, TicketState
from federated_router.admission.lane_state import LaneQueue, LaneState
from federated_router.kit.errors import QueueFull

Capacity = Callable[[Lane], int]
"""How many of a lane's requests may run at once; 0 where no node serves them."""

RETRY_AFTER_S: Final = 1.0
TURNS_IN_ORDER: Final = 3
"""Turns by priority between two that are given to whoever starves."""
_ALL: Final = Lane()


@dataclass(frozen=True, slots=True)
class LineLimits:
    """The most that wait, in all and of one tenant, and when a priority has a turn."""

    waiting_max: int
    tenant_waiting_max: int
    promote_after_s: float


class Line:
    """All requests of one router that run or wait."""

    def __init__(self, limits: LineLimits, capacity: Capacity) -> None:
        self._limits = limits
        self._capacity = capacity
        self._lanes: dict[Lane, LaneState] = {}
        self._joined = 0
        self._turns_in_order = 0
        self.running: Counter[Priority] = Counter()
        self.waiting: Counter[Priority] = Counter()
        self._tenants: Counter[str] = Counter()
        self._tenants_waiting: Counter[str] = Counter()

    @property
    def tenants(self) -> int:
        """Return how many tenants have a request that runs or waits."""
        return len(self._tenants)

    def saturation(self, lane: Lane | None = None) -> float:
        """Return how full the nodes are that this lane needs; of all without one.

        What waits for other lanes' nodes does not count against a lane.
        """
        running, waiting = self.running.total(), self.waiting.total()
        if lane is None:
            return _ratio(running + waiting, self._capacity(_ALL))
        state = self._lanes.get(lane)
        own = 0 if state is None else state.running + state.waiting
        return max(
            _ratio(own, self._capacity(lane)), _ratio(running, self._capacity(_ALL))
        )

    def join(
        self, ask: AdmissionAsk, *, cost: float, now_s: float
    ) -> tuple[Ticket, Ticket | None]:
        """Put a request in line; return it, and who was turned away for it.

        Where the line is full, the youngest request of the lowest priority makes room
        for one of a higher priority. Raises QueueFull.
        """
        evicted = self._room_for(ask)
        lane = Lane(ask.model, ask.private)
        ticket = self._ticket(ask, lane, cost=cost, now_s=now_s)
        state = self._lanes.setdefault(lane, LaneState({}))
        queue = state.queues.setdefault(ticket.priority, LaneQueue())
        if not queue:
            queue.since_s = now_s
        queue.join(ticket)
        self.waiting[ticket.priority] += 1
        self._tenants_waiting[ticket.tenant] += 1
        return ticket, evicted

    def enter(self, ask: AdmissionAsk, *, cost: float, now_s: float) -> Ticket | None:
        """Let a request in at once where nobody waits and there is room; else None.

        The same as `join` and `admit`, whose turns and tags are of those who wait.
        """
        if self.waiting.total():
            return None
        lane = Lane(ask.model, ask.private)
        state = self._lanes.get(lane)
        if not self._has_room(lane, 0 if state is None else state.running):
            return None
        ticket = self._ticket(ask, lane, cost=cost, now_s=now_s)
        self._turns_in_order += 1
        self._run(ticket, state or self._lanes.setdefault(lane, LaneState({})))
        return ticket

    def admit(self, now_s: float) -> list[Ticket]:
        """Let in all for whom there is room, in the order of their turns."""
        admitted: list[Ticket] = []
        if not self.waiting.total():
            return admitted
        while (queue := self._next(now_s)) is not None:
            queue.since_s = now_s
            ticket = queue.take()
            self._waits_no_more(ticket)
            self._run(ticket, self._lanes[ticket.lane])
            admitted.append(ticket)
        return admitted

    def leave(self, ticket: Ticket) -> None:
        """Forget a request that runs or waits; nothing happens the second time."""
        if ticket.state is TicketState.WAITING:
            self._take_out(ticket, TicketState.LEFT)
        elif ticket.state is TicketState.RUNNING:
            ticket.state = TicketState.LEFT
            self._lanes[ticket.lane].running -= 1
            self.running[ticket.priority] -= 1
            self._forget(ticket)

    def _room_for(self, ask: AdmissionAsk) -> Ticket | None:
        """Return who must make room, None if nobody; raise QueueFull."""
        limits = self._limits
        if self._enters_at_once(Lane(ask.model, ask.private)):
            return None
        if self._tenants_waiting[ask.tenant] >= limits.tenant_waiting_max:
            raise line_full("tenant_waiting_max", limits.tenant_waiting_max)
        if self.waiting.total() < limits.waiting_max:
            return None
        youngest = self._youngest_below(ask.priority)
        if youngest is None:
            raise line_full("waiting_max", limits.waiting_max)
        self._take_out(youngest, TicketState.EVICTED)
        return youngest

    def _ticket(
        self, ask: AdmissionAsk, lane: Lane, *, cost: float, now_s: float
    ) -> Ticket:
        self._joined += 1
        self._tenants[ask.tenant] += 1
        return Ticket(self._joined, ask.tenant, ask.priority, lane, cost, now_s)

    def _run(self, ticket: Ticket, state: LaneState) -> None:
        ticket.state = TicketState.RUNNING
        state.running += 1
        self.running[ticket.priority] += 1

    def _enters_at_once(self, lane: Lane) -> bool:
        """Return whether a request that joins has no turn to wait for."""
        state = self._lanes.get(lane)
        if state is not None and state.waiting:
            return False
        return self._has_room(lane, 0 if state is None else state.running)

    def _has_room(self, lane: Lane, running: int) -> bool:
        """Return whether one more may run. Where no node serves, nothing is held."""
        places = self._capacity(lane)
        if places == 0:
            return True
        return running < places and self.running.total() < self._capacity(_ALL)

    def _next(self, now_s: float) -> LaneQueue | None:
        """Return the queue that has the turn; see the head of this module."""
        turns = list(self._turns())
        if not turns:
            return None
        in_order = min(turns, key=lambda turn: (-turn[1].priority, turn[1].number))
        longest = min(turns, key=lambda turn: turn[0].since_s)[0]
        starves = now_s - longest.since_s >= self._limits.promote_after_s
        if starves and self._turns_in_order >= TURNS_IN_ORDER:
            self._turns_in_order = 0
            return longest
        self._turns_in_order += 1
        return in_order[0]

    def _turns(self) -> Iterator[tuple[LaneQueue, Ticket]]:
        """Yield each queue that has room, with whose turn it is there."""
        for lane, state in self._lanes.items():
            if state.waiting and self._has_room(lane, state.running):
                for queue in state.queues.values():
                    first = queue.next()
                    if first is not None:
                        yield queue, first

    def _youngest_below(self, priority: Priority) -> Ticket | None:
        for lower in Priority:
            if lower >= priority:
                return None
            last = [
                youngest
                for state in self._lanes.values()
                if (queue := state.queues.get(lower)) is not None
                and (youngest := queue.youngest) is not None
            ]
            if last:
                return max(last, key=lambda ticket: ticket.number)
        return None

    def _take_out(self, ticket: Ticket, state: TicketState) -> None:
        ticket.state = state
        self._lanes[ticket.lane].queues[ticket.priority].leave(ticket)
        self._waits_no_more(ticket)
        self._forget(ticket)

    def _waits_no_more(self, ticket: Ticket) -> None:
        self.waiting[ticket.priority] -= 1
        _less(self._tenants_waiting, ticket.tenant)

    def _forget(self, ticket: Ticket) -> None:
        _less(self._tenants, ticket.tenant)
        state = self._lanes[ticket.lane]
        if not state.running and not state.waiting:
            del self._lanes[ticket.lane]


def _ratio(requests: int, places: int) -> float:
    """Return requests per place; where there is no place, nothing is full."""
    return requests / places if places else 0.0


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]


def line_full(limit: str, figure: int) -> QueueFull:
    """Return what a request is told for which there is no room in line."""
    return QueueFull(
        "Enough requests wait for a place already. Retry later, or send fewer at once.",
        metadata={limit: str(figure)},
        retry_after_s=RETRY_AFTER_S,
    )
