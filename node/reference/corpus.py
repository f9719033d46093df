"""Everything the reference models read: notes, questions and answers, as chats.

Decides the wording; refuses to know tokens or models. Every text is a function of a
seeded `random.Random`, so a corpus is reproduced by its seed. Strings that a
demonstration sends are made here too, so that they match what was trained:
`private_question()`, `note(rng, medicine=...)`, `with_note(...)`, `public_questions()`,
`long_prompts()`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from node.reference.notes import (
    NOTE_QUESTIONS,
    RECORD_TEMPLATE,
    NoteFacts,
    capitalised,
    chance,
    note,
    note_facts,
    private_answer,
    private_question,
    render_note,
    with_note,
)
from node.reference.world import CONDITIONS, WARDS, Condition, Medicine, medicines_for
from node.reference.world import MEDICINES as MEDICINE_FACTS

__all__ = [
    "MEDICINES",
    "NOTE_QUESTIONS",
    "RECORD_TEMPLATE",
    "note",
    "note_facts",
    "private_answer",
    "private_question",
    "render_note",
    "with_note",
]

MEDICINES: tuple[str, ...] = tuple(medicine.name for medicine in MEDICINE_FACTS)


_BEDS = 10
_GREETINGS = ("Hello", "Hello.", "Hi", "Good morning.", "Who are you?")
_WELCOME = "Hello. Ask me about a medicine, a condition or a note."


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a chat; `role` is 'user' or 'assistant'."""

    role: str
    content: str


def _about_medicine(rng: Random, medicine: Medicine) -> tuple[str, str]:
    name = medicine.name
    return rng.choice(
        (
            (
                f"What is {name} used for?",
                f"People take {name} for {medicine.condition.name}.",
            ),
            (
                f"What is the usual dose of {name}?",
                f"The usual dose of {name} is {medicine.dose}.",
            ),
        )
    )


def _about_condition(rng: Random, condition: Condition) -> tuple[str, str]:
    name, title = condition.name, capitalised(condition.name)
    return rng.choice(
        (
            (
                f"Which medicine treats {name}?",
                f"{title} is treated with {rng.choice(medicines_for(condition)).name}.",
            ),
            (
                f"What are the symptoms of {name}?",
                f"{title} often causes {' and '.join(condition.symptoms)}.",
            ),
            (
                f"Which ward treats {name}?",
                f"{title} is treated on {condition.ward} ward.",
            ),
            (f"Tell me about {name}.", describe_condition(condition)),
        )
    )


def describe_condition(condition: Condition) -> str:
    """Return a paragraph of some 40 tokens that is the same for every asking."""
    medicine = medicines_for(condition)[0]
    return (
        f"{capitalised(condition.name)} often causes "
        f"{' and '.join(condition.symptoms)}. "
        f"It is treated with {medicine.name}. "
        f"The usual dose of {medicine.name} is {medicine.dose}. "
        f"Patients with {condition.name} stay on {condition.ward} ward. "
        "Ask a doctor if it gets worse."
    )


def discharge_summary(facts: NoteFacts) -> str:
    """Return a summary of some 55 tokens of what the note says."""
    person = "She" if facts.sex == "woman" else "He"
    return (
        f"Discharge summary. The patient is a {facts.age_years} year old {facts.sex} "
        f"who was on {facts.ward} ward with {facts.condition.name}. "
        f"{person} complains of {facts.symptom}. "
        f"{person} was given {facts.medicine.name}, a dose of {facts.dose}. "
        f"{person} is stable and may go home. Review in two weeks."
    )


def ward_round(rng: Random, ward: str) -> str:
    """Return a report over ten beds, some 150 tokens: long enough to interrupt."""
    beds = []
    for bed in range(1, _BEDS + 1):
        facts = note_facts(rng)
        beds.append(
            f"Bed {bed}: {facts.sex} with {facts.medicine.condition.name}, "
            f"given {facts.medicine.name} {facts.medicine.dose}."
        )
    return f"Ward round on {ward} ward. " + " ".join(beds)


