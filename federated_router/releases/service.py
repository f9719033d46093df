"""ReleaseService: draw, charge, publish, in this order.

A request that cannot be drawn costs nothing, and nothing leaves before its charge is
durable: what was drawn and never left has told nobody anything.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import ClassVar, TypeVar

import grpc

from federated_router.api.v1 import release_pb2 as pb
from federated_router.api.v1 import release_pb2_grpc as pb_grpc
from federated_router.budget.answers import Answer
from federated_router.budget.blocks import RecordKey
from federated_router.budget.cashier import Cashier, RequestKeys
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import Price, Pricer, Release
from federated_router.budget.reservation import RequestId
from federated_router.kit.clock import Clock
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import check_id, resource_id
from federated_router.releases.steps import (
    Drawing,
    ReleaseRequest,
    ReleaseResponse,
    drawing_of,
)

_CLIENT = frozenset({Role.CLIENT})
_BODY = b"federated-router release 1\0"
LEASE_S = 30.0
Response = TypeVar(
    "Response",
    pb.ReleaseNumberResponse,
    pb.ReleaseCountsResponse,
    pb.SelectOptionResponse,
)


class ReleaseServicer(pb_grpc.ReleaseServiceServicer):
    """Publishes statistics for clients."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ReleaseNumber": _CLIENT,
        "ReleaseCounts": _CLIENT,
        "SelectOption": _CLIENT,
    }

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        pricer: Pricer,
        cashier: Cashier,
        clock: Clock,
        answer_lifetime_s: float,
    ) -> None:
        self._ledger = ledger
        self._pricer = pricer
        self._cashier = cashier
        self._clock = clock
        self._answer_lifetime_s = answer_lifetime_s

    async def ReleaseNumber(
        self, request: pb.ReleaseNumberRequest, _: grpc.aio.ServicerContext
    ) -> pb.ReleaseNumberResponse:
        """Publish a bounded number."""
        return await self._release(request, pb.ReleaseNumberResponse)

    async def ReleaseCounts(
        self, request: pb.ReleaseCountsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ReleaseCountsResponse:
        """Publish counts."""
        return await self._release(request, pb.ReleaseCountsResponse)

    async def SelectOption(
        self, request: pb.SelectOptionRequest, _: grpc.aio.ServicerContext
    ) -> pb.SelectOptionResponse:
        """Choose an option."""
        return await self._release(request, pb.SelectOptionResponse)

    async def _release(self, request: ReleaseRequest, kind: type[Response]) -> Response:
        user = current_identity().id
        check_id(request.scope.request_id, field="scope.request_id")
        drawing = drawing_of(request)
        price = await self._pricer.price(_release_of(request, drawing, user=user))
        if request.scope.validate_only:
            return _charged(kind(), drawing.unpublished, price)
        keys = _keys(request, user=user)
        stored = await self._ledger.stored_answer(
            keys.request_id, body_digest=keys.body_digest, cache_key=None
        )
        if stored is not None:
            return _replayed(kind.FromString(stored.content))
        drawn = await asyncio.to_thread(drawing.draw)
        return await self._publish(keys, price, _charged(kind(), drawn, price))

    async def _publish(
        self, keys: RequestKeys, price: Price, response: Response
    ) -> Response:
        """Charge the one step, keep the answer, and let it leave."""
        hold = await self._cashier.reserve(keys, price, steps_max=1, time_s=LEASE_S)
        response.charge.reservation = hold.name
        now_s = self._clock.now_s()
        answer = Answer(
            request_id=keys.request_id,
            content=response.SerializeToString(),
            stored_time_s=now_s,
            expires_time_s=now_s + self._answer_lifetime_s,
        )
        await hold.commit(1, answer)
        return response


def _charged(response: Response, drawn: ReleaseResponse, price: Price) -> Response:
    response.MergeFrom(drawn)  # type: ignore[arg-type]  # Of the same kind.
    response.charge.units = price.dataset_step_units
    response.charge.accounts.extend(price.accounts)
    return response


def _replayed(response: Response) -> Response:
    response.charge.replayed = True
    response.charge.units = 0
    response.charge.ClearField("accounts")
    return response


def _release_of(request: ReleaseRequest, drawing: Drawing, *, user: str) -> Release:
    scope = request.scope
    return Release(
        dataset=resource_id(scope.dataset, "datasets", field="scope.dataset"),
        step=drawing.step,
        user=user,
        records=tuple(RecordKey(block, block) for block in scope.blocks),
    )


def _keys(request: ReleaseRequest, *, user: str) -> RequestKeys:
    """Return the request's id, and a digest of everything else that it says."""
    body = type(request).FromString(request.SerializeToString())
    body.scope.ClearField("request_id")
    told = (_BODY, user.encode(), type(request).__name__.encode())
    content = b"\0".join(told) + body.SerializeToString(deterministic=True)
    return RequestKeys(
        request_id=RequestId(f"{user}.{request.scope.request_id}"),
        body_digest=hashlib.sha256(content).digest(),
    )
