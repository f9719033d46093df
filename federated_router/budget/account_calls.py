"""The ledger's calls on accounts: open, read, renew early, close."""

import secrets

from federated_router.budget import account_transactions, transactions
from federated_router.budget.accounts import (
    Account,
    AccountName,
    AccountTerms,
    open_account,
)
from federated_router.budget.calls import LedgerCalls, Touches, check_page_size
from federated_router.budget.proposal import Proposal, check_reason
from federated_router.budget.rows import AccountPage, LedgerRows

_PROPOSAL_ID_BYTES = 8


class AccountCalls(LedgerCalls):
    """Accounts of the ledger."""

    async def create_account(self, terms: AccountTerms) -> Account:
        """Open an account; the same terms again return the account as it is now.

        Raises AccountExists for other terms, FieldInvalid for terms that cannot be.
        """
        open_account(terms, now_s=self._clock.now_s())
        return await self._write(
            "ledger.create_account",
            lambda rows: account_transactions.create_account(
                rows, terms, now_s=self._clock.now_s()
            ),
            Touches(accounts=(terms.name,)),
        )

    async def get_account(self, name: AccountName) -> Account:
        """Return the balance in the current window; raise AccountUnknown."""
        return await self._read(
            "ledger.get_account",
            lambda rows: transactions.account(rows, name, now_s=self._clock.now_s()),
        )

    async def list_accounts(
        self, *, page_size: int, page_token: str = "", name_prefix: str = ""
    ) -> AccountPage:
        """Return a page of balances in the current window, in order of name."""
        check_page_size(page_size)
        return await self._read(
            "ledger.list_accounts",
            lambda rows: transactions.account_page(
                rows,
                prefix=name_prefix,
                size=page_size,
                token=page_token,
                now_s=self._clock.now_s(),
            ),
        )

    async def open_block(self, dataset: AccountName, batch: str) -> Account:
        """Open the block of a batch that has arrived; return it.

        Raises AccountUnknown, AccountClosed, and FieldInvalid where the data set's
        blocks are not batches.
        """
        return await self._write(
            "ledger.open_block",
            lambda rows: account_transactions.open_block(
                rows, dataset, batch, now_s=self._clock.now_s()
            ),
        )

    async def propose_renewal(
        self, name: AccountName, *, operator: str, reason: str, lasts_s: float
    ) -> Proposal:
        """Keep a proposal to renew the account early, for `lasts_s` seconds."""
        check_reason(reason)
        proposal_id = secrets.token_hex(_PROPOSAL_ID_BYTES)

        def work(rows: LedgerRows) -> Proposal:
            now_s = self._clock.now_s()
            proposal = Proposal(
                proposal_id=proposal_id,
                account=name,
                proposed_by=operator,
                reason=reason,
                expires_time_s=now_s + lasts_s,
            )
            return account_transactions.propose_renewal(rows, proposal, now_s=now_s)

        return await self._write("ledger.propose_renewal", work)

    async def approve_renewal(
        self, name: AccountName, *, proposal_id: str, operator: str
    ) -> Account:
        """Begin a new window as another operator proposed; return the account.

        Raises ProposalUnknown, SecondPersonNeeded, AccountClosed.
        """
        return await self._write(
            "ledger.approve_renewal",
            lambda rows: account_transactions.approve_renewal(
                rows,
                name,
                proposal_id=proposal_id,
                operator=operator,
                now_s=self._clock.now_s(),
            ),
        )

    async def close_account(
        self, name: AccountName, *, operator: str, reason: str
    ) -> Account:
        """Close an account for ever; return it."""
        check_reason(reason)
        return await self._write(
            "ledger.close_account",
            lambda rows: account_transactions.close_account(
                rows, name, operator=operator, reason=reason, now_s=self._clock.now_s()
            ),
        )
