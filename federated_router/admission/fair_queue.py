"""Whose turn it is between the tenants of one lane and priority.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996): each tenant's next
request has a start tag, the larger of the queue's virtual time and the end of the
tenant's last request; the least tag goes next, and its tenant's end moves on by the
request's tokens over the tenant's weight. So between two tenants that always wait, the
tokens let in for each by weight differ by at most one request of each, however many
requests either has waiting. Within a tenant the order is that of arrival.

Refuses to know how many may run, and what the time is.
"""

import heapq
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from federated_router.admission.ask import Lane, Priority

_SPARE: Final = 64


class TicketState(Enum):
    """WAITING -> RUNNING -> LEFT; WAITING -> LEFT; WAITING -> EVICTED."""

    WAITING = "waiting"
    RUNNING = "running"
    LEFT = "left"
    EVICTED = "evicted"


@dataclass(slots=True, eq=False)
class Ticket:
    """A request in the router, from when it joins until it leaves.

    `number` grows with each that joins. `cost` is its tokens over its tenant's weight.
    """

    number: int
    tenant: str
    priority: Priority
    lane: Lane
    cost: float
    joined_s: float
    state: TicketState = TicketState.WAITING


@dataclass(slots=True, eq=False)
class _Flow:
    """One tenant's waiting requests, oldest first, and the tag of the oldest."""

    tenant: str
    start: float
    waiting: dict[int, Ticket] = field(default_factory=dict)


class FairQueue:
    """Waiting requests of one lane and priority.

    Joining, leaving and taking cost O(log n) in the number of tenants that wait.
    """

    def __init__(self) -> None:
        self._flows: dict[str, _Flow] = {}
        self._heap: list[tuple[float, int, _Flow]] = []
        self._ends: dict[str, float] = {}
        self._ends_room = _SPARE
        self._virtual = 0.0
        self._order: dict[int, Ticket] = {}

    def __len__(self) -> int:
        return len(self._order)

    @property
    def youngest(self) -> Ticket | None:
        """Return the request that came last."""
        return next(reversed(self._order.values()), None)

    def join(self, ticket: Ticket) -> None:
        """Put a request behind its tenant's others."""
        flow = self._flows.get(ticket.tenant)
        if flow is None:
            start = max(self._virtual, self._ends.get(ticket.tenant, 0.0))
            flow = self._flows[ticket.tenant] = _Flow(ticket.tenant, start)
            heapq.heappush(self._heap, (start, ticket.number, flow))
        flow.waiting[ticket.number] = ticket
        self._order[ticket.number] = ticket

    def leave(self, ticket: Ticket) -> None:
        """Take a waiting request out; its tenant is charged nothing."""
        del self._order[ticket.number]
        flow = self._flows[ticket.tenant]
        del flow.waiting[ticket.number]
        if not flow.waiting:
            del self._flows[ticket.tenant]
            self._tidy()

    def next(self) -> Ticket | None:
        """Return whose turn it is, who still waits."""
        while self._heap:
            flow = self._heap[0][2]
            if flow.waiting:
                return next(iter(flow.waiting.values()))
            heapq.heappop(self._heap)
        return None

    def take(self) -> Ticket:
        """Take out whose turn it is; there must be one."""
        ticket = self.next()
        if ticket is None:
            raise LookupError("nobody waits")
        flow = self._heap[0][2]
        del self._order[ticket.number]
        del flow.waiting[ticket.number]
        self._virtual = flow.start
        end = self._ends[flow.tenant] = flow.start + ticket.cost
        if flow.waiting:
            flow.start = end
            heapq.heapreplace(self._heap, (end, next(iter(flow.waiting)), flow))
        else:
            heapq.heappop(self._heap)
            del self._flows[flow.tenant]
        self._tidy()
        return ticket

    def _tidy(self) -> None:
        """Forget what no longer matters, now and then; all of it when nobody waits."""
        if not self._order:
            self._heap.clear()
            self._ends.clear()
            self._virtual = 0.0
        if len(self._heap) > 2 * len(self._flows) + _SPARE:
            self._heap = [entry for entry in self._heap if entry[2].waiting]
            heapq.heapify(self._heap)
        if len(self._ends) > self._ends_room:
            self._ends = {
                tenant: end for tenant, end in self._ends.items() if end > self._virtual
            }
            self._ends_room = 2 * len(self._ends) + _SPARE
