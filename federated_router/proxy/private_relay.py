"""One private call to one node: relayed, granted on, and settled however it ends.

Decides what the end of a call means for its hold. Refuses to choose nodes and to price.
There is one attempt: fresh randomness for the same records is another release.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.cashier import Hold
from federated_router.budget.pricing import Price
from federated_router.budget.reservation import ReleaseCause
from federated_router.kit.errors import (
    FederationError,
    Internal,
    NodeLost,
    Unavailable,
)
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.kit.log import get_logger
from federated_router.proxy.connections import Connection, lost_if_dropped
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.private_answers import (
    AnswerKeys,
    AnswerSoFar,
    PrivateAnswers,
)
from federated_router.proxy.private_charge import refund_cause, settle_finished
from federated_router.proxy.private_credit import CreditLine
from federated_router.proxy.recording import Recording
from federated_router.routing.candidate import Candidate

log = get_logger("private")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateRelay:
    """What one call needs; `events` runs it."""

    candidate: Candidate
    connection: Connection
    request: pb.GenerateRequest
    hold: Hold
    credit: CreditLine
    price: Price
    keys: AnswerKeys
    answers: PrivateAnswers
    recording: Recording
    deadline: Deadline

    async def events(self) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Relay the call, and settle its hold however it ends."""
        call, so_far = None, AnswerSoFar()
        try:
            remaining_s = await self._remaining_s()
            with lost_if_dropped(self.candidate.node):
                call = self.connection.stub.Generate(
                    self.request,
                    timeout=remaining_s,
                    metadata=self.recording.metadata(self.candidate),
                )
                async for response in call:
                    self.connection.hear()
                    so_far.add(response)
                    await self._take(response, so_far)
                    yield response
            if not self.hold.is_settled:
                raise Internal("The node ended a private answer without its count.")
        except grpc.aio.AioRpcError as error:
            raise await self._settle_failed(error) from error
        except NodeLost:
            raise self._lost() from None
        finally:
            if call is not None:
                call.cancel()
            await self._settle_rest()

    async def _take(self, response: pb.GenerateResponse, so_far: AnswerSoFar) -> None:
        """Follow one event: grant more, or commit what the node has sampled."""
        match response.WhichOneof("event"):
            case "started":
                response.started.reservation = self.hold.name
            case "chunk":
                self.credit.saw(len(response.chunk.token_ids))
            case "finished":
                finished = response.finished
                self.credit.count(finished.completion_tokens)
                self.credit.close()
                answer = self.answers.stored(self.keys, so_far)
                await settle_finished(self.hold, self.price, finished, answer)

    async def _settle_rest(self) -> None:
        """Charge what was granted, where nothing better is known."""
        self.credit.close()
        if self.hold.is_settled:
            return
        if self.credit.overrun:
            await self.hold.commit_in_full()
        else:
            await self.hold.commit_bound()
        log.warning(
            "charged what was granted",
            reservation=self.hold.name,
            tokens=self.hold.steps_bound,
            overrun=self.credit.overrun,
        )

    async def _settle_failed(self, error: grpc.aio.AioRpcError) -> FederationError:
        """Settle after a failed call: refund only what certainly cost nothing."""
        known = translate(error)
        if answered_by_peer(error):
            cause = refund_cause(known)
            if cause is not None and not self.hold.is_settled:
                await self.hold.release(cause)
            return known
        return self._lost() if isinstance(known, Unavailable) else known

    def _lost(self) -> NodeLost:
        """Count a node that was lost, and return what its caller is told."""
        self.recording.lost(self.candidate, private=True)
        granted = self.hold.steps_bound
        return NodeLost(
            "The node was lost while it answered; what it had been granted by then "
            f"({granted} tokens) was charged, because nobody can tell how much of it "
            "was sampled.",
            metadata={
                "node": self.candidate.node,
                "reservation": self.hold.name,
                "tokens_granted": str(granted),
            },
        )

    async def _remaining_s(self) -> float:
        """Return the time left; release the hold where none is."""
        try:
            return self.deadline.remaining_s()
        except FederationError:
            await self.hold.release(ReleaseCause.DEADLINE_BEFORE_START)
            raise
