"""Turns token ids into text as they come, one whole character after another.

Decides when a character is complete; refuses to know which tokenizer decodes. Pure.
A token may be a part of a character, or decode differently at the start of a text, so
each decision compares two decodings of a short window.
"""

from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]

_REPLACEMENT = "\ufffd"
# A character of UTF-8 has at most four bytes; five pending tokens that still end in a
# replacement character are not an incomplete character but an invalid one.
_PENDING_TOKENS_MAX = 5


class Detokenizer:
    """Returns the new whole characters after each token."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode
        self._settled: list[int] = []
        self._settled_text = ""
        self._pending: list[int] = []

    def decode_with(self, decode: Decode) -> None:
        """Decode what follows by another function, which must decode alike."""
        self._decode = decode

    def push(self, token_id: int) -> str:
        """Return the text that became complete with this token, maybe none."""
        self._pending.append(token_id)
        text = self._new_text()
        incomplete = text.endswith(_REPLACEMENT)
        if incomplete and len(self._pending) < _PENDING_TOKENS_MAX:
            return ""
        self._settle()
        return text

    def flush(self) -> str:
        """Return what is pending; a broken character becomes U+FFFD."""
        text = self._new_text() if self._pending else ""
        self._settle()
        return text

    def _new_text(self) -> str:
        whole = self._decode([*self._settled, *self._pending])
        return whole[len(self._settled_text) :]

    def _settle(self) -> None:
        # Only the last settled tokens are context for how the next ones decode.
        if self._pending:
            self._settled, self._pending = self._pending, []
            self._settled_text = self._decode(self._settled)
