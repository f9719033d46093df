"""The kernel's energy counters, on scripted sysfs trees."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.statistics.energy_sources import EnergySource, MeterFailed
from node.statistics.rapl import RaplMeter, energy_between
from tests.unit.node_statistics.scripted_meters import RANGE_UJ, Powercap


@pytest.fixture
def powercap(tmp_path: Path) -> Powercap:
    """Return a machine of two packages, one with its memory, and all their parts."""
    tree = Powercap(tmp_path / "powercap")
    tree.zone("intel-rapl:0", "package-0", 1_000_000)
    tree.zone("intel-rapl:0:0", "core", 700_000)
    tree.zone("intel-rapl:0:1", "dram", 300_000)
    tree.zone("intel-rapl:1", "package-1", 2_000_000)
    tree.zone("intel-rapl:2", "psys", 9_000_000)
    tree.zone("intel-rapl-mmio:0", "package-0", 1_000_000)
    return tree


def test_packages_and_their_memory_are_counted_once(powercap: Powercap) -> None:
    """Cores are within packages, packages within the platform; memory is in neither."""
    meter = RaplMeter(powercap.root)
    for folder in ("intel-rapl:0", "intel-rapl:1", "intel-rapl-mmio:0"):
        powercap.count(folder, 5_000_000)
    powercap.count("intel-rapl:0:0", 4_000_000)
    powercap.count("intel-rapl:0:1", 800_000)
    powercap.count("intel-rapl:2", 90_000_000)

    assert meter.read_j() == pytest.approx(4.0 + 3.0 + 0.5)
    assert meter.read_j() == 0.0
    assert meter.source is EnergySource.MEASURED_RAPL


def test_counter_that_began_again_is_followed(tmp_path: Path) -> None:
    """A package at 200 W runs round in some twenty minutes."""
    tree = Powercap(tmp_path)
    tree.zone("intel-rapl:0", "package-0", RANGE_UJ - 2_000_000)
    meter = RaplMeter(tree.root)
    tree.count("intel-rapl:0", 3_000_000)

    assert meter.read_j() == pytest.approx(5.0)


def test_counter_that_was_reset_says_nothing() -> None:
    """After a suspension it stands near 0: a range of joules were not used."""
    assert energy_between(RANGE_UJ // 4, 10, range_uj=RANGE_UJ) == 0
    assert energy_between(10, 5, range_uj=0) == 0


@given(
    start=st.integers(0, RANGE_UJ - 1),
    used=st.lists(st.integers(0, RANGE_UJ // 2), max_size=20),
)
def test_counted_energy_adds_up_over_any_number_of_rounds(
    start: int, used: list[int]
) -> None:
    """Whatever lies between two readings, as long as it is below half of a range."""
    counter, counted = start, 0
    for amount in used:
        after = (counter + amount) % RANGE_UJ
        counted += energy_between(counter, after, range_uj=RANGE_UJ)
        counter = after

    assert counted == sum(used)


def test_machine_without_counters_has_no_meter(tmp_path: Path) -> None:
    """Virtual machines and most containers show none."""
    with pytest.raises(MeterFailed, match="shows no package"):
        RaplMeter(tmp_path / "absent")


def test_counter_that_may_not_be_read_is_no_meter(
    powercap: Powercap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default only root may read it; tests may run as root, so it is scripted."""
    read = Path.read_text

    def refused(path: Path, encoding: str | None = None) -> str:
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, encoding)

    monkeypatch.setattr(Path, "read_text", refused)

    with pytest.raises(MeterFailed, match="energy_uj cannot be read: Permission den"):
        RaplMeter(powercap.root)


def test_counter_that_vanishes_fails_the_reading(powercap: Powercap) -> None:
    """A module of the kernel may be unloaded."""
    meter = RaplMeter(powercap.root)
    (powercap.root / "intel-rapl:1" / "energy_uj").unlink()

    with pytest.raises(MeterFailed, match="No such file"):
        meter.read_j()


@pytest.mark.parametrize("content", ["", "many", "-5", "1.5", "\N{SUPERSCRIPT TWO}"])
def test_counter_that_holds_no_number_fails_the_reading(
    powercap: Powercap, content: str
) -> None:
    """Half a file is no energy."""
    meter = RaplMeter(powercap.root)
    powercap.count("intel-rapl:0", content)

    with pytest.raises(MeterFailed):
        meter.read_j()
