"""What every ledger store must do as windows pass, and how it tells of it."""

import pytest

from federated_router.budget.accounts import AccountName
from federated_router.budget.entries import EntryKind
from federated_router.budget.port import PAGE_SIZE_MAX, LedgerStore
from federated_router.budget.reservation import (
    RequestId,
)
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    BudgetExhausted,
    FieldInvalid,
)
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import (
    BOTH,
    CAUSE,
    DATASET,
    DAY_S,
    OWNER,
    REQUEST,
    USER,
    Balance,
    balance,
    balances_told_by,
    journal,
    request,
    terms,
)


class WindowsConformance:
    """The promises of renewals, pages and the journal."""

    async def test_renewal_empties_the_window_and_not_the_lifetime(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A new window is a new budget; the odometer never goes back."""
        await store.create_account(terms(renewal=RenewalPolicy.DAILY))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, steps=100)
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
        await store.commit(REQUEST, owner=OWNER, steps=50)

        assert await balance(store) == Balance(100, 0, 100)

    async def test_clock_that_goes_back_renews_nothing(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """A day cannot be had twice."""
        await store.create_account(terms(renewal=RenewalPolicy.DAILY))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, steps=100)

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
        await store.commit(REQUEST, owner=OWNER, steps=100)
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
            await store.reserve(request(f"r{number}", steps_max=1))
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
                await store.commit(RequestId(name), owner=OWNER, steps=7)
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
        await store.commit(REQUEST, owner=OWNER, steps=100)
        before = await journal(store)

        await store.create_account(terms(limit_units=200))
        await store.reserve(request())
        await store.commit(REQUEST, owner=OWNER, steps=100)
        with pytest.raises(BudgetExhausted):
            await store.reserve(request("more"))

        assert await journal(store) == before
