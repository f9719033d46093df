"""Public requests: relayed as they come, retried, and continued where a node is lost.

Decides what leaves for the caller and when; no token leaves twice, and none that left
is missing before the next. Refuses to know which node is next, and what tokens cost.
"""

import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Final

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import FederationError, Internal
from federated_router.proxy.asked import Asked
from federated_router.proxy.attempts import Attempts, Chooser
from federated_router.proxy.bill import Bill
from federated_router.proxy.connections import NodeConnections, lost_if_dropped
from federated_router.proxy.delivered import Delivered
from federated_router.proxy.neighbours import Neighbours
from federated_router.proxy.node_stream import NodeStream
from federated_router.proxy.pace import Pace
from federated_router.proxy.public_answers import PublicAnswers
from federated_router.proxy.race import begins_within, first_of
from federated_router.proxy.relay import Relay, draws, for_node
from federated_router.proxy.sent import Learners, Sent
from federated_router.routing.candidate import Candidate

_SEED_BITS: Final = 63


@dataclass(slots=True)
class _Request:
    """One request and how far it is."""

    asked: Asked
    delivered: Delivered
    attempts: Attempts
    bill: Bill
    seed: int | None


class PublicProxy:
    """Serves requests without private context."""

    def __init__(
        self,
        *,
        chooser: Chooser,
        learners: Learners,
        connections: NodeConnections,
        neighbours: Neighbours,
    ) -> None:
        self._chooser = chooser
        self._learners = learners
        self._connections = connections
        self._neighbours = neighbours
        self._settings = chooser.settings
        self._pace = Pace(chooser.settings)
        self._answers: PublicAnswers | None = None
        if neighbours.answers is not None:
            self._answers = PublicAnswers(
                neighbours.answers,
                neighbours.footprints,
                bytes_max=self._settings.answer_kept_bytes_max,
            )

    def generate(self, asked: Asked) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream an answer, stored or made now."""
        key = self._answers.key(asked) if self._answers else None
        if self._answers is None or key is None:
            return self._made(asked)
        return self._answers.stream(asked, key, self._made)

    async def complete(self, asked: Asked) -> pb.CompleteResponse:
        """Return a whole answer, stored or made now."""
        key = self._answers.key(asked) if self._answers else None
        if self._answers is None or key is None:
            return await self._made_whole(asked)
        return await self._answers.complete(asked, key, self._made_whole)

    async def _made(self, asked: Asked) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream an answer; nothing leaves before a node's first chunk came."""
        await asked.turn()
        request = self._request(asked)
        while True:
            relay = await self._opened(request)
            try:
                async with aclosing(self._relayed(request, relay)) as events:
                    async for event in events:
                        yield event
            except (grpc.aio.AioRpcError, FederationError) as error:
                request.bill.lost_part(
                    relay.sent.candidate, request.delivered.part_tokens
                )
                request.attempts.failed(relay.sent, error)
            else:
                return
            finally:
                await relay.aclose()

    async def _made_whole(self, asked: Asked) -> pb.CompleteResponse:
        """Return a whole answer; until it is here, nothing has left the router."""
        await asked.turn()
        request = self._request(asked)
        while True:
            candidate = await request.attempts.next()
            with self._learners.sent(candidate, asked.shape) as sent:
                try:
                    response = await self._completed(request, candidate)
                except (grpc.aio.AioRpcError, FederationError) as error:
                    request.attempts.failed(sent, error)
                else:
                    self._finish(request, sent, response.finished)
                    response.started.sensitivity = asked.told_sensitivity
                    return response

    async def _relayed(
        self, request: _Request, relay: Relay
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Yield one node's part of the answer, to its last event."""
        held: list[pb.GenerateResponse] = []
        delivered = request.delivered
        while events := await relay.events():
            for event in events:
                if event.HasField("started"):
                    event.started.sensitivity = request.asked.told_sensitivity
                    held.append(event)
                    continue
                relay.sent.first_token()
                if event.HasField("chunk"):
                    first = not delivered.begun
                    delivered.add(event.chunk)
                else:
                    first = not delivered.begun
                    self._finish(request, relay.sent, event.finished)
                if first:
                    for one in held:
                        yield one
                yield event
                if event.HasField("finished"):
                    return
        raise Internal("The node ended an answer without its last event.")

    async def _opened(self, request: _Request) -> Relay:
        """Return a relay to the next node, or to the faster of two."""
        relay = self._relay(request, await request.attempts.next())
        wait_s = self._learners.hedging.after_s(relay.sent.candidate.model)
        if wait_s is None or request.delivered.begun:
            return relay
        async with AsyncExitStack() as losers:
            losers.push_async_callback(relay.aclose)
            if not await begins_within(relay, wait_s):
                relay = await self._faster(request, relay, losers)
            losers.pop_all()
        return relay

    async def _faster(
        self, request: _Request, relay: Relay, losers: AsyncExitStack
    ) -> Relay:
        """Ask a second node, where one may be asked, and return who begins first."""
        candidate = relay.sent.candidate
        other = request.attempts.beside(candidate)
        if other is None or not self._learners.hedging.take():
            return relay
        rival = self._relay(request, other)
        losers.push_async_callback(rival.aclose)
        winner, loser = await first_of(relay, rival)
        await loser.aclose()
        return winner

    def _relay(self, request: _Request, candidate: Candidate) -> Relay:
        """Count a request at a node, and send it."""
        asked = request.asked
        timeout_s = asked.deadline.remaining_s()
        sent = self._learners.sent(candidate, asked.shape)
        told = pb.GenerateRequest()
        for_node(
            asked,
            candidate.model,
            told.generation,
            seed=request.seed,
            continuation=request.delivered.continuation(),
        )
        stream = NodeStream(
            self._connections,
            candidate,
            told,
            timeout_s=timeout_s,
            metadata=self._chooser.recording.metadata(candidate),
            bytes_max=self._settings.stream_ahead_bytes_max,
            stall_s=self._settings.stream_stall_s,
        )
        return Relay(
            sent, stream, self._pace, bytes_max=self._settings.stream_chunk_bytes_max
        )

    async def _completed(
        self, request: _Request, candidate: Candidate
    ) -> pb.CompleteResponse:
        asked = request.asked
        connection = await self._connections.connected(candidate)
        told = pb.CompleteRequest()
        for_node(asked, candidate.model, told.generation)
        timeout_s = asked.deadline.remaining_s()
        try:
            with lost_if_dropped(candidate.node):
                response: pb.CompleteResponse = await connection.stub.Complete(
                    told,
                    timeout=timeout_s,
                    metadata=self._chooser.recording.metadata(candidate),
                )
        except grpc.aio.AioRpcError as error:
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            if late and timeout_s >= self._learners.silent_s:
                self._connections.let_finish(candidate.node)
            raise
        return response

    def _finish(self, request: _Request, sent: Sent, finished: pb.Finished) -> None:
        """Tell all who learn of it that the request was answered, before it leaves."""
        delivered, candidate = request.delivered, sent.candidate
        part = delivered.part_tokens if delivered.resumptions else None
        delivered.complete(finished)
        served = sent.succeeded(finished, tokens=part)
        request.bill.close(candidate, finished, tokens=served.completion_tokens)
        request.asked.took(finished.prompt_tokens + finished.completion_tokens)
        self._chooser.verdicts.answered(request.asked, candidate, finished)

    def _request(self, asked: Asked) -> _Request:
        delivered = Delivered(self._settings.tokens_max)
        seeded = self._settings.resumptions_max and draws(asked.generation.sampling)
        return _Request(
            asked=asked,
            delivered=delivered,
            attempts=Attempts(self._chooser, asked, delivered, asked.query),
            bill=Bill(self._neighbours.footprints, asked.tenant),
            seed=secrets.randbits(_SEED_BITS) if seeded else None,
        )
