"""Between the ledger's values and the messages of BudgetService."""

from decimal import Decimal
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.budget.accounts import (
    Account,
    AccountKind,
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
    account_kind,
)
from federated_router.budget.reservation import Reservation, ReservationState
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.measure import (
    Measure,
    epsilon_of,
    limit_units,
    measure_for,
)
from federated_router.privacy.renewal import RenewalPolicy

_EPSILON_PLACES: Final = 6
KINDS: Final = {
    AccountKind.DATASET: pb.Account.KIND_DATASET,
    AccountKind.USER: pb.Account.KIND_USER,
    AccountKind.BLOCK: pb.Account.KIND_BLOCK,
    AccountKind.DEPARTMENT: pb.Account.KIND_DEPARTMENT,
    AccountKind.FEDERATION: pb.Account.KIND_FEDERATION,
}
RENEWALS: Final = {
    RenewalPolicy.NONE: pb.Account.RENEWAL_NONE,
    RenewalPolicy.DAILY: pb.Account.RENEWAL_DAILY,
    RenewalPolicy.WEEKLY: pb.Account.RENEWAL_WEEKLY,
    RenewalPolicy.MONTHLY: pb.Account.RENEWAL_MONTHLY,
    RenewalPolicy.ON_NEW_DATA: pb.Account.RENEWAL_ON_NEW_DATA,
}
SCHEMES: Final = {
    BlockScheme.RECORD: pb.BlockTerms.SCHEME_RECORD,
    BlockScheme.BUCKET: pb.BlockTerms.SCHEME_BUCKET,
    BlockScheme.BATCH: pb.BlockTerms.SCHEME_BATCH,
}
STATES: Final = {
    ReservationState.RESERVED: pb.Reservation.STATE_HELD,
    ReservationState.COMMITTED: pb.Reservation.STATE_COMMITTED,
    ReservationState.RELEASED: pb.Reservation.STATE_RELEASED,
    ReservationState.EXPIRED: pb.Reservation.STATE_EXPIRED,
}


def terms_of(account: pb.Account) -> AccountTerms:
    """Return the terms that a message asks for; raise FieldInvalid."""
    kind = account_kind(account.name)
    if KINDS[kind] != account.kind:
        raise FieldInvalid(
            f"An account of this name is of kind {kind.value}.", field="account.kind"
        )
    if kind is AccountKind.BLOCK:
        raise FieldInvalid(
            "Blocks open with the data set's terms: by the first release that reads "
            "them, or by OpenBlock.",
            field="account.kind",
        )
    renewals = {message: policy for policy, message in RENEWALS.items()}
    if account.renewal not in renewals:
        raise FieldInvalid("Say when it renews.", field="account.renewal")
    epsilon, delta = _decimal(account.epsilon), _decimal(account.delta)
    measure = _measure(account.accounting, epsilon, delta)
    lifetime = (
        _limit(_decimal(account.lifetime_epsilon), delta, measure)
        if account.HasField("lifetime_epsilon")
        else None
    )
    return AccountTerms(
        name=AccountName(account.name),
        limit_units=_limit(epsilon, delta, measure),
        delta=account.delta,
        renewal=renewals[account.renewal],
        zone=account.time_zone or "UTC",
        lifetime_cap_units=lifetime,
        order=measure.order,
        blocks=_block_terms(account, delta) if account.HasField("blocks") else None,
    )


