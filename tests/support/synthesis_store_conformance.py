"""What a store of jobs promises, on whichever database it stands.

One row a batch, one batch a record, whoever writes at once.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from federated_router.budget.reservation import Owner
from federated_router.kit import errors
from federated_router.kit.clock import ManualClock
from federated_router.synthesis.job import Batch, BatchState, Job, JobKey, JobState
from federated_router.synthesis.store import SynthesisStore

KEY = JobKey("alice.job-1")
OWNER, REBORN = Owner("r1", "boot-1"), Owner("r1", "boot-2")
JOB = Job(
    key=KEY,
    user="alice",
    body_digest=b"d" * 32,
    request=b"request",
    terms="terms",
    records_count=20,
    slots=8,
    tokens_max=64,
    created_time_s=1_000.0,
)


def batch(number: int = 0, lease_s: float = 60.0) -> Batch:
    """Return a batch that is about to be sampled."""
    return Batch(number=number, owner=OWNER, lease_expires_s=1_000.0 + lease_s)


def digests(number: int, count: int = 8) -> list[bytes]:
    """Return what stands for a batch's records."""
    return [bytes([number, place]) * 16 for place in range(count)]


async def start(store: SynthesisStore, number: int = 0, lease_s: float = 60.0) -> None:
    """Start a batch of its own records."""
    await store.start(KEY, batch(number, lease_s), digests(number), live_max=4)


class SynthesisStoreConformance:
    """Subclasses give `url`, an empty database."""

    __test__ = False

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return the time."""
        return ManualClock(start_s=1_000.0)

    @pytest.fixture
    async def store(
        self, url: str, clock: ManualClock
    ) -> AsyncIterator[SynthesisStore]:
        """Open the store, with one open job."""
        one = await SynthesisStore.open(url, clock=clock, timeout_s=5.0)
        await one.create(JOB, open_jobs_max=2)
        await one.opened(KEY)
        yield one
        await one.close()

    async def test_one_of_many_starts_of_a_batch_is_let_through(
        self, store: SynthesisStore, url: str, clock: ManualClock
    ) -> None:
        """Also by routers that share the database and ask at the same instant."""
        other = await SynthesisStore.open(url, clock=clock, timeout_s=5.0)

        outcomes = await asyncio.gather(
            *(start(one) for one in (store, other) * 4), return_exceptions=True
        )
        await other.close()

        assert sum(one is None for one in outcomes) == 1, outcomes
        assert all(
            isinstance(one, errors.RequestAlreadyServed)
            for one in outcomes
            if one is not None
        ), outcomes

    async def test_record_stays_in_its_batch_across_restarts(
        self, store: SynthesisStore, url: str, clock: ManualClock
    ) -> None:
        """The claim is on disk before anything is sent."""
        await start(store)
        again = await SynthesisStore.open(url, clock=clock, timeout_s=5.0)

        mixed = [*digests(1, 7), digests(0)[3]]
        with pytest.raises(errors.FieldInvalid):
            await again.start(KEY, batch(1), mixed, live_max=4)
        await again.close()

        assert await store.batch(KEY, 1) is None

    async def test_batch_that_was_taken_back_frees_its_records(
        self,
        store: SynthesisStore,
    ) -> None:
        """Nothing was sampled, so they may be sampled."""
        await start(store)

        await store.drop(KEY, 0, owner=OWNER)

        await store.start(KEY, batch(1), digests(0), live_max=4)
        with pytest.raises(errors.NotNow):
            await store.drop(KEY, 1, owner=REBORN)

    async def test_text_is_kept_and_listed_by_number(
        self, store: SynthesisStore
    ) -> None:
        """What was stored comes back as it was."""
        for number in (1, 0):
            await start(store, number)
            await store.end(KEY, number, owner=OWNER, tokens=3, content=b"text")

        found = await store.batches(KEY, after=-1, count=10)

        assert [one.number for one in found] == [0, 1]
        assert [one.content for one in await store.batches(KEY, after=0, count=1)] == [
            b"text"
        ]
        told = await store.load(KEY)
        assert (told.tally.sampled, told.tally.tokens_longest) == (2, 3)

    async def test_next_boot_writes_off_what_the_last_one_sampled(
        self,
        store: SynthesisStore,
    ) -> None:
        """And the old process, should it live, changes nothing any more."""
        await start(store)

        assert await store.spend_orphans(OWNER) == 0
        assert await store.spend_orphans(REBORN) == 1

        found = await store.batch(KEY, 0)
        assert found is not None
        assert found.state is BatchState.SPENT
        with pytest.raises(errors.NotNow):
            await store.end(KEY, 0, owner=OWNER, tokens=3, content=b"text")

    async def test_batch_whose_time_is_over_counts_as_spent(
        self, store: SynthesisStore, clock: ManualClock
    ) -> None:
        """A router that never came back does not keep a job open."""
        await start(store, lease_s=60.0)
        with pytest.raises(errors.NotNow):
            await store.finish(KEY)
        await clock.advance(61.0)
        assert [one.state for one in await store.batches(KEY, after=-1, count=9)] == [
            BatchState.SPENT
        ]

        told = await store.finish(KEY)

        assert told.job.state is JobState.FINISHING
        assert (told.tally.spent, told.tally.tokens_due(16)) == (1, 16)
        found = await store.batch(KEY, 0)
        assert found is not None
        assert found.state is BatchState.SPENT

    async def test_jobs_that_are_not_finished_are_limited(
        self, store: SynthesisStore
    ) -> None:
        """Two are allowed here; a finished one makes room."""
        second = replace(JOB, key=JobKey("alice.job-2"))
        third = replace(JOB, key=JobKey("alice.job-3"))
        await store.create(second, open_jobs_max=2)

        with pytest.raises(errors.QueueFull):
            await store.create(third, open_jobs_max=2)
        await store.finish(KEY)
        await store.settled(KEY, tokens_charged=0)

        assert await store.create(third, open_jobs_max=2) == third

    async def test_closed_job_is_deleted_with_its_texts(
        self, store: SynthesisStore, clock: ManualClock
    ) -> None:
        """After its time; one that is open is not."""
        await store.create(replace(JOB, key=JobKey("alice.job-2")), open_jobs_max=2)
        await start(store)
        await store.end(KEY, 0, owner=OWNER, tokens=3, content=b"text")
        await store.finish(KEY)
        await store.settled(KEY, tokens_charged=3)

        assert await store.delete_closed(before_s=clock.now_s()) == 0
        assert await store.delete_closed(before_s=clock.now_s() + 1) == 1

        with pytest.raises(errors.NotFound):
            await store.load(KEY)
        assert await store.batches(KEY, after=-1, count=9) == []
        assert len(await store.list("alice", after="", count=9)) == 1

    async def test_job_that_could_not_be_held_is_forgotten(
        self, store: SynthesisStore
    ) -> None:
        """Only as long as it is not open."""
        second = replace(JOB, key=JobKey("alice.job-2"))
        await store.create(second, open_jobs_max=2)

        await store.forget(second.key)
        await store.forget(KEY)

        assert [
            one.job.key for one in await store.list("alice", after="", count=9)
        ] == [KEY]
