"""Published priors over gRPC.

Decides deadlines, and when a silent stream is given up. Refuses to know who reads what
comes.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from federated_router.api.v1 import priors_pb2, priors_pb2_grpc
from federated_router.federation.priors_wire import priors_from_message
from federated_router.federation.watching import messages_of
from federated_router.kit.grpc_client import translated_errors
from federated_router.priors.publication import Priors


class GrpcPriors:
    """Calls PriorsService on a channel that its opener closes."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        *,
        call_timeout_s: float,
        silence_s_max: float,
    ) -> None:
        self._stub = priors_pb2_grpc.PriorsServiceStub(channel)
        self._call_timeout_s = call_timeout_s
        self._silence_s_max = silence_s_max

    async def get(self, revision: int) -> Priors:
        """Return the priors of a revision; raise PriorsUnknown where there are none."""
        request = priors_pb2.GetPriorsRequest(revision=revision)
        async with translated_errors():
            response = await self._stub.GetPriors(request, timeout=self._call_timeout_s)
        return await asyncio.to_thread(priors_from_message, response.priors)

    async def watch(self, after_revision: int) -> AsyncGenerator[Priors | None, None]:
        """Yield priors newer than `after_revision`; None is a sign of life.

        Raises Unavailable after `silence_s_max` seconds without either.
        """
        request = priors_pb2.WatchPriorsRequest(after_revision=after_revision)
        call = self._stub.WatchPriors(request)
        watched: AsyncGenerator[priors_pb2.WatchPriorsResponse, None] = messages_of(
            call, silence_s_max=self._silence_s_max
        )
        async with aclosing(watched) as messages:
            async for message in messages:
                if not message.HasField("priors"):
                    yield None
                    continue
                # A large catalogue takes a tenth of a second to read.
                yield await asyncio.to_thread(priors_from_message, message.priors)
