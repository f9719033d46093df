"""What every ledger store must do when a request asks for a hold."""

import asyncio

import pytest

from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Owner,
    RequestId,
    ReservationState,
)
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.errors import (
    BudgetExhausted,
    NotFound,
    RequestIdReused,
)
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import (
    BOTH,
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


class ReserveConformance:
    """The promises of a reserve."""

    async def test_reserve_holds_the_worst_case_on_every_account(
        self, store: LedgerStore
    ) -> None:
        """The longest answer must be affordable before the first token."""
        await store.create_account(terms())
        await store.create_account(terms(USER))

        answer = await store.reserve(request(charges=BOTH[::-1]))

        assert answer.outcome is ReserveOutcome.OPENED
        assert answer.reservation == await store.get_reservation(REQUEST)
        assert answer.reservation.lease_expires_s == NOON_S + LEASE_S
        assert await balance(store, DATASET) == Balance(0, 200, 0)
        assert await balance(store, USER) == Balance(0, 300, 0)

    async def test_one_short_account_leaves_all_untouched(
        self, store: LedgerStore
    ) -> None:
        """A request is charged to all of its accounts or to none."""
        await store.create_account(terms())
        await store.create_account(terms(USER, limit_units=299))

        with pytest.raises(BudgetExhausted):
            await store.reserve(request(charges=BOTH))

        assert await balance(store, DATASET) == Balance(0, 0, 0)
        assert await balance(store, USER) == Balance(0, 0, 0)
        with pytest.raises(NotFound):
            await store.get_reservation(REQUEST)

    async def test_exactly_the_limit_fits_and_one_unit_more_does_not(
        self, store: LedgerStore
    ) -> None:
        """Integers have no last query that rounding refuses."""
        await store.create_account(terms(limit_units=500))
        for number in range(100):
            await store.reserve(
                request(f"r{number}", charges=((DATASET, 5),), steps_max=1)
            )

        with pytest.raises(BudgetExhausted):
            await store.reserve(request("last", charges=((DATASET, 1),), steps_max=1))

        assert await balance(store) == Balance(0, 500, 0)

    async def test_same_request_again_gets_the_reservation_that_it_has(
        self, store: LedgerStore
    ) -> None:
        """A retry is charged once, and told that somebody may be sampling already."""
        await store.create_account(terms())
        first = await store.reserve(request())

        second = await store.reserve(request(owner=Owner("router-2", "boot-9")))

        assert second.outcome is ReserveOutcome.REPLAYED
        assert second.reservation == first.reservation
        assert await balance(store) == Balance(0, 200, 0)

    async def test_same_id_with_another_body_is_refused(
        self, store: LedgerStore
    ) -> None:
        """An id names one request."""
        await store.create_account(terms())
        await store.reserve(request(body="one"))

        with pytest.raises(RequestIdReused):
            await store.reserve(request(body="two"))

        assert await balance(store) == Balance(0, 200, 0)

    async def test_request_repeated_after_its_end_is_told_how_it_ended(
        self, store: LedgerStore
    ) -> None:
        """A charged request is never sampled a second time under one charge."""
        await store.create_account(terms())
        await store.reserve(request())
        committed = await store.commit(REQUEST, owner=OWNER, steps=7)

        again = await store.reserve(request())

        assert again.outcome is ReserveOutcome.REPLAYED
        assert again.reservation == committed
        assert again.reservation.state is ReservationState.COMMITTED

    async def test_exhausted_budget_tells_what_is_missing_and_who_holds_it(
        self, store: LedgerStore
    ) -> None:
        """The person who is refused must see why, and what to do."""
        await store.create_account(
            terms(renewal=RenewalPolicy.DAILY, zone="Europe/Berlin")
        )
        for number in range(5):
            await store.reserve(request(f"r{number}"))
        await store.commit(RequestId("r0"), owner=OWNER, steps=100)

        with pytest.raises(BudgetExhausted) as caught:
            await store.reserve(request("late", steps_max=1))

        assert caught.value.metadata == {
            "account": DATASET,
            "needed_units": "2",
            "free_units": "0",
            "limit_units": "1000",
            "renews": "2026-01-01T23:00:00Z",
            "held_by": "r1,r2,r3,r4",
        }
        assert "try again when they have ended" in caught.value.message

    async def test_exhausted_budget_names_ten_holders_at_most(
        self, store: LedgerStore
    ) -> None:
        """An error has a size."""
        await store.create_account(terms(limit_units=12))
        for number in range(12):
            await store.reserve(
                request(f"r{number}", charges=((DATASET, 1),), steps_max=1)
            )

        with pytest.raises(BudgetExhausted) as caught:
            await store.reserve(request())

        assert caught.value.metadata["held_by"] == ",".join(
            f"r{number}" for number in range(10)
        )
        assert "exceeds the whole limit" in caught.value.message

    async def test_one_of_sixty_four_gets_the_last_unit(
        self, store: LedgerStore
    ) -> None:
        """Nobody overspends by being quick."""
        await store.create_account(terms(limit_units=1))
        last = [
            request(f"r{number}", charges=((DATASET, 1),), steps_max=1)
            for number in range(64)
        ]

        answers = await asyncio.gather(
            *(store.reserve(one) for one in last), return_exceptions=True
        )

        refused = [answer for answer in answers if isinstance(answer, BudgetExhausted)]
        assert len(refused) == 63
        assert await balance(store) == Balance(0, 1, 0)

    async def test_one_request_sent_sixty_four_times_is_held_once(
        self, store: LedgerStore
    ) -> None:
        """Retries and hedges at the same instant are one request."""
        await store.create_account(terms())

        answers = await asyncio.gather(*(store.reserve(request()) for _ in range(64)))

        opened = [one for one in answers if one.outcome is ReserveOutcome.OPENED]
        assert len(opened) == 1
        assert await balance(store) == Balance(0, 200, 0)
