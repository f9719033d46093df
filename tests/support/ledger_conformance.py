"""What every ledger store must do; each implementation inherits these tests.

A subclass provides the fixture `store`, which uses the fixture `clock` of this class.
"""

import asyncio

import pytest

from federated_router.budget.accounts import UNITS_MAX, AccountName
from federated_router.budget.entries import EntryKind
from federated_router.budget.port import EXPIRE_BATCH_MAX, PAGE_SIZE_MAX, LedgerStore
from federated_router.budget.renewal import RenewalPolicy
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    ReservationState,
)
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    AccountExists,
    AccountUnknown,
    BudgetExhausted,
    FieldInvalid,
    NotFound,
    NotNow,
    RequestIdReused,
)
from tests.support.ledger_world import (
    DATASET,
    LEASE_S,
    OWNER,
    USER,
    Balance,
    balance,
    balances_told_by,
    journal,
    request,
    terms,
)

DAY_S = 86_400.0
NOON_S = 1_767_268_800.0  # 2026-01-01T12:00:00Z, a Thursday.
REQUEST = RequestId("request-1")
CAUSE = ReleaseCause.NO_NODE_AVAILABLE
BOTH = ((DATASET, 2), (USER, 3))


class LedgerConformance:
    """The promises of `LedgerStore`."""

    __test__ = False

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return a clock that stands at noon."""
        return ManualClock(NOON_S)

    async def test_new_account_is_empty(self, store: LedgerStore) -> None:
        """Nothing is spent before anything was asked."""
        created = await store.create_account(terms(limit_units=1000))

        assert created == await store.get_account(DATASET)
        assert Balance.of(created) == Balance(0, 0, 0)
        assert created.free_units == 1000

    async def test_same_account_again_is_the_account_as_it_is(
        self, store: LedgerStore
    ) -> None:
        """A deployment may create its accounts at every start."""
        await store.create_account(terms())
        await store.reserve(request())

        again = await store.create_account(terms())

        assert again.reserved_units == 200

    async def test_account_with_other_terms_is_refused(
        self, store: LedgerStore
    ) -> None:
        """A limit never changes by accident."""
        await store.create_account(terms(limit_units=1000))

        with pytest.raises(AccountExists):
            await store.create_account(terms(limit_units=2000))

        assert (await store.get_account(DATASET)).limit_units == 1000

    @pytest.mark.parametrize(
        "wrong",
        [
            terms(AccountName("accounts/ward")),
            terms(AccountName("dataset-ward")),
            terms(limit_units=-1),
            terms(limit_units=UNITS_MAX + 1),
            terms(limit_units=True),
            terms(zone="Mars/Olympus"),
            terms(zone="../etc/passwd"),
            terms(lifetime_cap_units=-1),
        ],
    )
    async def test_impossible_terms_are_refused(
        self, store: LedgerStore, wrong: object
    ) -> None:
        """What cannot be kept is not promised."""
        with pytest.raises(FieldInvalid):
            await store.create_account(wrong)  # type: ignore[arg-type]

    async def test_unknown_account_is_named(self, store: LedgerStore) -> None:
        """A charge to nobody is a mistake of the caller, and holds nothing."""
        await store.create_account(terms())

        with pytest.raises(AccountUnknown) as caught:
            await store.reserve(request(charges=BOTH))
        with pytest.raises(AccountUnknown):
            await store.get_account(USER)

        assert caught.value.metadata == {"account": USER}
        assert await balance(store) == Balance(0, 0, 0)

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
                request(f"r{number}", charges=((DATASET, 5),), tokens_max=1)
            )

        with pytest.raises(BudgetExhausted):
            await store.reserve(request("last", charges=((DATASET, 1),), tokens_max=1))

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
        committed = await store.commit(REQUEST, owner=OWNER, tokens=7)

        again = await store.reserve(request())

        assert again.outcome is ReserveOutcome.REPLAYED
        assert again.reservation == committed
        assert again.reservation.state is ReservationState.COMMITTED

    async def test_commit_charges_what_was_sampled_and_frees_the_rest(
        self, store: LedgerStore
    ) -> None:
        """Tokens that were never sampled cost nothing."""
        await store.create_account(terms())
        await store.create_account(terms(USER))
        await store.reserve(request(charges=BOTH))

        committed = await store.commit(REQUEST, owner=OWNER, tokens=7)

        assert committed == await store.get_reservation(REQUEST)
        assert await balance(store, DATASET) == Balance(14, 0, 14)
        assert await balance(store, USER) == Balance(21, 0, 21)

    async def test_commit_again_with_the_same_number_is_one_commit(
        self, store: LedgerStore
    ) -> None:
        """The answer to a commit may be lost; asking again is safe."""
        await store.create_account(terms())
        await store.reserve(request())
        first = await store.commit(REQUEST, owner=OWNER, tokens=7)

        second = await store.commit(REQUEST, owner=OWNER, tokens=7)

        assert second == first
        assert await balance(store) == Balance(14, 0, 14)

    async def test_commit_again_with_another_number_is_refused(
        self, store: LedgerStore
    ) -> None:
        """A settled charge is final."""
        await store.create_account(terms())
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=7)

        with pytest.raises(NotNow) as caught:
            await store.commit(REQUEST, owner=OWNER, tokens=6)

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
            await store.commit(REQUEST, owner=OWNER, tokens=tokens)

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
        await store.commit(RequestId("spent"), owner=OWNER, tokens=7)
        await store.release(RequestId("freed"), owner=OWNER, cause=CAUSE)

        with pytest.raises(NotNow):
            await store.release(RequestId("spent"), owner=OWNER, cause=CAUSE)
        with pytest.raises(NotNow):
            await store.commit(RequestId("freed"), owner=OWNER, tokens=7)
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
            await store.commit(REQUEST, owner=OWNER, tokens=7)
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

        await store.commit(REQUEST, owner=OWNER, tokens=7)

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
            await store.commit(REQUEST, owner=other, tokens=1)
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
            await store.commit(RequestId("never"), owner=OWNER, tokens=1)

    async def test_exhausted_budget_tells_what_is_missing_and_who_holds_it(
        self, store: LedgerStore
    ) -> None:
        """The person who is refused must see why, and what to do."""
        await store.create_account(
            terms(renewal=RenewalPolicy.DAILY, zone="Europe/Berlin")
        )
        for number in range(5):
            await store.reserve(request(f"r{number}"))
        await store.commit(RequestId("r0"), owner=OWNER, tokens=100)

        with pytest.raises(BudgetExhausted) as caught:
            await store.reserve(request("late", tokens_max=1))

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
                request(f"r{number}", charges=((DATASET, 1),), tokens_max=1)
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
            request(f"r{number}", charges=((DATASET, 1),), tokens_max=1)
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

    async def test_renewal_empties_the_window_and_not_the_lifetime(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A new window is a new budget; the odometer never goes back."""
        await store.create_account(terms(renewal=RenewalPolicy.DAILY))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=100)
        await clock.advance(DAY_S / 2)

        assert await balance(store) == Balance(0, 0, 200)
        page = await store.list_accounts(page_size=1)
        assert Balance.of(page.accounts[0]) == Balance(0, 0, 200)

    async def test_hold_across_a_renewal_is_spent_in_the_new_window(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """It counts against the window in which it is held, and where it settles."""
        await store.create_account(terms(limit_units=300, renewal=RenewalPolicy.DAILY))
        await store.reserve(request())
        await clock.advance(DAY_S / 2)

        with pytest.raises(BudgetExhausted):
            await store.reserve(request("too-much"))
        await store.commit(REQUEST, owner=OWNER, tokens=50)

        assert await balance(store) == Balance(100, 0, 100)

    async def test_clock_that_goes_back_renews_nothing(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A day cannot be had twice."""
        await store.create_account(terms(renewal=RenewalPolicy.DAILY))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=100)

        await clock.advance(-3 * DAY_S)

        assert await balance(store) == Balance(200, 0, 200)

    async def test_lifetime_cap_outlasts_renewals(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """However often the window renews, the cap is the end."""
        await store.create_account(
            terms(renewal=RenewalPolicy.DAILY, lifetime_cap_units=300)
        )
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=100)
        await clock.advance(DAY_S)

        with pytest.raises(BudgetExhausted) as caught:
            await store.reserve(request("beyond"))

        assert caught.value.metadata["free_units"] == "100"
        assert caught.value.metadata["renews"] == "never"

    async def test_pages_of_accounts_are_complete_and_in_order(
        self, store: LedgerStore
    ) -> None:
        """A list that skips an account hides a budget."""
        ids = ["b", "a", "a-b", "a.b", "a_b", "a0"]
        names = [AccountName(f"accounts/user-{one}") for one in ids]
        for name in names:
            await store.create_account(terms(name))

        found, token = [], ""
        while True:
            page = await store.list_accounts(page_size=2, page_token=token)
            found += [account.name for account in page.accounts]
            token = page.next_page_token
            if not token:
                break

        assert found == sorted(names)

    async def test_pages_of_reservations_are_complete_and_newest_first(
        self, store: LedgerStore
    ) -> None:
        """Who spent the budget is told to the last one."""
        await store.create_account(terms())
        await store.create_account(terms(USER))
        for number in range(5):
            await store.reserve(request(f"r{number}", tokens_max=1))
        await store.reserve(request("other", charges=((USER, 1),)))

        first = await store.list_reservations(DATASET, page_size=3)
        second = await store.list_reservations(
            DATASET, page_size=3, page_token=first.next_page_token
        )

        ids = [hold.request_id for hold in (*first.reservations, *second.reservations)]
        assert ids == ["r4", "r3", "r2", "r1", "r0"]
        assert second.next_page_token == ""

    @pytest.mark.parametrize("page_size", [0, PAGE_SIZE_MAX + 1])
    async def test_page_has_a_limit(self, store: LedgerStore, page_size: int) -> None:
        """No answer is larger than somebody decided."""
        with pytest.raises(FieldInvalid):
            await store.list_accounts(page_size=page_size)
        with pytest.raises(FieldInvalid):
            await store.list_reservations(DATASET, page_size=page_size)
        with pytest.raises(FieldInvalid):
            await store.list_entries(page_size=page_size)

    @pytest.mark.parametrize("token", ["x", "-1", "1.5", "9" * 30, "²"])
    async def test_page_token_that_no_page_gave_is_refused(
        self, store: LedgerStore, token: str
    ) -> None:
        """Garbage is the caller's mistake, not an outage."""
        with pytest.raises(FieldInvalid):
            await store.list_reservations(DATASET, page_size=1, page_token=token)

    async def test_journal_alone_tells_every_balance(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """An auditor who has only the journal arrives at the same figures."""
        await store.create_account(terms(renewal=RenewalPolicy.DAILY))
        await store.create_account(terms(USER))
        for name in ("committed", "released", "expired", "held"):
            await store.reserve(request(name, charges=BOTH))
            if name == "expired":
                await clock.advance(DAY_S)
                await store.expire_due()
            elif name == "committed":
                await store.commit(RequestId(name), owner=OWNER, tokens=7)
            elif name == "released":
                await store.release(RequestId(name), owner=OWNER, cause=CAUSE)

        entries = await journal(store)

        assert balances_told_by(entries) == {
            DATASET: await balance(store, DATASET),
            USER: await balance(store, USER),
        }
        assert [numbered.entry.kind for numbered in entries] == [
            EntryKind.ACCOUNT_CREATED,
            EntryKind.ACCOUNT_CREATED,
            EntryKind.RESERVED,
            EntryKind.COMMITTED,
            EntryKind.RESERVED,
            EntryKind.RELEASED,
            EntryKind.RESERVED,
            EntryKind.ACCOUNT_RENEWED,
            EntryKind.EXPIRED,
            EntryKind.RESERVED,
        ]

    async def test_what_changes_nothing_is_not_in_the_journal(
        self, store: LedgerStore
    ) -> None:
        """Replays and refusals move no balance."""
        await store.create_account(terms(limit_units=200))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=100)
        before = await journal(store)

        await store.create_account(terms(limit_units=200))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, tokens=100)
        with pytest.raises(BudgetExhausted):
            await store.reserve(request("more"))

        assert await journal(store) == before
