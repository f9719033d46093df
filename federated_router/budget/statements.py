"""The ledger's statements, and the way between a row and what it means.

Decides SQL text and column order. Refuses to run anything: `store` does. The statements
of the request path are built once, so that each call only binds its values.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from sqlalchemy import Row, bindparam, insert, select, update

from federated_router.budget.accounts import Account, AccountName, AccountTerms
from federated_router.budget.entries import Entry, EntryKind, NumberedEntry
from federated_router.budget.renewal import RenewalPolicy
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.budget.schema import ACCOUNTS, CHARGES, ENTRIES, RESERVATIONS

_HELD: Final = RESERVATIONS.c.state == ReservationState.RESERVED.value

ACCOUNTS_BY_NAME: Final = (
    select(ACCOUNTS)
    .where(ACCOUNTS.c.name.in_(bindparam("names", expanding=True)))
    .order_by(ACCOUNTS.c.name)
)
ACCOUNT_PAGE: Final = (
    select(ACCOUNTS)
    .where(ACCOUNTS.c.name > bindparam("token"))
    .order_by(ACCOUNTS.c.name)
    .limit(bindparam("count_max"))
)
# The guard says the rule of the ledger once more, where no defect above can skip it.
SAVE_ACCOUNT: Final = (
    update(ACCOUNTS)
    .where(
        ACCOUNTS.c.name == bindparam("of"),
        ACCOUNTS.c.spent_units == bindparam("spent_before"),
        ACCOUNTS.c.reserved_units == bindparam("reserved_before"),
        ACCOUNTS.c.lifetime_units == bindparam("lifetime_before"),
        ACCOUNTS.c.limit_units - bindparam("spent_units")
        >= bindparam("reserved_units"),
    )
    .values(
        spent_units=bindparam("spent_units"),
        reserved_units=bindparam("reserved_units"),
        lifetime_units=bindparam("lifetime_units"),
        window_start_s=bindparam("window_start_s"),
    )
)
INSERT_RESERVATION: Final = insert(RESERVATIONS).returning(RESERVATIONS.c.number)
SAVE_RESERVATION: Final = (
    update(RESERVATIONS)
    .where(RESERVATIONS.c.request_id == bindparam("of"), _HELD)
    .values(
        state=bindparam("state"),
        lease_expires_s=bindparam("lease_expires_s"),
        tokens_charged=bindparam("tokens_charged"),
        cause=bindparam("cause"),
        settled_time_s=bindparam("settled_time_s"),
    )
)
INSERT_CHARGES: Final = insert(CHARGES)
_WITH_CHARGES: Final = select(
    RESERVATIONS, CHARGES.c.account, CHARGES.c.units_per_token
).join_from(RESERVATIONS, CHARGES, RESERVATIONS.c.number == CHARGES.c.number)
RESERVATION_BY_REQUEST: Final = _WITH_CHARGES.where(
    RESERVATIONS.c.request_id == bindparam("request_id")
).order_by(CHARGES.c.account)
RESERVATIONS_BY_NUMBER: Final = _WITH_CHARGES.where(
    RESERVATIONS.c.number.in_(bindparam("numbers", expanding=True))
).order_by(RESERVATIONS.c.number, CHARGES.c.account)
DUE: Final = (
    select(RESERVATIONS.c.number)
    .where(_HELD, RESERVATIONS.c.lease_expires_s <= bindparam("now_s"))
    .order_by(RESERVATIONS.c.number)
    .limit(bindparam("count_max"))
)
ORPHANS: Final = (
    select(RESERVATIONS.c.number)
    .where(
        _HELD,
        RESERVATIONS.c.owner_instance == bindparam("instance"),
        RESERVATIONS.c.owner_boot != bindparam("boot"),
    )
    .order_by(RESERVATIONS.c.number)
    .limit(bindparam("count_max"))
)
HOLDERS: Final = (
    select(RESERVATIONS.c.request_id)
    .join_from(RESERVATIONS, CHARGES, RESERVATIONS.c.number == CHARGES.c.number)
    .where(_HELD, CHARGES.c.account == bindparam("name"))
    .order_by(RESERVATIONS.c.number)
    .limit(bindparam("count_max"))
)
NUMBERS_OF_ACCOUNT: Final = (
    select(CHARGES.c.number)
    .where(
        CHARGES.c.account == bindparam("name"), CHARGES.c.number < bindparam("before")
    )
    .order_by(CHARGES.c.number.desc())
    .limit(bindparam("count_max"))
)
INSERT_ENTRY: Final = insert(ENTRIES)
ENTRIES_AFTER: Final = (
    select(ENTRIES)
    .where(ENTRIES.c.sequence > bindparam("after"))
    .order_by(ENTRIES.c.sequence)
    .limit(bindparam("count_max"))
)


def account_values(account: Account) -> dict[str, object]:
    """Return the columns of a new account."""
    terms = account.terms
    return {
        "name": terms.name,
        "limit_units": terms.limit_units,
        "delta": terms.delta,
        "renewal": terms.renewal.value,
        "zone": terms.zone,
        "lifetime_cap_units": terms.lifetime_cap_units,
        **balance_values(account),
    }


def balance_values(account: Account) -> dict[str, object]:
    """Return the columns of an account that move."""
    return {
        "window_start_s": account.window_start_s,
        "spent_units": account.spent_units,
        "reserved_units": account.reserved_units,
        "lifetime_units": account.lifetime_units,
    }


def reservation_values(reservation: Reservation) -> dict[str, object]:
    """Return the columns of a new reservation."""
    return {
        "request_id": reservation.request_id,
        "body_digest": reservation.body_digest,
        "owner_instance": reservation.owner.instance,
        "owner_boot": reservation.owner.boot,
        "tokens_max": reservation.tokens_max,
        "event": reservation.event,
        "reserved_time_s": reservation.reserved_time_s,
        **outcome_values(reservation),
    }


def outcome_values(reservation: Reservation) -> dict[str, object]:
    """Return the columns of a reservation that move."""
    return {
        "state": reservation.state.value,
        "lease_expires_s": reservation.lease_expires_s,
        "tokens_charged": reservation.tokens_charged,
        "cause": reservation.cause.value if reservation.cause else None,
        "settled_time_s": reservation.settled_time_s,
    }


def entry_values(entry: Entry) -> dict[str, object]:
    """Return the columns of a journal entry."""
    return {
        "time_s": entry.time_s,
        "kind": entry.kind.value,
        "account": entry.account,
        "request_id": entry.request_id,
        "detail": entry.detail,
    }


def account_of(row: Row[*tuple[object, ...]]) -> Account:
    """Return the account that a row of ACCOUNTS holds."""
    terms = AccountTerms(
        name=AccountName(row.name),
        limit_units=row.limit_units,
        delta=row.delta,
        renewal=RenewalPolicy(row.renewal),
        zone=row.zone,
        lifetime_cap_units=row.lifetime_cap_units,
    )
    return Account(
        terms=terms,
        window_start_s=row.window_start_s,
        spent_units=row.spent_units,
        reserved_units=row.reserved_units,
        lifetime_units=row.lifetime_units,
    )


def reservations_of(
    rows: Iterable[Row[*tuple[object, ...]]],
) -> Iterator[tuple[int, Reservation]]:
    """Yield number and reservation from rows with one charge each, in their order."""
    for number, group in groupby(rows, key=lambda row: int(row.number)):
        with_charges = list(group)
        charges = tuple(
            Charge(AccountName(row.account), row.units_per_token)
            for row in with_charges
        )
        yield number, _reservation_of(with_charges[0], charges)


def entry_of(row: Row[*tuple[object, ...]]) -> NumberedEntry:
    """Return the journal entry that a row of ENTRIES holds."""
    entry = Entry(
        kind=EntryKind(row.kind),
        time_s=row.time_s,
        account=row.account,
        request_id=row.request_id,
        detail=row.detail,
    )
    return NumberedEntry(row.sequence, entry)


def _reservation_of(
    row: Row[*tuple[object, ...]], charges: tuple[Charge, ...]
) -> Reservation:
    return Reservation(
        request_id=RequestId(row.request_id),
        body_digest=bytes(row.body_digest),
        owner=Owner(row.owner_instance, row.owner_boot),
        charges=charges,
        tokens_max=row.tokens_max,
        event=row.event,
        reserved_time_s=row.reserved_time_s,
        lease_expires_s=row.lease_expires_s,
        state=ReservationState(row.state),
        tokens_charged=row.tokens_charged,
        cause=ReleaseCause(row.cause) if row.cause else None,
        settled_time_s=row.settled_time_s,
    )
