"""Features of a prompt: the same everywhere, small, and within the stated length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NAMES,
    FEATURE_NORM,
    features_of,
)
from federated_router.priors.prompt import READ_CHARACTERS_MAX, Prompt, prompt_of

KNOWN = {
    ("What is 2+2?",): (3, -3, 2, -2, 1, 2, -1, 0, 1, 1, 0, 0, 0, 0, 0),
    ("",): (3, -3, 2, 0, 0, 0, -1, 0, -1, 0, 0, 0, 0, 0, 0),
    ("Why?", "- ein\n- zwei"): (3, -2, 2, -2, -2, -1, -1, 0, -1, 0, 0, 0, 2, 1, 0),
}
"""Frozen: another number means another FEATURES_VERSION."""


@pytest.mark.parametrize("messages", KNOWN)
def test_known_prompts_keep_their_features(messages: tuple[str, ...]) -> None:
    """Routers of different builds add these up; a silent change would mix meanings."""
    assert features_of(prompt_of(messages)) == KNOWN[messages]


@given(st.lists(st.text(), max_size=4))
def test_no_prompt_is_longer_than_the_catalogue_assumes(messages: list[str]) -> None:
    """The noise is calibrated to FEATURE_NORM; one vector beyond it voids the bound."""
    features = features_of(prompt_of(messages))

    assert len(features) == FEATURE_COUNT == len(FEATURE_NAMES) == 15
    assert sum(value * value for value in features) <= FEATURE_NORM**2


def test_worst_prompt_reaches_every_mark_and_stays_within_the_norm() -> None:
    """A bound that nothing comes near would not show a feature that grew."""
    marks = "```\ndef f();\nreturn x => </a> \\frac \\sum not I me my ? 1.\n- a\n- b\n"
    text = f'{marks}"{"9é " * 100}"'
    features = features_of(Prompt(text, characters=3000, turns=2))

    assert all(features)
    assert 34 <= sum(value * value for value in features) <= FEATURE_NORM**2


def test_vector_within_the_norm_is_left_as_it_is() -> None:
    """What is drawn in for no reason would say less than it could."""
    plain = features_of(Prompt("word " * 50, characters=250, turns=1))

    assert plain[:3] == (3, 0, -1)


@pytest.mark.parametrize(
    ("name", "text", "other"),
    [
        ("negation", "Which is not red?", "Which is red?"),
        ("first_person", "I lost my keys and they left me.", "She lost some keys."),
        ("question", "Who?", "Who."),
        ("mathematics", "Solve x = 2 + 3.", "Solve it not."),
        ("code", "def f():\n    return g();", "define the return"),
        ("foreign", "Où est la mère, à côté?", "Where is the mother?"),
        ("list", "Do:\n- this\n- that", "Do this and that"),
        ("quotes", 'He said "no".', "He said no."),
        ("capitals", "Kant And Hume On Reason", "reason by two people"),
        ("numbers", "1 2 3 and 4", "one two three"),
        ("word_length", "heteroskedasticity", "a b c"),
    ],
)
def test_each_feature_tells_what_it_is_named_for(
    name: str, text: str, other: str
) -> None:
    """A feature that never moved would only cost noise."""
    place = FEATURE_NAMES.index(name)

    found, without = (features_of(prompt_of([one])) for one in (text, other))

    assert found[place] > without[place]


@given(st.integers(0, 10_000), st.integers(0, 10_000))
def test_longer_prompts_never_have_a_smaller_length(one: int, other: int) -> None:
    """The length is a scale, of which a model may learn a slope."""
    shorter, longer = sorted((one, other))

    lengths = [
        features_of(Prompt("", characters, 1))[1] for characters in (shorter, longer)
    ]

    assert -3 <= lengths[0] <= lengths[1] <= 3


def test_lone_surrogates_have_features_too() -> None:
    """A client can send any string; recording its request must not fail."""
    assert len(features_of(prompt_of(["\ud800" * 9]))) == FEATURE_COUNT


def test_only_the_ends_of_a_long_message_are_read() -> None:
    """Features run on the event loop; their cost must not grow with the prompt."""
    half = READ_CHARACTERS_MAX // 2
    prompt = prompt_of(["a" * half + "b" * 100_000 + "c" * half])

    assert "b" not in prompt.text
    assert len(prompt.text) == READ_CHARACTERS_MAX + 1
    assert prompt.characters == 100_000 + READ_CHARACTERS_MAX


def test_prompt_does_not_show_in_a_repr() -> None:
    """Logs print what they are given; prompts must not be in it."""
    assert "secret" not in repr(prompt_of(["a secret"]))
