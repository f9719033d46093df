"""The charge of one private request, from reservation to settlement.

The rules (docs/privacy_model.md): the worst case is reserved before the first forward
pass; what was sampled is committed before `finished` leaves; a hold is released only
where it is certain, from a cause that no record can bring about, that nothing was
sampled; in every other case everything is committed.
"""

import asyncio
import hashlib
import json
from collections.abc import Coroutine
from dataclasses import dataclass, replace

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.accounts import AccountName, AccountTerms
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
)
from federated_router.budget.transactions import ReserveAnswer, ReserveOutcome
from federated_router.kit.errors import (
    AccountExists,
    AccountUnknown,
    DatasetUnknown,
    FederationError,
    RequestAlreadyServed,
)
from federated_router.kit.log import get_logger
from federated_router.kit.names import resource_id
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy

log = get_logger("charge")


@dataclass(frozen=True, slots=True)
class Price:
    """What a private request costs: terms, charge per token, accounts."""

    policy: PrivatePolicy
    token_units: int
    accounts: tuple[AccountName, ...]


def price_of(generation: pb.Generation, policy: PrivatePolicy, *, user: str) -> Price:
    """Return the price of a request; `tokens_max` may only lower the policy's."""
    asked = generation.sampling
    tokens_max = policy.tokens_max
    if asked.HasField("tokens_max"):
        tokens_max = min(asked.tokens_max, tokens_max)
    terms = replace(policy, tokens_max=tokens_max)
    dataset = resource_id(generation.private_context.dataset, "datasets")
    return Price(
        policy=terms,
        token_units=token_charge_units(terms),
        accounts=(dataset_account(dataset), user_account(user)),
    )


def dataset_account(dataset: str) -> AccountName:
    """Return the account of a data set."""
    return AccountName(f"accounts/dataset-{dataset}")


def user_account(user: str) -> AccountName:
    """Return the quota account of a user."""
    return AccountName(f"accounts/user-{user}")


def body_digest(generation: pb.Generation, *, user: str) -> bytes:
    """Return SHA-256 of the request and its user, without the request id."""
    body = pb.Generation.FromString(generation.SerializeToString())
    body.request_id = ""
    content = body.SerializeToString(deterministic=True)
    return hashlib.sha256(user.encode() + b"\0" + content).digest()


