"""The rules of a job: a public partition, each batch once, one charge."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.budget.reservation import Owner
from federated_router.kit import errors
from federated_router.synthesis import job as rules
from federated_router.synthesis.job import (
    Batch,
    BatchState,
    Job,
    JobKey,
    JobState,
    Tally,
)

OWNER, OTHER = Owner("r1", "boot-1"), Owner("r1", "boot-2")


def job(records: int = 20, slots: int = 8, state: JobState = JobState.OPEN) -> Job:
    """Return a job."""
    return Job(
        key=JobKey("alice.job-1"),
        user="alice",
        body_digest=b"d" * 32,
        request=b"",
        terms="",
        records_count=records,
        slots=slots,
        tokens_max=64,
        created_time_s=0.0,
        state=state,
    )


def batch(state: BatchState = BatchState.SAMPLING) -> Batch:
    """Return a started batch."""
    return Batch(number=1, owner=OWNER, lease_expires_s=10.0, state=state)


@given(st.integers(1, 10_000), st.integers(1, 512))
def test_batches_divide_the_records_by_their_places_alone(
    records: int, slots: int
) -> None:
    """Every record is in exactly one batch, and only the last batch may be smaller."""
    one = job(records, slots)

    sizes = [one.records_in(number) for number in range(one.batches_count)]

    assert sum(sizes) == records
    assert all(size == slots for size in sizes[:-1])
    assert 1 <= sizes[-1] <= slots


@pytest.mark.parametrize("number", [-1, 3, 1 << 40])
def test_number_without_a_batch_is_refused(number: int) -> None:
    """20 records in eights are batches 0, 1 and 2."""
    with pytest.raises(errors.FieldInvalid):
        job().records_in(number)


@pytest.mark.parametrize("state", list(BatchState))
def test_batch_that_was_started_is_not_started_again(state: BatchState) -> None:
    """Whatever became of it: sampling it again would be a second release."""
    with pytest.raises(errors.RequestAlreadyServed):
        rules.start(job(), batch(state), batch(), live=0, live_max=4)


@pytest.mark.parametrize(
    "state", [JobState.OPENING, JobState.FINISHING, JobState.FINISHED]
)
def test_only_an_open_job_takes_batches(state: JobState) -> None:
    """Before its hold stands nothing is paid for; once closed its charge is fixed."""
    with pytest.raises(errors.NotNow):
        rules.start(job(state=state), None, batch(), live=0, live_max=4)


def test_batches_sampled_at_a_time_are_limited() -> None:
    """The limit is reached with as many as are allowed."""
    rules.start(job(), None, batch(), live=3, live_max=4)
    with pytest.raises(errors.QueueFull):
        rules.start(job(), None, batch(), live=4, live_max=4)


def test_end_of_a_batch_is_final_and_only_its_owners() -> None:
    """A router that was taken for dead cannot change what was written meanwhile."""
    sampled = rules.end(batch(), owner=OWNER, tokens=3, content=b"text")

    assert (sampled.state, sampled.tokens) == (BatchState.SAMPLED, 3)
    for before, owner in (
        (sampled, OWNER),
        (batch(BatchState.SPENT), OWNER),
        (batch(), OTHER),
    ):
        with pytest.raises(errors.NotNow):
            rules.end(before, owner=owner, tokens=3, content=b"other")


@given(st.integers(0, 64), st.integers(0, 3), st.integers(1, 64))
def test_one_charge_covers_every_batch(longest: int, spent: int, bound: int) -> None:
    """At least the longest text; the largest grant where a batch did not tell."""
    bound = max(bound, longest)
    due = Tally(spent=spent, tokens_longest=longest).tokens_due(bound)

    assert due == (bound if spent else longest)
    assert due >= longest


def test_job_is_not_closed_while_a_batch_is_sampled() -> None:
    """Its length is not known yet; afterwards closing is final."""
    with pytest.raises(errors.NotNow):
        rules.finish(job(), Tally(live=1))
    closing = rules.finish(job(), Tally(sampled=1))
    assert closing.state is JobState.FINISHING
    closed = rules.settled(closing, tokens_charged=5, now_s=9.0)
    assert (closed.state, closed.tokens_charged) == (JobState.FINISHED, 5)
    assert rules.settled(closed, tokens_charged=7, now_s=10.0) == closed
    assert rules.finish(closed, Tally(live=1)) == closed
    assert rules.opened(replace(closed)) == closed
