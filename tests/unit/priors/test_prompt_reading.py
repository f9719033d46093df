"""Short cuts over a prompt find what the rules alone would find."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors import marks, patterns
from federated_router.priors.prompt import prompt_of
from federated_router.priors.reading import WORDS, Words, reading_of

SOME = Words("not i équation außer")
WHOLE = re.compile(r"\b(?:not|i|équation|außer)\b")
PIECES = "not|NOT|I|i2|_not|équation|AUSSER|außer|İ|3|²|.|-|é|中| |\n"
TEXTS = st.lists(
    st.sampled_from(PIECES.split("|")) | st.text(max_size=3), max_size=30
).map("".join)


@given(TEXTS)
def test_words_are_those_of_the_pattern_whatever_the_alphabet(text: str) -> None:
    """Text of ASCII alone takes a shorter way to the same words."""
    reading = reading_of(prompt_of([text]))

    assert list(reading.words) == WORDS.findall(text)
    assert list(reading.distinct) == list(dict.fromkeys(WORDS.findall(text.lower())))


@given(TEXTS)
def test_some_words_are_counted_as_the_expression_counts(text: str) -> None:
    """Asking the set of words first must never hide one."""
    reading = reading_of(prompt_of([text]))

    assert SOME.count_in(reading) == len(WHOLE.findall(text.lower()))


@pytest.mark.parametrize("name", sorted(patterns._ASKED))
@given(st.data())
def test_whatever_asks_for_a_pattern_contains_one_of_its_stems(
    name: str, data: st.DataObject
) -> None:
    """Stems are looked for first: a word without one would never be found."""
    asked = patterns._ASKED[name]
    words = re.compile(asked.words.pattern.removeprefix(r"\b"), re.DOTALL)

    found = data.draw(st.from_regex(words, fullmatch=True)).lower()

    if asked.words.search(found):
        assert asked.found_in(found)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (marks._SELECT, marks.code_marks),
        (marks._LINE_END, marks.code_marks),
        (marks._CALL, marks.code_marks),
        (marks._ARITHMETIC, marks.mathematics_marks),
        (marks._VARIABLE, marks.mathematics_marks),
    ],
)
@given(st.data())
def test_whatever_has_the_shape_of_a_mark_is_one(
    shape: re.Pattern[str], count: object, data: st.DataObject
) -> None:
    """Its letters are asked for first: a mark without them would never be found."""
    text = data.draw(st.from_regex(shape)).lower()

    if shape.search(text):
        assert count(reading_of(prompt_of([text]))) > 0  # type: ignore[operator]
