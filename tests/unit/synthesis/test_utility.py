"""The utility report: known figures, and a memorisation check that can fail."""

import math
import secrets

from hypothesis import given
from hypothesis import strategies as st

from federated_router.synthesis.utility import (
    ERROR_RATE,
    allowed_repeats,
    utility_of,
)

SLOTS = 8
BATCHES = 100
EPSILON, DELTA = 1.0, 1e-6


def records_of(count: int) -> list[str]:
    """Return records of 12 words each, with no 8-gram in common."""
    return [" ".join(secrets.token_hex(4) for _ in range(12)) for _ in range(count)]


def test_overlap_lengths_and_distinct_are_counted() -> None:
    """Small enough to count by hand."""
    found = utility_of(
        {0: "a b c", 1: "a b x"},
        ["A, b! c", "d e"],
        slots=1,
        epsilon=EPSILON,
        delta=DELTA,
    )

    one, two = found.overlaps[0], found.overlaps[1]
    assert math.isclose(one.texts_in_records, 5 / 6)
    assert math.isclose(one.records_in_texts, 3 / 5)
    assert math.isclose(two.texts_in_records, 3 / 4)
    assert (found.text_lengths.mean, found.record_lengths.most) == (3.0, 3)
    assert math.isclose(found.distinct[0].texts, 4 / 6)


def test_texts_that_copy_a_record_are_caught() -> None:
    """A sampler without noise: each text is its batch's first record."""
    records = records_of(SLOTS * BATCHES)
    copies = {number: records[number * SLOTS] for number in range(BATCHES)}

    found = utility_of(copies, records, slots=SLOTS, epsilon=0.1, delta=DELTA)
    one_each = utility_of(
        dict(enumerate(records)), records, slots=1, epsilon=EPSILON, delta=DELTA
    )

    assert (found.memorisation.repeated, found.memorisation.elsewhere) == (BATCHES, 0)
    assert one_each.memorisation.is_exceeded


def test_texts_that_say_nothing_of_records_pass() -> None:
    """No rare 8-gram, no repetition."""
    records = records_of(SLOTS * BATCHES)
    texts = dict(enumerate(records_of(BATCHES)))

    found = utility_of(texts, records, slots=SLOTS, epsilon=EPSILON, delta=DELTA)

    assert found.memorisation.repeated == 0
    assert not found.memorisation.is_exceeded


def test_phrase_of_two_records_is_not_rare() -> None:
    """What several records share is not one record's secret."""
    phrase = "the patient was seen in clinic and sent home"
    records = [phrase, phrase, *records_of(6)]

    found = utility_of({0: phrase}, records, slots=4, epsilon=EPSILON, delta=DELTA)

    assert found.memorisation.repeated == 0


def test_one_text_alone_has_no_bound() -> None:
    """There is no other batch to compare with, and the report says so."""
    found = utility_of({0: "a"}, ["b"], slots=SLOTS, epsilon=EPSILON, delta=DELTA)

    assert found.memorisation.allowed is None
    assert not found.memorisation.is_exceeded


@given(st.floats(0.001, 20), st.floats(0, 1))
def test_more_epsilon_or_chance_allows_more(epsilon: float, rate: float) -> None:
    """The bound is monotonic, and never above the number of records."""
    sizes = [SLOTS] * BATCHES
    less = allowed_repeats(sizes, rate=rate / 2, epsilon=epsilon / 2, delta=DELTA)
    more = allowed_repeats(sizes, rate=rate, epsilon=epsilon, delta=DELTA)

    assert 0 < less <= more <= SLOTS * BATCHES


def test_bound_is_hoeffdings() -> None:
    """100 batches of one record at a rate of 0: only the slack is left."""
    slack = math.sqrt(100 * math.log(1 / ERROR_RATE) / 2)

    assert math.isclose(
        allowed_repeats([1] * 100, rate=0.0, epsilon=EPSILON, delta=0.0), slack
    )
    assert allowed_repeats([1], rate=0.5, epsilon=1e6, delta=0.0) == 1.0
