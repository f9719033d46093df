"""The plain counts that one round takes from a member, and their form in the vault.

Decides how a batch is read over a catalogue's buckets and how it is stored. Refuses to
know when it is taken and what becomes of it (`statistics`). A batch that an earlier
version stored is still read; what that version did not count is zero.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Self

from federated_router.federation.records import DEFAULT_UNITS, Units
from federated_router.federation.tally import Tally
from federated_router.federation.user_clipping import UserKey
from federated_router.priors.buckets import coarsen
from federated_router.priors.contents import (
    BanditSums,
    CarbonSums,
    Cell,
    CellCounts,
    Contents,
    HoldoutSums,
    PatternCell,
    PatternCounts,
)
from federated_router.priors.features import FEATURE_COUNT, FEATURES_VERSION
from federated_router.priors.patterns import PATTERNS_VERSION

_FORMAT: Final = 2
_MOMENT: Final = FEATURE_COUNT * (FEATURE_COUNT + 1) // 2


@dataclass(frozen=True, slots=True)
class Batch:
    """Plain counts over the bounds, in the units and under the limit they were made.

    `requests_per_user_max` is the limit that every user in it keeps; 0 is none.
    `user_epoch` names the key of their pseudonyms.
    """

    latency_bounds_ms: tuple[float, ...]
    tallies: Mapping[Cell, Tally] = field(repr=False)
    units: Units = DEFAULT_UNITS
    requests_per_user_max: int = 0
    features_version: int = FEATURES_VERSION
    patterns_version: int = PATTERNS_VERSION
    user_epoch: str = ""

    @property
    def requests(self) -> int:
        """How many requests are in it."""
        return sum(tally.requests for tally in self.tallies.values())

    @property
    def cells(self) -> Mapping[Cell, CellCounts]:
        """The performance block's part over the bounds of recording."""
        counted = {cell: tally.counts for cell, tally in self.tallies.items()}
        return {cell: counts for cell, counts in counted.items() if counts.requests}

    @property
    def users(self) -> Mapping[UserKey, int]:
        """The requests of each user; empty without a limit."""
        users: Counter[UserKey] = Counter()
        for tally in self.tallies.values():
            users.update(tally.users)
        return users

    def over(self, bounds_ms: Sequence[float]) -> Contents:
        """Return the contents over a catalogue's latency bounds, exactly.

        Raises FieldInvalid for bounds at which nothing was recorded.
        """
        return Contents(
            performance={
                cell: coarsen(
                    counts, fine_ms=self.latency_bounds_ms, coarse_ms=bounds_ms
                )
                for cell, counts in self.cells.items()
            },
            patterns=_patterns(self.tallies),
            carbon=_carbon(self.tallies),
            bandits=_bandits(self.tallies),
            holdout=HoldoutSums(
                *_totals(tally.holdout for tally in self.tallies.values())
            ),
        )

    def to_bytes(self) -> bytes:
        """Return the batch for a vault that nobody else reads."""
        cells = [
            [cell.model, cell.region, cell.tier, tally.to_json()]
            for cell, tally in sorted(self.tallies.items(), key=lambda item: item[0])
        ]
        content = {
            "format": _FORMAT,
            "latency_bounds_ms": self.latency_bounds_ms,
            "units": asdict(self.units),
            "requests_per_user_max": self.requests_per_user_max,
            "features_version": self.features_version,
            "patterns_version": self.patterns_version,
            "user_epoch": self.user_epoch,
            "cells": cells,
        }
        return json.dumps(content).encode()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the batch that `to_bytes` wrote, in this version or the one before."""
        stored = json.loads(content)
        if isinstance(stored, list):
            return cls._from_first_format(*stored)
        tallies = {
            Cell(model, region, tier): Tally.from_json(tally)
            for model, region, tier, tally in stored["cells"]
        }
        return cls(
            tuple(stored["latency_bounds_ms"]),
            tallies,
            Units(**stored["units"]),
            stored["requests_per_user_max"],
            stored["features_version"],
            stored["patterns_version"],
            stored["user_epoch"],
        )

    @classmethod
    def _from_first_format(cls, bounds: list[float], rows: list[Any]) -> Self:
        tallies = {
            Cell(model, region): Tally(latency, sum(latency) + failures, failures)
            for model, region, latency, failures in rows
        }
        return cls(tuple(bounds), tallies)


def _patterns(tallies: Mapping[Cell, Tally]) -> Mapping[PatternCell, PatternCounts]:
    found: dict[PatternCell, list[list[int]]] = {}
    for cell, tally in tallies.items():
        for pattern, counts in tally.patterns.items():
            found.setdefault(PatternCell(pattern, cell.model), []).append(counts)
    return {key: PatternCounts(*_totals(counts)) for key, counts in found.items()}


def _carbon(tallies: Mapping[Cell, Tally]) -> Mapping[str, CarbonSums]:
    found: dict[str, list[list[int]]] = {}
    for cell, tally in tallies.items():
        if tally.carbon[0]:
            found.setdefault(cell.region, []).append(tally.carbon)
    return {region: CarbonSums(*_totals(sums)) for region, sums in found.items()}


def _bandits(tallies: Mapping[Cell, Tally]) -> Mapping[str, BanditSums]:
    found: dict[str, list[list[int]]] = {}
    for cell, tally in tallies.items():
        if tally.bandit:
            found.setdefault(cell.model, []).append(tally.bandit)
    summed = {
        model: [sum(column) for column in zip(*rows, strict=True)]
        for model, rows in found.items()
    }
    return {
        model: BanditSums(tuple(row[:_MOMENT]), tuple(row[_MOMENT:]))
        for model, row in summed.items()
    }


def _totals(pairs: Iterable[Sequence[int]]) -> tuple[int, int]:
    first = second = 0
    for one, other in pairs:
        first += one
        second += other
    return first, second
