"""What every ledger store must do with accounts beyond holding and settling.

Closing, early renewals by two people, blocks, and accounts that a request opens.
"""

import asyncio
import json

import pytest

from federated_router.budget.accounts import (
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
)
from federated_router.budget.blocks import block_name, block_terms
from federated_router.budget.entries import EntryKind
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import RequestId
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    AccountClosed,
    AccountUnknown,
    BlockUnknown,
    BudgetExhausted,
    FieldInvalid,
    ProposalUnknown,
    SecondPersonNeeded,
)
from federated_router.privacy.renewal import RenewalPolicy
from tests.support.ledger_world import (
    DATASET,
    LEASE_S,
    OWNER,
    USER,
    Balance,
    balance,
    journal,
    request,
    terms,
)

REASON = "The study was extended."
BATCHES = terms(
    renewal=RenewalPolicy.ON_NEW_DATA,
    blocks=BlockTerms(scheme=BlockScheme.BATCH, limit_units=500),
)
RECORDS = terms(blocks=BlockTerms(scheme=BlockScheme.RECORD, limit_units=300))
BLOCK = block_name(DATASET, "7")


async def told_last(store: LedgerStore) -> dict[str, object]:
    """Return kind and detail of the newest entry."""
    entry = (await journal(store))[-1].entry
    return {"kind": entry.kind, **json.loads(entry.detail)}


