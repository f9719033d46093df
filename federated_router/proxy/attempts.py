"""Attempts at one public request: where next, and whether there is a next.

Until the first chunk leaves the router a failed attempt is repeated at another node,
within a number, a budget of retries, and the request's time. From then on the answer
goes on at another node where its tokens are known, and ends where they are not. Refuses
to know what is sent.
"""

import asyncio
import random
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace

import grpc
from prometheus_client import Counter

from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    LimitReached,
    NodeLost,
    Unavailable,
)
from federated_router.kit.log import get_logger
from federated_router.proxy.asked import Asked
from federated_router.proxy.attempt_errors import cannot_continue, known_error
from federated_router.proxy.breakers import Breakers, Passage
from federated_router.proxy.connections import NodeUnreachable
from federated_router.proxy.delivered import Delivered
from federated_router.proxy.node_waits import NodeWaits
from federated_router.proxy.recording import Recording
from federated_router.proxy.retry_budget import RetryBudget
from federated_router.proxy.sent import Sent
from federated_router.proxy.settings import ProxySettings
from federated_router.proxy.verdicts import Verdicts
from federated_router.routing.candidate import Candidate, RouteQuery
from federated_router.routing.router import Router

log = get_logger("proxy")
_RETRIES = Counter(
    "federated_router_retries",
    "Attempts after a first one, by what became of them.",
    ["outcome"],
)
_RESUMPTIONS = Counter(
    "federated_router_resumptions", "Streams that went on at another node."
)


@dataclass(frozen=True, slots=True)
class Chooser:
    """What every request's attempts share in one router."""

    router: Router
    breakers: Breakers
    recording: Recording
    verdicts: Verdicts
    budget: RetryBudget
    waits: NodeWaits
    settings: ProxySettings


