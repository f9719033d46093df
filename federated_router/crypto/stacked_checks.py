"""The holders' checks of a round, side by side for the verdict.

Decides their place in memory, that of one array: each check is put in and may then be
let go of. Refuses to judge (`dealing_verdict`).
"""

from collections.abc import Collection, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto.dealing_check import ABSENT, Combinations
from federated_router.crypto.packed_shamir import CHECKS, Thresholds
from federated_router.kit.errors import (
    CiphertextMalformed,
    Internal,
    NotOnRoster,
    RosterTooSmall,
)


class StackedChecks:
    """The checks that came, side by side: each is put in, and may be let go of."""

    def __init__(
        self, holders: Collection[int], dealers: int, thresholds: Thresholds
    ) -> None:
        """Take room for the checks of these holders about so many dealers.

        Raises:
            RosterTooSmall: fewer than `reconstruct` checks.
            NotOnRoster: a check of no holder.
        """
        if len(holders) < thresholds.reconstruct:
            raise RosterTooSmall(
                f"{thresholds.reconstruct} holders judge; {len(holders)} checked.",
                metadata={
                    "checks": str(len(holders)),
                    "needed": str(thresholds.reconstruct),
                },
            )
        if not all(1 <= holder <= thresholds.holders for holder in holders):
            raise NotOnRoster(f"Holders are numbered 1 to {thresholds.holders}.")
        self.thresholds = thresholds
        self.holders = np.array(sorted(holders), dtype=np.int64)
        self.missing = set(holders)
        self._told = np.full((dealers, CHECKS, len(holders)), ABSENT, dtype=np.uint16)

    @classmethod
    def of(
        cls, checks: Mapping[int, Combinations], dealers: int, thresholds: Thresholds
    ) -> Self:
        """Return these checks; raise as the constructor and `put`."""
        stacked = cls(checks.keys(), dealers, thresholds)
        for holder, told in checks.items():
            stacked.put(holder, told)
        return stacked

    def put(self, holder: int, told: Combinations) -> None:
        """Take one holder's combinations, in the order of the contributors.

        Raises:
            CiphertextMalformed: about another number of contributors.
        """
        dealers = len(self._told)
        if told.shape != (dealers, CHECKS):
            raise CiphertextMalformed(
                f"A check is about {dealers} contributors.", field="combinations"
            )
        self._told[:, :, int(np.searchsorted(self.holders, holder))] = told
        self.missing.discard(holder)

    def whole(self) -> NDArray[np.uint16]:
        """Return all, shape (dealers, CHECKS, holders); raise Internal for a gap."""
        if self.missing:
            raise Internal("A verdict needs the checks of all its holders.")
        return self._told
