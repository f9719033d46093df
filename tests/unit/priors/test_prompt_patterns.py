"""Patterns of a prompt: fixed rules, the first that fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.priors.patterns import PATTERNS, pattern_of
from federated_router.priors.prompt import prompt_of

KNOWN = {
    "Translate this to German: good morning": "translation",
    "Please summarise the report below.": "summary",
    "Fasse den Text zusammen": "summary",
    "Extract every date from the letter.": "extraction",
    "Classify the sentiment of this review": "classification",
    "Rewrite this politely: no.": "rewriting",
    "```\ndef f(x):\n    return x\n```": "code",
    "Solve the equation x = 3 + 4": "mathematics",
    "Write a short story about a whale": "creative",
    "Explain how a router chooses": "explanation",
    "Is it raining?": "question",
    "Good morning.": "chat-short",
    "word " * 300: "chat-long",
}


@pytest.mark.parametrize("text", KNOWN)
def test_known_prompts_keep_their_pattern(text: str) -> None:
    """Frozen: another name means another PATTERNS_VERSION."""
    assert pattern_of(prompt_of([text])) == KNOWN[text]


def test_further_turns_are_a_conversation() -> None:
    """What follows an answer is judged by its turns where no rule fits before."""
    assert pattern_of(prompt_of(["Hello.", "And then."])) == "conversation"


def test_every_pattern_is_reached() -> None:
    """A name that no prompt gets would be a row of noise in every round."""
    reached = {pattern_of(prompt_of([text])) for text in KNOWN} | {"conversation"}

    assert reached == set(PATTERNS)


def test_instructions_are_not_looked_for_inside_documents() -> None:
    """A document that mentions a translation is not a request for one."""
    document = "x " * 500 + "translate" + " y" * 500

    assert pattern_of(prompt_of([document])) == "chat-long"


@given(st.lists(st.text(), max_size=3))
def test_every_prompt_has_one_of_the_names(messages: list[str]) -> None:
    """The catalogue has a slot for each name and for nothing else."""
    assert pattern_of(prompt_of(messages)) in PATTERNS
