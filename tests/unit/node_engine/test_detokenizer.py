"""Text leaves in whole characters, though tokens may be parts of them."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from node.engine.answer import Answer
from node.engine.detokenizer import Detokenizer
from node.engine.pieces import FinishReason


def as_bytes(token_ids: Sequence[int]) -> str:
    """Decode one byte per token, as a byte-level tokenizer does."""
    return bytes(token_ids).decode("utf-8", errors="replace")


def as_words(token_ids: Sequence[int]) -> str:
    """Decode as SentencePiece does: no space before the first word."""
    return " ".join(f"w{token_id}" for token_id in token_ids)


@given(text=st.text(max_size=30))
def test_bytes_of_a_text_add_up_to_the_text(text: str) -> None:
    """Nothing is lost or doubled, whatever the characters."""
    detokenizer = Detokenizer(as_bytes)

    shown = [detokenizer.push(byte) for byte in text.encode()]

    assert "".join(shown) + detokenizer.flush() == text
    assert not any("\ufffd" in piece for piece in shown if "\ufffd" not in text)


@given(token_ids=st.lists(st.integers(0, 255), max_size=60))
def test_broken_bytes_never_hold_text_back_for_long(token_ids: list[int]) -> None:
    """A model may sample bytes that are no character; the stream must go on."""
    detokenizer = Detokenizer(as_bytes)
    silent = longest = 0

    for token_id in token_ids:
        silent = 0 if detokenizer.push(token_id) else silent + 1
        longest = max(longest, silent)

    assert longest < 5


def test_space_between_words_is_kept_across_tokens() -> None:
    """Some tokenizers drop a space at the start, which must not eat real ones."""
    detokenizer = Detokenizer(as_words)

    shown = "".join(detokenizer.push(token_id) for token_id in range(5))

    assert shown == "w0 w1 w2 w3 w4"


def test_end_token_releases_what_was_held_back() -> None:
    """A text that merely begins like a stop string is shown at the end."""
    answer = Answer(as_bytes, stop=("STOP",), end_ids={0})
    pieces = [answer.push(byte, last=False) for byte in b"xST"]

    last = answer.push(0, last=False)

    assert [piece.text for piece in pieces] == ["x", "", ""]
    assert (last.text, last.finish) == ("ST", FinishReason.END)


def test_stop_string_completed_by_the_last_token_is_a_stop() -> None:
    """The reason is what the text shows, also at the length limit."""
    answer = Answer(as_bytes, stop=("b",), end_ids={0})
    answer.push(ord("a"), last=False)

    last = answer.push(ord("b"), last=True)

    assert (last.text, last.finish) == ("", FinishReason.STOP)


def test_broken_character_at_the_length_limit_is_marked() -> None:
    """An answer cut inside a character ends in the replacement character."""
    answer = Answer(as_bytes, stop=(), end_ids={0})
    first, second = "é".encode()

    assert answer.push(first, last=True).text == "\ufffd"
    assert second != first
