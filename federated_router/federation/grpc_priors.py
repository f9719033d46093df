"""Published priors over gRPC.

Decides when a silent stream is given up. Refuses to know who reads the priors.
"""

import asyncio
from collections.abc import AsyncGenerator

import grpc

from federated_router.api.v1 import priors_pb2, priors_pb2_grpc
from federated_router.federation.wire import priors_from_message
from federated_router.kit.errors import Unavailable
from federated_router.kit.grpc_client import translated_errors
from federated_router.priors.publication import Priors


class GrpcPriors:
    """Calls PriorsService on a channel that its opener closes."""

    def __init__(self, channel: grpc.aio.Channel, *, silence_s_max: float) -> None:
        self._stub = priors_pb2_grpc.PriorsServiceStub(channel)
        self._silence_s_max = silence_s_max

    async def watch(self, after_revision: int) -> AsyncGenerator[Priors | None, None]:
        """Yield priors newer than `after_revision`; None is a sign of life.

        Raises Unavailable after `silence_s_max` seconds without either.
        """
        request = priors_pb2.WatchPriorsRequest(after_revision=after_revision)
        call = self._stub.WatchPriors(request)
        try:
            async with translated_errors():
                while True:
                    async with asyncio.timeout(self._silence_s_max):
                        message = await call.read()
                    if message is grpc.aio.EOF:
                        return
                    has_priors = message.HasField("priors")
                    yield priors_from_message(message.priors) if has_priors else None
        except TimeoutError:
            raise Unavailable("The coordinator has fallen silent.") from None
        finally:
            # An abandoned call is never collected and its server never told.
            call.cancel()
