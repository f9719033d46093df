"""Which row of the ledger's tables a value of the domain becomes.

Decides the way from values to columns; `records` goes back. Refuses to know statements
and connections. Rows are tuples in the order of the table's columns (`schema`), because
a batch writes many of them.
"""

from typing import Any

from federated_router.budget.accounts import Account
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import Reservation

Values = tuple[Any, ...]
"""A row to write."""


def account_values(account: Account) -> Values:
    """Return the columns of an account."""
    terms = account.terms
    blocks = terms.blocks
    return (
        terms.name,
        terms.limit_units,
        terms.delta,
        terms.renewal.value,
        terms.zone,
        terms.lifetime_cap_units,
        terms.order,
        None if blocks is None else blocks.scheme.value,
        None if blocks is None else blocks.bucket_count,
        None if blocks is None else blocks.limit_units,
        None if blocks is None else blocks.order,
        account.window_start_s,
        account.spent_units,
        account.reserved_units,
        account.lifetime_units,
        account.closed_time_s,
    )


def reservation_values(number: int, reservation: Reservation) -> Values:
    """Return the columns of a reservation."""
    return (
        number,
        reservation.request_id,
        reservation.body_digest,
        reservation.owner.instance,
        reservation.owner.boot,
        reservation.steps_max,
        reservation.steps_bound,
        reservation.event,
        reservation.reserved_time_s,
        reservation.lease_expires_s,
        reservation.state.value,
        reservation.steps_charged,
        reservation.cause.value if reservation.cause else None,
        reservation.settled_time_s,
    )


def entry_values(chained: ChainedEntry) -> Values:
    """Return the columns of a journal entry."""
    entry = chained.entry
    return (
        chained.sequence,
        entry.time_s,
        entry.kind.value,
        entry.account,
        entry.request_id,
        entry.detail,
        chained.hash,
    )


def checkpoint_values(checkpoint: Checkpoint) -> Values:
    """Return the columns of a checkpoint."""
    head = checkpoint.head
    return (
        head.sequence,
        head.ledger_id,
        head.hash,
        checkpoint.time_us,
        checkpoint.public_key,
        checkpoint.signature,
    )


def proposal_values(proposal: Proposal) -> Values:
    """Return the columns of a proposal."""
    return (
        proposal.account,
        proposal.proposal_id,
        proposal.proposed_by,
        proposal.reason,
        proposal.expires_time_s,
    )


def answer_values(answer: Answer) -> Values:
    """Return the columns of an answer, without the number that the database gives."""
    return (
        answer.request_id,
        answer.cache_key,
        answer.size_bytes,
        answer.stored_time_s,
        answer.expires_time_s,
        answer.content,
    )
