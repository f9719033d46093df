"""The port between the node's service and whatever answers a conversation.

Decides what a chat engine is: something that takes messages, not token ids, because a
server behind the OpenAI API tokenises for itself. `TokenChat` makes one of any token
engine. Refuses to know gRPC, budgets and records.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from node.engine.engine import (
    DEFAULT_TERMS,
    ChatMessage,
    Continuation,
    Engine,
    EngineLoad,
    Sampling,
    Terms,
)
from node.engine.facts import EngineFacts
from node.engine.pieces import Piece, Pieces

TOKENISE_INLINE_CHARACTERS = 4096


class ChatAnswer(Pieces, Protocol):
    """One answer as it is made, and its exact counts.

    The counts are right once the piece that carries `finish` was read, and lower bounds
    before. Whoever asked for the answer owes it an `aclose`.
    """

    @property
    def prompt_tokens(self) -> int:
        """Return how many tokens the prompt has."""
        ...

    @property
    def prompt_tokens_cached(self) -> int:
        """Return how many of them were held from an earlier request."""
        ...

    @property
    def completion_tokens(self) -> int:
        """Return how many tokens were generated, the end token included."""
        ...


class ChatEngine(Protocol):
    """Answers conversations for many callers at once."""

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        ...

    async def begin(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        continuation: Continuation | None = None,
    ) -> ChatAnswer:
        """Admit a request; its answer is made as it is read. Cancel it by `aclose`.

        With a `continuation` what follows it is made; all tokens count.

        Raises:
            QueueFull: as many requests wait as may.
            PromptTooLong: prompt plus `tokens_max` exceed the context.
            FieldInvalid: the conversation, the sampling or the continuation cannot be
                served.
            ContinuationNotOffered: this engine goes on with no other node's answer.
            Draining: the engine is stopped, or not started.
            Unavailable: what runs the model is away.
        """
        ...

    def load(self) -> EngineLoad:
        """Return running and waiting requests, without waiting."""
        ...

    def facts(self) -> EngineFacts:
        """Return what can be told of it, without waiting."""
        ...

    async def start(self) -> None:
        """Make ready all that is in this process.

        Raises:
            ValueError: what the settings name cannot be run here.
        """
        ...

    async def probe(self) -> None:
        """Return if a request could begin now; within the engine's own time limit.

        Raises:
            Unavailable: what runs the model is away.
        """
        ...

    async def stop(self) -> None:
        """End every answer as CANCELLED and free what is held; idempotent."""
        ...


class TokenAnswer:
    """The `ChatAnswer` of a token engine: what it counts is what it passes on."""

    def __init__(
        self, pieces: Pieces, *, prompt_tokens: int, completion_tokens: int = 0
    ) -> None:
        self._pieces = pieces
        self.prompt_tokens = prompt_tokens
        self.prompt_tokens_cached = 0
        self.completion_tokens = completion_tokens

    def __aiter__(self) -> "TokenAnswer":
        return self

    async def __anext__(self) -> Piece:
        piece = await anext(self._pieces)
        self.completion_tokens += len(piece.token_ids)
        self.prompt_tokens_cached += piece.prompt_tokens_cached
        return piece

    async def aclose(self) -> None:
        """Cancel what is not made yet; idempotent."""
        await self._pieces.aclose()


async def _always_ready() -> None:
    """Be ready: the engine runs in this process."""


class TokenChat:
    """A `ChatEngine` over a token engine.

    `tokenising` guards the tokenizer, which no two threads may use at once. `probe`
    says whether the engine could begin a request now; by default it always could.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        facts: Callable[[], EngineFacts],
        probe: Callable[[], Awaitable[None]] = _always_ready,
    ) -> None:
        self.engine = engine
        self.tokenising = asyncio.Lock()
        self._facts = facts
        self._probe = probe

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        return self.engine.context_tokens_max

    async def begin(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        continuation: Continuation | None = None,
    ) -> TokenAnswer:
        """Tokenise the conversation and queue it; raises what `generate` raises."""
        prompt_ids = await self.prompt_ids(messages)
        begun = None
        if continuation is not None:
            async with self.tokenising:
                begun = await asyncio.to_thread(
                    self.engine.go_through, continuation, sampling
                )
        pieces = self.engine.generate(prompt_ids, sampling, terms, begun)
        return TokenAnswer(
            pieces,
            prompt_tokens=len(prompt_ids),
            completion_tokens=0 if begun is None else len(begun.token_ids),
        )

    async def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Tokenise a short prompt at once, a long one off the event loop."""
        async with self.tokenising:
            if sum(len(one.content) for one in messages) <= TOKENISE_INLINE_CHARACTERS:
                return self.engine.prompt_ids(messages)
            return await asyncio.to_thread(self.engine.prompt_ids, messages)

    def load(self) -> EngineLoad:
        """Return running and waiting requests, without waiting."""
        return self.engine.load()

    def facts(self) -> EngineFacts:
        """Return what can be told of the engine."""
        return self._facts()

    async def start(self) -> None:
        """Start the engine."""
        await self.engine.start()

    async def probe(self) -> None:
        """Return if a request could begin now."""
        await self._probe()

    async def stop(self) -> None:
        """Stop the engine."""
        await self.engine.stop()
