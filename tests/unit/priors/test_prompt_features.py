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
    ("What is 2+2?",): (4, 2, 0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0, -1),
    ("",): (4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
}
"""Frozen: another number means another FEATURES_VERSION."""


@pytest.mark.parametrize("messages", KNOWN)
def test_known_prompts_keep_their_features(messages: tuple[str]) -> None:
    """Routers of different builds add these up; a silent change would mix meanings."""
    assert features_of(prompt_of(messages)) == KNOWN[messages]


@given(st.lists(st.text(), max_size=4))
def test_no_prompt_is_longer_than_the_catalogue_assumes(messages: list[str]) -> None:
    """The noise is calibrated to FEATURE_NORM; one vector beyond it voids the bound."""
    features = features_of(prompt_of(messages))

    assert len(features) == FEATURE_COUNT == len(FEATURE_NAMES) == 16
    assert sum(value * value for value in features) <= FEATURE_NORM**2


def test_worst_prompt_reaches_every_mark_and_stays_within_the_norm() -> None:
    """A bound that nothing comes near would not show a feature that grew."""
    text = "```\ndef f();\nreturn x => </a> \\frac \\sum ∫ ≤ 1+1 ? " + "9é" * 100
    features = features_of(Prompt(text, characters=3000, turns=2))

    assert features[3:10] == (2, 2, 3, 3, 2, 1, 2)
    assert 51 <= sum(value * value for value in features) <= FEATURE_NORM**2


def test_lone_surrogates_have_features_too() -> None:
    """A client can send any string; recording its request must not fail."""
    assert len(features_of(prompt_of(["\ud800" * 9]))) == FEATURE_COUNT


def test_hashed_features_tell_texts_apart() -> None:
    """Six ternary numbers that were always zero would teach nothing."""
    words = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    hashed = {features_of(prompt_of([word * 6]))[10:] for word in words}

    assert len(hashed) >= len(words) - 1


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
