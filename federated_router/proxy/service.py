"""InferenceService at the router: checks, then the public or the private path."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import ClassVar

import grpc

from federated_router.admission.visit import Admitted
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.kit.errors import Internal
from federated_router.kit.identity import Role
from federated_router.kit.pages import page_of
from federated_router.proxy.asked import Asked, asked_of
from federated_router.proxy.checks import check_generation
from federated_router.proxy.collected import Collected
from federated_router.proxy.deadline import deadline_of
from federated_router.proxy.neighbours import ALONE, Neighbours
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.public_proxy import PublicProxy
from federated_router.proxy.settings import ProxySettings
from federated_router.registry.registry import Registry

_CALLERS = frozenset({Role.CLIENT, Role.OPERATOR})


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Serves clients by way of nodes."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "Generate": _CALLERS,
        "Complete": _CALLERS,
        "ListModels": _CALLERS,
    }
    UNTIMED: ClassVar[frozenset[str]] = frozenset({"Complete"})
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"Generate", "Complete"})

    def __init__(
        self,
        *,
        public: PublicProxy,
        private: PrivateProxy,
        registry: Registry,
        settings: ProxySettings,
        neighbours: Neighbours = ALONE,
    ) -> None:
        self._public = public
        self._private = private
        self._registry = registry
        self._settings = settings
        self._neighbours = neighbours

    async def Generate(
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream one answer."""
        asked = await self._asked(request.generation, context)
        async with (
            self._arrived(asked) as asked.place,
            aclosing(self._answer(asked)) as responses,
        ):
            async for response in responses:
                yield response

    async def Complete(
        self, request: pb.CompleteRequest, context: grpc.aio.ServicerContext
    ) -> pb.CompleteResponse:
        """Return one whole answer."""
        asked = await self._asked(request.generation, context)
        async with self._arrived(asked) as asked.place:
            if not asked.query.private:
                return await self._public.complete(asked)
            async with aclosing(self._answer(asked)) as responses:
                return await gathered(responses)

    async def ListModels(
        self, request: pb.ListModelsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListModelsResponse:
        """Return a page of the models that present nodes serve."""
        models: dict[str, pb.Model] = {}
        for member in self._registry.present():
            for offer in member.offers:
                model = models.setdefault(offer.model, pb.Model(name=offer.model))
                _merge(model, member.name, offer.context_tokens_max, offer.private)
        page, token = page_of(
            sorted(models.values(), key=lambda model: model.name),
            lambda model: model.name,
            size=request.page_size,
            token=request.page_token,
        )
        return pb.ListModelsResponse(models=page, next_page_token=token)

    async def _asked(
        self, generation: pb.Generation, context: grpc.aio.ServicerContext
    ) -> Asked:
        """Return the request, checked and assessed."""
        check_generation(generation, self._settings)
        deadline = deadline_of(context, self._settings)
        return await asked_of(generation, deadline, self._neighbours.assessor)

    def _arrived(self, asked: Asked) -> AbstractAsyncContextManager[Admitted | None]:
        """Return what the request is inside of; it has a place from its turn on."""
        if self._neighbours.admission is None:
            return nullcontext()
        return self._neighbours.admission.arrived(
            asked.admission, deadline_s=asked.deadline.remaining_s()
        )

    def _answer(self, asked: Asked) -> AsyncGenerator[pb.GenerateResponse, None]:
        proxy = self._private if asked.query.private else self._public
        return proxy.generate(asked)


async def gathered(
    responses: AsyncIterator[pb.GenerateResponse],
) -> pb.CompleteResponse:
    """Return a stream of events as one answer."""
    collected = Collected()
    async for response in responses:
        collected.add(response)
    if not collected.is_whole:
        raise Internal("The answer ended without its last event.")
    return collected.message()


def _merge(
    model: pb.Model, node: str, context_tokens_max: int, private: object
) -> None:
    model.nodes.append(node)
    model.context_tokens_max = max(model.context_tokens_max, context_tokens_max)
    if private:
        model.private_support = pb.PRIVATE_SUPPORT_OFFERED
    elif not model.private_support:
        model.private_support = pb.PRIVATE_SUPPORT_REFUSED