def account_message(account: Account) -> pb.Account:
    """Return an account as everybody may see it."""
    terms = account.terms
    message = pb.Account(
        name=account.name,
        kind=KINDS[account.kind],
        epsilon=_epsilon(terms.limit_units, terms),
        delta=terms.delta,
        renewal=RENEWALS[terms.renewal],
        time_zone=terms.zone,
        limit_units=terms.limit_units,
        spent_units=account.spent_units,
        held_units=account.reserved_units,
        free_units=max(account.free_units, 0),
        lifetime_units=account.lifetime_units,
        lifetime_cap_units=terms.lifetime_cap_units or 0,
        spent_epsilon=_epsilon(account.spent_units, terms),
        lifetime_spent_epsilon=_epsilon(account.lifetime_units, terms),
        accounting=_accounting(terms.order),
        rdp_order=terms.order or 0.0,
        promise=pb.Account.PROMISE_GUARANTEE
        if account.kind.is_guarantee
        else pb.Account.PROMISE_QUOTA,
        window_time=time_message(account.window_start_s),
    )
    if terms.lifetime_cap_units is not None:
        message.lifetime_epsilon = _epsilon(terms.lifetime_cap_units, terms)
    if terms.blocks is not None:
        message.blocks.CopyFrom(_block_message(terms.blocks, terms.delta))
    if account.renews_s is not None:
        message.renew_time.CopyFrom(time_message(account.renews_s))
    if account.closed_time_s is not None:
        message.close_time.CopyFrom(time_message(account.closed_time_s))
    return message


def reservation_message(one: Reservation, account: AccountName) -> pb.Reservation:
    """Return a reservation as it concerns one of its accounts."""
    charge = next(charge for charge in one.charges if charge.account == account)
    message = pb.Reservation(
        name=f"reservations/{one.request_id}",
        state=STATES[one.state],
        reserved_units=charge.units_per_step * one.steps_max,
        charged_units=one.charged_units(charge),
        steps=one.steps_charged,
        create_time=time_message(one.reserved_time_s),
        accounts=[str(charge.account) for charge in one.charges],
        event=one.event,
        steps_bound=one.steps_bound,
    )
    if one.settled_time_s is not None:
        message.settle_time.CopyFrom(time_message(one.settled_time_s))
    return message


def time_message(seconds: float) -> Timestamp:
    """Return an instant for the wire, to the millisecond."""
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp


def _measure(
    accounting: pb.Account.Accounting, epsilon: Decimal, delta: Decimal
) -> Measure:
    if accounting == pb.Account.ACCOUNTING_RDP:
        return measure_for(epsilon=epsilon, delta=delta)
    if accounting in (
        pb.Account.ACCOUNTING_UNSPECIFIED,
        pb.Account.ACCOUNTING_ZCDP,
    ):
        return Measure()
    raise FieldInvalid("Use one of the kinds of the contract.", field="accounting")


def _accounting(order: float | None) -> pb.Account.Accounting:
    return pb.Account.ACCOUNTING_ZCDP if order is None else pb.Account.ACCOUNTING_RDP


def _block_terms(account: pb.Account, delta: Decimal) -> BlockTerms:
    schemes = {message: scheme for scheme, message in SCHEMES.items()}
    blocks = account.blocks
    if blocks.scheme not in schemes:
        raise FieldInvalid("Say what makes a block.", field="account.blocks.scheme")
    epsilon = _decimal(blocks.epsilon)
    measure = _measure(account.accounting, epsilon, delta)
    return BlockTerms(
        scheme=schemes[blocks.scheme],
        limit_units=_limit(epsilon, delta, measure),
        bucket_count=blocks.bucket_count,
        order=measure.order,
    )


def _block_message(blocks: BlockTerms, delta: float) -> pb.BlockTerms:
    epsilon = epsilon_of(blocks.limit_units, Measure(blocks.order), delta=delta)
    return pb.BlockTerms(
        scheme=SCHEMES[blocks.scheme],
        bucket_count=blocks.bucket_count,
        epsilon=round(epsilon, _EPSILON_PLACES),
        limit_units=blocks.limit_units,
    )


def _limit(epsilon: Decimal, delta: Decimal, measure: Measure) -> int:
    return limit_units(epsilon=epsilon, delta=delta, measure=measure)


def _epsilon(units: int, terms: AccountTerms) -> float:
    figure = epsilon_of(units, Measure(terms.order), delta=terms.delta)
    return round(figure, _EPSILON_PLACES)


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))
