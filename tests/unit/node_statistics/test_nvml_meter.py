"""Energy of accelerators, on a scripted library."""

import pytest

from node.statistics import nvml
from node.statistics.energy_sources import EnergySource, MeterFailed
from node.statistics.nvml import NvmlMeter
from tests.unit.node_statistics.scripted_meters import ScriptedNvml


@pytest.fixture
def library() -> ScriptedNvml:
    """Return a machine with three accelerators."""
    return ScriptedNvml({"GPU-a": 1_000, "GPU-b": 2_000, "GPU-c": 3_000})


@pytest.mark.parametrize(
    ("visible", "joules"),
    [(None, 7.0), ("1", 2.0), ("GPU-c, 0", 5.0), ("0,1,2", 7.0)],
)
def test_visible_accelerators_are_summed(
    library: ScriptedNvml, visible: str | None, joules: float
) -> None:
    """What another process's accelerators use is not this node's."""
    meter = NvmlMeter(lambda: library, visible=visible)
    library.counters = {"GPU-a": 2_000, "GPU-b": 4_000, "GPU-c": 7_000}

    assert meter.read_j() == pytest.approx(joules)
    assert meter.read_j() == 0.0
    assert meter.source is EnergySource.MEASURED_NVML


@pytest.mark.parametrize("visible", ["", "7", "GPU-z"])
def test_no_accelerator_of_ones_own_is_no_meter(
    library: ScriptedNvml, visible: str
) -> None:
    """The library is let go of, too."""
    with pytest.raises(MeterFailed):
        NvmlMeter(lambda: library, visible=visible)

    assert not library.open


def test_machine_without_a_driver_has_no_meter() -> None:
    """The package can be installed where no accelerator is."""
    with pytest.raises(MeterFailed, match="Driver Not Loaded"):
        NvmlMeter(lambda: ScriptedNvml({}, driver=False))


def test_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator learns what to install."""
    monkeypatch.setattr(nvml, "MODULE", "no_such_module_of_this_test")

    with pytest.raises(MeterFailed, match=r"federated-router\[nvml\]"):
        NvmlMeter()


def test_lost_accelerator_fails_the_reading(library: ScriptedNvml) -> None:
    """A part of the machine's energy is no measurement of it."""
    meter = NvmlMeter(lambda: library)
    library.lost.add("GPU-b")

    with pytest.raises(MeterFailed, match="GPU is lost"):
        meter.read_j()


def test_counter_of_a_driver_that_was_loaded_again_counts_from_zero(
    library: ScriptedNvml,
) -> None:
    """What it counted before is gone; what it shows now was used since."""
    meter = NvmlMeter(lambda: library, visible="2")
    library.counters["GPU-c"] = 500

    assert meter.read_j() == pytest.approx(0.5)


def test_meter_lets_go_of_the_library_once(library: ScriptedNvml) -> None:
    """Closing twice is allowed; the library counts its openings."""
    meter = NvmlMeter(lambda: library)
    assert library.open

    meter.close()
    library.open = True
    meter.close()

    assert library.open
