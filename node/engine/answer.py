"""One answer in the making: which text a token adds, and whether it is the last.

Decides why an answer ends; refuses to know who sampled the token. Pure, and the same
for public and private requests and for every engine.
"""

from collections.abc import Collection, Sequence

from node.engine.detokenizer import Decode, Detokenizer
from node.engine.pieces import FinishReason, Piece, TokenLogprob
from node.engine.stop_scanner import StopScanner


class Answer:
    """Turns sampled tokens into pieces; push in order until a piece has a finish."""

    def __init__(
        self, decode: Decode, *, stop: Sequence[str], end_ids: Collection[int]
    ) -> None:
        self._detokenizer = Detokenizer(decode)
        self._scanner = StopScanner(stop)
        self._end_ids = frozenset(end_ids)
        self._owed = ""

    def decode_with(self, decode: Decode) -> None:
        """Decode further tokens with the same tokenizer's copy, of another thread."""
        self._detokenizer.decode_with(decode)

    def owe(self, text: str) -> None:
        """Let the next piece begin with text that is complete and was not shown."""
        self._owed = text

    def push(
        self, token_id: int, *, last: bool, logprob: TokenLogprob | None = None
    ) -> Piece:
        """Return the piece that this token completes.

        `last` says that no further token may be sampled, whatever this one is. The
        end-of-sequence token has no text, and a stop string none of its own.
        """
        text, finish = self._text(token_id, last=last)
        owed, self._owed = self._owed, ""
        logprobs = () if logprob is None else (logprob,)
        return Piece(owed + text, (token_id,), finish, logprobs)

    def _text(self, token_id: int, *, last: bool) -> tuple[str, FinishReason | None]:
        """Return what may be shown now, and why the answer ends if it does."""
        if token_id in self._end_ids:
            return self._rest(), FinishReason.END
        text = self._scanner.feed(self._detokenizer.push(token_id))
        if last and not self._scanner.stopped:
            text += self._rest()
        if self._scanner.stopped:
            return text, FinishReason.STOP
        return text, FinishReason.LENGTH if last else None

    def _rest(self) -> str:
        """Return what was held back, now that the answer ends."""
        rest = self._scanner.feed(self._detokenizer.flush())
        return rest + self._scanner.flush()
