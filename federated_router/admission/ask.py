"""What a request says of itself when it asks to be let in.

Decides which facts admission may rest on: who asks, how urgent, for which model, how
large. Refuses to know prompts, records and the wire.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from federated_router.registry.membership import AUTO


class Priority(IntEnum):
    """How urgent a request is; numbers as in the contract."""

    LOW = 1
    NORMAL = 2
    HIGH = 3

    @property
    def label(self) -> str:
        """Return the name that settings and metrics use."""
        return self.name.lower()


_PRIORITIES: Final = {priority.value: priority for priority in Priority}


def priority_of(number: int) -> Priority:
    """Return the priority of this number in the contract; NORMAL for any other."""
    return _PRIORITIES.get(number, Priority.NORMAL)


@dataclass(frozen=True, slots=True)
class AdmissionAsk:
    """A request before it is let in.

    `tenant` is the caller's id. `tokens` is what the request may take at most: its
    public prompt, and what may be generated. It must not depend on private records.
    `model` is `models/NAME`, or `models/auto` where any may serve it.
    """

    tenant: str
    priority: Priority = Priority.NORMAL
    private: bool = False
    model: str = AUTO
    tokens: int = 1


@dataclass(frozen=True, slots=True)
class Lane:
    """The requests that the same nodes can serve."""

    model: str = AUTO
    private: bool = False


@dataclass(frozen=True, slots=True)
class AdmissionFigures:
    """What runs, waits and is refused; refusals count from the start.

    `saturation` is what runs and waits for each place that the nodes have.
    """

    requests_running: int
    requests_waiting: int
    saturation: float
    requests_shed: int
    requests_rate_limited: int
    tenants: int
