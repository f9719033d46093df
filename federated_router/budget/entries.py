"""The ledger's journal: one entry for everything that ever moved a balance.

Decides what an entry says. From the entries alone, in order, every balance can be
computed again; nothing in them is private (amounts, public parameters, digests).
Refuses to know where entries are kept. The text of an entry is canonical JSON, so that
a digest of it means something.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.ledger import Balances
from federated_router.budget.proposal import Proposal
from federated_router.budget.reservation import (
    RequestId,
    Reservation,
    ReservationState,
)

_quoted: Final = json.encoder.encode_basestring_ascii


class EntryKind(StrEnum):
    """What happened."""

    ACCOUNT_CREATED = "account_created"
    ACCOUNT_RENEWED = "account_renewed"
    RESERVED = "reserved"
    BOUNDED = "bounded"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"
    ACCOUNT_CLOSED = "account_closed"
    RENEWAL_PROPOSED = "renewal_proposed"
    LEDGER_RESTORED = "ledger_restored"


_KINDS: Final = {state: EntryKind(state.value) for state in ReservationState}


class RenewalCause(StrEnum):
    """Why a new window began."""

    CALENDAR = "calendar"
    EARLY = "early"
    NEW_DATA = "new_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened at `time_s`, to an account or to a reservation."""

    kind: EntryKind
    time_s: float
    account: AccountName | None = None
    request_id: RequestId | None = None
    detail: str

    @property
    def time_us(self) -> int:
        """When, in microseconds of Unix time; this is what is hashed and shown."""
        return round(self.time_s * 1_000_000)


def account_created(account: Account, *, now_s: float) -> Entry:
    """Return the entry of a new account: its terms."""
    terms = account.terms
    blocks = terms.blocks
    return Entry(
        kind=EntryKind.ACCOUNT_CREATED,
        time_s=now_s,
        account=account.name,
        detail=_canonical(
            {
                "blocks": None
                if blocks is None
                else {
                    "bucket_count": blocks.bucket_count,
                    "limit_units": blocks.limit_units,
                    "order": blocks.order,
                    "scheme": blocks.scheme.value,
                },
                "delta": terms.delta,
                "lifetime_cap_units": terms.lifetime_cap_units,
                "limit_units": terms.limit_units,
                "order": terms.order,
                "renewal": terms.renewal.value,
                "window_start_s": account.window_start_s,
                "zone": terms.zone,
            }
        ),
    )


def renewals(before: Balances, after: Balances, *, now_s: float) -> Iterator[Entry]:
    """Yield one entry per account that its calendar renewed, in order of name."""
    for name in sorted(after):
        if after[name].window_start_s != before[name].window_start_s:
            yield account_renewed(
                before[name], after[name], RenewalCause.CALENDAR, now_s=now_s
            )


def account_renewed(
    before: Account,
    after: Account,
    cause: RenewalCause,
    *,
    now_s: float,
    why: Mapping[str, str] | None = None,
) -> Entry:
    """Return the entry of a new window; `why` tells who wanted it, and what for."""
    return Entry(
        kind=EntryKind.ACCOUNT_RENEWED,
        time_s=now_s,
        account=after.name,
        detail=_canonical(
            {
                "cause": cause.value,
                "spent_units": before.spent_units,
                "window_start_s": after.window_start_s,
                **(why or {}),
            }
        ),
    )


def renewal_proposed(proposal: Proposal, *, now_s: float) -> Entry:
    """Return the entry of a proposal."""
    return Entry(
        kind=EntryKind.RENEWAL_PROPOSED,
        time_s=now_s,
        account=proposal.account,
        detail=_canonical(
            {
                "expires_time_s": proposal.expires_time_s,
                "proposal": proposal.proposal_id,
                "proposed_by": proposal.proposed_by,
                "reason": proposal.reason,
            }
        ),
    )


def account_closed(
    account: Account, *, operator: str, reason: str, now_s: float
) -> Entry:
    """Return the entry of an account that was closed, and by whom."""
    return Entry(
        kind=EntryKind.ACCOUNT_CLOSED,
        time_s=now_s,
        account=account.name,
        detail=_canonical({"closed_by": operator, "reason": reason}),
    )


def ledger_restored(told: Mapping[str, object], *, now_s: float) -> Entry:
    """Return the entry that says from which backup this ledger goes on."""
    return Entry(kind=EntryKind.LEDGER_RESTORED, time_s=now_s, detail=_canonical(told))


def transition(reservation: Reservation, *, now_s: float) -> Entry:
    """Return the entry of a reservation that has just entered its state."""
    held = reservation.state is ReservationState.RESERVED
    return Entry(
        kind=_KINDS[reservation.state],
        time_s=now_s,
        request_id=reservation.request_id,
        detail=_terms(reservation) if held else _outcome(reservation),
    )


def bounded(reservation: Reservation, *, now_s: float) -> Entry:
    """Return the entry of a reservation that allows more steps than before."""
    return Entry(
        kind=EntryKind.BOUNDED,
        time_s=now_s,
        request_id=reservation.request_id,
        detail=f'{{"steps_bound":{reservation.steps_bound}}}',
    )


# Every request writes these two, so their canonical JSON is put together here from its
# parts: the general encoder costs ten times as much. A test compares.


def _terms(reservation: Reservation) -> str:
    held_units = _units(reservation, reservation.steps_max)
    owner = reservation.owner
    bound = reservation.steps_bound
    told_bound = "" if bound == reservation.steps_max else f'"steps_bound":{bound},'
    return (
        f'{{"event":{_canonical_event(reservation.event)},'
        f'"held_units":{{{held_units}}},'
        f'"lease_expires_s":{reservation.lease_expires_s!r},'
        f'"owner":{{"boot":{_quoted(owner.boot)},'
        f'"instance":{_quoted(owner.instance)}}},'
        f'{told_bound}"steps_max":{reservation.steps_max}}}'
    )


def _outcome(reservation: Reservation) -> str:
    charged_units = _units(reservation, reservation.steps_charged)
    cause = reservation.cause
    return (
        f'{{"cause":{"null" if cause is None else _quoted(cause)},'
        f'"charged_units":{{{charged_units}}},"steps":{reservation.steps_charged}}}'
    )


def _units(reservation: Reservation, steps: int) -> str:
    """Return what so many steps cost each account; a reservation sorts its accounts."""
    return ",".join(
        f"{_quoted(charge.account)}:{charge.units_per_step * steps}"
        for charge in reservation.charges
    )


@lru_cache(maxsize=4096)
def _canonical_event(event: str) -> str:
    return _canonical(json.loads(event))


def _canonical(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
