"""BudgetService: between the contract and the ledger."""

from collections.abc import Callable, Mapping
from typing import ClassVar, Final

import grpc

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.api.v1 import budget_pb2_grpc as pb_grpc
from federated_router.api.v1 import inference_pb2 as inference
from federated_router.budget.accounts import AccountName, account_kind
from federated_router.budget.blocks import RecordKey
from federated_router.budget.messages import (
    account_message,
    reservation_message,
    terms_of,
    time_message,
)
from federated_router.budget.port import LedgerStore
from federated_router.budget.price_message import price_message
from federated_router.budget.pricing import Pricer, Release, dataset_account
from federated_router.budget.reporting import report_account
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import resource_id
from federated_router.kit.pages import page_size_of
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.step import token_step

_OPERATOR = frozenset({Role.OPERATOR})
_READERS = frozenset({Role.CLIENT, Role.OPERATOR})
RESERVATIONS_PAGE_MAX: Final = 50
"""A reservation may touch a thousand accounts, and a page must fit into a message."""
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
        "ReportAccount": _OPERATOR,
        "OpenBlock": _OPERATOR,
        "ProposeRenewal": _OPERATOR,
        "ApproveRenewal": _OPERATOR,
        "CloseAccount": _OPERATOR,
    }

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        pricer: Pricer,
        policy: PolicyLookup,
        terms_message: Terms,
        proposal_lifetime_s: float,
    ) -> None:
        self._ledger = ledger
        self._pricer = pricer
        self._policy = policy
        self._terms_message = terms_message
        self._proposal_lifetime_s = proposal_lifetime_s

    async def CreateAccount(
        self, request: pb.CreateAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.CreateAccountResponse:
        """Open an account; the same terms again return it."""
        account = await self._ledger.create_account(terms_of(request.account))
        return pb.CreateAccountResponse(account=account_message(account))

    async def GetAccount(
        self, request: pb.GetAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.GetAccountResponse:
        """Return one balance."""
        account = await self._ledger.get_account(_name(request.name))
        return pb.GetAccountResponse(account=account_message(account))

    async def ListAccounts(
        self, request: pb.ListAccountsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListAccountsResponse:
        """Return a page of balances."""
        page = await self._ledger.list_accounts(
            page_size=page_size_of(request.page_size),
            page_token=request.page_token,
            name_prefix=request.name_prefix,
        )
        return pb.ListAccountsResponse(
            accounts=[account_message(account) for account in page.accounts],
            next_page_token=page.next_page_token,
        )

    async def PriceEvent(
        self, request: pb.PriceEventRequest, _: grpc.aio.ServicerContext
    ) -> pb.PriceEventResponse:
        """Return what a private request may cost at most."""
        policy = self._policy(request.policy, request.selection)
        if request.tokens_max < 0:
            raise FieldInvalid("Ask for 0 or more tokens.", field="tokens_max")
        tokens = min(request.tokens_max or policy.tokens_max, policy.tokens_max)
        by_id = request.selection == inference.SELECTION_BY_ID
        price = await self._pricer.price(
            Release(
                dataset=resource_id(request.dataset, "datasets", field="dataset"),
                step=token_step(policy),
                user=_client(),
                records=_records(request) if by_id else None,
                policy=policy.name,
            )
        )
        message = await price_message(self._ledger, price, steps_max=tokens)
        message.parameters.CopyFrom(self._terms_message(policy))
        return message

    async def ListReservations(
        self, request: pb.ListReservationsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListReservationsResponse:
        """Return a page of an account's reservations, newest first."""
        name = _name(request.account)
        await self._ledger.get_account(name)
        page = await self._ledger.list_reservations(
            name,
            page_size=min(page_size_of(request.page_size), RESERVATIONS_PAGE_MAX),
            page_token=request.page_token,
        )
        return pb.ListReservationsResponse(
            reservations=[reservation_message(one, name) for one in page.reservations],
            next_page_token=page.next_page_token,
        )

    async def ReportAccount(
        self, request: pb.ReportAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.ReportAccountResponse:
        """Return what the account's charges add up to."""
        account_kind(request.name)
        return await report_account(self._ledger, request)

    async def OpenBlock(
        self, request: pb.OpenBlockRequest, _: grpc.aio.ServicerContext
    ) -> pb.OpenBlockResponse:
        """Open the block of a batch."""
        dataset = resource_id(request.dataset, "datasets", field="dataset")
        account = await self._ledger.open_block(dataset_account(dataset), request.batch)
        return pb.OpenBlockResponse(account=account_message(account))

    async def ProposeRenewal(
        self, request: pb.ProposeRenewalRequest, _: grpc.aio.ServicerContext
    ) -> pb.ProposeRenewalResponse:
        """Keep a proposal for a second operator."""
        proposal = await self._ledger.propose_renewal(
            _name(request.name),
            operator=current_identity().id,
            reason=request.reason,
            lasts_s=self._proposal_lifetime_s,
        )
        return pb.ProposeRenewalResponse(
            proposal=proposal.proposal_id,
            expire_time=time_message(proposal.expires_time_s),
        )

    async def ApproveRenewal(
        self, request: pb.ApproveRenewalRequest, _: grpc.aio.ServicerContext
    ) -> pb.ApproveRenewalResponse:
        """Begin a new window, as another operator proposed."""
        account = await self._ledger.approve_renewal(
            _name(request.name),
            proposal_id=request.proposal,
            operator=current_identity().id,
        )
        return pb.ApproveRenewalResponse(account=account_message(account))

    async def CloseAccount(
        self, request: pb.CloseAccountRequest, _: grpc.aio.ServicerContext
    ) -> pb.CloseAccountResponse:
        """Close an account for ever."""
        account = await self._ledger.close_account(
            _name(request.name),
            operator=current_identity().id,
            reason=request.reason,
        )
        return pb.CloseAccountResponse(account=account_message(account))


def _name(name: str) -> AccountName:
    account_kind(name)
    return AccountName(name)


def _client() -> str | None:
    """Return the client whose quotas a price shows; operators have none."""
    caller = current_identity()
    return caller.id if caller.role is Role.CLIENT else None


def _records(request: pb.PriceEventRequest) -> tuple[RecordKey, ...]:
    return tuple(RecordKey(one.id, one.batch) for one in request.records)
