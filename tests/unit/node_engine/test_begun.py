"""An answer that goes on elsewhere shows the same text, whatever was held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import FieldInvalid
from node.engine.begun import Reading, fresh, gone_through
from node.engine.engine import Begun, Continuation, Sampling
from node.engine.pieces import FinishReason, Piece
from node.engine.script import END_ID, VOCABULARY_SIZE, decode

READING = Reading(decode, decode, frozenset({END_ID}), VOCABULARY_SIZE)
TEXTS = st.text(alphabet="abä每🙂", max_size=12)
STOPS = st.lists(st.text(alphabet="abä每🙂", min_size=1, max_size=3), max_size=2)


def pieces_of(begun: Begun, token_ids: list[int], tokens_max: int) -> list[Piece]:
    """Push what follows until the answer ends."""
    if begun.last is not None:
        return [begun.last]
    made: list[Piece] = []
    for count, token_id in enumerate(token_ids, start=len(begun.token_ids) + 1):
        made.append(begun.answer.push(token_id, last=count == tokens_max))
        if made[-1].finish is not None:
            break
    return made


@given(text=TEXTS, stop=STOPS, missing=st.integers(0, 4))
def test_text_is_the_same_wherever_an_answer_is_cut(
    text: str, stop: list[str], missing: int
) -> None:
    """Between the bytes of a character, and within what may become a stop string."""
    ids = [*text.encode(), END_ID]
    sampling = Sampling(tokens_max=max(1, len(ids) - missing), stop=tuple(stop))
    whole = pieces_of(fresh(sampling, READING), ids, sampling.tokens_max)
    shown = "".join(piece.text for piece in whole)

    for at in range(1, len(whole) + 1):
        before = "".join(piece.text for piece in whole[:at])
        cut = Continuation(tuple(ids[:at]), len(before.encode()))
        rest = pieces_of(
            gone_through(cut, sampling, READING), ids[at:], sampling.tokens_max
        )
        assert before + "".join(piece.text for piece in rest) == shown
        assert rest[-1].finish is whole[-1].finish


@pytest.mark.parametrize("after", ["stop", "end"])
def test_tokens_after_the_end_are_refused(after: str) -> None:
    """No answer has them: another model, or other stop strings, made these."""
    ended = [*b"ab"] if after == "stop" else [*b"a", END_ID]
    sampling = Sampling(tokens_max=9, stop=("b",))

    with pytest.raises(FieldInvalid):
        gone_through(Continuation((*ended, 99), 1), sampling, READING)


def test_part_of_a_character_cannot_have_been_delivered() -> None:
    """Text leaves in whole characters, so a count within one is a mistake."""
    sampling = Sampling(tokens_max=9)

    with pytest.raises(FieldInvalid) as raised:
        gone_through(Continuation(tuple("ä".encode()), 1), sampling, READING)

    assert raised.value.metadata["field"] == "generation.continuation.text_bytes"


def test_stop_string_that_was_said_ends_the_answer_at_once() -> None:
    """The node fell between the last token and the end that it should have told."""
    sampling = Sampling(tokens_max=9, stop=("stop",))

    begun = gone_through(Continuation(tuple(b"no stop"), 1), sampling, READING)

    assert begun.last == Piece("o ", (), FinishReason.STOP)
