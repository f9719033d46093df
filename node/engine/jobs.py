"""What the model thread steps: requests of the batch, and private jobs of their own.

Decides what a job remembers between two turns, and what the thread needs of a batcher;
refuses to know who steps it. Pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from node.engine.admission import JobKind
from node.engine.answer import Answer
from node.engine.decoding import Choice
from node.engine.engine import Sampling, Stepper
from node.engine.piece_stream import Deliver
from node.engine.pieces import FinishReason, Piece

ENDED = Piece("", (), FinishReason.CANCELLED)

RowT = TypeVar("RowT")
RowT_co = TypeVar("RowT_co", covariant=True)


@dataclass(slots=True, eq=False)
class PublicJob:
    """A request of the batch. `deliver` runs on the event loop, by way of a post.

    `drawn_ids` are the tokens that the answer has already, `tokens` how many it has.
    """

    prompt_ids: Sequence[int] = field(repr=False)
    sampling: Sampling
    tenant: str = field(repr=False)
    answer: Answer
    deliver: Deliver
    drawn_ids: Sequence[int] = field(default=(), repr=False)
    cancelled: bool = False
    tokens: int = field(init=False)
    kind: JobKind = JobKind.PUBLIC

    def __post_init__(self) -> None:
        """Count what was drawn elsewhere."""
        self.tokens = len(self.drawn_ids)


@dataclass(slots=True, eq=False)
class PrivateJob:
    """A request that makes its own passes, once `make` has run in the model thread."""

    make: Callable[[], Stepper]
    answer: Answer
    deliver: Deliver
    cancelled: bool = False
    stepper: Stepper | None = None
    kind: JobKind = JobKind.PRIVATE


EngineJob = PublicJob | PrivateJob


class Drawn(Protocol[RowT_co]):
    """What a step gave one row of the batch."""

    @property
    def row(self) -> RowT_co:
        """Return the row, as `join` returned it."""
        ...

    @property
    def outcome(self) -> Choice | Exception:
        """Return the token, or what ended the row."""
        ...


class Batch(Protocol[RowT]):
    """What the thread needs of a batcher."""

    def join(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        tenant: str,
        drawn_ids: Sequence[int],
    ) -> RowT:
        """Add a request, whose answer begins with `drawn_ids`; return its row.

        Only `tenant`'s kept prefixes are used.
        """
        ...

    def prompt_tokens_cached(self, row: RowT) -> int:
        """Return how much of the row's prompt was kept from before."""
        ...

    def leave(self, row: RowT) -> None:
        """Remove a row; what it holds may be kept for its tenant."""
        ...

    def step(self) -> Sequence[Drawn[RowT]]:
        """Give every ready row one more token."""
        ...
