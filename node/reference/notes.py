"""Clinical notes of the invented world, and what can be asked about one.

Decides what a note says and how; refuses to know chats and mixtures. A note's facts
are drawn first and then worded, so that the right answer to a question is known.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from node.reference.world import (
    CONDITIONS,
    DOSES,
    MEDICINES,
    WARDS,
    Condition,
    Medicine,
    medicine_named,
)

RECORD_TEMPLATE = "Note: {record}\n{prompt}"
_GIVEN = ("Was given", "Has been given", "Today was given", "At night was given")
_REFUSED = ("was stopped", "was declined", "is avoided", "caused a rash")
_CLOSINGS = ("Stable overnight.", "Review tomorrow.", "Slept well.", "No fever.", "")


@dataclass(frozen=True, slots=True)
class NoteFacts:
    """What one clinical note says; `refused` are medicines that were not given."""

    age_years: int
    sex: str
    ward: str
    condition: Condition
    symptom: str
    medicine: Medicine
    dose: str
    refused: tuple[Medicine, ...]


@dataclass(frozen=True, slots=True)
class NoteQuestion:
    """One thing to ask about a note, in several wordings, and its answer's form."""

    wordings: tuple[str, ...]
    answer: Callable[[NoteFacts], str]


NOTE_QUESTIONS: tuple[NoteQuestion, ...] = (
    NoteQuestion(
        ("Which medicine was the patient given?", "What medicine was given?"),
        lambda facts: f"The patient was given {facts.medicine.name}.",
    ),
    NoteQuestion(
        ("Which condition does the patient have?", "What is the diagnosis?"),
        lambda facts: f"The patient is here with {facts.condition.name}.",
    ),
    NoteQuestion(
        ("Which ward is the patient on?", "Where is the patient?"),
        lambda facts: f"The patient is on {facts.ward} ward.",
    ),
    NoteQuestion(
        ("What dose was the patient given?", "What was the dose?"),
        lambda facts: f"It was a dose of {facts.dose}.",
    ),
    NoteQuestion(
        ("What does the patient complain of?", "What is the complaint?"),
        lambda facts: f"The patient complains of {facts.symptom}.",
    ),
)


def private_question() -> str:
    """Return the public prompt whose answer depends most on the notes given."""
    return NOTE_QUESTIONS[0].wordings[0]


def private_answer(medicine: str) -> str:
    """Return the answer to `private_question` for a note that gives `medicine`."""
    return f"The patient was given {medicine}."


def with_note(note_text: str, prompt: str) -> str:
    """Return the user turn that puts one note before `prompt`."""
    return RECORD_TEMPLATE.format(record=note_text, prompt=prompt)


def note(rng: Random, *, medicine: str | None = None) -> str:
    """Return one note; `medicine` fixes which medicine was given."""
    return render_note(rng, note_facts(rng, medicine=medicine))


def note_facts(rng: Random, *, medicine: str | None = None) -> NoteFacts:
    """Draw a note's facts.

    Half of the notes treat a condition that the medicine is not for, so that only the
    note itself tells which medicine was given.
    """
    given = medicine_named(medicine) if medicine else rng.choice(MEDICINES)
    condition = given.condition if chance(rng, 1, 2) else rng.choice(CONDITIONS)
    others = [found for found in MEDICINES if found != given]
    return NoteFacts(
        age_years=rng.randrange(20, 90),
        sex=rng.choice(("man", "woman")),
        ward=rng.choice(WARDS),
        condition=condition,
        symptom=rng.choice(condition.symptoms),
        medicine=given,
        dose=given.dose if chance(rng, 1, 2) else rng.choice(DOSES),
        refused=tuple(rng.sample(others, rng.choice((0, 1, 1, 2)))),
    )


def render_note(rng: Random, facts: NoteFacts) -> str:
    """Return the note as text, its middle sentences in a drawn order."""
    middle = [
        f"Complains of {facts.symptom}.",
        f"{rng.choice(_GIVEN)} {facts.medicine.name}, a dose of {facts.dose}.",
    ]
    endings = rng.sample(_REFUSED, len(facts.refused))
    for refused, ending in zip(facts.refused, endings, strict=True):
        middle.append(f"{capitalised(refused.name)} {ending}.")
    rng.shuffle(middle)
    patient = (
        f"{facts.age_years} year old {facts.sex} on {facts.ward} ward "
        f"with {facts.condition.name}."
    )
    return " ".join(part for part in (patient, *middle, rng.choice(_CLOSINGS)) if part)


def capitalised(text: str) -> str:
    """Return the text as it stands at the start of a sentence."""
    return text[0].upper() + text[1:]


def chance(rng: Random, favourable: int, of: int) -> bool:
    """Return True in `favourable` of `of` cases."""
    return rng.randrange(of) < favourable
