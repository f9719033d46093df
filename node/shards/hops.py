"""One shard's part in one sequence: opening it, and sending it positions.

Decides what an answer from a shard must be, and what its failure means to a request.
Refuses to know who takes a lost shard's place.
"""

from dataclasses import dataclass

import torch

from federated_router.api.v1 import shards_pb2 as pb
from federated_router.kit.errors import FederationError, Internal, QueueFull
from node.shards.codec import decode, encode, positions_max
from node.shards.directory import missing
from node.shards.link import LinkLost, ShardLink
from node.shards.metrics import PIPELINE_FRAMES
from node.shards.planning import ShardAt

RETRY_AFTER_S = 1.0
TAKEN = "LIMIT_REACHED"
_UNHEARD_OF = "FIELD_INVALID"
_DEFECTS = frozenset({"INTERNAL", "FIELD_INVALID", "FIELD_REQUIRED", "PROMPT_TOO_LONG"})


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """The model that is run, and the leader's limits; lengths in positions."""

    model: str
    digest: str
    layers: int
    width: int
    data_type: torch.dtype
    frame_tokens_max: int
    frame_timeout_s: float
    replacements_max: int


class HopLost(Exception):
    """A shard failed this sequence; `reason` is its own, empty if it was not heard."""

    def __init__(self, shard: ShardAt, reason: str) -> None:
        super().__init__(reason)
        self.shard = shard
        self.reason = reason


@dataclass(slots=True, eq=False)
class Hop:
    """A shard in use: `held` positions have gone through it."""

    shard: ShardAt
    link: ShardLink
    sequence: int
    terms: SessionTerms
    held: int = 0

    @property
    def frame_tokens_max(self) -> int:
        """Return how many positions one frame may hold."""
        fitting = positions_max(self.terms.width, self.terms.data_type)
        return min(self.terms.frame_tokens_max, self.shard.frame_tokens_max, fitting)

    async def open(self, tokens_max: int) -> None:
        """Open the sequence at the shard.

        Raises:
            HopLost: it refuses, or is not heard.
        """
        layers = self.shard.layers
        asked = pb.OpenSequence(
            model=self.terms.model,
            model_digest=self.terms.digest,
            first_layer=layers.first,
            end_layer=layers.end,
            tokens_max=tokens_max,
        )
        await self._ask(pb.ForwardRequest(sequence=self.sequence, open=asked), "opened")

    async def send(self, hidden: torch.Tensor) -> torch.Tensor:
        """Send the next positions (n, width); return them after the layers.

        Raises:
            HopLost: the shard fails, is not heard, or answers something else.
        """
        sent = encode(hidden, first=self.held)
        PIPELINE_FRAMES.labels(self.terms.model).inc()
        answer = await self._ask(
            pb.ForwardRequest(sequence=self.sequence, activations=sent), "activations"
        )
        given = answer.activations
        if (given.first_position, given.positions) != (self.held, len(hidden)):
            raise HopLost(self.shard, _UNHEARD_OF)
        try:
            found = decode(
                given, width=self.terms.width, data_type=self.terms.data_type
            )
        except FederationError as error:
            raise HopLost(self.shard, error.reason) from error
        self.held += len(hidden)
        return found

    async def _ask(self, frame: pb.ForwardRequest, wanted: str) -> pb.ForwardResponse:
        try:
            answer = await self.link.request(
                frame, timeout_s=self.terms.frame_timeout_s
            )
        except LinkLost:
            raise HopLost(self.shard, "") from None
        result = answer.WhichOneof("result")
        if result == "error":
            raise HopLost(self.shard, answer.error.reason or _UNHEARD_OF)
        if result != wanted:
            raise HopLost(self.shard, _UNHEARD_OF)
        return answer

    def end(self) -> None:
        """Let the shard forget the sequence."""
        self.link.end(self.sequence)


def refusal_of(lost: HopLost, model: str) -> FederationError:
    """Return what the request is told when no shard takes a lost one's place."""
    if lost.reason == TAKEN:
        return QueueFull(
            "The shards of this model have no slot left; retry later.",
            retry_after_s=RETRY_AFTER_S,
        )
    if lost.reason in _DEFECTS:
        return Internal("The shards of this model failed on this request.")
    return missing(model)
