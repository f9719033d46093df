"""How many requests may run at once, from the nodes that are present now.

Decides that a node's slots count where it takes work and is sent work, and that a
private request needs a node that offers private decoding. A count is at most `FRESH_S`
old: to look at a thousand leases several times for each request would cost more than it
tells.
"""

from collections.abc import Callable
from typing import Final

from federated_router.admission.ask import Lane
from federated_router.kit.clock import Clock
from federated_router.registry.membership import AUTO, Member, Membership, NodeState

FRESH_S: Final = 0.01
_LANES_MAX: Final = 4096


class Capacity:
    """Counts slots times `factor`.

    `present` gives the membership of this moment; `takes_work` says of a node's name
    whether this router sends anything there now.
    """

    def __init__(
        self,
        present: Callable[[], Membership],
        clock: Clock,
        factor: float,
        takes_work: Callable[[str], bool] = lambda _: True,
    ) -> None:
        self._present = present
        self._clock = clock
        self._factor = factor
        self._takes_work = takes_work
        self._looked_s = float("-inf")
        self._nodes: tuple[Member, ...] = ()
        self._places: dict[Lane, int] = {}

    def __call__(self, lane: Lane) -> int:
        """Return how many of the lane's requests may run; at least 1 where one may."""
        self._look()
        places = self._places.get(lane)
        if places is None:
            slots = sum(_slots(node, lane) for node in self._nodes)
            places = max(1, int(slots * self._factor)) if slots else 0
            self._places[lane] = places
        return places

    def _look(self) -> None:
        """Look at the nodes again, if the last look is old or there are many counts."""
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_s < FRESH_S and len(self._places) < _LANES_MAX:
            return
        self._looked_s = now_s
        self._places = {}
        self._nodes = tuple(
            member
            for member in self._present().members.values()
            if member.state is NodeState.READY and self._takes_work(member.name)
        )


def _slots(member: Member, lane: Lane) -> int:
    """Return how many of the lane's requests run at this node at once."""
    return sum(
        offer.slots
        for offer in member.offers
        if lane.model in (AUTO, offer.model) and (offer.private or not lane.private)
    )
