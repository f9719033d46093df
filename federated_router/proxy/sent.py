"""One request at one node: counted from before it is sent until it ends, once.

Decides what the end of an attempt says of the node and of its model, and tells all who
learn from it. Refuses to know what is tried next.
"""

import time
from dataclasses import dataclass
from typing import Self

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    Internal,
    Unavailable,
)
from federated_router.proxy.breaker import Outcome
from federated_router.proxy.breakers import Breakers
from federated_router.proxy.hedging import Hedging
from federated_router.proxy.neighbours import Activity
from federated_router.routing.candidate import Candidate, Shape
from federated_router.routing.router import Router
from federated_router.routing.served import Served


@dataclass(frozen=True, slots=True)
class Learners:
    """Who hears how requests ended at nodes; `silent_s` is the breakers'."""

    router: Router
    breakers: Breakers
    hedging: Hedging
    activity: Activity | None
    silent_s: float

    def sent(self, candidate: Candidate, shape: Shape) -> "Sent":
        """Count a request that is about to be sent to a node."""
        return Sent(self, candidate, shape)


class Sent:
    """A request at a node; one that is left without an end says nothing of it."""

    __slots__ = (
        "_counted",
        "_ended",
        "_first_token_ms",
        "_learners",
        "_sent_s",
        "candidate",
        "passage",
    )

    def __init__(self, learners: Learners, candidate: Candidate, shape: Shape) -> None:
        self.candidate = candidate
        self._learners = learners
        self._ended = False
        self._first_token_ms: float | None = None
        self.passage = learners.breakers.begin(candidate)
        self._counted = learners.router.counted(candidate, shape)
        self._counted.__enter__()
        self._sent_s = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abandoned()

    def first_token(self) -> None:
        """Note that the first text came, if it has not come before."""
        if self._first_token_ms is None:
            taken_s = time.monotonic() - self._sent_s
            self._first_token_ms = taken_s * 1e3
            self._learners.hedging.came(self.candidate.model, taken_s)

    def succeeded(self, finished: pb.Finished, *, tokens: int | None = None) -> Served:
        """End with an answer; `tokens` are this node's where others made the rest."""
        served = Served(
            succeeded=True,
            total_ms=self._since_ms(),
            first_token_ms=self._first_token_ms,
            prompt_tokens=finished.prompt_tokens,
            prompt_tokens_cached=finished.prompt_tokens_cached,
            completion_tokens=finished.completion_tokens if tokens is None else tokens,
        )
        self._end(Outcome.SUCCEEDED, Outcome.SUCCEEDED, served)
        return served

    def failed(self, error: FederationError, *, lost: bool, tokens: int = 0) -> None:
        """End with an error; `lost` says that the node did not answer with it."""
        of_node, of_model = self._judged(error, lost=lost)
        served = None
        if Outcome.FAILED in (of_node, of_model):
            served = Served(
                succeeded=False,
                total_ms=self._since_ms(),
                first_token_ms=self._first_token_ms,
                completion_tokens=tokens,
            )
        self._end(of_node, of_model, served)

    def abandoned(self) -> None:
        """End because the caller did, or because another node was faster."""
        self._end(Outcome.UNKNOWN, Outcome.UNKNOWN, None)

    def _judged(self, error: FederationError, *, lost: bool) -> tuple[Outcome, Outcome]:
        """Return what an error says of the node, and of its model."""
        if lost:
            return Outcome.FAILED, Outcome.UNKNOWN
        if isinstance(error, DeadlineExceeded):
            silent = self._first_token_ms is None
            if silent and self._since_ms() >= self._learners.silent_s * 1e3:
                return Outcome.UNKNOWN, Outcome.FAILED
            return Outcome.UNKNOWN, Outcome.UNKNOWN
        wrong = isinstance(error, Internal | Unavailable)
        if wrong and not isinstance(error, Draining):
            return Outcome.SUCCEEDED, Outcome.FAILED
        return Outcome.SUCCEEDED, Outcome.UNKNOWN

    def _end(self, of_node: Outcome, of_model: Outcome, served: Served | None) -> None:
        if self._ended:
            return
        self._ended = True
        self._counted.__exit__(None, None, None)
        self._learners.breakers.end(self.passage, of_node=of_node, of_model=of_model)
        if served is not None:
            self._learners.router.observe(self.candidate, served)
            if self._learners.activity is not None:
                self._learners.activity.ended(self.candidate, served)

    def _since_ms(self) -> float:
        return (time.monotonic() - self._sent_s) * 1e3
