"""An answer that goes on where another node left it.

Decides what the tokens told so far have to be, which of their text is still owed, and
whether they end the answer already. Refuses to know who made them. Pure.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from federated_router.kit.errors import FieldInvalid
from node.engine.answer import Answer
from node.engine.detokenizer import Decode
from node.engine.engine import Begun, Continuation, Sampling
from node.engine.limits import check_sampling
from node.engine.pieces import FinishReason, Piece

_PATH = "generation.continuation"


@dataclass(frozen=True, slots=True)
class Reading:
    """How an engine's tokens become text, and which of them there are.

    `decode` is used while the tokens are gone through again, `decode_on` for those that
    follow: they may belong to different threads.
    """

    decode: Decode = field(repr=False)
    decode_on: Decode = field(repr=False)
    end_ids: Collection[int] = field(repr=False)
    vocabulary_size: int


def fresh(sampling: Sampling, reading: Reading) -> Begun:
    """Return an answer of which nothing is made yet."""
    return Begun(Answer(reading.decode_on, stop=sampling.stop, end_ids=reading.end_ids))


def gone_through(
    continuation: Continuation, sampling: Sampling, reading: Reading
) -> Begun:
    """Return the answer as it stood after these tokens at the node that made them.

    Takes as long as decoding them does.

    Raises:
        FieldInvalid: an id is outside the vocabulary, there are more than `tokens_max`
            or some after the answer's end, more text was delivered than they have, or
            a part of a character.
    """
    check_sampling(sampling)
    _check_ids(continuation, sampling, reading.vocabulary_size)
    answer = Answer(reading.decode, stop=sampling.stop, end_ids=reading.end_ids)
    text, finish = _read(answer, continuation.token_ids, sampling.tokens_max)
    answer.decode_with(reading.decode_on)
    owed = _owed(text, continuation.text_bytes)
    if finish is None:
        answer.owe(owed)
        return Begun(answer, continuation.token_ids)
    return Begun(answer, continuation.token_ids, Piece(owed, (), finish))


def _check_ids(
    continuation: Continuation, sampling: Sampling, vocabulary_size: int
) -> None:
    ids = continuation.token_ids
    if not ids:
        raise _invalid("token_ids", "Send at least one token.")
    if min(ids) < 0 or max(ids) >= vocabulary_size:
        raise _invalid("token_ids", f"Send token ids from 0 to {vocabulary_size - 1}.")
    if len(ids) > sampling.tokens_max:
        raise _invalid(
            "token_ids", f"Send at most tokens_max tokens, {sampling.tokens_max}."
        )


def _read(
    answer: Answer, token_ids: tuple[int, ...], tokens_max: int
) -> tuple[str, FinishReason | None]:
    """Return the text that was shown with these tokens, and whether they are all."""
    shown: list[str] = []
    finish: FinishReason | None = None
    for count, token_id in enumerate(token_ids, start=1):
        if finish is not None:
            raise _invalid("token_ids", "Send no token after the one that ends it.")
        piece = answer.push(token_id, last=count == tokens_max)
        shown.append(piece.text)
        finish = piece.finish
    return "".join(shown), finish


def _owed(text: str, text_bytes: int) -> str:
    whole = text.encode()
    if not 0 <= text_bytes <= len(whole):
        raise _invalid(
            "text_bytes", f"Send 0 to {len(whole)}: the tokens have no more text."
        )
    try:
        return whole[text_bytes:].decode()
    except UnicodeDecodeError:
        raise _invalid("text_bytes", "Count whole characters.") from None


def _invalid(name: str, message: str) -> FieldInvalid:
    return FieldInvalid(message, field=f"{_PATH}.{name}")
