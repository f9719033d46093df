"""How many requests may run at once, from the nodes that are present now.

Decides that a node's slots count where it takes work and is sent work, and that a
private request needs a node that offers private decoding. A count is at most `FRESH_S`
old, one of nothing `NOTHING_FRESH_S`, and all lanes' are made in one look: to look at a
thousand leases several times for each request would cost more than it tells.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Final

from federated_router.admission.ask import Lane
from federated_router.kit.clock import Clock
from federated_router.registry.membership import AUTO, Membership, NodeState

FRESH_S: Final = 0.1
NOTHING_FRESH_S: Final = 0.01
"""Where no node is counted nothing waits, so a node that comes is looked for sooner."""


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
        self._slots: dict[tuple[str, bool], int] = {}

    def __call__(self, lane: Lane) -> int:
        """Return how many of the lane's requests may run; at least 1 where one may."""
        now_s, wanted = self._clock.monotonic_s(), (lane.model, lane.private)
        fresh_s = FRESH_S if self._slots.get(wanted) else NOTHING_FRESH_S
        if now_s - self._looked_s >= fresh_s:
            self._looked_s = now_s
            self._slots = self._counted()
        slots = self._slots.get(wanted)
        return max(1, int(slots * self._factor)) if slots else 0

    def _counted(self) -> dict[tuple[str, bool], int]:
        """Return the slots of each model and of all, for any request and private."""
        slots: defaultdict[tuple[str, bool], int] = defaultdict(int)
        for member in self._present().members.values():
            if member.state is not NodeState.READY or not self._takes_work(member.name):
                continue
            for offer in member.offers:
                for model in (AUTO, offer.model):
                    slots[model, False] += offer.slots
                    if offer.private:
                        slots[model, True] += offer.slots
        return slots
