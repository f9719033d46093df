"""What advice on nodes is about: a model's demand, and the advice on it. Pure."""

from dataclasses import dataclass

from federated_router.load.queueing import wait_s


@dataclass(frozen=True, slots=True)
class Demand:
    """What one model has to do, and with what.

    `nodes` take work now and have `slots` together; a node to add is thought to have
    `slots_each`. `busy` requests run at its nodes, those of other models included.
    """

    model: str
    nodes: tuple[str, ...]
    slots: int
    slots_each: int
    arrivals_per_s: float
    service_s: float
    busy: int = 0

    @property
    def offered(self) -> float:
        """Return how many slots the arrivals keep busy on the average."""
        return self.arrivals_per_s * self.service_s

    @property
    def utilisation(self) -> float:
        """Return the share of the slots that is busy; 0 without slots."""
        return self.offered / self.slots if self.slots else 0.0

    def slots_of(self, nodes: int) -> int:
        """Return the slots of so many nodes, each as those that there are."""
        if not self.nodes:
            return nodes * self.slots_each
        return self.slots * nodes // len(self.nodes)

    def wait_s(self, nodes: int) -> float:
        """Return the expected wait with so many nodes, in seconds or infinite."""
        return wait_s(
            self.slots_of(nodes),
            arrivals_per_s=self.arrivals_per_s,
            service_s=self.service_s,
        )


@dataclass(frozen=True, slots=True)
class Advice:
    """Nodes to add to a model, or to take away where negative, and why.

    Waits are seconds, infinite where the queue grows without end.
    """

    demand: Demand
    nodes_to_add: int
    reason: str
    wait_s: float
    wait_s_advised: float

    @property
    def model(self) -> str:
        """Return `models/NAME`."""
        return self.demand.model

    @property
    def nodes_advised(self) -> int:
        """Return how many nodes the model should have."""
        return len(self.demand.nodes) + self.nodes_to_add
