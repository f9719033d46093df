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

from federated_router.budget.accounts import Account, AccountName
from federated_router.budget.ledger import Balances
from federated_router.budget.reservation import (
    RequestId,
    Reservation,
    ReservationState,
)


class EntryKind(StrEnum):
    """What happened."""

    ACCOUNT_CREATED = "account_created"
    ACCOUNT_RENEWED = "account_renewed"
    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened at `time_s`, to an account or to a reservation."""

    kind: EntryKind
    time_s: float
    account: AccountName | None = None
    request_id: RequestId | None = None
    detail: str


@dataclass(frozen=True, slots=True)
class NumberedEntry:
    """An entry with its place in the journal; later entries have larger numbers."""

    sequence: int
    entry: Entry


def account_created(account: Account, *, now_s: float) -> Entry:
    """Return the entry of a new account: its terms."""
    terms = account.terms
    return Entry(
        kind=EntryKind.ACCOUNT_CREATED,
        time_s=now_s,
        account=account.name,
        detail=_canonical(
            {
                "delta": terms.delta,
                "lifetime_cap_units": terms.lifetime_cap_units,
                "limit_units": terms.limit_units,
                "renewal": terms.renewal.value,
                "window_start_s": account.window_start_s,
                "zone": terms.zone,
            }
        ),
    )


def renewals(before: Balances, after: Balances, *, now_s: float) -> Iterator[Entry]:
    """Yield one entry per account that entered a new window, in order of name."""
    for name in sorted(after):
        if after[name].window_start_s != before[name].window_start_s:
            yield Entry(
                kind=EntryKind.ACCOUNT_RENEWED,
                time_s=now_s,
                account=name,
                detail=_canonical(
                    {
                        "spent_units": before[name].spent_units,
                        "window_start_s": after[name].window_start_s,
                    }
                ),
            )


def transition(reservation: Reservation, *, now_s: float) -> Entry:
    """Return the entry of a reservation that has just entered its state."""
    held = reservation.state is ReservationState.RESERVED
    return Entry(
        kind=EntryKind(reservation.state.value),
        time_s=now_s,
        request_id=reservation.request_id,
        detail=_canonical(_terms(reservation) if held else _outcome(reservation)),
    )


def _terms(reservation: Reservation) -> Mapping[str, object]:
    return {
        "body_digest": reservation.body_digest.hex(),
        "event": json.loads(reservation.event),
        "held_units": {
            charge.account: reservation.held_units(charge)
            for charge in reservation.charges
        },
        "lease_expires_s": reservation.lease_expires_s,
        "owner": {
            "boot": reservation.owner.boot,
            "instance": reservation.owner.instance,
        },
        "tokens_max": reservation.tokens_max,
    }


def _outcome(reservation: Reservation) -> Mapping[str, object]:
    return {
        "cause": reservation.cause.value if reservation.cause else None,
        "charged_units": {
            charge.account: reservation.charged_units(charge)
            for charge in reservation.charges
        },
        "tokens": reservation.tokens_charged,
    }


def _canonical(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
