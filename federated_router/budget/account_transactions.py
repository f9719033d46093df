"""The transactions that open, renew and close accounts: what each reads and writes.

As in `transactions`: everything is decided before the first write, and every function
runs inside one transaction of its caller.
"""

from federated_router.budget import entries, ledger
from federated_router.budget.accounts import (
    Account,
    AccountName,
    AccountTerms,
    BlockScheme,
    begin_window,
    close,
    open_account,
    renew,
)
from federated_router.budget.blocks import block_name, block_terms
from federated_router.budget.entries import RenewalCause
from federated_router.budget.proposal import Proposal, check_approval
from federated_router.budget.rows import LedgerRows
from federated_router.kit.errors import AccountExists, FieldInvalid
from federated_router.privacy.renewal import RenewalPolicy


def create_account(rows: LedgerRows, terms: AccountTerms, *, now_s: float) -> Account:
    """Open the account; return the existing one where its terms are the same."""
    account = open_account(terms, now_s=now_s)
    existing = rows.accounts([terms.name]).get(terms.name)
    if existing is None:
        insert(rows, account, now_s=now_s)
        return account
    if existing.terms != terms:
        raise AccountExists(
            f"{terms.name} exists with other terms. Read them, or choose another id.",
            metadata={"account": terms.name},
        )
    return renew(existing, now_s=now_s)


def insert(rows: LedgerRows, account: Account, *, now_s: float) -> None:
    """Store a new account and its entry."""
    rows.insert_account(account)
    rows.append(entries.account_created(account, now_s=now_s))


def open_block(
    rows: LedgerRows, dataset: AccountName, batch: str, *, now_s: float
) -> Account:
    """Open the block of a batch; a data set that renews on new data begins a window."""
    name = block_name(dataset, batch)
    found = rows.accounts([dataset, name])
    parent = ledger.existing(found, dataset)
    if name in found:
        return renew(found[name], now_s=now_s)
    ledger.check_open(parent)
    blocks = parent.terms.blocks
    if blocks is None or blocks.scheme is not BlockScheme.BATCH:
        raise FieldInvalid(
            f"The blocks of {dataset} are not batches, and open by themselves.",
            field="dataset",
        )
    block = open_account(block_terms(parent.terms, name), now_s=now_s)
    insert(rows, block, now_s=now_s)
    if parent.terms.renewal is RenewalPolicy.ON_NEW_DATA:
        _begin_window(
            rows, parent, RenewalCause.NEW_DATA, now_s=now_s, why={"block": name}
        )
    return block


def propose_renewal(rows: LedgerRows, proposal: Proposal, *, now_s: float) -> Proposal:
    """Keep the proposal in place of an earlier one of the account."""
    account = ledger.existing(rows.accounts([proposal.account]), proposal.account)
    ledger.check_open(account)
    rows.save_proposal(proposal)
    rows.append(entries.renewal_proposed(proposal, now_s=now_s))
    return proposal


def approve_renewal(
    rows: LedgerRows,
    name: AccountName,
    *,
    proposal_id: str,
    operator: str,
    now_s: float,
) -> Account:
    """Begin a new window, as proposed by another operator."""
    before = ledger.existing(rows.accounts([name]), name)
    ledger.check_open(before)
    proposal = check_approval(
        rows.proposal(name), proposal_id=proposal_id, operator=operator, now_s=now_s
    )
    rows.delete_proposal(name)
    return _begin_window(
        rows,
        before,
        RenewalCause.EARLY,
        now_s=now_s,
        why={
            "approved_by": operator,
            "proposed_by": proposal.proposed_by,
            "reason": proposal.reason,
        },
    )


def close_account(
    rows: LedgerRows, name: AccountName, *, operator: str, reason: str, now_s: float
) -> Account:
    """Close the account for ever; closing it again changes nothing."""
    before = ledger.existing(rows.accounts([name]), name)
    if before.closed_time_s is not None:
        return before
    after = close(before, now_s=now_s)
    rows.save_account(before, after)
    rows.append(
        entries.account_closed(after, operator=operator, reason=reason, now_s=now_s)
    )
    return after


def _begin_window(
    rows: LedgerRows,
    before: Account,
    cause: RenewalCause,
    *,
    now_s: float,
    why: dict[str, str],
) -> Account:
    after = begin_window(before, now_s=now_s)
    rows.save_account(before, after)
    rows.append(entries.account_renewed(before, after, cause, now_s=now_s, why=why))
    return after
