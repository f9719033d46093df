"""Attempts at one public request: where next, and whether there is a next.

The point of no return is the first chunk that leaves the router: before it a failed
attempt is repeated on another node, after it the failure is the caller's to hear.
"""

import asyncio
import random
from dataclasses import dataclass, replace

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    LimitReached,
    NodeLost,
    NoNodeAvailable,
    Unavailable,
)
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.kit.log import get_logger
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.recording import Recording
from federated_router.proxy.settings import ProxySettings
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.router import Router

log = get_logger("proxy")


@dataclass(slots=True)
class Attempt:
    """One try at one node; `committed` is set when its first chunk leaves."""

    candidate: Candidate
    committed: bool = False


@dataclass(slots=True)
class Attempts:
    """Gives attempts until one succeeds, is committed, or none is left."""

    router: Router
    settings: ProxySettings
    recording: Recording
    generation: pb.Generation
    query: RouteQuery
    deadline: Deadline
    made: int = 0
    last_error: FederationError | None = None
    last: Candidate | None = None

    async def next(self) -> Attempt:
        """Return an attempt at another node; raise the last error when none is left.

        It runs while the router counts it, and ends by success or by `failed`.
        """
        try:
            if self.made:
                await self._before_another()
            self.made += 1
            return Attempt(self._choose())
        except FederationError as error:
            if self.last is not None:
                self.recording.failed(self.generation, self.last, error)
            raise

    def failed(
        self, attempt: Attempt, error: grpc.aio.AioRpcError | FederationError
    ) -> None:
        """Note a failed attempt; raise what ends the request for good."""
        known = translate(error) if isinstance(error, grpc.aio.AioRpcError) else error
        lost = isinstance(error, grpc.aio.AioRpcError) and not answered_by_peer(error)
        if isinstance(error, NodeLost):
            self.recording.lost(attempt.candidate)
        elif lost and isinstance(known, Unavailable):
            self.recording.lost(attempt.candidate)
            known = NodeLost(
                f"'{attempt.candidate.node}' was lost; ask again.",
                metadata={"node": attempt.candidate.node},
                retry_after_s=0.1,
            )
        if attempt.committed or not isinstance(known, Unavailable | LimitReached):
            self.recording.failed(self.generation, attempt.candidate, known)
            raise known
        log.warning(
            "attempt failed",
            node=attempt.candidate.node,
            reason=known.reason,
            retried=True,
        )
        self.last_error, self.last = known, attempt.candidate
        self.query = replace(
            self.query, excluded=self.query.excluded | {attempt.candidate.node}
        )

    def _choose(self) -> Candidate:
        """Return where to try next; raise what the last attempt ended with."""
        try:
            return self.router.choose(self.query)
        except NoNodeAvailable:
            raise self.last_error or NoNodeAvailable(
                "No node can take the request now.", retry_after_s=1.0
            ) from None

    async def _before_another(self) -> None:
        """Back off exponentially with full jitter, within deadline and number."""
        if self.made >= self.settings.attempts_max and self.last_error is not None:
            raise self.last_error
        longest_s = self.settings.retry_backoff_s * 2 ** (self.made - 1)
        pause_s = random.uniform(0, longest_s)  # noqa: S311 - jitter, not a secret.
        if pause_s >= self.deadline.remaining_s():
            raise DeadlineExceeded("No time is left for another attempt.")
        await asyncio.sleep(pause_s)
