"""What a member's own requests are in published sums, and sums without them.

Decides in which blocks own requests are taken off: those that their router adds to its
own sums, where they would count twice. Refuses to know which rounds a member was in.
What is left is the other members' requests and all of the noise. Post-processing: it
costs no privacy, and says nothing that this member's own plain counts do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.priors.accumulate import Accumulated, same_slots
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue

COUNTED_HERE: Final = (Block.PATTERNS, Block.BANDIT)


@dataclass(frozen=True, slots=True)
class OwnPart:
    """A contribution before noise: published slots that are not 0, and their values."""

    catalogue: Catalogue
    places: NDArray[np.intp] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)


def own_part(catalogue: Catalogue, values: Sequence[int]) -> OwnPart:
    """Return the part of a contribution, of `Encoding.values` as they were sent."""
    sent = np.asarray(values, dtype=np.float64)
    counted = np.zeros(len(sent), dtype=np.bool_)
    for block, span in catalogue.spans.items():
        counted[span] = block in COUNTED_HERE
    places = np.flatnonzero(counted & (sent != 0))
    return OwnPart(catalogue, places, sent[places])


def without(total: Accumulated, parts: Mapping[str, OwnPart]) -> Accumulated:
    """Return sums less own parts, by round, each for what its round counts now."""
    values = total.values.copy()
    for name, counts in total.rounds.items():
        part = parts.get(name)
        if part is not None and same_slots(part.catalogue, total.catalogue):
            values[part.places] -= counts * part.values
    return replace(total, values=values)
