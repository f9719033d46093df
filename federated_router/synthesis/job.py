"""A synthesis job: which batch may be sampled when, and what the job is charged.

Decides the partition, that a batch is sampled at most once and a record is in at most
one batch, and the one charge. Refuses to know the ledger, the database and the wire.

The partition reads places alone: record i of N is in batch i // B, where N and B are
public. So the records of other batches do not move a record, and what one record can
lose is what its one batch can lose: parallel composition (McSherry, "Privacy
Integrated Queries", SIGMOD 2009, theorem 4). All batches have one policy, so the most
that any of them can have sampled, times the charge of a token, covers every record.

                     end(text)   ┌─────────┐
         start      ┌──────────► │ SAMPLED │  its text is stored
    ───────────► SAMPLING        └─────────┘
         ▲          │  end()     ┌─────────┐
         └── drop ──┤ ─────────► │  SPENT  │  nobody knows how much was sampled
    (certainly not  └──────────► └─────────┘
     sampled)          lapse
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from federated_router.budget.reservation import Owner
from federated_router.kit.errors import (
    FieldInvalid,
    NotNow,
    QueueFull,
    RequestAlreadyServed,
)

LIVE_RETRY_S = 1.0

JobKey = NewType("JobKey", str)
"""`USER.ID`: unique among all users, and the request id of the job's hold."""


class JobState(StrEnum):
    """Where a job stands."""

    OPENING = "opening"
    OPEN = "open"
    FINISHING = "finishing"
    FINISHED = "finished"


class BatchState(StrEnum):
    """What became of a batch that was started."""

    SAMPLING = "sampling"
    SAMPLED = "sampled"
    SPENT = "spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. `request` is what opened it; `terms` says what its policy meant then.

    `records_count` is N, `slots` B, `tokens_max` the most tokens of a text.
    """

    key: JobKey
    user: str
    body_digest: bytes
    request: bytes
    terms: str
    records_count: int
    slots: int
    tokens_max: int
    created_time_s: float
    state: JobState = JobState.OPENING
    tokens_charged: int | None = None
    closed_time_s: float | None = None

    @property
    def batches_count(self) -> int:
        """Return how many batches there are: N / B, rounded up."""
        return -(-self.records_count // self.slots)

    def records_in(self, number: int) -> int:
        """Return how many records batch `number` has; raise FieldInvalid for none."""
        if not 0 <= number < self.batches_count:
            raise FieldInvalid(
                f"Batches are numbered from 0 to {self.batches_count - 1}.",
                field="batch_number",
            )
        return min(self.slots, self.records_count - number * self.slots)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch that was started. `content` is its stored answer, once SAMPLED.

    `owner` samples it; at `lease_expires_s` nobody can be at it any more.
    """

    number: int
    owner: Owner
    lease_expires_s: float
    state: BatchState = BatchState.SAMPLING
    tokens: int = 0
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Tally:
    """The batches of a job by what became of them; the longest text among them.

    `live` counts those that somebody may still be sampling.
    """

    sampled: int = 0
    spent: int = 0
    live: int = 0
    tokens_longest: int = 0

    def tokens_due(self, bound: int) -> int:
        """Return what the job owes; `bound` is the largest grant of any batch.

        The longest text where every batch told its length, the bound where one did
        not; 0 where nothing was sampled.
        """
        return bound if self.spent else self.tokens_longest


def opened(job: Job) -> Job:
    """Return the job with its hold standing: batches may be sampled."""
    return replace(job, state=JobState.OPEN) if job.state is JobState.OPENING else job


def seen(batch: Batch, *, now_s: float) -> Batch:
    """Return the batch as it is told: one at which nobody can be any more is spent."""
    is_over = batch.state is BatchState.SAMPLING and batch.lease_expires_s <= now_s
    return replace(batch, state=BatchState.SPENT) if is_over else batch


def start(
    job: Job, earlier: Batch | None, batch: Batch, *, live: int, live_max: int
) -> Batch:
    """Return the batch as started; after this nothing else may start it.

    Raises:
        NotNow: the job takes no batch (any more).
        QueueFull: enough of its batches are being sampled.
        RequestAlreadyServed: the batch was started before.
    """
    check_open(job)
    if earlier is not None:
        raise already_started(earlier)
    if live >= live_max:
        raise QueueFull(
            f"At most {live_max} batches of a job are sampled at a time.",
            retry_after_s=LIVE_RETRY_S,
        )
    return batch


def check_open(job: Job) -> None:
    """Raise NotNow unless batches may be sampled."""
    if job.state is not JobState.OPEN:
        raise NotNow(
            f"The synthesis is {job.state.value} and takes no batch.",
            metadata={"state": job.state.value},
        )


def already_started(batch: Batch) -> RequestAlreadyServed:
    """Return the error for a batch that has no text and may not be sampled again."""
    return RequestAlreadyServed(
        "This batch was sent to a node before and has no text. Sampling it again "
        "would be another release: go on with the next one.",
        metadata={"batch": str(batch.number), "state": batch.state.value},
    )


def end(batch: Batch, *, owner: Owner, tokens: int, content: bytes | None) -> Batch:
    """Return the batch as it ended: SAMPLED with its content, SPENT without.

    Raises NotNow where it has ended, or another process samples it.
    """
    check_sampling(batch, owner)
    return replace(
        batch,
        state=BatchState.SPENT if content is None else BatchState.SAMPLED,
        tokens=0 if content is None else tokens,
        content=content or b"",
    )


def check_sampling(batch: Batch, owner: Owner) -> None:
    """Raise NotNow unless `owner` is sampling the batch."""
    if batch.state is not BatchState.SAMPLING or batch.owner != owner:
        raise NotNow(
            f"The batch is {batch.state.value}; what became of it is final.",
            metadata={"batch": str(batch.number), "state": batch.state.value},
        )


def finish(job: Job, tally: Tally) -> Job:
    """Return the job without further batches; raise NotNow while one is sampled.

    A job that is finishing, or finished, stays as it is.
    """
    if job.state in (JobState.FINISHING, JobState.FINISHED):
        return job
    if tally.live:
        raise NotNow(
            f"{tally.live} batches are being sampled. Wait for them, then finish.",
            metadata={"batches_sampling": str(tally.live)},
        )
    return replace(job, state=JobState.FINISHING)


def settled(job: Job, *, tokens_charged: int, now_s: float) -> Job:
    """Return the job with its final charge."""
    if job.state is JobState.FINISHED:
        return job
    return replace(
        job,
        state=JobState.FINISHED,
        tokens_charged=tokens_charged,
        closed_time_s=now_s,
    )
