"""What a row of the ledger's tables means.

Decides the way from columns to values of the domain; `row_values` goes back. Refuses to
know statements and connections. Rows are tuples in the order of the table's columns
(`schema`), because a batch reads many of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from federated_router.budget.accounts import (
    Account,
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
)
from federated_router.budget.answers import Answer
from federated_router.budget.chain import ChainedEntry, ChainHead
from federated_router.budget.checkpoint import Checkpoint
from federated_router.budget.entries import Entry, EntryKind
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.sql.changes import Position
from federated_router.privacy.renewal import RenewalPolicy

Columns = Sequence[Any]
"""A row that was read."""


def account_of(row: Columns) -> Account:
    """Return the account that a row holds."""
    (start_s, spent_units, reserved_units, lifetime_units, closed_time_s) = row[11:]
    return Account(
        terms=_terms_of(tuple(row[:11])),
        window_start_s=start_s,
        spent_units=spent_units,
        reserved_units=reserved_units,
        lifetime_units=lifetime_units,
        closed_time_s=closed_time_s,
    )


def reservations_of(rows: Iterable[Columns]) -> Iterator[Reservation]:
    """Yield reservations from rows that end in one charge each, in their order."""
    for _, group in groupby(rows, key=itemgetter(0)):
        with_charges = list(group)
        charges = tuple(Charge(AccountName(row[-2]), row[-1]) for row in with_charges)
        yield _reservation_of(with_charges[0], charges)


def position_of(row: Columns) -> Position:
    """Return the end of the ledger that the row of its chain holds."""
    (_, ledger_id, sequence, digest, last_reservation) = row
    head = ChainHead(bytes(ledger_id), sequence, bytes(digest))
    return Position(head, last_reservation)


def entry_of(row: Columns) -> ChainedEntry:
    """Return the journal entry that a row holds."""
    (sequence, time_s, kind, account, request_id, detail, digest) = row
    entry = Entry(
        kind=EntryKind(kind),
        time_s=time_s,
        account=account,
        request_id=request_id,
        detail=detail,
    )
    return ChainedEntry(sequence, entry, bytes(digest))


def checkpoint_of(row: Columns) -> Checkpoint:
    """Return the checkpoint that a row holds."""
    (sequence, ledger_id, digest, time_us, public_key, signature) = row
    return Checkpoint(
        head=ChainHead(bytes(ledger_id), sequence, bytes(digest)),
        time_us=time_us,
        public_key=bytes(public_key),
        signature=bytes(signature),
    )


def proposal_of(row: Columns) -> Proposal:
    """Return the proposal that a row holds."""
    (account, proposal_id, proposed_by, reason, expires_time_s) = row
    return Proposal(
        proposal_id=proposal_id,
        account=AccountName(account),
        proposed_by=proposed_by,
        reason=reason,
        expires_time_s=expires_time_s,
    )


def answer_of(row: Columns) -> Answer:
    """Return the answer that a row holds."""
    (_, request_id, cache_key, _, stored_time_s, expires_time_s, content) = row
    return Answer(
        request_id=RequestId(request_id),
        content=bytes(content),
        stored_time_s=stored_time_s,
        expires_time_s=expires_time_s,
        cache_key=None if cache_key is None else bytes(cache_key),
    )


@lru_cache(maxsize=65_536)
def _terms_of(columns: tuple[Any, ...]) -> AccountTerms:
    # Terms never change, and every request reads them.
    (name, limit_units, delta, renewal, zone, cap_units, order, *blocks) = columns
    return AccountTerms(
        name=AccountName(name),
        limit_units=limit_units,
        delta=delta,
        renewal=RenewalPolicy(renewal),
        zone=zone,
        lifetime_cap_units=cap_units,
        order=order,
        blocks=_blocks_of(blocks),
    )


def _blocks_of(columns: Columns) -> BlockTerms | None:
    (scheme, bucket_count, limit_units, order) = columns
    if scheme is None:
        return None
    return BlockTerms(
        scheme=BlockScheme(scheme),
        limit_units=limit_units,
        bucket_count=bucket_count,
        order=order,
    )


def _reservation_of(row: Columns, charges: tuple[Charge, ...]) -> Reservation:
    (_, request_id, body_digest, instance, boot, steps_max, steps_bound) = row[:7]
    (event, *times) = row[7:10]
    (state, steps_charged, cause, settled_time_s) = row[10:14]
    return Reservation(
        request_id=RequestId(request_id),
        body_digest=bytes(body_digest),
        owner=Owner(instance, boot),
        charges=charges,
        steps_max=steps_max,
        steps_bound=steps_bound,
        event=event,
        reserved_time_s=times[0],
        lease_expires_s=times[1],
        state=ReservationState(state),
        steps_charged=steps_charged,
        cause=ReleaseCause(cause) if cause else None,
        settled_time_s=settled_time_s,
    )
