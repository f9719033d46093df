"""The port between the node's service and whatever runs a model.

Decides what a generation is made of; refuses to know gRPC, budgets and records.
Implementations: `transformers_engine` (the real one), `fake_engine` (for tests).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from node.engine.answer import Answer
from node.engine.pieces import Piece, Pieces


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn; `role` is 'system', 'user' or 'assistant'."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is drawn. `temperature` 0 is greedy; `top_k` 0 is off.

    `repetition_penalty` divides the logits of tokens that prompt or answer hold; 1 is
    off. `logprobs` asks for each token's log probability with that many alternatives;
    None asks for nothing.
    """

    tokens_max: int
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    repetition_penalty: float = 1.0
    logprobs: int | None = None


class Priority(IntEnum):
    """Who goes first among those that wait; nobody who runs is stopped for another."""

    LOW = 1
    NORMAL = 2
    HIGH = 3


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a request waits, and a public one is served.

    `tenant` names whose kept prefixes it may use and add to; empty is nobody's, and
    then nothing is kept. `deadline_s`, on the monotonic clock, ends its wait.
    """

    priority: Priority = Priority.NORMAL
    tenant: str = field(default="", repr=False)
    deadline_s: float | None = None


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Continuation:
    """The part of an answer that its caller has: another node began it.

    `text_bytes` of the tokens' text, in UTF-8, were delivered; the rest is owed.
    """

    token_ids: tuple[int, ...] = field(repr=False)
    text_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Begun:
    """An answer that goes on after `token_ids`; `last` is its rest if they end it.

    `answer` has read them: it holds back what they left incomplete, and owes what they
    made complete and nobody delivered.
    """

    answer: Answer = field(repr=False)
    token_ids: tuple[int, ...] = field(default=(), repr=False)
    last: Piece | None = field(default=None, repr=False)


class Stepper(Protocol):
    """A job that makes its own forward passes, one per `step`, in the model thread."""

    def step(self) -> tuple[int, bool] | None:
        """Run one forward pass; return the sampled token id and whether it is last.

        None says that the job may not go on yet: it is asked again after a pause, and
        nobody else waits for it. A step never blocks.
        """
        ...

    def close(self) -> None:
        """Let go of everything held; called once or more, in the model thread."""
        ...


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """What the engine holds at this moment, in requests, and what it may hold.

    Public and private requests together; each kind has slots of its own, and the
    waiting ones of both share `waiting_max`.
    """

    running: int
    waiting: int
    slots: int
    waiting_max: int


class Engine(Protocol):
    """Generates token streams for many callers at once.

    Closing the iterator (`aclose`) cancels: the model stops within one step.
    """

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        ...

    def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the chat template's token ids, ready for an assistant's answer.

        Control tokens that a message spells out are read as plain text.

        Raises:
            FieldInvalid: a role is unknown or the template refuses the turns.
        """
        ...

    def go_through(self, continuation: Continuation, sampling: Sampling) -> Begun:
        """Return an answer that was begun elsewhere, for `generate` to go on with.

        Takes as long as decoding its tokens does: call it where nothing waits, and
        where nobody else uses `prompt_ids`.

        Raises:
            FieldInvalid: the tokens or their text are not what such an answer has.
        """
        ...

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        begun: Begun | None = None,
    ) -> Pieces:
        """Stream one answer; the refusals come at the call, before any work.

        With `begun` the pieces are those that follow: each token is the one that an
        undisturbed answer has there, if it is greedy or has a seed. `begun` is used
        up.

        Raises:
            QueueFull: as many requests wait as may.
            PromptTooLong: prompt plus `tokens_max` exceed the context.
            FieldInvalid: the sampling or a token id is outside what it may be.
            Draining: the engine is stopped, or not started.
            DeadlineExceeded: from the stream, where `terms.deadline_s` passed before
                the request had a slot.
        """
        ...

    def run_stepper(
        self,
        make: Callable[[], Stepper],
        *,
        stop: tuple[str, ...] = (),
        terms: Terms = DEFAULT_TERMS,
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs in the model thread.

        It waits on its `terms`; nothing is kept for their tenant.
        The job is advanced one step per turn of the batch. What `make` or a step
        raises reaches this caller alone, as it was raised.

        Raises:
            QueueFull: as many requests wait as may.
            FieldInvalid: a stop string is empty, or there are too many.
            Draining: the engine is stopped, or not started.
            DeadlineExceeded: from the stream, as `generate`; `make` was not called.
        """
        ...

    def load(self) -> EngineLoad:
        """Return running and waiting requests, without waiting for a step."""
        ...

    async def start(self) -> None:
        """Load the model, warm it up, begin stepping.

        Raises:
            ValueError: the directory holds no model that this engine can run.
        """
        ...

    async def stop(self) -> None:
        """End every generation as CANCELLED and join the model thread."""
        ...
