"""When disks fail and processes die at a write.

Decides by dice of one store's own, or by the number of the write.
"""

from random import Random

from coordinator.simulation.disk import Fault
from coordinator.simulation.plan import StoreConditions


class DiceFaults:
    """Faults at random."""

    def __init__(self, conditions: StoreConditions, dice: Random) -> None:
        self._conditions = conditions
        self._dice = dice

    def next_write(self, _: str) -> Fault:
        """Return the fate of a write."""
        chance, before = self._dice.random(), self._dice.random() < 1 / 2
        if chance < self._conditions.crash:
            return Fault.CRASH_BEFORE if before else Fault.CRASH_AFTER
        if chance < self._conditions.crash + self._conditions.failure:
            return Fault.FAIL_BEFORE if before else Fault.FAIL_AFTER
        return Fault.NONE


class FaultOnce:
    """One fault at one write, counted from 1 over all lives of the process."""

    def __init__(self, number: int, fault: Fault) -> None:
        self._left = number
        self._fault = fault

    def next_write(self, _: str) -> Fault:
        """Return the fate of a write."""
        self._left -= 1
        return self._fault if self._left == 0 else Fault.NONE
