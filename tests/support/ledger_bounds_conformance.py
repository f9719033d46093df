"""What every ledger store must do where a hold's steps are allowed in instalments."""

import pytest

from federated_router.budget.ledger import LEASE_S_MAX
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Owner, ReservationState
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, NotFound, NotNow
from tests.support.ledger_world import (
    BOTH,
    CAUSE,
    DATASET,
    LEASE_S,
    OWNER,
    REQUEST,
    USER,
    Balance,
    balance,
    journal,
    request,
    terms,
)

FIRST = 8
"""Steps of 100 that are allowed at first; each costs 2 units."""


async def held(store: LedgerStore) -> None:
    """Hold 100 steps, and allow a few."""
    await store.create_account(terms())
    await store.reserve(request(steps_bound=FIRST))


class BoundsConformance:
    """The promises of a bound."""

    async def test_worst_case_is_held_whatever_is_allowed_at_first(
        self, store: LedgerStore
    ) -> None:
        """The longest answer must be affordable before the first token."""
        await store.create_account(terms())
        await store.create_account(terms(USER))

        answer = await store.reserve(request(charges=BOTH, steps_bound=FIRST))

        assert answer.reservation.steps_bound == FIRST
        assert answer.reservation == await store.get_reservation(REQUEST)
        assert await balance(store, DATASET) == Balance(0, 200, 0)
        assert await balance(store, USER) == Balance(0, 300, 0)

    async def test_without_instalments_everything_is_allowed_at_once(
        self, store: LedgerStore
    ) -> None:
        """Rounds and statistics take their steps without asking again."""
        await store.create_account(terms())

        answer = await store.reserve(request())

        assert answer.reservation.steps_bound == 100

    async def test_expired_hold_is_charged_what_was_allowed(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """Nobody can prove that fewer were taken, and more cannot have been."""
        await held(store)
        await store.bound(REQUEST, owner=OWNER, steps=24)
        await clock.advance(LEASE_S + 1)

        (expired,) = await store.expire_due()

        assert expired.state is ReservationState.EXPIRED
        assert expired.steps_charged == 24
        assert await balance(store) == Balance(48, 0, 48)

    async def test_hold_of_an_earlier_boot_is_charged_what_was_allowed(
        self, store: LedgerStore
    ) -> None:
        """A router that dies costs what its node may have sampled by then."""
        await held(store)

        (orphan,) = await store.settle_orphans(Owner(OWNER.instance, "boot-2"))

        assert orphan.steps_charged == FIRST
        assert await balance(store) == Balance(2 * FIRST, 0, 2 * FIRST)

    async def test_bound_again_or_lower_changes_nothing(
        self, store: LedgerStore
    ) -> None:
        """Repeated and reordered extensions are harmless, and leave no entry."""
        await held(store)
        await store.bound(REQUEST, owner=OWNER, steps=24)
        entries = len(await journal(store))

        for steps in (24, 16, 1):
            after = await store.bound(REQUEST, owner=OWNER, steps=steps)
            assert after.steps_bound == 24

        assert len(await journal(store)) == entries

    @pytest.mark.parametrize("steps", [-1, 0, 101, 10**12])
    async def test_bound_outside_what_is_held_is_refused(
        self, store: LedgerStore, steps: int
    ) -> None:
        """Steps that nobody reserved are never allowed."""
        await held(store)

        with pytest.raises(FieldInvalid) as caught:
            await store.bound(REQUEST, owner=OWNER, steps=steps)

        assert caught.value.metadata["field"] == "steps"
        assert (await store.get_reservation(REQUEST)).steps_bound == FIRST

    async def test_commit_of_more_than_was_allowed_is_refused(
        self, store: LedgerStore
    ) -> None:
        """Such a count cannot be true, or somebody sampled without a grant."""
        await held(store)

        with pytest.raises(FieldInvalid):
            await store.commit(REQUEST, owner=OWNER, steps=FIRST + 1)

        await store.commit(REQUEST, owner=OWNER, steps=FIRST)
        assert await balance(store) == Balance(2 * FIRST, 0, 2 * FIRST)

    async def test_only_the_holder_moves_the_bound(self, store: LedgerStore) -> None:
        """A router that was taken for dead must not allow anything any more."""
        await held(store)

        with pytest.raises(NotNow):
            await store.bound(REQUEST, owner=Owner("router-2", "b"), steps=16)

        assert (await store.get_reservation(REQUEST)).steps_bound == FIRST

    async def test_settled_hold_allows_nothing_more(self, store: LedgerStore) -> None:
        """What is charged is final: nothing may be sampled on it afterwards."""
        await held(store)
        await store.commit(REQUEST, owner=OWNER, steps=3)

        with pytest.raises(NotNow):
            await store.bound(REQUEST, owner=OWNER, steps=16)

    async def test_unknown_request_has_no_bound(self, store: LedgerStore) -> None:
        """What was never held cannot be allowed."""
        with pytest.raises(NotFound):
            await store.bound(REQUEST, owner=OWNER, steps=16)

    async def test_release_frees_everything_whatever_was_allowed(
        self, store: LedgerStore
    ) -> None:
        """A node that refused before its first pass has sampled nothing."""
        await held(store)
        await store.bound(REQUEST, owner=OWNER, steps=24)

        await store.release(REQUEST, owner=OWNER, cause=CAUSE)

        assert await balance(store) == Balance(0, 0, 0)

    async def test_bound_and_lease_move_independently(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """To keep a hold longer allows no step, and to allow steps keeps no hold."""
        await held(store)
        await clock.advance(1)

        bounded = await store.bound(REQUEST, owner=OWNER, steps=16)
        longer = await store.extend_lease(REQUEST, owner=OWNER, lease_s=LEASE_S_MAX)

        assert longer.steps_bound == 16
        assert longer.lease_expires_s > bounded.lease_expires_s

    async def test_repeated_request_does_not_move_the_bound(
        self, store: LedgerStore
    ) -> None:
        """A retry learns what is allowed, and allows nothing."""
        await held(store)

        again = await store.reserve(request(steps_bound=50))

        assert again.outcome is ReserveOutcome.REPLAYED
        assert again.reservation.steps_bound == FIRST

    @pytest.mark.parametrize("steps_bound", [-1, 0, 101, True])
    async def test_first_instalment_outside_what_is_held_is_refused(
        self, store: LedgerStore, steps_bound: int
    ) -> None:
        """A hold that allows nothing, or more than itself, is a mistake."""
        await store.create_account(terms())

        with pytest.raises(FieldInvalid) as caught:
            await store.reserve(request(steps_bound=steps_bound))

        assert caught.value.metadata["field"] == "steps_bound"
        assert await balance(store) == Balance(0, 0, 0)
