"""Who has the turn, who waits and who is refused."""

from collections.abc import Mapping

import pytest

from federated_router.admission.ask import AdmissionAsk, Lane, Priority
from federated_router.admission.fair_queue import Ticket, TicketState
from federated_router.admission.line import TURNS_IN_ORDER, Line, LineLimits
from federated_router.kit.errors import QueueFull
from federated_router.registry.membership import AUTO

LIMITS = LineLimits(waiting_max=10, tenant_waiting_max=4, promote_after_s=5.0)
A, B = "models/a", "models/b"


def line(places: Mapping[str, int], limits: LineLimits = LIMITS) -> Line:
    """Return a line before nodes with these places by model."""

    def capacity(lane: Lane) -> int:
        if lane.model == AUTO:
            return sum(places.values())
        return places.get(lane.model, 0)

    return Line(limits, capacity)


def join(
    one: Line,
    tenant: str = "alice",
    now_s: float = 0.0,
    *,
    model: str = A,
    priority: Priority = Priority.NORMAL,
) -> Ticket:
    """Join, let in whoever has the turn, and return the ticket."""
    ask = AdmissionAsk(tenant, priority, model=model)
    ticket, _ = one.join(ask, cost=1.0, now_s=now_s)
    one.admit(now_s)
    return ticket


def runs(ticket: Ticket) -> bool:
    """Return whether the request was let in."""
    return ticket.state is TicketState.RUNNING


def test_no_more_run_than_there_are_places() -> None:
    """The third waits until one of two leaves."""
    queue = line({A: 2})
    first, second, third = (join(queue) for _ in range(3))

    assert [runs(one) for one in (first, second, third)] == [True, True, False]
    queue.leave(first)
    assert queue.admit(0.0) == [third]
    assert queue.running.total() == 2


def test_leaving_twice_gives_up_one_place() -> None:
    """A place that is counted twice would let in one too many."""
    queue = line({A: 1})
    first, second = join(queue), join(queue)

    queue.leave(first)
    queue.leave(first)

    assert queue.admit(0.0) == [second]
    assert queue.running.total() == 1


def test_the_more_urgent_goes_first() -> None:
    """Priorities are strict as long as nobody starves."""
    queue = line({A: 1})
    running = join(queue)
    low = join(queue, priority=Priority.LOW)
    normal = join(queue)
    high = join(queue, priority=Priority.HIGH)

    order = []
    for leaving in (running, high, normal):
        queue.leave(leaving)
        order += queue.admit(1.0)

    assert order == [high, normal, low]


def test_a_low_priority_has_a_turn_although_urgent_ones_keep_coming() -> None:
    """Promotion: within the bound, and a few turns, one of the low is let in."""
    queue = line({A: 1})
    running = join(queue, "urgent", priority=Priority.HIGH)
    low = join(queue, "patient", priority=Priority.LOW)
    let_in_s = None
    for now_s in range(1, 40):
        join(queue, "urgent", now_s=now_s, priority=Priority.HIGH)
        queue.leave(running)
        (running,) = queue.admit(now_s)
        if running is low:
            let_in_s = now_s
            break

    assert let_in_s is not None
    assert 5 <= let_in_s <= 5 + TURNS_IN_ORDER


def test_where_turns_are_rare_urgent_requests_still_go_first() -> None:
    """Were every turn a promotion, priorities would mean nothing under load."""
    queue = line({A: 1})
    running = join(queue, "urgent", priority=Priority.HIGH)
    for _ in range(3):
        join(queue, "urgent", priority=Priority.HIGH)
        join(queue, "patient", priority=Priority.LOW)
    turns = []
    for turn in range(4):
        turns.append(running.priority)
        queue.leave(running)
        (running,) = queue.admit(100.0 * (turn + 1))

    assert turns == [Priority.HIGH, Priority.HIGH, Priority.HIGH, Priority.LOW]


def test_one_models_queue_does_not_hold_up_another() -> None:
    """Nodes of B are free, so whoever asks for B runs at once."""
    queue = line({A: 1, B: 1})
    join(queue)
    waits = join(queue)

    assert runs(join(queue, model=B))
    assert not runs(waits)


def test_all_lanes_together_keep_to_the_nodes_places() -> None:
    """Whoever leaves the model open takes a place of somebody."""
    queue = line({A: 1, B: 1})
    join(queue, model=AUTO)
    join(queue, model=AUTO)

    assert not runs(join(queue))
    assert queue.running.total() == 2


def test_between_lanes_the_turn_is_of_who_came_first() -> None:
    """So no lane starves for another."""
    queue = line({A: 1, B: 1})
    running = [join(queue, model=AUTO), join(queue, model=AUTO)]
    of_b, of_a = join(queue, model=B), join(queue)

    queue.leave(running[0])
    assert queue.admit(0.0) == [of_b]
    queue.leave(running[1])
    assert queue.admit(0.0) == [of_a]


def test_a_model_that_nobody_serves_waits_for_nothing() -> None:
    """Routing says what is wrong with it, at once."""
    queue = line({A: 1})
    join(queue)

    assert runs(join(queue, model="models/unknown"))


def test_a_tenant_waits_with_so_many_only() -> None:
    """The limit of one tenant leaves the others their room."""
    queue = line({A: 1})
    for _ in range(5):
        join(queue, "alice")

    with pytest.raises(QueueFull) as refused:
        join(queue, "alice")
    assert refused.value.metadata == {"tenant_waiting_max": "4"}
    assert refused.value.retry_after_s is not None
    assert not runs(join(queue, "bob"))


def test_no_more_wait_than_may() -> None:
    """The limit of all holds for requests of the same priority."""
    queue = line({A: 1})
    for number in range(11):
        join(queue, f"tenant-{number}")

    with pytest.raises(QueueFull) as refused:
        join(queue, "one-more")
    assert refused.value.metadata == {"waiting_max": "10"}
    assert queue.waiting.total() == 10


def test_the_youngest_of_the_lowest_priority_makes_room() -> None:
    """A full line of work that nobody waits for does not lock out who does."""
    queue = line({A: 1})
    join(queue)
    waiting = [join(queue, f"t{n}", priority=Priority.LOW) for n in range(10)]

    ticket, evicted = queue.join(
        AdmissionAsk("bob", Priority.HIGH, model=A), cost=1.0, now_s=0.0
    )

    assert evicted is waiting[-1]
    assert evicted.state is TicketState.EVICTED
    assert ticket.state is TicketState.WAITING
    assert queue.waiting.total() == 10


def test_a_free_place_needs_no_room_in_line() -> None:
    """With no line at all, requests run as long as there are places."""
    queue = line({A: 2}, LineLimits(0, 0, 5.0))

    assert runs(join(queue))
    assert runs(join(queue))
    with pytest.raises(QueueFull):
        join(queue)


def test_saturation_counts_what_waits_for_the_same_nodes() -> None:
    """What waits for A alone leaves B as empty as it is."""
    queue = line({A: 2, B: 2})
    for number in range(6):
        join(queue, f"t{number}")

    assert queue.saturation(Lane(A)) == 3.0
    assert queue.saturation(Lane(B)) == 0.5
    assert queue.saturation() == 1.5


def test_whoever_has_left_is_forgotten() -> None:
    """Lanes and tenants are kept as long as somebody is there."""
    queue = line({A: 1})
    tickets = [join(queue, f"t{n}", model=f"models/m{n}") for n in range(8)]
    tickets += [join(queue, "alice"), join(queue, "bob")]
    for one in tickets:
        queue.leave(one)

    assert queue.tenants == 0
    assert queue._lanes == {}
