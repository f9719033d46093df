"""Hours of a router's admission in a second: a virtual clock, chance from a seed.

Tenants send requests of random size at random times; each runs for as long as its
tokens take. Only the decisions are real (`Line`, `Shedding`); the rest is arithmetic.
"""

import heapq
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count

from federated_router.admission.ask import AdmissionAsk, Lane, Priority
from federated_router.admission.fair_queue import Ticket
from federated_router.admission.line import Line, LineLimits
from federated_router.admission.settings import ShedSettings
from federated_router.admission.shedding import Shedding
from federated_router.kit.errors import Overloaded, QueueFull

TOKENS_PER_S = 50.0


@dataclass(frozen=True)
class Tenant:
    """Who sends `per_s` requests of about `tokens` at a priority."""

    name: str
    per_s: float
    tokens: float
    priority: Priority = Priority.NORMAL


@dataclass
class Outcome:
    """What became of the requests of each tenant."""

    tokens: Counter[str] = field(default_factory=Counter)
    waits_s: dict[str, list[float]] = field(default_factory=dict)
    shed: Counter[Priority] = field(default_factory=Counter)
    sent: Counter[Priority] = field(default_factory=Counter)
    full: int = 0
    running_most: int = 0

    def let_in(self, ticket: Ticket, tokens: float, now_s: float) -> None:
        """Count a request that begins to run."""
        self.tokens[ticket.tenant] += int(tokens)
        waits_s = self.waits_s.setdefault(ticket.tenant, [])
        waits_s.append(now_s - ticket.joined_s)


@dataclass
class Simulation:
    """One run: the line, chance, and what became of everybody."""

    line: Line
    shedding: Shedding
    chance: random.Random
    sizes: dict[Ticket, float] = field(default_factory=dict)
    outcome: Outcome = field(default_factory=Outcome)

    def arrive(self, tenant: Tenant, now_s: float) -> None:
        """Let a request of the tenant come."""
        tokens = 1 + self.chance.expovariate(1 / tenant.tokens)
        ask = AdmissionAsk(tenant.name, tenant.priority, tokens=int(tokens))
        self.outcome.sent[ask.priority] += 1
        try:
            self.shedding.check(ask.priority, self.line.saturation(Lane(ask.model)))
            ticket, evicted = self.line.join(ask, cost=tokens, now_s=now_s)
        except Overloaded:
            self.outcome.shed[ask.priority] += 1
        except QueueFull:
            self.outcome.full += 1
        else:
            self.sizes[ticket] = tokens
            if evicted is not None:
                del self.sizes[evicted]

    def leave(self, ticket: Ticket) -> None:
        """Let a request that runs end."""
        self.line.leave(ticket)
        del self.sizes[ticket]

    def let_in(self, now_s: float) -> list[tuple[float, Ticket]]:
        """Let in all who have a place; return when each ends."""
        let_in = self.line.admit(now_s)
        for ticket in let_in:
            self.outcome.let_in(ticket, self.sizes[ticket], now_s)
        most = max(self.outcome.running_most, self.line.running.total())
        self.outcome.running_most = most
        return [(now_s + self.sizes[one] / TOKENS_PER_S, one) for one in let_in]


def simulate(
    tenants: list[Tenant],
    *,
    places: int,
    duration_s: float,
    seed: int,
    limits: LineLimits,
    shed: ShedSettings,
) -> Outcome:
    """Play `duration_s` seconds; every decision follows from `seed`."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, and nobody's secret.
    line = Line(limits, lambda _: places)
    played = Simulation(line, Shedding(shed, chance.random), chance)
    order = count()
    events: list[tuple[float, int, Tenant | Ticket]] = [
        (chance.expovariate(one.per_s), next(order), one) for one in tenants
    ]
    heapq.heapify(events)
    while events[0][0] < duration_s:
        now_s, _, event = heapq.heappop(events)
        if isinstance(event, Ticket):
            played.leave(event)
        else:
            next_s = now_s + chance.expovariate(event.per_s)
            heapq.heappush(events, (next_s, next(order), event))
            played.arrive(event, now_s)
        for ends_s, ticket in played.let_in(now_s):
            heapq.heappush(events, (ends_s, next(order), ticket))
    return played.outcome


def jain(shares: Mapping[str, float]) -> float:
    """Return Jain's index of fairness: 1 where all are equal, 1/n where one has all."""
    figures = list(shares.values())
    return sum(figures) ** 2 / (len(figures) * sum(one * one for one in figures))


SEEDS = (511_006_616, 77_758_214, 825_961_197)
"""What tests play; a failed one prints its own."""
