"""Candidates in order, and what is true of each of them as arrays.

Decides nothing: it reads candidates once, so that decisions need not read each. Pure.
"""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from hashlib import blake2b
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from federated_router.routing.candidate import Candidate, Site
from federated_router.routing.columns import Floats, Rows

Cell = tuple[str, str, str]
"""A model, a region and a tier."""


class Roster(tuple[Candidate, ...]):  # noqa: SLOT001 - what is read is kept.
    """Candidates; arrays have one entry for each, and are made when first asked for."""

    _limits: tuple[float, Floats] | None = None

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """Return the names of nodes."""
        return tuple([one.node for one in self])

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Return the pairs of node and model."""
        return tuple([(one.node, one.model) for one in self])

    @cached_property
    def node_firsts(self) -> Rows:
        """Return where each node stands, once: it may serve several models."""
        places = {node: place for place, node in enumerate(self.nodes)}
        return np.fromiter(places.values(), np.intp, len(places))

    @cached_property
    def slots(self) -> Floats:
        """Return how many requests run at once."""
        return self._read("slots")

    def limits(self, queue_factor: float) -> Floats:
        """Return the requests from which on a node gets no more; an idle one gets one.

        Those of the latest factor are remembered: a router has one for ever.
        """
        if self._limits is None or self._limits[0] != queue_factor:
            with np.errstate(invalid="ignore"):  # No slots, and no limit.
                limits = np.maximum(self.slots * queue_factor, 1.0)
            limits[np.isnan(limits)] = np.inf
            self._limits = (queue_factor, limits)
        return self._limits[1]

    @cached_property
    def weights(self) -> Floats:
        """Return the weights of nodes."""
        return self._read("weight")

    @cached_property
    def costs(self) -> tuple[Floats, Floats]:
        """Return the costs of a thousand tokens, read and written."""
        return (
            self._read("tariff.prompt_cost"),
            self._read("tariff.completion_cost"),
        )

    @cached_property
    def joules(self) -> tuple[Floats, Floats]:
        """Return the joules of a thousand tokens, read and written; 0 is unknown."""
        return (
            self._read("tariff.prompt_joules"),
            self._read("tariff.completion_joules"),
        )

    @cached_property
    def carbon_intensity(self) -> Floats:
        """Return grams of CO2 equivalent per kWh; NaN where nobody knows."""
        return self._read("carbon_intensity")

    @cached_property
    def models(self) -> tuple[str, ...]:
        """Return every model once, by name."""
        return tuple(sorted({one.model for one in self}))

    @cached_property
    def model_numbers(self) -> Rows:
        """Return where each candidate's model stands among `models`."""
        places = {model: place for place, model in enumerate(self.models)}
        return np.fromiter((places[one.model] for one in self), np.intp, len(self))

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Return every model, region and tier that are served together, once."""
        return tuple(sorted({(one.model, one.region, one.tier) for one in self}))

    @cached_property
    def cell_numbers(self) -> Rows:
        """Return where each candidate's cell stands among `cells`."""
        places = {cell: place for place, cell in enumerate(self.cells)}
        keys = (places[one.model, one.region, one.tier] for one in self)
        return np.fromiter(keys, np.intp, len(self))

    @cached_property
    def node_digests(self) -> NDArray[np.uint64]:
        """Return each node's own number, the same at every router."""
        return np.array([_digest(node) for node in self.nodes], dtype=np.uint64)

    def _read(self, name: str) -> Floats:
        """Return an attribute of each; NaN where it is None."""
        return np.array(list(map(attrgetter(name), self)), dtype=np.float64)


def roster_of(candidates: Sequence[Candidate]) -> Roster:
    """Return candidates as a roster, the same one where they are one."""
    return candidates if isinstance(candidates, Roster) else Roster(candidates)


@lru_cache(maxsize=8192)
def _digest(node: str) -> int:
    return int.from_bytes(blake2b(node.encode(), digest_size=8).digest(), "big")
