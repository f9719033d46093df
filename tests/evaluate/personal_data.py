"""How much labelled personal data the detector finds, what it makes up, and its time.

The texts are presidio-research's synthetic sentences. The detector's forms were written
with samples of them in view, so these figures flatter it; the share of exam questions
that it raises (where these are there) was only looked at afterwards.
"""

import csv
import gzip
import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from federated_router.sensitivity.assessment import Assessor
from federated_router.sensitivity.kinds import PersonalDataKind
from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.page import Span, page_of
from federated_router.sensitivity.personal_data import FINDERS
from federated_router.sensitivity.settings import SensitivitySettings
from tests.bench.figures import Sheet

TEXTS: Final = Path("pii/presidio_generated_large.json.gz")
QUESTIONS: Final = Path("routing/routellm_mmlu_outcomes.jsonl.gz")
EVERY: Final = 5
RUNS: Final = 3
PERSONAL: Final = frozenset(
    {
        "PERSON", "ADDRESS", "CREDIT_CARD", "PHONE_NUMBER", "EMAIL_ADDRESS", "US_SSN",
        "IBAN_CODE", "US_DRIVER_LICENSE", "IP_ADDRESS",
    }
)  # fmt: skip
"""Labels that stand for a person; the others are of places, firms, days and titles."""

CUES_ONLY: Final = tuple(
    kind
    for kind in PersonalDataKind
    if kind is not PersonalDataKind.PERSON_NAME_BY_FORM
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and what stands where in it, by label."""

    text: str
    spans: tuple[tuple[str, Span], ...]

    @property
    def personal(self) -> bool:
        """Return whether it is about a person."""
        return any(label in PERSONAL for label, _ in self.spans)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Record recall and precision by kind and by text, and the time."""
    texts = labelled_texts(data / TEXTS)
    _spans(sheet, folder / "kinds.csv", texts)
    for name, kinds in (("", tuple(PersonalDataKind)), ("cues_only.", CUES_ONLY)):
        _texts(sheet, name, texts, kinds)
    _time(sheet, [one.text for one in texts])
    if (data / QUESTIONS).is_file():
        _questions(sheet, questions(data / QUESTIONS))


def labelled_texts(path: Path) -> list[Labelled]:
    """Return the labelled texts of a file of presidio-research."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [
            Labelled(
                one["full_text"],
                tuple(
                    (s["entity_type"], (s["start_position"], s["end_position"]))
                    for s in one["spans"]
                ),
            )
            for one in json.load(file)
        ]


def questions(path: Path) -> list[str]:
    """Return every fifth exam question of RouteLLM's outcomes: they are by subject."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line)["prompt"] for line in islice(file, 0, None, EVERY)]


def overlaps(one: Span, other: Span) -> bool:
    """Return whether two spans share a character."""
    return one[0] < other[1] and other[0] < one[1]


def _spans(sheet: Sheet, path: Path, texts: Sequence[Labelled]) -> None:
    """Count spans: found where labelled, and labelled where found."""
    labelled: Counter[str] = Counter()
    met: Counter[str] = Counter()
    found: Counter[PersonalDataKind] = Counter()
    right: Counter[PersonalDataKind] = Counter()
    for one in texts:
        finds = list(_finds(one.text))
        for label, span in one.spans:
            labelled[label] += 1
            met[label] += any(overlaps(span, find) for _, find in finds)
        for kind, find in finds:
            found[kind] += 1
            right[kind] += any(overlaps(span, find) for _, span in one.spans)
    recall = {label: met[label] / total for label, total in labelled.items()}
    precision = {kind.value: right[kind] / count for kind, count in found.items()}
    for label in sorted(PERSONAL & recall.keys()):
        sheet.record(f"personal_data.recall.{label.lower()}", recall[label], "of spans")
    for name, share in sorted(precision.items()):
        sheet.record(f"personal_data.precision.{name}", share, "of finds")
    _write(path, labelled, recall, {k.value: n for k, n in found.items()}, precision)


def _finds(text: str) -> Iterator[tuple[PersonalDataKind, Span]]:
    """Yield what every finder finds; labels are of texts that are plain already."""
    page = page_of(text)
    for kind, finder in FINDERS.items():
        for span in finder(page):
            yield kind, span


def _write(
    path: Path,
    labelled: Counter[str],
    recall: dict[str, float],
    found: dict[str, int],
    precision: dict[str, float],
) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("measure", "kind", "spans", "share"))
        for label, count in labelled.most_common():
            writer.writerow(("recall", label, count, f"{recall[label]:.3f}"))
        for kind, count in found.items():
            writer.writerow(("precision", kind, count, f"{precision[kind]:.3f}"))


def _texts(
    sheet: Sheet,
    name: str,
    texts: Sequence[Labelled],
    kinds: tuple[PersonalDataKind, ...],
) -> None:
    """Count texts: what matters to a request is whether it is raised at all."""
    assessor = Assessor(SensitivitySettings(kinds=kinds))
    counts: defaultdict[tuple[bool, bool], int] = defaultdict(int)
    for one in texts:
        counts[one.personal, _raised(assessor, one.text)] += 1
    personal = counts[True, True] + counts[True, False]
    raised = counts[True, True] + counts[False, True]
    sheet.record(
        f"personal_data.{name}recall", counts[True, True] / personal, "of texts"
    )
    sheet.record(
        f"personal_data.{name}precision", counts[True, True] / raised, "of texts"
    )


def _raised(assessor: Assessor, text: str) -> bool:
    return assessor.assess([text], None).level is Sensitivity.SENSITIVE


def _time(sheet: Sheet, texts: Sequence[str]) -> None:
    """Measure on single sentences, and on texts of about 1 kB, full of finds."""
    joined = [
        "\n".join(texts[begin : begin + 12]) for begin in range(0, len(texts), 12)
    ]
    sheet.record("personal_data.ms_per_kb", _ms_per_kb(joined), "ms")
    sheet.record("personal_data.sentences.ms_per_kb", _ms_per_kb(texts), "ms")


def _ms_per_kb(texts: Sequence[str]) -> float:
    """Return the processor time of the best of a few runs over all texts."""
    assessor = Assessor(SensitivitySettings())
    size_kb = sum(len(text.encode()) for text in texts) / 1000
    runs_ms = []
    for _ in range(RUNS):
        began_s = time.process_time()
        for text in texts:
            assessor.assess([text], None)
        runs_ms.append((time.process_time() - began_s) * 1000)
    return min(runs_ms) / size_kb


def _questions(sheet: Sheet, texts: Sequence[str]) -> None:
    """Count exam questions that are raised: few of them are about persons."""
    sheet.record("personal_data.mmlu.ms_per_kb", _ms_per_kb(texts), "ms")
    for name, kinds in (("", tuple(PersonalDataKind)), ("cues_only.", CUES_ONLY)):
        assessor = Assessor(SensitivitySettings(kinds=kinds))
        raised = sum(_raised(assessor, text) for text in texts)
        sheet.record(
            f"personal_data.{name}raised.mmlu", raised / len(texts), "of questions"
        )
