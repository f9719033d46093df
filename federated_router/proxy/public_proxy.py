"""Public requests: relayed as they come, retried before the first chunk."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FederationError
from federated_router.proxy.attempts import Attempt, Attempts
from federated_router.proxy.connections import NodeConnections, lost_if_dropped
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.recording import Recording
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.router import Router


class PublicProxy:
    """Serves requests without private context."""

    def __init__(
        self,
        *,
        router: Router,
        connections: NodeConnections,
        recording: Recording,
        settings: ProxySettings,
    ) -> None:
        self._router = router
        self._connections = connections
        self._recording = recording
        self._settings = settings

    async def generate(
        self, generation: pb.Generation, deadline: Deadline
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream an answer; nothing leaves before a node's first chunk came."""
        attempts = self._attempts(generation, deadline)
        while True:
            attempt = await attempts.next()
            with self._router.counted(attempt.candidate):
                try:
                    async with aclosing(
                        self._relay(generation, attempt, deadline)
                    ) as responses:
                        async for response in responses:
                            yield response
                except (grpc.aio.AioRpcError, FederationError) as error:
                    attempts.failed(attempt, error)
                else:
                    self._recording.answered(generation, attempt.candidate)
                    return

    async def complete(
        self, generation: pb.Generation, deadline: Deadline
    ) -> pb.CompleteResponse:
        """Return a whole answer; until it is here, nothing has left the router."""
        attempts = self._attempts(generation, deadline)
        while True:
            attempt = await attempts.next()
            with self._router.counted(attempt.candidate):
                try:
                    response = await self._completed(generation, attempt, deadline)
                except (grpc.aio.AioRpcError, FederationError) as error:
                    attempts.failed(attempt, error)
                else:
                    self._recording.answered(generation, attempt.candidate)
                    return response

    async def _completed(
        self, generation: pb.Generation, attempt: Attempt, deadline: Deadline
    ) -> pb.CompleteResponse:
        stub = await self._connections.stub(attempt.candidate)
        with lost_if_dropped(attempt.candidate.node):
            response: pb.CompleteResponse = await stub.Complete(
                pb.CompleteRequest(generation=_for_node(generation, attempt)),
                timeout=deadline.remaining_s(),
                metadata=self._recording.metadata(attempt.candidate),
            )
        return response

    async def _relay(
        self, generation: pb.Generation, attempt: Attempt, deadline: Deadline
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        stub = await self._connections.stub(attempt.candidate)
        call = stub.Generate(
            pb.GenerateRequest(generation=_for_node(generation, attempt)),
            timeout=deadline.remaining_s(),
            metadata=self._recording.metadata(attempt.candidate),
        )
        held: list[pb.GenerateResponse] = []
        try:
            with lost_if_dropped(attempt.candidate.node):
                async for response in call:
                    if attempt.committed:
                        yield response
                    elif response.HasField("started"):
                        held.append(response)
                    else:
                        attempt.committed = True
                        while held:
                            yield held.pop()
                        yield response
        finally:
            call.cancel()

    def _attempts(self, generation: pb.Generation, deadline: Deadline) -> Attempts:
        return Attempts(
            router=self._router,
            settings=self._settings,
            recording=self._recording,
            generation=generation,
            query=RouteQuery(model=generation.model),
            deadline=deadline,
        )


def _for_node(generation: pb.Generation, attempt: Attempt) -> pb.Generation:
    """Return the request with the chosen model's name."""
    if generation.model != attempt.candidate.model:
        generation = pb.Generation.FromString(generation.SerializeToString())
        generation.model = attempt.candidate.model
    return generation
