"""Energy of processors and their memory, by the kernel's RAPL counters.

Decides which counters add up without counting anything twice, and what a counter that
went back means. Refuses to know requests. The counters are those of
Documentation/power/powercap in Linux: microjoules in `energy_uj`, which begins again at
0 after `max_energy_range_uj`; since CVE-2020-8694 only root may read them by default.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from node.statistics.energy_sources import EnergySource, MeterFailed

POWERCAP: Final = Path("/sys/class/powercap")
_UJ_PER_J: Final = 1e6
_ZONES: Final = "intel-rapl:*"
"""AMD's processors appear under the same name; `intel-rapl-mmio` repeats packages."""


@dataclass(slots=True)
class _Zone:
    """One counter, and what it said last."""

    energy: Path
    range_uj: int
    last_uj: int


class RaplMeter:
    """Sums packages and DRAM; `core` and `uncore` are parts, `psys` holds packages.

    Raises:
        MeterFailed: this machine shows no such counter, or not to this process.
    """

    source = EnergySource.MEASURED_RAPL

    def __init__(self, root: Path = POWERCAP) -> None:
        self._zones = tuple(_zones(root))
        if not self._zones:
            raise MeterFailed(f"{root} shows no package of a processor")

    def read_j(self) -> float:
        """Return the joules since the previous call.

        Raises:
            MeterFailed: a counter has vanished or may not be read any more.
        """
        return sum(_advance(zone) for zone in self._zones) / _UJ_PER_J

    def close(self) -> None:
        """Nothing is held between two readings."""


def energy_between(before_uj: int, after_uj: int, *, range_uj: int) -> int:
    """Return what a counter counted between two readings, in microjoules.

    A counter that went back has begun again at 0, once: readings come many times within
    one range. Where that would make more than half of a range, the counter was reset,
    say by a suspended machine, and what it counted is unknown: 0.
    """
    if after_uj >= before_uj:
        return after_uj - before_uj
    wrapped = after_uj + range_uj - before_uj
    return wrapped if 0 <= wrapped <= range_uj // 2 else 0


def _zones(root: Path) -> Iterator[_Zone]:
    for zone in sorted(root.glob(_ZONES)):
        name = _text(zone / "name")
        if name == "dram" or name.startswith("package"):
            energy = zone / "energy_uj"
            yield _Zone(energy, _number(zone / "max_energy_range_uj"), _number(energy))


def _advance(zone: _Zone) -> int:
    before, zone.last_uj = zone.last_uj, _number(zone.energy)
    return energy_between(before, zone.last_uj, range_uj=zone.range_uj)


def _number(path: Path) -> int:
    text = _text(path)
    if not (text.isascii() and text.isdecimal()):
        raise MeterFailed(f"{path} holds no number")
    return int(text)


def _text(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as failure:
        reason = getattr(failure, "strerror", None) or "no text"
        raise MeterFailed(f"{path} cannot be read: {reason}") from failure
