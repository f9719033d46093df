"""What an answer is made of while it is made.

Decides what one piece of it tells; refuses to know engines and requests.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class FinishReason(Enum):
    """Why a generation ended."""

    END = "end"  # the model sampled an end-of-sequence token
    STOP = "stop"  # a stop string appeared
    LENGTH = "length"  # `tokens_max` was reached
    CANCELLED = "cancelled"  # the caller went away


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