@dataclass(slots=True)
class Attempts:
    """Gives nodes until one succeeds, or the request ends with an error.

    `delivered` is what has left for the caller already.
    """

    chooser: Chooser
    asked: Asked
    delivered: Delivered
    query: RouteQuery
    made: int = 0
    unreachable: int = 0
    last_error: FederationError | None = None
    last: Candidate | None = None
    _told_to_wait: dict[str, float] = field(default_factory=dict)
    _failed_lives: dict[str, Passage] = field(default_factory=dict)
    _unsent: bool = False

    async def next(self) -> Candidate:
        """Return a node for another attempt; raise the last error when none is left."""
        try:
            if self.made:
                await self._before_another()
            elif not self.delivered.resumptions:
                self.chooser.budget.request_came()
            self.made += 1
            return await self._chosen()
        except FederationError as error:
            if self.last is not None:
                self._ended(self.last, error)
            raise

    def beside(self, candidate: Candidate) -> Candidate | None:
        """Return another node that may answer as well, None where there is none."""
        query = self._without(candidate.node)
        try:
            return self.chooser.router.choose(
                replace(query, model=candidate.model), self.asked.shape
            )
        except FederationError:
            return None

    def failed(self, sent: Sent, error: grpc.aio.AioRpcError | FederationError) -> None:
        """Note a failed attempt; raise what ends the request for good."""
        known, lost = known_error(error, sent.candidate)
        sent.failed(known, lost=lost, tokens=self.delivered.part_tokens)
        if lost:
            self.chooser.recording.lost(sent.candidate)
        if not self._may_go_on(known):
            self._ended(sent.candidate, known)
            raise known
        self._exclude(sent, known)
        log.warning(
            "attempt failed",
            node=sent.candidate.node,
            reason=known.reason,
            request=self.asked.generation.request_id,
            resumed=self.delivered.begun,
        )

    def _may_go_on(self, error: FederationError) -> bool:
        if self.delivered.begun:
            if not self.delivered.can_continue:
                return False
            if self.delivered.resumptions + self.delivered.part_begun > (
                self.chooser.settings.resumptions_max
            ):
                return False
            if cannot_continue(error):
                return True
        return isinstance(error, Unavailable | LimitReached)

    def _exclude(self, sent: Sent, error: FederationError) -> None:
        """Go on without this node, in a part of its own where text came from it."""
        candidate = sent.candidate
        if self.delivered.part_begun or not self.delivered.begun:
            self.last_error, self.last = error, candidate
        self.query = self._without(candidate.node)
        self._failed_lives[candidate.node] = sent.passage
        self._unsent = isinstance(error, NodeUnreachable)
        if error.retry_after_s is not None and not isinstance(error, NodeLost):
            self._told_to_wait[candidate.node] = time.monotonic() + error.retry_after_s
        if self.delivered.begun:
            self.query = replace(self.query, model=candidate.model, models=frozenset())
        if self.delivered.part_begun:
            self.delivered.another_node()
            self.made = self.unreachable = 0
            _RESUMPTIONS.inc()

    def _without(self, node: str) -> RouteQuery:
        return replace(self.query, excluded=self.query.excluded | {node})

    def _admit_again(self, nodes: Collection[str]) -> None:
        self.query = replace(self.query, excluded=self.query.excluded - set(nodes))

    async def _chosen(self) -> Candidate:
        """Return where to try next; raise what the last attempt ended with.

        Where no node is left, waits for one that said when to come back, or for any
        that comes or comes back.
        """
        try:
            return await self._placed()
        except FederationError as error:
            refused = self.last_error or error
        if self._told_to_wait:
            await self._wait_as_told(refused)
            try:
                return await self._placed()
            except FederationError:
                raise refused from None
        remaining_s = self.asked.deadline.remaining_s()
        return await self.chooser.waits.placed(
            self._placed_or_last_error, refused, remaining_s=remaining_s
        )

    async def _placed(self) -> Candidate:
        """Return where to try next, now; those that came back may be tried again."""
        breakers = self.chooser.breakers
        breakers.refresh()
        if back := self._failed_lives.keys() - breakers.same(self._failed_lives):
            for node in back:
                del self._failed_lives[node]
            self._admit_again(back)
        return await self.chooser.router.placed(self.query, self.asked.shape)

    async def _placed_or_last_error(self) -> Candidate:
        try:
            return await self._placed()
        except FederationError as error:
            raise self.last_error or error from None

    async def _wait_as_told(self, error: FederationError) -> None:
        """Wait for the node that said soonest when to come back, if that is soon."""
        node = min(self._told_to_wait, key=self._told_to_wait.__getitem__)
        wait_s = max(0.0, self._told_to_wait.pop(node) - time.monotonic())
        longest_s = self.chooser.settings.retry_wait_s_max
        if wait_s > longest_s or wait_s >= self.asked.deadline.remaining_s():
            raise error
        await asyncio.sleep(wait_s)
        self._admit_again({node})

    async def _before_another(self) -> None:
        """Back off exponentially with full jitter, within number, budget and time.

        After a node that accepted no connection the next is asked at once: nothing was
        sent, so that this was no attempt and nobody has more load by it.
        """
        settings = self.chooser.settings
        if self._unsent and self.unreachable < settings.unreachable_max:
            self.unreachable += 1
            self.made -= 1
            return
        if self.last_error is not None:
            if self.made >= settings.attempts_max:
                _RETRIES.labels("too_many").inc()
                raise self.last_error
            if not self.chooser.budget.take(time.monotonic()):
                _RETRIES.labels("over_budget").inc()
                raise self.last_error
        _RETRIES.labels("made").inc()
        longest_s = min(
            settings.retry_backoff_s * 2 ** (self.made - 1),
            settings.retry_backoff_s_max,
        )
        pause_s = random.uniform(0, longest_s)  # noqa: S311 - jitter, not a secret.
        if pause_s >= self.asked.deadline.remaining_s():
            raise DeadlineExceeded("No time is left for another attempt.")
        await asyncio.sleep(pause_s)

    def _ended(self, candidate: Candidate, error: FederationError) -> None:
        self.chooser.verdicts.failed(self.asked, candidate, error)
