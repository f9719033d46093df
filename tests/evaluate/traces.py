"""Traces of real load, read from files that the caller names."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request: when it came, its size, and its prompt's blocks of 512 tokens."""

    time_s: float
    prompt_tokens: int
    completion_tokens: int
    blocks: tuple[int, ...]


def conversation(path: Path) -> Sequence[Arrival]:
    """Return a Mooncake trace (kvcache-ai/Mooncake, Apache-2.0) in order of time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [
        Arrival(
            time_s=row["timestamp"] / 1000.0,
            prompt_tokens=row["input_length"],
            completion_tokens=row["output_length"],
            blocks=tuple(row["hash_ids"]),
        )
        for row in rows
    ]
