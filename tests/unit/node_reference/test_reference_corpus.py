"""The texts the models learn from say what the demonstration relies on."""

from random import Random

import pytest

from node.reference import corpus
from node.reference.world import CONDITIONS, MEDICINES, medicine_named, medicines_for

SEED = 3


def seeded() -> Random:
    """Return the tests' own source of chance."""
    return Random(SEED)  # noqa: S311 - reproducible texts, no secret.


def test_same_seed_gives_the_same_corpus() -> None:
    """A model is reproduced from its seed alone."""
    assert list(corpus.conversations(SEED, 50)) == list(corpus.conversations(SEED, 50))
    assert list(corpus.conversations(SEED, 50)) != list(corpus.conversations(4, 50))


def test_note_gives_the_medicine_asked_for_and_refuses_another() -> None:
    """A demonstration writes notes about one medicine, with distractors."""
    rng = seeded()

    notes = [corpus.note(rng, medicine="warfarin") for _ in range(50)]

    assert all("given warfarin, a dose of " in text for text in notes)
    others = [name for name in corpus.MEDICINES if name != "warfarin"]
    assert any(name in text.lower() for text in notes for name in others)


def test_every_answer_about_a_note_stands_in_the_note() -> None:
    """Answers are copied, never known: that is what private decoding shows."""
    rng = seeded()
    for _ in range(50):
        facts = corpus.note_facts(rng)
        text = corpus.render_note(rng, facts)
        for question in corpus.NOTE_QUESTIONS:
            copied = question.answer(facts).removesuffix(".").split()[-1]
            assert copied in text


def test_private_answer_is_what_the_corpus_answers() -> None:
    """The demonstration looks for the very sentence that was trained."""
    facts = corpus.note_facts(seeded(), medicine="digoxin")

    answer = corpus.NOTE_QUESTIONS[0].answer(facts)

    assert answer == corpus.private_answer("digoxin")
    assert corpus.private_question() in corpus.NOTE_QUESTIONS[0].wordings


def test_unknown_medicine_is_refused_by_name() -> None:
    """A typing error in a demonstration is told at once."""
    with pytest.raises(ValueError, match="no medicine 'homeopathy'"):
        corpus.note(seeded(), medicine="homeopathy")


def test_world_is_whole() -> None:
    """Every condition has a medicine, every medicine its own name."""
    assert all(medicines_for(condition) for condition in CONDITIONS)
    assert len({medicine.name for medicine in MEDICINES}) == len(corpus.MEDICINES)
    assert medicine_named("aspirin") in MEDICINES


def test_public_questions_are_among_those_trained() -> None:
    """What a demonstration asks in public was asked in training."""
    asked = {
        turn.content
        for chat in corpus.conversations(SEED, 6000)
        for turn in chat
        if turn.role == "user"
    }

    missing = set(corpus.public_questions()) - asked
    assert len(missing) <= len(corpus.public_questions()) // 20
    assert set(corpus.long_prompts()) <= asked
