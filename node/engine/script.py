"""A language of one token per byte, and a text in it that stands in for a model.

Decides what the fake engine says; refuses to know who asked.
"""

from collections.abc import Sequence

from node.engine.pieces import TokenLogprob

END_ID = 256
ROLE_IDS = {"system": 257, "user": 258, "assistant": 259}
VOCABULARY_SIZE = 260


class ScriptedSteps:
    """The script as a `Stepper`, so that public and private jobs run alike."""

    def __init__(self, script: str, tokens_max: int, told: int = 0) -> None:
        self._left = [*script.encode(), END_ID][:tokens_max][told:]

    def step(self) -> tuple[int, bool]:
        """Return the next byte of the script, or the end."""
        token_id = self._left.pop(0)
        return token_id, not self._left

    def close(self) -> None:
        """Forget what is left."""
        self._left.clear()


def certain(token_id: int, alternatives: int | None) -> TokenLogprob | None:
    """Return the log probability of a script, which has no other tokens."""
    if alternatives is None:
        return None
    return TokenLogprob(token_id, 0.0, ((token_id, 0.0),) if alternatives else ())


def decode(token_ids: Sequence[int]) -> str:
    """Return the bytes among the tokens as text."""
    return bytes(found for found in token_ids if found < END_ID).decode(
        "utf-8", errors="replace"
    )
