"""Slots and waiting places are counted right, whoever asks in whichever order."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import Draining, QueueFull
from node.engine.admission import Admission, JobKind
from node.engine.engine import Priority, Terms
from node.engine.limits import EngineLimits

LIMITS = EngineLimits(slots=2, private_slots=1, waiting_max=2)
WIDE = EngineLimits(slots=64, private_slots=1, waiting_max=0)


@dataclass(frozen=True, slots=True)
class NumberedJob:
    """A job that is told from others by its number."""

    number: int
    kind: JobKind = JobKind.PUBLIC


class Now:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.s


def opened() -> Admission[NumberedJob]:
    """Return an admission that admits."""
    admission: Admission[NumberedJob] = Admission(LIMITS)
    admission.open()
    return admission


def test_first_to_come_is_first_to_run() -> None:
    """Waiting is fair within a kind."""
    admission = opened()
    for number in range(4):
        admission.join(NumberedJob(number))

    taken = [admission.take(JobKind.PUBLIC) for _ in range(3)]

    assert taken == [NumberedJob(0), NumberedJob(1), None]


def test_more_urgent_goes_first_and_equals_keep_their_order() -> None:
    """Among those who wait together urgency decides, then arrival."""
    admission: Admission[NumberedJob] = Admission(WIDE)
    admission.open()
    order = (Priority.LOW, Priority.NORMAL, Priority.HIGH) * 2
    for number, priority in enumerate(order):
        admission.join(NumberedJob(number), Terms(priority=priority))

    taken = [admission.take(JobKind.PUBLIC) for _ in order]

    assert [job.number for job in taken if job] == [2, 5, 1, 4, 0, 3]


@given(
    others=st.lists(
        st.tuples(st.floats(0, 60), st.sampled_from(Priority)), max_size=30
    ),
    priority=st.sampled_from(Priority),
)
def test_nobody_is_passed_by_who_came_much_later(
    others: list[tuple[float, Priority]], priority: Priority
) -> None:
    """The bound on starvation: `ageing_s` for each level of urgency between the two.

    Whoever comes later than that after a job runs after it, however urgent.
    """
    now = Now()
    admission: Admission[NumberedJob] = Admission(WIDE, now)
    admission.open()
    admission.join(NumberedJob(-1), Terms(priority=priority))
    arrivals = sorted(others)
    for number, (arrived_s, other) in enumerate(arrivals):
        now.s = arrived_s
        admission.join(NumberedJob(number), Terms(priority=other))

    before: list[int] = []
    while (job := admission.take(JobKind.PUBLIC)) and job.number >= 0:
        before.append(job.number)

    for number in before:
        arrived_s, other = arrivals[number]
        assert other > priority
        assert arrived_s <= (other - priority) * WIDE.ageing_s


def test_late_job_leaves_the_line() -> None:
    """A request whose deadline has passed must not take a slot that another can use."""
    now = Now()
    admission: Admission[NumberedJob] = Admission(LIMITS, now)
    admission.open()
    for number, deadline_s in enumerate((None, 5.0, 9.0)):
        admission.join(NumberedJob(number), Terms(deadline_s=deadline_s))

    now.s = 5.0

    assert admission.expired() == [NumberedJob(1)]
    assert admission.expired() == []
    assert admission.load().waiting == 2
    assert not admission.withdraw(NumberedJob(1))


def test_wait_for_work_ends_after_its_time() -> None:
    """A thread whose jobs all rest looks again, though nobody has come."""
    admission = opened()

    admission.wait_for_work(timeout_s=0.001)

    assert admission.load().waiting == 0


def test_free_private_slot_admits_though_the_public_line_is_full() -> None:
    """The kinds have slots of their own; one cannot starve the other."""
    admission = opened()
    for number in range(4):
        admission.join(NumberedJob(number))

    admission.join(NumberedJob(9, JobKind.PRIVATE))

    assert admission.take(JobKind.PRIVATE) == NumberedJob(9, JobKind.PRIVATE)
    with pytest.raises(QueueFull):
        admission.join(NumberedJob(5))


def test_withdrawn_job_frees_its_waiting_place() -> None:
    """Whoever leaves the line must not count against those who come."""
    admission = opened()
    for number in range(4):
        admission.join(NumberedJob(number))

    assert admission.withdraw(NumberedJob(3))

    admission.join(NumberedJob(4))
    assert not admission.withdraw(NumberedJob(3))


def test_no_waiting_places_still_admits_to_free_slots() -> None:
    """An operator may want no line at all."""
    admission: Admission[NumberedJob] = Admission(
        EngineLimits(slots=1, private_slots=1, waiting_max=0)
    )
    admission.open()

    admission.join(NumberedJob(0))

    with pytest.raises(QueueFull):
        admission.join(NumberedJob(1))


def test_closed_admission_returns_those_who_waited() -> None:
    """They must hear that nothing will come."""
    admission = opened()
    admission.join(NumberedJob(0))

    left = admission.close()

    assert left == [NumberedJob(0)]
    with pytest.raises(Draining):
        admission.join(NumberedJob(1))


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(("join", "take", "leave")), st.sampled_from(JobKind)),
        max_size=60,
    )
)
def test_counts_never_pass_their_limits(moves: list[tuple[str, JobKind]]) -> None:
    """Whatever happens, no more run than there are slots, no more wait than may."""
    admission = opened()
    running = dict.fromkeys(JobKind, 0)

    for number, (move, kind) in enumerate(moves):
        if move == "join":
            try:
                admission.join(NumberedJob(number, kind))
            except QueueFull:
                assert admission.load().waiting >= LIMITS.waiting_max
        elif move == "take" and admission.take(kind):
            running[kind] += 1
        elif move == "leave" and running[kind]:
            admission.leave(kind)
            running[kind] -= 1
        load = admission.load()
        assert load.running == sum(running.values()) <= load.slots
        assert load.waiting <= LIMITS.waiting_max + load.slots


def test_limits_with_which_nothing_runs_are_refused() -> None:
    """A wrong configuration ends the start, not the first request."""
    with pytest.raises(ValueError, match="slots"):
        EngineLimits(slots=0, private_slots=1, waiting_max=0)
    with pytest.raises(ValueError, match="ageing_s"):
        EngineLimits(slots=1, private_slots=1, waiting_max=0, ageing_s=float("nan"))
