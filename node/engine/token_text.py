"""The text of token ids, by a model's own tokenizer.

Decides what is remembered of it; refuses to know answers. A fast tokenizer must not be
used by two threads at once: make one of these for each, with a copy each.
"""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

_REMEMBERED_MAX = 8192


class TokenText:
    """A `Decode`; special tokens have no text."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        # Each token is decoded once alone, as context of the next: mostly known ones.
        self._of_one = lru_cache(_REMEMBERED_MAX)(lambda one: self._of_all([one]))

    def __call__(self, token_ids: Sequence[int]) -> str:
        """Return the text of consecutive tokens."""
        if len(token_ids) == 1:
            return self._of_one(token_ids[0])
        return self._of_all(token_ids)

    def _of_all(self, token_ids: Sequence[int]) -> str:
        text = self._tokenizer.decode(
            list(token_ids),
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return str(text)
