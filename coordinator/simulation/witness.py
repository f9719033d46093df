"""Who saw everything: what members counted, sent and answered, and what was refused.

Decides nothing: it notes facts at the members' side of each door, before the network
can lose them. Only the checks and the report read it; nothing of it reaches a member or
the coordinator.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coordinator.simulation.attack import Attack

Vector = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Made:
    """What a contribution holds: the member's counts, its noise, and what it forged.

    `known` is whether it encrypts the sum of the three; garbage encrypts nothing.
    """

    member: str
    counts: Vector = field(repr=False)
    noise: Vector = field(repr=False)
    poison: Vector = field(repr=False)
    known: bool

    @property
    def total(self) -> Vector:
        """Return what it adds to the sum."""
        total: Vector = self.counts + self.noise + self.poison
        return total


@dataclass(slots=True)
class Witness:
    """Everything noted in one run; rounds by name, members by `role/id`."""

    recorded: dict[str, Vector] = field(default_factory=dict)
    made: dict[bytes, Made] = field(default_factory=dict)
    nonces: defaultdict[tuple[str, str], set[bytes]] = field(
        default_factory=lambda: defaultdict(set)
    )
    bodies: defaultdict[tuple[str, str], set[bytes]] = field(
        default_factory=lambda: defaultdict(set)
    )
    checks: defaultdict[tuple[str, str], set[bytes]] = field(
        default_factory=lambda: defaultdict(set)
    )
    answers: defaultdict[tuple[str, str], set[bytes]] = field(
        default_factory=lambda: defaultdict(set)
    )
    refusals: defaultdict[Attack, Counter[str]] = field(
        default_factory=lambda: defaultdict(Counter)
    )
    received: list[tuple[str, int, str]] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)

    def count(self, member: str, slot: int, *, times: int, slots: int) -> None:
        """Note requests that a member recorded."""
        if member not in self.recorded:
            self.recorded[member] = np.zeros(slots, dtype=np.int64)
        self.recorded[member][slot] += times

    def answered(self, round_name: str) -> int:
        """Return how many holders sent an answer to a round, arrived or not."""
        return sum(1 for name, _ in self.answers if name == round_name)

    def held(self, digests: Sequence[bytes]) -> list[Made]:
        """Return what the contributions of these digests hold, of those known."""
        return [self.made[digest] for digest in digests if digest in self.made]
