"""What became of one request at one node, as routing learns from it. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Served:
    """Times in milliseconds from the dispatch, tokens as the node counted them.

    `first_token_ms` is None where no token came. A request that its caller ended says
    nothing of a node and is not told here.
    """

    succeeded: bool
    total_ms: float
    first_token_ms: float | None = None
    prompt_tokens: int = 0
    prompt_tokens_cached: int = 0
    completion_tokens: int = 0
