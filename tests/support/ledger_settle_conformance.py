"""What every ledger store must do when a hold ends, however it ends."""

import pytest

from federated_router.budget.port import EXPIRE_BATCH_MAX, LedgerStore
from federated_router.budget.reservation import (
    Owner,
    RequestId,
    ReservationState,
)
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FieldInvalid,
    NotFound,
    NotNow,
)
from tests.support.ledger_world import (
    BOTH,
    CAUSE,
    DATASET,
    LEASE_S,
    NOON_S,
    OWNER,
    REQUEST,
    USER,
    Balance,
    balance,
    request,
    terms,
)


class SettleConformance:
    """The promises of commit, release and expiry."""

    async def test_commit_charges_what_was_sampled_and_frees_the_rest(
        self, store: LedgerStore
    ) -> None:
        """Tokens that were never sampled cost nothing."""
        await store.create_account(terms())
        await store.create_account(terms(USER))
        await store.reserve(request(charges=BOTH))

        committed = await store.commit(REQUEST, owner=OWNER, steps=7)

        assert committed == await store.get_reservation(REQUEST)
        assert await balance(store, DATASET) == Balance(14, 0, 14)
        assert await balance(store, USER) == Balance(21, 0, 21)

    async def test_commit_again_with_the_same_number_is_one_commit(
        self, store: LedgerStore
    ) -> None:
        """The answer to a commit may be lost; asking again is safe."""
        await store.create_account(terms())
        await store.reserve(request())
        first = await store.commit(REQUEST, owner=OWNER, steps=7)

        second = await store.commit(REQUEST, owner=OWNER, steps=7)

        assert second == first
        assert await balance(store) == Balance(14, 0, 14)

    async def test_commit_again_with_another_number_is_refused(
        self, store: LedgerStore
    ) -> None:
        """A settled charge is final."""
        await store.create_account(terms())
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, steps=7)

        with pytest.raises(NotNow) as caught:
            await store.commit(REQUEST, owner=OWNER, steps=6)

        assert caught.value.metadata["state"] == "committed"
        assert await balance(store) == Balance(14, 0, 14)

    @pytest.mark.parametrize("tokens", [-1, 0, 101])
    async def test_commit_outside_what_was_reserved_is_refused(
        self, store: LedgerStore, tokens: int
    ) -> None:
        """More was never held, and nothing is a release that must say its cause."""
        await store.create_account(terms())
        await store.reserve(request())

        with pytest.raises(FieldInvalid):
            await store.commit(REQUEST, owner=OWNER, steps=tokens)

        assert await balance(store) == Balance(0, 200, 0)

    async def test_release_frees_everything_and_twice_is_once(
        self, store: LedgerStore
    ) -> None:
        """What was never sampled is free again, once."""
        await store.create_account(terms())
        await store.reserve(request())
        await store.reserve(request("other"))

        first = await store.release(REQUEST, owner=OWNER, cause=CAUSE)
        second = await store.release(REQUEST, owner=OWNER, cause=CAUSE)

        assert first == second
        assert first.cause is CAUSE
        assert await balance(store) == Balance(0, 200, 0)

    async def test_nothing_follows_a_settlement(self, store: LedgerStore) -> None:
        """A refund after a charge, or the reverse, would be a second answer."""
        await store.create_account(terms())
        await store.reserve(request("spent"))
        await store.reserve(request("freed"))
        await store.commit(RequestId("spent"), owner=OWNER, steps=7)
        await store.release(RequestId("freed"), owner=OWNER, cause=CAUSE)

        with pytest.raises(NotNow):
            await store.release(RequestId("spent"), owner=OWNER, cause=CAUSE)
        with pytest.raises(NotNow):
            await store.commit(RequestId("freed"), owner=OWNER, steps=7)
        with pytest.raises(NotNow):
            await store.extend_lease(RequestId("freed"), owner=OWNER, lease_s=1.0)

        assert await balance(store) == Balance(14, 0, 14)

    async def test_expired_hold_is_spent_in_full(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A router that vanished may have delivered every token."""
        await store.create_account(terms())
        await store.reserve(request())
        await clock.advance(LEASE_S)

        expired = await store.expire_due()

        assert [hold.state for hold in expired] == [ReservationState.EXPIRED]
        assert expired[0] == await store.get_reservation(REQUEST)
        assert await balance(store) == Balance(200, 0, 200)
        with pytest.raises(NotNow):
            await store.commit(REQUEST, owner=OWNER, steps=7)
        with pytest.raises(NotNow):
            await store.release(REQUEST, owner=OWNER, cause=CAUSE)

    async def test_hold_within_its_lease_does_not_expire(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A slow answer is not a dead router."""
        await store.create_account(terms())
        await store.reserve(request())
        await clock.advance(LEASE_S - 1)

        assert await store.expire_due() == ()

    async def test_extended_lease_expires_later_and_never_earlier(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A stream that goes on keeps its hold."""
        await store.create_account(terms())
        await store.reserve(request())
        await store.extend_lease(REQUEST, owner=OWNER, lease_s=LEASE_S * 2)
        shorter = await store.extend_lease(REQUEST, owner=OWNER, lease_s=1.0)
        await clock.advance(LEASE_S)

        early = await store.expire_due()
        await clock.advance(LEASE_S)
        late = await store.expire_due()

        assert shorter.lease_expires_s == NOON_S + LEASE_S * 2
        assert early == ()
        assert [hold.request_id for hold in late] == [REQUEST]

    async def test_late_commit_of_a_hold_that_nobody_expired_counts(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """The owner still tells the truth about what was sampled."""
        await store.create_account(terms())
        await store.reserve(request())
        await clock.advance(LEASE_S * 10)

        await store.commit(REQUEST, owner=OWNER, steps=7)

        assert await balance(store) == Balance(14, 0, 14)
        assert await store.expire_due() == ()

    async def test_more_expired_holds_than_a_batch_all_settle(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A batch is a limit on one transaction, not on the promise."""
        count = EXPIRE_BATCH_MAX + 1
        await store.create_account(terms(limit_units=count * 200))
        for number in range(count):
            await store.reserve(request(f"r{number}"))
        await clock.advance(LEASE_S)

        expired = await store.expire_due()

        assert len(expired) == count
        assert await balance(store) == Balance(count * 200, 0, count * 200)

    @pytest.mark.parametrize(
        "other", [Owner("router-2", "boot-1"), Owner("router-1", "boot-2")]
    )
    async def test_only_the_process_that_reserved_may_settle(
        self, store: LedgerStore, other: Owner
    ) -> None:
        """A router that came back after its hold was taken over is fenced off."""
        await store.create_account(terms())
        await store.reserve(request())

        with pytest.raises(NotNow):
            await store.commit(REQUEST, owner=other, steps=1)
        with pytest.raises(NotNow):
            await store.release(REQUEST, owner=other, cause=CAUSE)
        with pytest.raises(NotNow):
            await store.extend_lease(REQUEST, owner=other, lease_s=1.0)

        assert await balance(store) == Balance(0, 200, 0)

    async def test_restart_settles_what_earlier_boots_held(
        self, store: LedgerStore
    ) -> None:
        """Holds of a crashed router are spent; those of others are not touched."""
        await store.create_account(terms(limit_units=1000))
        await store.reserve(request("old"))
        await store.reserve(request("neighbour", owner=Owner("router-2", "boot-1")))
        reborn = Owner("router-1", "boot-2")
        await store.reserve(request("new", owner=reborn))

        settled = await store.settle_orphans(reborn)

        assert [hold.request_id for hold in settled] == ["old"]
        assert settled[0].state is ReservationState.EXPIRED
        assert await balance(store) == Balance(200, 400, 200)

    async def test_unknown_request_is_told_apart_from_a_settled_one(
        self, store: LedgerStore
    ) -> None:
        """After a lost answer a router must know whether anything was held."""
        with pytest.raises(NotFound):
            await store.commit(RequestId("never"), owner=OWNER, steps=1)
