"""Energy of NVIDIA accelerators, by the counter of the NVML library.

Decides which accelerators are this process's: those that CUDA_VISIBLE_DEVICES names,
all of them without it. Refuses to know requests. The counter is
`nvmlDeviceGetTotalEnergyConsumption`: millijoules since the driver was loaded, from the
Volta generation on.
"""

import importlib
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol, TypeVar, cast

from node.statistics.energy_sources import EnergySource, MeterFailed

MODULE: Final = "pynvml"
"""What the package nvidia-ml-py installs; the extra `nvml` of this project."""

_MJ_PER_J: Final = 1e3
_Result = TypeVar("_Result")


class NvmlLibrary(Protocol):
    """What is used of `pynvml`; a handle is an object of its own."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None:  # noqa: N802 - the library's own name.
        """Load the driver's library."""
        ...

    def nvmlShutdown(self) -> None:  # noqa: N802
        """Let go of it."""
        ...

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        """Return how many accelerators the machine has."""
        ...

    def nvmlDeviceGetHandleByIndex(self, index: int) -> object:  # noqa: N802
        """Return an accelerator, by the order of their bus addresses."""
        ...

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> object:  # noqa: N802
        """Return an accelerator by its unchanging name."""
        ...

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: object) -> int:  # noqa: N802
        """Return millijoules since the driver was loaded."""
        ...


class NvmlMeter:
    """Sums the accelerators that this process may use.

    `visible` is the value of CUDA_VISIBLE_DEVICES, None where it is not set.

    Raises:
        MeterFailed: there is no library, no driver, or no accelerator with a counter.
    """

    source = EnergySource.MEASURED_NVML

    def __init__(
        self,
        library: Callable[[], NvmlLibrary] | None = None,
        *,
        visible: str | None = None,
    ) -> None:
        self._library = (library or _installed)()
        self._guarded(self._library.nvmlInit)
        self._open = True
        try:
            self._handles = self._visible(visible)
            self._last_mj = self._counters()
        except MeterFailed:
            self.close()
            raise

    def read_j(self) -> float:
        """Return the joules since the previous call.

        A counter that went back was reset with its driver, and counts from 0.

        Raises:
            MeterFailed: an accelerator or its driver does not answer any more.
        """
        before, self._last_mj = self._last_mj, self._counters()
        pairs = zip(before, self._last_mj, strict=True)
        used_mj = sum(now - then if now >= then else now for then, now in pairs)
        return used_mj / _MJ_PER_J

    def close(self) -> None:
        """Let go of the driver's library; idempotent."""
        if self._open:
            self._open = False
            self._guarded(self._library.nvmlShutdown)

    def _counters(self) -> Sequence[int]:
        read = self._library.nvmlDeviceGetTotalEnergyConsumption
        return self._guarded(lambda: [read(handle) for handle in self._handles])

    def _visible(self, visible: str | None) -> Sequence[object]:
        handles = self._guarded(lambda: list(self._found(visible)))
        if not handles:
            raise MeterFailed("no accelerator is visible to this process")
        return handles

    def _found(self, visible: str | None) -> Iterator[object]:
        library = self._library
        if visible is None:
            indices = range(library.nvmlDeviceGetCount())
            yield from map(library.nvmlDeviceGetHandleByIndex, indices)
            return
        for name in filter(None, map(str.strip, visible.split(","))):
            if name.isascii() and name.isdecimal():
                yield library.nvmlDeviceGetHandleByIndex(int(name))
            else:
                yield library.nvmlDeviceGetHandleByUUID(name)

    def _guarded(self, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except self._library.NVMLError as failure:
            raise MeterFailed(f"NVML: {failure}") from failure


def _installed() -> NvmlLibrary:
    try:
        return cast("NvmlLibrary", importlib.import_module(MODULE))
    except ImportError as failure:
        raise MeterFailed(
            "nvidia-ml-py is not installed (federated-router[nvml])"
        ) from failure
