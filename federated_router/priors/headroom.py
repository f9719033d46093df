"""Whether the sum of a round fits, slot by slot, before anybody contributes.

Decides which slot is the tightest. Refuses to know rosters and how noise is shared.
"""

from functools import lru_cache

from federated_router.crypto import quantise
from federated_router.crypto.quantise import SlotScale
from federated_router.priors.blocks import Column
from federated_router.priors.catalogue import Catalogue


def refuse_overflow(catalogue: Catalogue, *, members: int, noise_sigma: float) -> None:
    """Refuse a catalogue whose sum over `members` might wrap around.

    `noise_sigma` is the standard deviation of the whole sum's noise on a slot of noise
    factor 1, as if every member contributed.

    Raises:
        HeadroomExceeded: with the needed and the available range as metadata.
    """
    for column in _kinds(catalogue):
        quantise.refuse_overflow(
            [SlotScale(float(column.low), float(column.high), 1.0)],
            members=members,
            noise_sigma_steps=noise_sigma * column.factor,
        )


@lru_cache(maxsize=32)
def _kinds(catalogue: Catalogue) -> frozenset[Column]:
    """Return the columns that differ: a few, of thousands."""
    return frozenset(catalogue.columns)
