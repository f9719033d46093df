"""InferenceService at the router: checks, then the public or the private path."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import ClassVar

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.kit.errors import Internal
from federated_router.kit.identity import Role
from federated_router.kit.pages import page_of
from federated_router.proxy.checks import check_generation
from federated_router.proxy.deadline import deadline_of
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
    ) -> None:
        self._public = public
        self._private = private
        self._registry = registry
        self._settings = settings

    async def Generate(
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream one answer."""
        check_generation(request.generation, self._settings)
        async with aclosing(self._answer(request.generation, context)) as responses:
            async for response in responses:
                yield response

    async def Complete(
        self, request: pb.CompleteRequest, context: grpc.aio.ServicerContext
    ) -> pb.CompleteResponse:
        """Return one whole answer."""
        check_generation(request.generation, self._settings)
        if not request.generation.HasField("private_context"):
            deadline = deadline_of(context, self._settings)
            return await self._public.complete(request.generation, deadline)
        async with aclosing(self._answer(request.generation, context)) as responses:
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

    def _answer(
        self, generation: pb.Generation, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        deadline = deadline_of(context, self._settings)
        if generation.HasField("private_context"):
            return self._private.generate(generation, deadline)
        return self._public.generate(generation, deadline)


async def gathered(
    responses: AsyncIterator[pb.GenerateResponse],
) -> pb.CompleteResponse:
    """Return a stream of events as one answer."""
    whole = pb.CompleteResponse()
    texts: list[str] = []
    async for response in responses:
        if response.HasField("started"):
            whole.started.CopyFrom(response.started)
        elif response.HasField("chunk"):
            texts.append(response.chunk.text)
        else:
            whole.finished.CopyFrom(response.finished)
    if not whole.HasField("finished"):
        raise Internal("The answer ended without its last event.")
    whole.text = "".join(texts)
    return whole


def _merge(
    model: pb.Model, node: str, context_tokens_max: int, private: object
) -> None:
    model.nodes.append(node)
    model.context_tokens_max = max(model.context_tokens_max, context_tokens_max)
    if private:
        model.private_support = pb.PRIVATE_SUPPORT_OFFERED
    elif not model.private_support:
        model.private_support = pb.PRIVATE_SUPPORT_REFUSED
