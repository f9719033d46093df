"""What the ledger asks its database: statements that read.

Decides SQL text. Refuses to run anything (`stored_rows` does), to write
(`batch_writer`) and to know what a row means (`records`). Each is built once, so that a
call only binds its values. `driver_sql` has those of the request path.
"""

from typing import Final

from sqlalchemy import bindparam, exists, func, literal_column, select

from federated_router.budget.reservation import ReservationState
from federated_router.budget.sql.schema import (
    ACCOUNTS,
    ANSWERS,
    CHARGES,
    CHECKPOINTS,
    ENTRIES,
    PROPOSALS,
    RESERVATIONS,
)

# Not a bound value: the index of holds is used only where the text says the state.
_HELD: Final = RESERVATIONS.c.state == literal_column(
    f"'{ReservationState.RESERVED.value}'"
)
_CHARGED_UNITS: Final = CHARGES.c.units_per_step * RESERVATIONS.c.steps_charged
_CHARGED_SINCE: Final = (
    CHARGES.c.account == bindparam("name"),
    RESERVATIONS.c.settled_time_s >= bindparam("since_s"),
    RESERVATIONS.c.steps_charged > 0,
)

ACCOUNT_PAGE: Final = (
    select(ACCOUNTS)
    .where(
        ACCOUNTS.c.name > bindparam("token"),
        ACCOUNTS.c.name >= bindparam("prefix"),
        ACCOUNTS.c.name < bindparam("beyond"),
    )
    .order_by(ACCOUNTS.c.name)
    .limit(bindparam("count_max"))
)

_WITH_CHARGES: Final = select(
    RESERVATIONS, CHARGES.c.account, CHARGES.c.units_per_step
).join_from(RESERVATIONS, CHARGES, RESERVATIONS.c.number == CHARGES.c.number)
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
    .where(
        _HELD,
        # Begins with what is held: an account's charges are its whole history.
        exists()
        .where(
            CHARGES.c.number == RESERVATIONS.c.number,
            CHARGES.c.account == bindparam("name"),
        )
        .correlate(RESERVATIONS),
    )
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

SPENDING: Final = (
    select(
        RESERVATIONS.c.event,
        func.sum(RESERVATIONS.c.steps_charged).label("steps"),
        func.count().label("requests"),
        func.sum(_CHARGED_UNITS).label("units"),
    )
    .join_from(CHARGES, RESERVATIONS, RESERVATIONS.c.number == CHARGES.c.number)
    .where(*_CHARGED_SINCE)
    .group_by(RESERVATIONS.c.event)
)
DEAREST: Final = (
    select(CHARGES.c.number)
    .join_from(CHARGES, RESERVATIONS, RESERVATIONS.c.number == CHARGES.c.number)
    .where(*_CHARGED_SINCE)
    .order_by(_CHARGED_UNITS.desc(), CHARGES.c.number)
    .limit(bindparam("count_max"))
)

ENTRIES_AFTER: Final = (
    select(ENTRIES)
    .where(ENTRIES.c.sequence > bindparam("after"))
    .order_by(ENTRIES.c.sequence)
    .limit(bindparam("count_max"))
)
CHECKPOINTS_AFTER: Final = (
    select(CHECKPOINTS)
    .where(CHECKPOINTS.c.sequence > bindparam("after"))
    .order_by(CHECKPOINTS.c.sequence)
    .limit(bindparam("count_max"))
)
LAST_CHECKPOINT: Final = (
    select(CHECKPOINTS).order_by(CHECKPOINTS.c.sequence.desc()).limit(1)
)
PROPOSAL: Final = select(PROPOSALS).where(PROPOSALS.c.account == bindparam("name"))

ANSWER: Final = select(ANSWERS).where(
    ANSWERS.c.request_id == bindparam("request_id"),
    ANSWERS.c.expires_time_s > bindparam("now_s"),
)
CACHED_ANSWER: Final = (
    select(ANSWERS)
    .where(
        ANSWERS.c.cache_key == bindparam("cache_key"),
        ANSWERS.c.expires_time_s > bindparam("now_s"),
    )
    .order_by(ANSWERS.c.number.desc())
    .limit(1)
)
KEPT_BYTES: Final = select(func.coalesce(func.sum(ANSWERS.c.size_bytes), 0))
EXPIRED_ANSWERS: Final = (
    select(ANSWERS.c.number, ANSWERS.c.size_bytes)
    .where(ANSWERS.c.expires_time_s <= bindparam("now_s"))
    .order_by(ANSWERS.c.expires_time_s)
    .limit(bindparam("count_max"))
)
OLDEST_ANSWERS: Final = (
    select(ANSWERS.c.number, ANSWERS.c.size_bytes)
    .where(ANSWERS.c.expires_time_s > bindparam("now_s"))
    .order_by(ANSWERS.c.number)
    .limit(bindparam("count_max"))
)
