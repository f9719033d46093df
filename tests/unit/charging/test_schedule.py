"""When rounds open by themselves, to the second."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.rounds.round import Round, RoundName, StateEntry
from coordinator.rounds.schedule import Schedule, Timetable
from coordinator.rounds.state import State
from tests.support import round_script as script

START_S = 5_000.0
SCHEDULE = Schedule(100.0, script.TERMS, retry_after_s=10.0)


def ended(state: State, *, lasted_s: float, name: str = "rounds/r1") -> Round:
    """Return a round that began at START_S and ended in `state`."""
    history = (
        StateEntry(State.JOINING, START_S),
        StateEntry(state, START_S + lasted_s),
    )
    opened = script.new_round()
    return replace(opened, name=RoundName(name), state=state, history=history)


def test_first_round_opens_at_once() -> None:
    """A coordinator that starts with a schedule does not wait an interval."""
    assert Timetable(SCHEDULE).rest_s(None, now_s=START_S) == 0.0


def test_without_an_interval_no_round_is_ever_due() -> None:
    """0 means that operators alone open rounds."""
    never = Timetable(Schedule(0.0, script.TERMS))

    assert never.rest_s(None, now_s=START_S) == float("inf")


@pytest.mark.parametrize("state", [State.PUBLISHED, State.REJECTED])
def test_interval_counts_from_start_to_start(state: State) -> None:
    """However long a round takes, the next one begins an interval after its start."""
    newest = ended(state, lasted_s=70.0)

    assert Timetable(SCHEDULE).rest_s(newest, now_s=START_S + 70.0) == 30.0


def test_one_round_follows_a_long_absence() -> None:
    """Rounds that were missed are not made up for: the next counts from the new one."""
    now_s = START_S + 1_050.0
    late = ended(State.PUBLISHED, lasted_s=20.0)
    new = replace(late, history=(StateEntry(State.JOINING, now_s),))

    assert Timetable(SCHEDULE).rest_s(late, now_s=now_s) == 0.0
    assert Timetable(SCHEDULE).rest_s(new, now_s=now_s + 20.0) == 80.0


def test_aborted_rounds_are_tried_again_later_and_later() -> None:
    """Each failure doubles the wait from its end, up to the round's own time."""
    table, waits = Timetable(SCHEDULE), []
    for _ in range(5):
        newest = ended(State.ABORTED, lasted_s=2.0)
        table.ended(newest)
        waits.append(table.rest_s(newest, now_s=newest.ended_s))

    assert waits == [10.0, 20.0, 40.0, 80.0, 98.0]


def test_a_good_round_ends_the_backoff() -> None:
    """Only failures in a row count."""
    table, failed = Timetable(SCHEDULE), ended(State.ABORTED, lasted_s=2.0)
    for newest in (failed, failed, ended(State.REJECTED, lasted_s=2.0), failed):
        table.ended(newest)

    assert table.rest_s(failed, now_s=failed.ended_s) == 10.0


def test_aborted_rounds_longer_than_the_interval_do_not_follow_at_once() -> None:
    """Without a pause, rounds to which nobody comes would fill all the time."""
    table, newest = Timetable(SCHEDULE), ended(State.ABORTED, lasted_s=150.0)
    table.ended(newest)

    assert table.rest_s(newest, now_s=newest.ended_s) == 10.0


def test_refused_rounds_wait_even_if_none_was_ever_opened() -> None:
    """A budget that is used up is not asked in a tight loop."""
    table, waits = Timetable(SCHEDULE), []
    for _ in range(6):
        table.refused(now_s=START_S)
        waits.append(table.rest_s(None, now_s=START_S))

    assert waits == [10.0, 20.0, 40.0, 80.0, 100.0, 100.0]


def test_jitter_is_the_same_after_a_restart_and_differs_between_rounds() -> None:
    """It follows from the name of the round before, within its limit."""
    schedule = replace(SCHEDULE, jitter_s=20.0)
    rests = {
        name: [
            Timetable(schedule).rest_s(
                ended(State.PUBLISHED, lasted_s=1.0, name=f"rounds/r{name}"),
                now_s=START_S,
            )
            for _ in range(2)
        ]
        for name in range(50)
    }

    assert all(first == second for first, second in rests.values())
    assert all(100.0 <= first < 120.0 for first, _ in rests.values())
    assert len({first for first, _ in rests.values()}) > 40


@pytest.mark.parametrize("state", [State.PUBLISHED, State.ABORTED])
@pytest.mark.parametrize("back_s", [1.0, 4_000.0])
def test_clock_that_was_set_back_puts_rounds_off_by_an_interval_at_most(
    state: State, back_s: float
) -> None:
    """A restarted coordinator finds its newest round ahead of its clock."""
    newest, now_s = ended(state, lasted_s=0.0), START_S - back_s
    table = Timetable(SCHEDULE)
    table.ended(newest)

    first = table.rest_s(newest, now_s=now_s)
    half = table.rest_s(newest, now_s=now_s + first / 2)
    due = table.rest_s(newest, now_s=now_s + first)

    assert first == (100.0 if state is State.PUBLISHED else 10.0)
    assert half == pytest.approx(first / 2)
    assert due == 0.0


@given(
    lasted_s=st.floats(0, 1e4),
    failures=st.integers(0, 200),
    interval_s=st.floats(1, 1e5),
    retry_s=st.floats(0.1, 1e5),
    state=st.sampled_from([State.PUBLISHED, State.REJECTED, State.ABORTED]),
)
def test_a_round_is_due_within_an_interval_of_its_end(
    lasted_s: float, failures: int, interval_s: float, retry_s: float, state: State
) -> None:
    """No schedule falls asleep, and a failure is never followed without a pause."""
    schedule = Schedule(interval_s, script.TERMS, retry_after_s=retry_s)
    newest = ended(state, lasted_s=lasted_s)

    due_s = schedule.due_s(newest, aborted_in_a_row=failures)

    assert due_s <= newest.ended_s + interval_s + 1e-6
    if state is State.ABORTED:
        assert due_s > newest.ended_s
