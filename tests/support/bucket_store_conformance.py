"""What every store of tenants' buckets must do, whatever it is kept in."""

import asyncio

from federated_router.admission.bucket import Measure, Rate, Want
from federated_router.admission.port import BucketStore

REQUESTS = Rate(Measure.REQUESTS, 60, burst_s=60.0)
TOKENS = Rate(Measure.TOKENS, 600, burst_s=60.0)


def wants(requests: int, tokens: int) -> list[Want]:
    """Return wants of exactly so much."""
    return [Want(TOKENS, tokens, tokens), Want(REQUESTS, requests, requests)]


class BucketStoreConformance:
    """Tests that a store passes; a subclass brings `store` and `other`.

    `other` is what a second router uses, on the same table where there is one.
    """

    __test__ = False

    async def test_two_routers_take_from_the_same_buckets(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """What one took the other cannot take."""
        first = await store.take("alice", wants(40, 1))
        second = await other.take("alice", wants(40, 1))

        assert first.units == {Measure.REQUESTS: 40, Measure.TOKENS: 1}
        assert second.units == {}
        assert second.lacking is Measure.REQUESTS
        assert 0 < second.retry_after_s <= 20

    async def test_a_refusal_takes_nothing(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """All of a request's measures, or none."""
        await store.take("alice", wants(1, 601))

        taken = await other.take("alice", wants(1, 600))

        assert taken.units == {Measure.REQUESTS: 1, Measure.TOKENS: 600}

    async def test_what_was_given_back_is_there_for_the_others(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """Unspent slices are no loss to the tenant."""
        await store.take("alice", wants(1, 600))
        await store.give_back("alice", {TOKENS: 500})

        taken = await other.take("alice", wants(1, 500))

        assert taken.units == {Measure.REQUESTS: 1, Measure.TOKENS: 500}

    async def test_tenants_have_buckets_of_their_own(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """Nobody pays for another."""
        await store.take("alice", wants(60, 600))

        taken = await other.take("bob", wants(60, 600))

        assert taken.units == {Measure.REQUESTS: 60, Measure.TOKENS: 600}

    async def test_takes_at_the_same_moment_share_what_there_is(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """Forty who want two each, at both routers: thirty are served."""
        taken = await asyncio.gather(
            *(one.take("alice", wants(2, 1)) for one in (store, other) * 20)
        )

        # Two more come back within the seconds that a slow machine may take.
        served = sum(bool(one.units) for one in taken)
        assert 30 <= served <= 32

    async def test_empty_buckets_are_kept_and_full_ones_forgotten(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """Deleting gives nobody anything."""
        await store.take("alice", wants(60, 600))

        assert await store.delete_full() == 0
        taken = await other.take("alice", wants(30, 300))
        assert taken.units == {}

    async def test_giving_back_to_an_unknown_bucket_fills_nothing(
        self, store: BucketStore, other: BucketStore
    ) -> None:
        """A full bucket stays as full as it may be."""
        await store.give_back("alice", {REQUESTS: 1000})

        assert (await other.take("alice", wants(61, 1))).units == {}