class Hold:
    """A live reservation. Settling survives cancellation and happens once."""

    def __init__(
        self, ledger: LedgerStore, owner: Owner, request_id: RequestId, price: Price
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._request_id = request_id
        self._price = price
        self._settled: asyncio.Future[Reservation] | None = None

    @property
    def name(self) -> str:
        """Return `reservations/ID`."""
        return f"reservations/{self._request_id}"

    @property
    def is_settled(self) -> bool:
        """Return whether commit or release has begun."""
        return self._settled is not None

    async def commit(self, tokens: int) -> pb.Charge:
        """Charge the sampled tokens, durably; return what was charged."""
        await self._settle(
            self._ledger.commit(self._request_id, owner=self._owner, tokens=tokens)
        )
        return pb.Charge(
            tokens=tokens,
            units=tokens * self._price.token_units,
            accounts=list(self._price.accounts),
        )

    async def commit_in_full(self) -> None:
        """Charge the worst case, because nobody can prove less."""
        await self.commit(self._price.policy.tokens_max)

    async def release(self, cause: ReleaseCause) -> None:
        """Give everything back: nothing was sampled, and no record is the reason."""
        await self._settle(
            self._ledger.release(self._request_id, owner=self._owner, cause=cause)
        )

    async def _settle(self, work: Coroutine[object, object, Reservation]) -> None:
        """Run `work` to its end even if the caller is cancelled meanwhile.

        A settlement that the ledger refused did nothing, so another may follow.
        """
        self._settled = asyncio.ensure_future(work)
        try:
            await asyncio.shield(self._settled)
        except FederationError:
            self._settled = None
            raise


class Cashier:
    """Opens holds in the ledger for one router process."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        owner: Owner,
        user_terms: AccountTerms,
        lease_margin_s: float,
    ) -> None:
        self._ledger = ledger
        self._owner = owner
        self._user_terms = user_terms
        self._lease_margin_s = lease_margin_s
        self._known_users: set[AccountName] = set()

    async def reserve(
        self, generation: pb.Generation, price: Price, *, user: str, time_s: float
    ) -> Hold:
        """Hold the worst case for `time_s` and a margin.

        Raises:
            BudgetExhausted: an account cannot cover it; nothing was held.
            RequestAlreadyServed: the same request was made before.
            RequestIdReused: another request had this id.
            DatasetUnknown: the data set has no account.
        """
        await self._ensure_user(user)
        request_id = RequestId(f"{user}.{generation.request_id}")
        request = ReserveRequest(
            request_id=request_id,
            body_digest=body_digest(generation, user=user),
            owner=self._owner,
            charges=tuple(Charge(name, price.token_units) for name in price.accounts),
            tokens_max=price.policy.tokens_max,
            lease_s=time_s + self._lease_margin_s,
            event=_event(generation, price.policy),
        )
        try:
            answer = await self._reserved(request)
        except AccountUnknown as error:
            raise DatasetUnknown(
                "This data set has no budget account; an operator creates one.",
                metadata={"dataset": generation.private_context.dataset},
            ) from error
        if answer.outcome is not ReserveOutcome.OPENED:
            state = answer.reservation.state.value
            raise RequestAlreadyServed(
                "This private request was made before; sampling it again would be "
                "another release. Use a new request_id.",
                metadata={"request_id": generation.request_id, "state": state},
            )
        return Hold(self._ledger, self._owner, request_id, price)

    async def _reserved(self, request: ReserveRequest) -> ReserveAnswer:
        """Reserve; give back what a caller who left meanwhile would leave behind."""
        pending = asyncio.ensure_future(self._ledger.reserve(request))
        try:
            return await asyncio.shield(pending)
        except asyncio.CancelledError:
            answer = await pending
            if answer.outcome is ReserveOutcome.OPENED:
                await self._ledger.release(
                    request.request_id,
                    owner=self._owner,
                    cause=ReleaseCause.CALLER_CANCELLED,
                )
            raise

    async def _ensure_user(self, user: str) -> None:
        name = user_account(user)
        if name in self._known_users:
            return
        try:
            await self._ledger.create_account(replace(self._user_terms, name=name))
        except AccountExists:
            log.debug("user account has its own limits", account=name)
        self._known_users.add(name)


def _event(generation: pb.Generation, policy: PrivatePolicy) -> str:
    """Return the mechanism and its public parameters, as the ledger stores them."""
    return json.dumps(
        {
            "mechanism": "token_selection",
            "dataset": generation.private_context.dataset,
            "policy": policy.name,
            "slots": policy.slots,
            "clip": str(policy.clip),
            "temperature": str(policy.temperature),
            "multiplier": policy.multiplier,
            "records_per_subject": policy.records_per_subject,
        },
        sort_keys=True,
    )


REFUNDABLE = {
    "QUEUE_FULL": ReleaseCause.QUEUE_FULL,
    "DRAINING": ReleaseCause.NODE_NEVER_STARTED,
    "MODEL_UNKNOWN": ReleaseCause.NODE_NEVER_STARTED,
    "PRIVATE_NOT_OFFERED": ReleaseCause.NODE_NEVER_STARTED,
    "CHARGE_MISMATCH": ReleaseCause.NODE_NEVER_STARTED,
    "PROMPT_TOO_LONG": ReleaseCause.NODE_NEVER_STARTED,
    "ROLE_NOT_ALLOWED": ReleaseCause.CALLER_NOT_ALLOWED,
}
"""Reasons that a node gives before its first forward pass, from public facts alone."""


def refund_cause(error: FederationError) -> ReleaseCause | None:
    """Return the cause under which a node's refusal may be refunded, if any."""
    return REFUNDABLE.get(error.reason)
