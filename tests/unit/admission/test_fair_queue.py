"""Turns between tenants that wait for the same nodes."""

from collections import Counter, deque
from collections.abc import Iterable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.admission.ask import Lane, Priority
from federated_router.admission.fair_queue import FairQueue, Ticket

NUMBERS = count(1)


def ticket(tenant: str, cost: float = 1.0) -> Ticket:
    """Return a request that nobody has put in line."""
    return Ticket(next(NUMBERS), tenant, Priority.NORMAL, Lane(), cost, joined_s=0.0)


def jain(shares: Iterable[float]) -> float:
    """Return Jain's index: 1 where all are equal, 1/n where one has all."""
    figures = list(shares)
    return sum(figures) ** 2 / (len(figures) * sum(one * one for one in figures))


class ArrivalOrder:
    """A queue that knows no tenants: the broken variant."""

    def __init__(self) -> None:
        self._waiting: deque[Ticket] = deque()

    def join(self, one: Ticket) -> None:
        """Put a request last."""
        self._waiting.append(one)

    def take(self) -> Ticket:
        """Take the first."""
        return self._waiting.popleft()


def served_with_a_flood(queue: FairQueue | ArrivalOrder, turns: int) -> Counter[str]:
    """Return tokens by tenant while one has 100 times the others' requests waiting."""
    tenants = [f"tenant-{number}" for number in range(8)]
    for _ in range(5000):
        queue.join(ticket("tenant-0", cost=7.0))
    for tenant in tenants[1:]:
        for _ in range(50):
            queue.join(ticket(tenant, cost=7.0))
    tokens: Counter[str] = Counter(dict.fromkeys(tenants, 0))
    for _ in range(turns):
        one = queue.take()
        tokens[one.tenant] += int(one.cost)
    return tokens


def test_a_flood_of_one_tenant_takes_nothing_from_the_others() -> None:
    """Equal tenants get equal tokens, whoever shouts loudest (Jain above 0.99)."""
    tokens = served_with_a_flood(FairQueue(), turns=320)

    assert jain(tokens.values()) > 0.99


def test_the_fairness_test_sees_a_queue_without_tenants() -> None:
    """In order of arrival the flood gets everything: the index says so."""
    tokens = served_with_a_flood(ArrivalOrder(), turns=320)

    assert jain(tokens.values()) < 0.2


@given(
    costs=st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0.5, 100.0)),
        min_size=30,
        max_size=120,
    )
)
def test_tenants_that_wait_differ_by_one_request_of_each(
    costs: list[tuple[str, float]],
) -> None:
    """The bound of start-time fair queueing holds for every mixture of sizes."""
    queue, waiting, tokens = FairQueue(), Counter[str](), Counter[str]()
    largest = Counter[str]()
    for tenant, cost in costs:
        queue.join(ticket(tenant, cost))
        waiting[tenant] += 1
        largest[tenant] = max(largest[tenant], cost)  # type: ignore[assignment]

    while all(waiting[tenant] for tenant in waiting):
        one = queue.take()
        waiting[one.tenant] -= 1
        tokens[one.tenant] += one.cost  # type: ignore[assignment]
        for first in waiting:
            for second in waiting:
                apart = tokens[first] - tokens[second]
                assert apart <= largest[first] + largest[second] + 1e-6


def test_a_weight_of_three_gets_three_times_the_tokens() -> None:
    """Cost is tokens over weight, so weights divide what is let in."""
    queue = FairQueue()
    for _ in range(400):
        queue.join(ticket("heavy", cost=1 / 3))
        queue.join(ticket("light", cost=1.0))

    turns = Counter(queue.take().tenant for _ in range(200))

    assert turns["heavy"] == pytest.approx(150, abs=2)


def test_a_tenant_that_was_away_gets_no_credit_for_it() -> None:
    """Who comes back shares from then on, instead of catching up."""
    queue = FairQueue()
    for _ in range(200):
        queue.join(ticket("steady"))
    for _ in range(100):
        queue.take()
    for _ in range(50):
        queue.join(ticket("late"))

    turns = Counter(queue.take().tenant for _ in range(40))

    assert abs(turns["late"] - turns["steady"]) <= 2


def test_leaving_the_line_costs_nothing_and_gains_nothing() -> None:
    """Joining and leaving a thousand times neither delays nor hurries a tenant."""
    queue = FairQueue()
    for _ in range(50):
        queue.join(ticket("steady"))
    for _ in range(1000):
        one = ticket("fickle", cost=50.0)
        queue.join(one)
        queue.leave(one)
    for _ in range(50):
        queue.join(ticket("fickle"))

    turns = Counter(queue.take().tenant for _ in range(40))

    assert abs(turns["fickle"] - turns["steady"]) <= 2


def test_requests_of_a_tenant_keep_their_order() -> None:
    """Among one's own requests the first is the first, also after some left."""
    queue = FairQueue()
    mine = [ticket("alice", cost=1.0 + 7 * n % 9) for n in range(40)]
    for one in mine:
        queue.join(one)
        queue.join(ticket("bob"))
    for one in mine[::3]:
        queue.leave(one)
    left = [one.number for n, one in enumerate(mine) if n % 3]

    taken = [queue.take() for _ in range(len(queue))]

    assert [one.number for one in taken if one.tenant == "alice"] == left


def test_a_storm_of_joining_and_leaving_keeps_no_memory() -> None:
    """What left is forgotten, although the line never moves."""
    queue = FairQueue()
    queue.join(ticket("first"))
    for number in range(5000):
        one = ticket(f"tenant-{number}")
        queue.join(one)
        queue.leave(one)

    assert len(queue._heap) <= 200
    assert len(queue) == 1


def test_tenants_that_were_served_are_forgotten() -> None:
    """A queue that is never empty keeps tags of those alone to whom they matter."""
    queue = FairQueue()
    for number in range(5000):
        queue.join(ticket(f"tenant-{number}"))
        queue.join(ticket(f"tenant-{number + 1}"))
        queue.take()
        queue.take()
        queue.join(ticket("always"))

    assert len(queue._ends) <= 1000
