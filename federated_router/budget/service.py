"""BudgetService: between the contract and the ledger."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import ClassVar

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2 as inference
from federated_router.budget.accounts import (
    Account,
    AccountKind,
    AccountName,
    AccountTerms,
    account_kind,
)
from federated_router.budget.port import LedgerStore
from federated_router.budget.renewal import RenewalPolicy
from federated_router.budget.reservation import Reservation, ReservationState
from federated_router.kit.errors import AccountUnknown, DatasetUnknown, FieldInvalid
from federated_router.kit.identity import Role
from federated_router.kit.names import resource_id
from federated_router.kit.pages import page_size_of
from federated_router.privacy.accountant import budget_units, epsilon_of_units
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy

_OPERATOR = frozenset({Role.OPERATOR})
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})
_KINDS = {
    AccountKind.DATASET: pb.Account.KIND_DATASET,
    AccountKind.USER: pb.Account.KIND_USER,
}
_RENEWALS = {
    pb.Account.RENEWAL_NONE: RenewalPolicy.NONE,
    pb.Account.RENEWAL_DAILY: RenewalPolicy.DAILY,
    pb.Account.RENEWAL_WEEKLY: RenewalPolicy.WEEKLY,
    pb.Account.RENEWAL_MONTHLY: RenewalPolicy.MONTHLY,
}
_STATES = {
    ReservationState.RESERVED: pb.Reservation.STATE_HELD,
    ReservationState.COMMITTED: pb.Reservation.STATE_COMMITTED,
    ReservationState.RELEASED: pb.Reservation.STATE_RELEASED,
    ReservationState.EXPIRED: pb.Reservation.STATE_EXPIRED,
}
PolicyLookup = Callable[[str, inference.Selection], PrivatePolicy]
Terms = Callable[[PrivatePolicy], inference.PrivacyParameters]


class BudgetServicer(pb_grpc.BudgetServiceServicer):
    """Serves budgets to operators, and their balances to clients."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "CreateAccount": _OPERATOR,
        "GetAccount": _READERS,
        "ListAccounts": _OPERATOR,
        "PriceEvent": _READERS,
        "ListReservations": _OPERATOR,
    }

    def __init__(
        self, *, ledger: LedgerStore, policy: PolicyLookup, terms_message: Terms
    ) -> None:
        self._ledger = ledger
        self._policy = policy
        self._terms_message = terms_message

    async def CreateAccount(
        self, request: pb.CreateAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.CreateAccountResponse:
        """Open an account; the same terms again return it."""
        account = await self._ledger.create_account(_terms(request.account))
        return pb.CreateAccountResponse(account=_account(account))

    async def GetAccount(
        self, request: pb.GetAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.GetAccountResponse:
        """Return one balance."""
        account_kind(request.name)
        account = await self._ledger.get_account(AccountName(request.name))
        return pb.GetAccountResponse(account=_account(account))

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListAccountsResponse:
        """Return a page of balances."""
        page = await self._ledger.list_accounts(
            page_size=page_size_of(request.page_size), page_token=request.page_token
        )
        return pb.ListAccountsResponse(
            accounts=[_account(account) for account in page.accounts],
            next_page_token=page.next_page_token,
        )

    async def PriceEvent(
        self, request: pb.PriceEventRequest, _: grpc.aio.ServicerContext
    ) -> pb.PriceEventResponse:
        """Return what a private request may cost at most."""
        dataset = resource_id(request.dataset, "datasets", field="dataset")
        policy = self._policy(request.policy, request.selection)
        if request.tokens_max < 0:
            raise FieldInvalid("Ask for 0 or more tokens.", field="tokens_max")
        tokens = min(request.tokens_max or policy.tokens_max, policy.tokens_max)
        account = await self._dataset_account(dataset)
        token_units = token_charge_units(policy)
        worst_units = token_units * tokens
        return pb.PriceEventResponse(
            token_charge_units=token_units,
            worst_case_units=worst_units,
            worst_case_epsilon=epsilon_of_units(worst_units, delta=account.terms.delta),
            free_units=max(account.free_units, 0),
            parameters=self._terms_message(policy),
        )

    async def ListReservations(
        self, request: pb.ListReservationsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListReservationsResponse:
        """Return a page of an account's reservations, newest first."""
        account_kind(request.account)
        name = AccountName(request.account)
        await self._ledger.get_account(name)
        page = await self._ledger.list_reservations(
            name,
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
        )
        return pb.ListReservationsResponse(
            reservations=[_reservation(one, name) for one in page.reservations],
            next_page_token=page.next_page_token,
        )

    async def _dataset_account(self, dataset: str) -> Account:
        try:
            return await self._ledger.get_account(
                AccountName(f"accounts/dataset-{dataset}")
            )
        except AccountUnknown as error:
            raise DatasetUnknown(
                "This data set has no budget account; an operator creates one.",
                metadata={"dataset": f"datasets/{dataset}"},
            ) from error


def _terms(account: pb.Account) -> AccountTerms:
    """Return the terms that a message asks for; raise FieldInvalid."""
    kind = account_kind(account.name)
    if _KINDS[kind] != account.kind:
        raise FieldInvalid(
            f"An account of this name is of kind {kind.value}.", field="account.kind"
        )
    if account.renewal not in _RENEWALS:
        raise FieldInvalid("Say when it renews.", field="account.renewal")
    return AccountTerms(
        name=AccountName(account.name),
        limit_units=budget_units(
            epsilon=Decimal(repr(account.epsilon)), delta=Decimal(repr(account.delta))
        ),
        delta=account.delta,
        renewal=_RENEWALS[account.renewal],
        zone=account.time_zone or "UTC",
    )


def _account(account: Account) -> pb.Account:
    terms = account.terms
    renewal = next(key for key, value in _RENEWALS.items() if value is terms.renewal)
    message = pb.Account(
        name=account.name,
        kind=_KINDS[account.kind],
        epsilon=round(epsilon_of_units(terms.limit_units, delta=terms.delta), 6),
        delta=terms.delta,
        renewal=renewal,
        time_zone=terms.zone,
        limit_units=terms.limit_units,
        spent_units=account.spent_units,
        held_units=account.reserved_units,
        lifetime_units=account.lifetime_units,
        spent_epsilon=epsilon_of_units(account.spent_units, delta=terms.delta),
    )
    if account.renews_s is not None:
        message.renew_time.CopyFrom(_time(account.renews_s))
    return message


def _reservation(one: Reservation, account: AccountName) -> pb.Reservation:
    charge = next(charge for charge in one.charges if charge.account == account)
    return pb.Reservation(
        name=f"reservations/{one.request_id}",
        state=_STATES[one.state],
        reserved_units=charge.units_per_token * one.tokens_max,
        charged_units=one.charged_units(charge),
        tokens=one.tokens_charged,
        create_time=_time(one.reserved_time_s),
        accounts=[str(charge.account) for charge in one.charges],
    )


def _time(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromMilliseconds(int(seconds * 1000))
    return stamp