class AccountsConformance:
    """The promises about accounts."""

    async def test_closed_account_is_charged_nothing_new(
        self, store: LedgerStore
    ) -> None:
        """What was held is still settled: the tokens were sampled."""
        await store.create_account(terms())
        await store.reserve(request())

        closed = await store.close_account(DATASET, operator="bo", reason=REASON)

        with pytest.raises(AccountClosed):
            await store.reserve(request("late"))
        await store.commit(RequestId("request-1"), owner=OWNER, steps=7)
        after = await store.get_account(DATASET)
        assert after.closed_time_s == closed.closed_time_s
        assert Balance.of(after) == Balance(14, 0, 14)

    async def test_account_is_closed_once(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """Who closed it first is who closed it."""
        await store.create_account(terms())
        first = await store.close_account(DATASET, operator="bo", reason=REASON)
        told = await told_last(store)
        await clock.advance(5)

        again = await store.close_account(DATASET, operator="cy", reason="Again.")

        assert again == first
        assert told == {
            "kind": EntryKind.ACCOUNT_CLOSED,
            "closed_by": "bo",
            "reason": REASON,
        }
        assert await told_last(store) == told

    async def test_unknown_account_is_neither_closed_nor_renewed(
        self, store: LedgerStore
    ) -> None:
        """A mistyped name is told, and stands in no log."""
        with pytest.raises(AccountUnknown):
            await store.close_account(USER, operator="bo", reason=REASON)
        with pytest.raises(AccountUnknown):
            await store.propose_renewal(
                USER, operator="bo", reason=REASON, lasts_s=60.0
            )
        with pytest.raises(FieldInvalid):
            await store.close_account(USER, operator="bo", reason=" ")
        assert await journal(store) == []

    async def test_early_renewal_takes_two_people_and_keeps_the_lifetime(
        self, store: LedgerStore
    ) -> None:
        """A new window empties what was spent; odometer and holds stay."""
        await store.create_account(terms(lifetime_cap_units=5000))
        await store.reserve(request())
        await store.commit(RequestId("request-1"), owner=OWNER, steps=100)
        await store.reserve(request("held"))
        proposal = await store.propose_renewal(
            DATASET, operator="bo", reason=REASON, lasts_s=60.0
        )

        with pytest.raises(SecondPersonNeeded):
            await store.approve_renewal(
                DATASET, proposal_id=proposal.proposal_id, operator="bo"
            )
        assert await balance(store) == Balance(200, 200, 200)
        renewed = await store.approve_renewal(
            DATASET, proposal_id=proposal.proposal_id, operator="cy"
        )

        assert renewed == await store.get_account(DATASET)
        assert Balance.of(renewed) == Balance(0, 200, 200)
        told = await told_last(store)
        assert told["kind"] is EntryKind.ACCOUNT_RENEWED
        assert told["cause"] == "early"
        assert (told["proposed_by"], told["approved_by"]) == ("bo", "cy")
        assert told["reason"] == REASON

    async def test_proposal_is_approved_once_and_in_time(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """Yesterday's reason is not today's, and one approval is one window."""
        await store.create_account(terms())
        late = await store.propose_renewal(
            DATASET, operator="bo", reason=REASON, lasts_s=60.0
        )
        await clock.advance(60)
        with pytest.raises(ProposalUnknown):
            await store.approve_renewal(
                DATASET, proposal_id=late.proposal_id, operator="cy"
            )
        good = await store.propose_renewal(
            DATASET, operator="bo", reason=REASON, lasts_s=60.0
        )
        await store.approve_renewal(
            DATASET, proposal_id=good.proposal_id, operator="cy"
        )

        with pytest.raises(ProposalUnknown):
            await store.approve_renewal(
                DATASET, proposal_id=good.proposal_id, operator="cy"
            )

    async def test_newer_proposal_takes_the_place_of_the_older(
        self, store: LedgerStore
    ) -> None:
        """Who approves has read what they approve."""
        await store.create_account(terms())
        older = await store.propose_renewal(
            DATASET, operator="bo", reason=REASON, lasts_s=60.0
        )
        newer = await store.propose_renewal(
            DATASET, operator="cy", reason="Another.", lasts_s=60.0
        )

        with pytest.raises(ProposalUnknown):
            await store.approve_renewal(
                DATASET, proposal_id=older.proposal_id, operator="cy"
            )
        await store.approve_renewal(
            DATASET, proposal_id=newer.proposal_id, operator="bo"
        )

        assert (await told_last(store))["reason"] == "Another."

    async def test_closed_account_is_not_renewed(self, store: LedgerStore) -> None:
        """Closed is for ever."""
        await store.create_account(terms())
        proposal = await store.propose_renewal(
            DATASET, operator="bo", reason=REASON, lasts_s=60.0
        )
        await store.close_account(DATASET, operator="bo", reason=REASON)

        with pytest.raises(AccountClosed):
            await store.propose_renewal(
                DATASET, operator="bo", reason=REASON, lasts_s=60.0
            )
        with pytest.raises(AccountClosed):
            await store.approve_renewal(
                DATASET, proposal_id=proposal.proposal_id, operator="cy"
            )

    @pytest.mark.parametrize(
        "agreed",
        [
            terms(order=8.5),
            RECORDS,
            BATCHES,
            terms(
                blocks=BlockTerms(
                    scheme=BlockScheme.BUCKET,
                    limit_units=7,
                    bucket_count=16,
                    order=2.25,
                )
            ),
        ],
    )
    async def test_terms_come_back_as_they_were_agreed(
        self, store: LedgerStore, agreed: AccountTerms
    ) -> None:
        """An order or a block's limit that is lost would be another promise."""
        created = await store.create_account(agreed)

        found = await store.get_account(DATASET)

        assert found == created
        assert found.terms == agreed

    async def test_new_batch_opens_its_block_and_a_window(
        self, store: LedgerStore
    ) -> None:
        """New data is a new budget for the data set, once per batch."""
        await store.create_account(BATCHES)
        await store.reserve(request(steps_max=50))
        await store.commit(RequestId("request-1"), owner=OWNER, steps=50)

        block = await store.open_block(DATASET, "7")
        told = await told_last(store)
        await store.reserve(request("again", steps_max=10))
        await store.commit(RequestId("again"), owner=OWNER, steps=10)
        same = await store.open_block(DATASET, "7")

        assert same == block == await store.get_account(BLOCK)
        assert block.limit_units == 500
        assert await balance(store) == Balance(20, 0, 120)
        assert told["cause"] == "new_data"
        assert told["block"] == BLOCK

    async def test_block_of_no_batch_is_refused(self, store: LedgerStore) -> None:
        """Other blocks open by themselves, and only a data set has any."""
        await store.create_account(RECORDS)

        with pytest.raises(FieldInvalid):
            await store.open_block(DATASET, "7")
        with pytest.raises(AccountUnknown):
            await store.open_block(AccountName("accounts/dataset-none"), "7")

    async def test_request_opens_the_accounts_that_are_not_there(
        self, store: LedgerStore
    ) -> None:
        """The first request on a record opens its block, on the data set's terms."""
        await store.create_account(RECORDS)
        opens = (block_terms(RECORDS, BLOCK), terms(USER, limit_units=400))
        charges = ((DATASET, 2), (BLOCK, 2), (USER, 1))

        answer = await store.reserve(request(charges=charges, opens=opens))

        assert answer.outcome is ReserveOutcome.OPENED
        assert await balance(store, BLOCK) == Balance(0, 200, 0)
        assert await balance(store, USER) == Balance(0, 100, 0)
        kinds = [one.entry.kind for one in await journal(store)]
        assert kinds == [EntryKind.ACCOUNT_CREATED] * 3 + [EntryKind.RESERVED]

    async def test_refused_request_opens_nothing(self, store: LedgerStore) -> None:
        """All or nothing includes the accounts that a request would open."""
        await store.create_account(terms(limit_units=199, blocks=RECORDS.blocks))
        before = await journal(store)
        opens = (block_terms(RECORDS, BLOCK),)

        with pytest.raises(BudgetExhausted):
            await store.reserve(
                request(charges=((BLOCK, 2), (DATASET, 2)), opens=opens)
            )

        with pytest.raises(BlockUnknown):
            await store.get_account(BLOCK)
        assert await journal(store) == before

    async def test_block_opened_by_many_requests_at_once_is_one_block(
        self, store: LedgerStore
    ) -> None:
        """Whoever comes first opens; the others charge what is there."""
        await store.create_account(RECORDS)
        opens = (block_terms(RECORDS, BLOCK),)
        charges = ((BLOCK, 1), (DATASET, 1))

        answers = await asyncio.gather(
            *(
                store.reserve(
                    request(f"r{n}", charges=charges, steps_max=100, opens=opens)
                )
                for n in range(8)
            ),
            return_exceptions=True,
        )

        refused = [one for one in answers if isinstance(one, BudgetExhausted)]
        assert len(refused) == 5
        assert await balance(store, BLOCK) == Balance(0, 300, 0)
        assert await balance(store, DATASET) == Balance(0, 300, 0)

    async def test_missing_block_of_a_batch_is_told(self, store: LedgerStore) -> None:
        """No request may open a batch that no operator has brought."""
        await store.create_account(BATCHES)

        with pytest.raises(BlockUnknown) as caught:
            await store.reserve(request(charges=((BLOCK, 1), (DATASET, 1))))

        assert caught.value.metadata["account"] == BLOCK

    async def test_account_opened_with_other_terms_is_kept_as_it_is(
        self, store: LedgerStore
    ) -> None:
        """`opens` is for accounts that are not there; it changes none."""
        await store.create_account(terms(USER, limit_units=1000))

        await store.reserve(
            request(charges=((USER, 1),), opens=(terms(USER, limit_units=5),))
        )

        assert (await store.get_account(USER)).limit_units == 1000

    async def test_list_by_prefix_holds_what_begins_so_on_every_page(
        self, store: LedgerStore
    ) -> None:
        """A page ends where the prefix ends, whatever sorts behind it."""
        ids = ["block-a.1", "block-a.2", "block-ab.1", "block-b.1", "user-a"]
        for one in ids:
            await store.create_account(terms(AccountName(f"accounts/{one}")))

        first = await store.list_accounts(page_size=1, name_prefix="accounts/block-a.")
        second = await store.list_accounts(
            page_size=1,
            name_prefix="accounts/block-a.",
            page_token=first.next_page_token,
        )
        none = await store.list_accounts(page_size=9, name_prefix="accounts/block-z")
        exact = await store.list_accounts(page_size=9, name_prefix="accounts/user-a")

        found = [one.name for one in (*first.accounts, *second.accounts)]
        assert found == ["accounts/block-a.1", "accounts/block-a.2"]
        assert second.next_page_token == ""
        assert none.accounts == ()
        assert [one.name for one in exact.accounts] == ["accounts/user-a"]

    async def test_holds_on_a_closed_account_expire(
        self, store: LedgerStore, clock: ManualClock
    ) -> None:
        """To close an account is not to forgive what it owes."""
        await store.create_account(terms())
        await store.reserve(request())
        await store.close_account(DATASET, operator="bo", reason=REASON)
        await clock.advance(LEASE_S)

        await store.expire_due()

        assert await balance(store) == Balance(200, 0, 200)
