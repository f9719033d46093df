"""A part of the Azure trace of conversations, and how it is played.

AzureLLMInferenceTrace_conv.csv (Azure Public Dataset, 2023, CC-BY): when each request
of one service came, and how many tokens went in and out. No text is in it.
"""

import csv
import gzip
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

MICROSECONDS: Final = len("2023-11-16 18:15:46.680590")


@dataclass(frozen=True, slots=True)
class Replay:
    """Which part of the trace is played, how fast, and what goes wrong in it.

    `seconds` of it from `begin_s` on, `factor` times as fast. Lengths are divided by
    `divisor`, so that processors without an accelerator keep up; the trace's shape in
    time stays. A `private_share` of the requests is private, a `whole_share`
    of the rest asks for whole answers, and about every `kill_s` a node is killed, as
    long as `spared` others run: 0 is a federation that may be dead as a whole.
    """

    begin_s: float = 600.0
    seconds: float = 60.0
    factor: float = 1.0
    divisor: float = 4.0
    private_share: float = 0.1
    whole_share: float = 0.2
    kill_s: float = 15.0
    spared: int = 1
    seed: int = 6

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "Replay":
        """Return the replay with what AZURE_BEGIN_S, AZURE_FACTOR... say otherwise."""
        told = {
            name: type(value)(environment[f"AZURE_{name.upper()}"])
            for name, value in asdict(cls()).items()
            if f"AZURE_{name.upper()}" in environment
        }
        return cls(**told)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: seconds after the first, and its tokens, scaled."""

    at_s: float
    prompt_tokens: int
    completion_tokens: int


def arrivals(path: Path, replay: Replay) -> Sequence[Arrival]:
    """Return the part of the trace that is played, in the order of time."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    first = _time(rows[0])
    found = []
    for row in rows:
        at_s = (_time(row) - first).total_seconds() - replay.begin_s
        if 0 <= at_s < replay.seconds:
            found.append(
                Arrival(
                    at_s=at_s / replay.factor,
                    prompt_tokens=_scaled(row["ContextTokens"], replay),
                    completion_tokens=_scaled(row["GeneratedTokens"], replay),
                )
            )
    return sorted(found, key=lambda one: one.at_s)


def _time(row: Mapping[str, str]) -> datetime:
    return datetime.fromisoformat(row["TIMESTAMP"][:MICROSECONDS])


def _scaled(tokens: str, replay: Replay) -> int:
    return max(1, round(int(tokens) / replay.divisor))
