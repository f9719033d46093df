"""A request in the batch, and what a pass gave it.

Decides what a row remembers between two steps; refuses to know slots and passes. Pure.
"""

from dataclasses import dataclass

from node.engine.decoding import Choice, TokenDraw


@dataclass(slots=True, eq=False)
class Row:
    """One request in the batch: its tokens, and how many of them the slots hold.

    Between two steps the last token is never held: the next pass makes the token after
    it. The first `prompt_tokens` are the prompt's, the others were drawn, here or where
    the answer began. `cached` of all of them were not read but copied. `place` is the
    slot, as long as no other row leaves.
    """

    token_ids: list[int]
    draw: TokenDraw
    number: int
    prompt_tokens: int
    tenant: str = ""
    place: int = 0
    held: int = 0
    cached: int = 0
    failed: bool = False

    @property
    def missing(self) -> int:
        """Return how many tokens the next passes must read."""
        return len(self.token_ids) - self.held


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one pass gave one row: a token, or the failure that ends the row."""

    row: Row
    outcome: Choice | Exception

    @property
    def failure(self) -> Exception | None:
        """Return what ended the row, if anything did."""
        return self.outcome if isinstance(self.outcome, Exception) else None
