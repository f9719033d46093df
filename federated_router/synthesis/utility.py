"""How useful private texts are, and whether they repeat records: numbers, no excerpts.

Pure: texts come in, figures go out. The figures compare with the private records and
are no output of the mechanism: nothing here is covered by the guarantee.

The memorisation check. An 8-gram of words is *rare* where exactly one record has it. A
text of batch j does not depend on the records of other batches at all, so how often it
has rare 8-grams of *their* records is what chance and the model's own knowledge bring
about. For a record r of batch j the guarantee says, of the event "the text has a rare
8-gram of r",

    P[with r]  <=  e^epsilon * P[r replaced by null] + delta.

With the rate q of the other batches for the second probability, the expected number
of records that are repeated in their own batch's text is at most N (e^epsilon q +
delta). Texts are drawn independently given the records, so the number exceeds that by
t or more with a probability of at most exp(-2 t^2 / sum of squares of batch sizes)
(Hoeffding 1963, theorem 2). What is beyond that contradicts the guarantee, or the
assumption that batches are alike; what is within proves nothing.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

RARE_WORDS: Final = 8
ERROR_RATE: Final = 1e-3
OVERLAP_WORDS: Final = (1, 2, 3, 4)
DISTINCT_WORDS: Final = (1, 2, 3)
_RULE_OF_THREE: Final = 3.0
_WORD: Final = re.compile(r"\w+")
Gram = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Words a text: mean, median, least and most."""

    mean: float
    median: float
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of n-grams of `words` words: shares between 0 and 1.

    `texts_in_records`: of the n-grams in the texts, repetitions counted, how many some
    record has. `records_in_texts`: of the records' different n-grams, how many some
    text has.
    """

    words: int
    texts_in_records: float
    records_in_texts: float


@dataclass(frozen=True, slots=True)
class Distinct:
    """Different n-grams of `words` words over all of them, in texts and in records."""

    words: int
    texts: float
    records: float


@dataclass(frozen=True, slots=True)
class Memorisation:
    """How many records are repeated by their own batch's text, and how many may be.

    `repeated`: records with a rare 8-gram in the text of their own batch. `elsewhere`:
    pairs of a record and another batch's text that has one of its rare 8-grams, of
    `pairs`. `allowed` is the bound above at the error rate, at most `records`; None
    where there is one text alone, and nothing to compare it with.
    """

    records: int
    repeated: int
    elsewhere: int
    pairs: int
    epsilon: float
    delta: float
    allowed: float | None

    @property
    def is_exceeded(self) -> bool:
        """Return whether more records are repeated than the bound allows."""
        return self.allowed is not None and self.repeated > self.allowed


@dataclass(frozen=True, slots=True)
class Utility:
    """Every figure."""

    texts: int
    records: int
    text_lengths: Lengths
    record_lengths: Lengths
    overlaps: tuple[Overlap, ...]
    distinct: tuple[Distinct, ...]
    memorisation: Memorisation


def utility_of(
    texts: Mapping[int, str],
    records: Sequence[str],
    *,
    slots: int,
    epsilon: float,
    delta: float,
) -> Utility:
    """Return the figures of `texts` (by batch number) written from `records`.

    Record i was in batch i // `slots`; `epsilon` and `delta` are the job's final ones.
    """
    written = {number: _words(text) for number, text in texts.items()}
    read = [_words(record) for record in records]
    return Utility(
        texts=len(written),
        records=len(read),
        text_lengths=_lengths(written.values()),
        record_lengths=_lengths(read),
        overlaps=tuple(_overlap(written.values(), read, n) for n in OVERLAP_WORDS),
        distinct=tuple(
            Distinct(n, _distinct(written.values(), n), _distinct(read, n))
            for n in DISTINCT_WORDS
        ),
        memorisation=_memorisation(
            written, read, slots=slots, epsilon=epsilon, delta=delta
        ),
    )


def allowed_repeats(
    batch_sizes: Iterable[int], *, rate: float, epsilon: float, delta: float
) -> float:
    """Return how many records may be repeated in their own batch's text.

    `rate` is how often a record is where it cannot have had an influence. More come
    about with a probability of at most `ERROR_RATE`.
    """
    sizes = list(batch_sizes)
    records, squares = sum(sizes), sum(size * size for size in sizes)
    # Beyond e^700 a double overflows; the bound says nothing long before.
    chance = min(1.0, math.exp(min(epsilon, 700.0)) * rate + delta)
    slack = math.sqrt(math.log(1 / ERROR_RATE) * squares / 2)
    return min(float(records), records * chance + slack)


def _memorisation(
    texts: Mapping[int, Sequence[str]],
    records: Sequence[Sequence[str]],
    *,
    slots: int,
    epsilon: float,
    delta: float,
) -> Memorisation:
    owner_of = _rare(records)
    repeated = elsewhere = 0
    for number, words in texts.items():
        found = {
            owner_of[gram] for gram in _grams(words, RARE_WORDS) if gram in owner_of
        }
        own = sum(1 for record in found if record // slots == number)
        repeated, elsewhere = repeated + own, elsewhere + len(found) - own
    sizes = [len(records[one * slots : (one + 1) * slots]) for one in texts]
    pairs = len(texts) * len(records) - sum(sizes)
    allowed = None
    if pairs:
        rate = min(1.0, (elsewhere + _RULE_OF_THREE) / pairs)
        allowed = allowed_repeats(sizes, rate=rate, epsilon=epsilon, delta=delta)
    return Memorisation(
        records=sum(sizes),
        repeated=repeated,
        elsewhere=elsewhere,
        pairs=pairs,
        epsilon=epsilon,
        delta=delta,
        allowed=allowed,
    )


def _rare(records: Sequence[Sequence[str]]) -> dict[Gram, int]:
    """Return every 8-gram that one record alone has, with the record."""
    owner_of: dict[Gram, int] = {}
    common: set[Gram] = set()
    for number, words in enumerate(records):
        for gram in _grams(words, RARE_WORDS):
            if owner_of.setdefault(gram, number) != number:
                common.add(gram)
    return {gram: one for gram, one in owner_of.items() if gram not in common}


def _overlap(
    texts: Iterable[Sequence[str]], records: Iterable[Sequence[str]], n: int
) -> Overlap:
    written, read = _counted(texts, n), _counted(records, n)
    shared = sum(count for gram, count in written.items() if gram in read)
    met = sum(1 for gram in read if gram in written)
    return Overlap(n, _share(shared, written.total()), _share(met, len(read)))


def _distinct(texts: Iterable[Sequence[str]], n: int) -> float:
    counted = _counted(texts, n)
    return _share(len(counted), counted.total())


def _counted(texts: Iterable[Sequence[str]], n: int) -> Counter[Gram]:
    return Counter(gram for words in texts for gram in _grams(words, n))


def _grams(words: Sequence[str], n: int) -> Iterator[Gram]:
    return zip(*(words[first:] for first in range(n)), strict=False)


def _lengths(texts: Iterable[Sequence[str]]) -> Lengths:
    counts = [len(words) for words in texts] or [0]
    return Lengths(
        sum(counts) / len(counts), float(median(counts)), min(counts), max(counts)
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
