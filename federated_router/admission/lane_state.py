"""What is known of one lane: its queues by priority, and how many of it run.

Holds numbers and decides nothing.
"""

from dataclasses import dataclass

from federated_router.admission.ask import Priority
from federated_router.admission.fair_queue import FairQueue


class LaneQueue(FairQueue):
    """A fair queue that knows since when it has had no turn."""

    since_s = 0.0


@dataclass(slots=True)
class LaneState:
    """What runs and waits of one lane."""

    queues: dict[Priority, LaneQueue]
    running: int = 0

    @property
    def waiting(self) -> int:
        """Return how many of its requests wait."""
        return sum(len(queue) for queue in self.queues.values())
