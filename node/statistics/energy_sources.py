"""Where a figure of energy comes from, and what a meter of a machine is.

Decides the labels that every figure of energy carries. Refuses to know sysfs, NVML and
requests.
"""

from enum import StrEnum
from typing import Protocol


class EnergySource(StrEnum):
    """MEASURED ones read the machine's counters; MODELLED is watts times seconds."""

    MEASURED_RAPL = "measured_rapl"  # processor packages and their memory
    MEASURED_NVML = "measured_nvml"  # NVIDIA accelerators
    MODELLED = "modelled"


class MeterFailed(Exception):
    """A meter is not there, or cannot be read any more; the message says why."""


class EnergyMeter(Protocol):
    """Counts the energy of a machine's parts. Calls block: make them in a thread."""

    @property
    def source(self) -> EnergySource:
        """Return how figures of this meter are labelled."""
        ...

    def read_j(self) -> float:
        """Return the joules since the previous call; 0 at the first.

        Raises:
            MeterFailed: the counter cannot be read; it is not asked again.
        """
        ...

    def close(self) -> None:
        """Let go of what is held; idempotent."""
        ...
