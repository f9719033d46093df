"""A sysfs tree, an NVML library and a meter that say what a test tells them to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from node.statistics.energy_sources import EnergySource, MeterFailed

RANGE_UJ = 262_143_328_850


@dataclass(slots=True)
class Powercap:
    """A `/sys/class/powercap` in a folder of the test."""

    root: Path

    def zone(
        self, folder: str, name: str, energy_uj: int, *, range_uj: int = RANGE_UJ
    ) -> Path:
        """Write a zone's files; return its folder."""
        zone = self.root / folder
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "name").write_text(f"{name}\n")
        (zone / "max_energy_range_uj").write_text(f"{range_uj}\n")
        (zone / "energy_uj").write_text(f"{energy_uj}\n")
        return zone

    def count(self, folder: str, energy_uj: int | str) -> None:
        """Make a zone's counter say something."""
        (self.root / folder / "energy_uj").write_text(f"{energy_uj}\n")


class ScriptedNvmlError(Exception):
    """What the scripted library raises."""


@dataclass(slots=True)
class ScriptedNvml:
    """Accelerators by UUID, in their order, with what their counters say (mJ)."""

    counters: dict[str, int]
    driver: bool = True
    open: bool = False
    lost: set[str] = field(default_factory=set)
    NVMLError: type[Exception] = ScriptedNvmlError

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own name.
        """Load the driver's library."""
        if not self.driver:
            raise ScriptedNvmlError("Driver Not Loaded")
        self.open = True

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Let go of it."""
        self.open = False

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Return how many accelerators there are."""
        return len(self.counters)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802
        """Return an accelerator by its place."""
        if index >= len(self.counters):
            raise ScriptedNvmlError("Invalid Argument")
        return list(self.counters)[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        """Return an accelerator by its name."""
        if uuid not in self.counters:
            raise ScriptedNvmlError("Not Found")
        return uuid

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:  # noqa: N802
        """Return what an accelerator's counter says."""
        if handle in self.lost:
            raise ScriptedNvmlError("GPU is lost")
        return self.counters[str(handle)]


class ScriptedMeter:
    """Returns the given readings one by one, then fails; an exception is raised."""

    def __init__(
        self,
        readings: Iterable[float | Exception],
        *,
        source: EnergySource = EnergySource.MEASURED_RAPL,
    ) -> None:
        self._readings = iter(readings)
        self.source = source
        self.closed = False
        self.read: Sequence[float] = []

    def read_j(self) -> float:
        """Return the next reading."""
        reading = next(self._readings, MeterFailed("the script is over"))
        if isinstance(reading, Exception):
            raise reading
        self.read = [*self.read, reading]
        return reading

    def close(self) -> None:
        """Note the end."""
        self.closed = True