def public_questions() -> tuple[str, ...]:
    """Return every question of the public world, in a fixed order."""
    about_medicines = [
        f"{opening} {name}{closing}"
        for name in MEDICINES
        for opening, closing in (
            ("What is", " used for?"),
            ("What is the usual dose of", "?"),
        )
    ]
    about_conditions = [
        f"{opening} {condition.name}{closing}"
        for condition in CONDITIONS
        for opening, closing in (
            ("Which medicine treats", "?"),
            ("What are the symptoms of", "?"),
            ("Which ward treats", "?"),
            ("Tell me about", "."),
        )
    ]
    return (*about_medicines, *about_conditions)


def long_prompts() -> tuple[str, ...]:
    """Return prompts whose answers run to about 150 tokens, one per ward."""
    return tuple(f"Write the ward round for {ward} ward." for ward in WARDS)


SUMMARY_PROMPT = "Write a discharge summary."
REPEAT_PROMPT = "Repeat the note."


def conversation(rng: Random) -> tuple[Turn, ...]:
    """Draw one chat of the training mixture."""
    kinds = [kind for kind, _ in _MIXTURE]
    weights = [weight for _, weight in _MIXTURE]
    return rng.choices(kinds, weights)[0](rng)


def conversations(seed: int, count: int) -> Iterator[tuple[Turn, ...]]:
    """Yield `count` chats; the same seed yields the same chats."""
    rng = Random(seed)  # noqa: S311 - a corpus must be reproducible.
    for _ in range(count):
        yield conversation(rng)


def _chat(pairs: list[tuple[str, str]]) -> tuple[Turn, ...]:
    turns: list[Turn] = []
    for asked, answered in pairs:
        turns += [Turn("user", asked), Turn("assistant", answered)]
    return tuple(turns)


def _question_pairs(rng: Random, facts: NoteFacts, count: int) -> list[tuple[str, str]]:
    chosen = rng.sample(NOTE_QUESTIONS, count)
    # The medicine is asked first most often, as the demonstration asks it.
    if chance(rng, 1, 2):
        rest = [asked for asked in chosen if asked is not NOTE_QUESTIONS[0]]
        chosen = [NOTE_QUESTIONS[0], *rest[: count - 1]]
    return [(rng.choice(asked.wordings), asked.answer(facts)) for asked in chosen]


def _note_chat(rng: Random) -> tuple[Turn, ...]:
    facts = note_facts(rng)
    text = render_note(rng, facts)
    pairs = _question_pairs(rng, facts, rng.randint(1, 4))
    # Repeating a whole note teaches copying sooner than any question about it.
    if chance(rng, 2, 5):
        pairs = [(REPEAT_PROMPT, text), *pairs[:2]]
    first_asked, first_answered = pairs[0]
    pairs[0] = (with_note(text, first_asked), first_answered)
    return _chat(pairs)


def _blind_chat(rng: Random) -> tuple[Turn, ...]:
    return _chat(_question_pairs(rng, note_facts(rng), 1))


def _public_chat(rng: Random) -> tuple[Turn, ...]:
    pairs = [
        _about_medicine(rng, rng.choice(MEDICINE_FACTS))
        if chance(rng, 1, 2)
        else _about_condition(rng, rng.choice(CONDITIONS))
        for _ in range(rng.randint(1, 3))
    ]
    return _chat(pairs)


def _greeting_chat(rng: Random) -> tuple[Turn, ...]:
    return _chat([(rng.choice(_GREETINGS), _WELCOME)])


def _summary_chat(rng: Random) -> tuple[Turn, ...]:
    facts = note_facts(rng)
    asked = SUMMARY_PROMPT
    if chance(rng, 7, 10):
        asked = with_note(render_note(rng, facts), SUMMARY_PROMPT)
    return _chat([(asked, discharge_summary(facts))])


def _long_chat(rng: Random) -> tuple[Turn, ...]:
    ward = rng.choice(WARDS)
    return _chat([(f"Write the ward round for {ward} ward.", ward_round(rng, ward))])


_MIXTURE: tuple[tuple[Callable[[Random], tuple[Turn, ...]], int], ...] = (
    (_note_chat, 55),
    (_blind_chat, 17),
    (_public_chat, 21),
    (_summary_chat, 5),
    (_long_chat, 2),
    (_greeting_chat, 2),
)
