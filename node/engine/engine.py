"""The port between the node's service and whatever runs a model.

Decides what a generation is made of; refuses to know gRPC, budgets and records.
Implementations: `transformers_engine` (the real one), `fake_engine` (for tests).
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Protocol


class FinishReason(Enum):
    """Why a generation ended."""

    END = "end"  # the model sampled an end-of-sequence token
    STOP = "stop"  # a stop string appeared
    LENGTH = "length"  # `tokens_max` was reached
    CANCELLED = "cancelled"  # the caller went away


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
    """On which terms a public request is served.

    `tenant` names whose kept prefixes it may use and add to; empty is nobody's, and
    then nothing is kept. `deadline_s`, on the monotonic clock, ends its wait.
    """

    priority: Priority = Priority.NORMAL
    tenant: str = field(default="", repr=False)
    deadline_s: float | None = None


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class TokenLogprob:
    """A drawn token and how likely the model held it, before any shaping.

    `alternatives` are the likeliest (token id, natural logarithm), likeliest first.
    """

    token_id: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """Newly decoded text and the token ids that it came from.

    `text` is whole UTF-8; it may be empty while a character is incomplete or a stop
    string may still be completing. `token_ids` holds every sampled token, the
    end-of-sequence token too, so that counting them counts what was sampled. A slow
    reader gets fewer, larger pieces. `finish` is set on the last piece only.
    `logprobs` has one entry per token id where the request asked for them.
    `prompt_tokens_cached`, on the first piece only, is how much of the prompt was kept
    from before and not read again.
    """

    text: str
    token_ids: tuple[int, ...]
    finish: FinishReason | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_tokens_cached: int = 0


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


class Pieces(Protocol):
    """One answer as it is made. Whoever asked for it owes it an `aclose`.

    It is an `AsyncIterator[Piece]` that can be closed before it is read.
    """

    def __aiter__(self) -> AsyncIterator[Piece]:
        """Return itself."""
        ...

    async def __anext__(self) -> Piece:
        """Return the next piece once there is one."""
        ...

    async def aclose(self) -> None:
        """Cancel what is not made yet; idempotent. Later reads end at once."""
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

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
    ) -> Pieces:
        """Stream one answer; the refusals come at the call, before any work.

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
        self, make: Callable[[], Stepper], *, stop: tuple[str, ...] = ()
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs in the model thread.

        The job is advanced one step per turn of the batch. What `make` or a step
        raises reaches this caller alone, as it was raised.

        Raises:
            QueueFull: as many requests wait as may.
            FieldInvalid: a stop string is empty, or there are too many.
            Draining: the engine is stopped, or not started.
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
