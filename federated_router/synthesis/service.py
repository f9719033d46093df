"""SynthesisService: whose job it is, messages to values and back."""

from collections.abc import Mapping
from typing import ClassVar

import grpc

from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.api.v1 import synthesis_pb2_grpc as pb_grpc
from federated_router.budget.port import LedgerStore
from federated_router.budget.price_message import price_message
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.names import resource_id
from federated_router.kit.pages import page_size_of
from federated_router.proxy.deadline import deadline_of
from federated_router.proxy.private_grant import parameters_message
from federated_router.proxy.settings import ProxySettings
from federated_router.synthesis.closing import Closing
from federated_router.synthesis.job import JobKey
from federated_router.synthesis.messages import (
    batch_message,
    synthesis_message,
    that_fit,
)
from federated_router.synthesis.opening import Opening
from federated_router.synthesis.reads import Told
from federated_router.synthesis.sampling import Sampling
from federated_router.synthesis.store import SynthesisStore

_CALLERS = frozenset({Role.CLIENT, Role.OPERATOR})
_BATCHES_PAGE_MAX = 100


class SynthesisServicer(pb_grpc.SynthesisServiceServicer):
    """Serves each caller its own jobs; others' do not exist for it."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "CreateSynthesis": _CALLERS,
        "GetSynthesis": _CALLERS,
        "ListSyntheses": _CALLERS,
        "SampleSynthesis": _CALLERS,
        "ListSynthesisBatches": _CALLERS,
        "FinishSynthesis": _CALLERS,
    }
    UNTIMED: ClassVar[frozenset[str]] = frozenset({"SampleSynthesis"})
    DRAINABLE: ClassVar[frozenset[str]] = frozenset(
        {"CreateSynthesis", "SampleSynthesis"}
    )

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        store: SynthesisStore,
        opening: Opening,
        sampling: Sampling,
        closing: Closing,
        proxy: ProxySettings,
        page_bytes_max: int,
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._opening = opening
        self._sampling = sampling
        self._closing = closing
        self._proxy = proxy
        self._page_bytes_max = page_bytes_max

    async def CreateSynthesis(
        self, request: pb.CreateSynthesisRequest, _: grpc.aio.ServicerContext
    ) -> pb.CreateSynthesisResponse:
        """Open a job, or tell what it would cost."""
        draft = await self._opening.draft(request, user=current_identity().id)
        price = await price_message(
            self._ledger, draft.price, steps_max=draft.job.tokens_max
        )
        policy = self._opening.terms(request).policy
        price.parameters.CopyFrom(parameters_message(policy))
        if request.validate_only:
            return pb.CreateSynthesisResponse(price=price)
        job = await self._opening.open(draft)
        told = await self._store.load(job.key)
        return pb.CreateSynthesisResponse(
            synthesis=await self._message(told), price=price
        )

    async def GetSynthesis(
        self, request: pb.GetSynthesisRequest, _: grpc.aio.ServicerContext
    ) -> pb.GetSynthesisResponse:
        """Return a job."""
        told = await self._store.load(_key(request.name))
        return pb.GetSynthesisResponse(synthesis=await self._message(told))

    async def ListSyntheses(
        self, request: pb.ListSynthesesRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListSynthesesResponse:
        """Return a page of the caller's jobs."""
        count = page_size_of(request.page_size)
        found = await self._store.list(
            current_identity().id, after=request.page_token, count=count + 1
        )
        page = found[:count]
        return pb.ListSynthesesResponse(
            syntheses=[await self._message(one) for one in page],
            next_page_token=page[-1].job.key if len(found) > count else "",
        )

    async def SampleSynthesis(
        self, request: pb.SampleSynthesisRequest, context: grpc.aio.ServicerContext
    ) -> pb.SampleSynthesisResponse:
        """Return a batch's text, sampled now or before."""
        deadline = deadline_of(context, self._proxy)
        told = await self._store.load(_key(request.name))
        batch = await self._sampling.sample(
            told.job, request.batch_number, request.records, deadline
        )
        return pb.SampleSynthesisResponse(batch=batch_message(batch))

    async def ListSynthesisBatches(
        self, request: pb.ListSynthesisBatchesRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListSynthesisBatchesResponse:
        """Return a page of batches with their texts."""
        key = _key(request.name)
        await self._store.load(key)
        count = min(page_size_of(request.page_size), _BATCHES_PAGE_MAX)
        found = await self._store.batches(
            key, after=_place(request.page_token), count=count + 1
        )
        page = that_fit(
            (batch_message(one) for one in found[:count]),
            bytes_max=self._page_bytes_max,
        )
        more = len(found) > len(page)
        return pb.ListSynthesisBatchesResponse(
            batches=page, next_page_token=str(page[-1].number) if more else ""
        )

    async def FinishSynthesis(
        self, request: pb.FinishSynthesisRequest, _: grpc.aio.ServicerContext
    ) -> pb.FinishSynthesisResponse:
        """Close a job and settle its charge."""
        told = await self._closing.finish(_key(request.name))
        return pb.FinishSynthesisResponse(synthesis=await self._message(told))

    async def _message(self, told: Told) -> pb.Synthesis:
        return await synthesis_message(self._ledger, told)


def _key(name: str) -> JobKey:
    """Return the key of the caller's own job."""
    return JobKey(f"{current_identity().id}.{resource_id(name, 'syntheses')}")


def _place(token: str) -> int:
    """Return the batch after which a page begins."""
    if not token:
        return -1
    if not token.isascii() or not token.isdecimal() or len(token) > len(str(1 << 62)):
        raise FieldInvalid("Use the token of the page before.", field="page_token")
    return int(token)
