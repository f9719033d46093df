"""Whether what an engine will hold fits before it holds it.

Decides from what was measured: the weights as they lie, and the keys and values of one
position, which one pass over one slot shows for any architecture; and from what is
reckoned: the activations of the largest pass. Memory of public requests is taken once,
for all slots. That of private rows and of passes is taken when they run, and must be
free at the start. Refuses to know requests.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import torch
from accelerate.utils import convert_file_size_to_int
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.engine import Sampling
from node.engine.pass_memory import PassShape, pass_bytes

_CGROUP = Path("/sys/fs/cgroup")
_PROBE_COLUMNS = 2

DeviceBytes = Mapping[str, int]
"""Bytes by device: "cpu", or the number of an accelerator."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What each device holds of weights and what it will hold besides.

    `slots` and `prefixes` are of public requests, `rows` the keys and values of private
    ones, `passes` the activations of the largest pass of either.
    """

    weights: DeviceBytes
    slots: DeviceBytes
    prefixes: DeviceBytes
    rows: DeviceBytes = field(default_factory=dict)
    passes: DeviceBytes = field(default_factory=dict)

    @property
    def cache_bytes(self) -> int:
        """Return the memory of all slots on all devices."""
        return sum(self.slots.values())

    def require(
        self, *, limits: Mapping[str, str], free_bytes: Callable[[str], int]
    ) -> None:
        """Refuse a plan that does not fit.

        `limits` are sizes such as "20GiB" for what a device may hold of the model for
        good; what passes and private rows take for a while must be free beside it.

        Raises:
            ValueError: naming the device, the sum and what to change.
        """
        for device in sorted(self.slots):
            weights, more = self.weights.get(device, 0), self._besides(device)
            if device in limits:
                allowed = int(convert_file_size_to_int(limits[device]))
                if weights + self._for_good(device) > allowed:
                    raise ValueError(
                        f"{self._told(device)} is more than its limit "
                        f"{limits[device]}; {_ADVICE}"
                    )
            if more > free_bytes(device):
                raise ValueError(
                    f"{self._told(device)} does not fit beside what it holds, "
                    f"{_mib(free_bytes(device))} are free; {_ADVICE}"
                )

    def _for_good(self, device: str) -> int:
        """Return what a device holds besides the weights as long as the engine runs."""
        return self.slots.get(device, 0) + self.prefixes.get(device, 0)

    def _besides(self, device: str) -> int:
        """Return the most that a device will hold besides the weights."""
        passing = self.rows.get(device, 0) + self.passes.get(device, 0)
        return self._for_good(device) + passing

    def _told(self, device: str) -> str:
        return (
            f"on device {device} weights of {_mib(self.weights.get(device, 0))}, slots "
            f"of {_mib(self.slots.get(device, 0))}, kept prefixes of up to "
            f"{_mib(self.prefixes.get(device, 0))}, private rows of "
            f"{_mib(self.rows.get(device, 0))} and passes of "
            f"{_mib(self.passes.get(device, 0))}"
        )


_ADVICE = (
    "lower slots, context_tokens_max, prefill_tokens_max or prefix_cache_bytes, or a "
    "policy's slots or row_tokens_max"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What an engine is to hold at once, in its operator's terms.

    `private_rows` are the shapes of private requests, of which `private_slots` run:
    rows of a prompt's public length, and columns for the answer too.
    """

    slots: int
    context_tokens: int
    prefix_cache_bytes: int = 0
    prefill_tokens_max: int = 1
    private_rows: tuple[PassShape, ...] = ()
    private_slots: int = 1


def planned_memory(model: PreTrainedModel, sizes: Sizes) -> MemoryPlan:
    """Return what an engine of these sizes takes; runs one pass over one token."""
    per_column = _bytes_per_column(model)
    # One more column than the context takes what padding writes.
    columns = sizes.slots * (sizes.context_tokens + 1)
    rows = _row_columns(model, sizes)
    whole = sum(per_column.values())
    kept = sizes.prefix_cache_bytes
    passes = _pass_bytes(model, sizes)
    return MemoryPlan(
        weights=_weights(model),
        slots={device: size * columns for device, size in per_column.items()},
        prefixes={
            at: math.ceil(kept * size / whole) for at, size in per_column.items()
        },
        rows={device: math.ceil(size * rows) for device, size in per_column.items()},
        # A pass goes through every device.
        passes=dict.fromkeys(per_column, passes),
    )


def _row_columns(model: PreTrainedModel, sizes: Sizes) -> float:
    """Return the positions of private rows: of one layer twice, while they grow."""
    layers = int(model.config.get_text_config().num_hidden_layers)
    most = max((one.rows * one.columns for one in sizes.private_rows), default=0)
    return most * sizes.private_slots * (1 + 1 / layers)


def _pass_bytes(model: PreTrainedModel, sizes: Sizes) -> int:
    """Return what the largest pass takes; passes follow one another in one thread."""
    tokens = math.ceil(sizes.prefill_tokens_max / sizes.slots)
    public = PassShape(sizes.slots, tokens, sizes.context_tokens)
    size = model.dtype.itemsize
    return max(
        pass_bytes(model.config, shape, size) for shape in (public, *sizes.private_rows)
    )


def free_bytes(device: str) -> int:
    """Return the memory that is free on a device for this process."""
    if device != "cpu":
        return int(torch.cuda.mem_get_info(int(device))[0])
    return min(psutil.virtual_memory().available, _group_free_bytes(_CGROUP))


def device_name(device: torch.device) -> str:
    """Return a device's name as settings spell it."""
    return "cpu" if device.type == "cpu" else str(device.index or 0)


def _bytes_per_column(model: PreTrainedModel) -> Counter[str]:
    """Return the bytes of one token's keys and values, by device."""
    batcher = Batcher(
        model, slots=1, context_tokens=_PROBE_COLUMNS - 1, prefill_tokens_max=1
    )
    batcher.join([0], Sampling(tokens_max=1))
    (drawn,) = batcher.step()
    if drawn.failure is not None:
        raise ValueError(
            "the model cannot run in slots; serve another architecture"
        ) from drawn.failure
    found: Counter[str] = Counter()
    for device, size in batcher.cache.sizes():
        found[device_name(device)] += size // _PROBE_COLUMNS
    return found


def _weights(model: PreTrainedModel) -> Counter[str]:
    found: Counter[str] = Counter()
    for held in (*model.parameters(), *model.buffers()):
        if held.device.type != "meta":
            found[device_name(held.device)] += held.nbytes
    return found


def _group_free_bytes(group: Path) -> int:
    """Return what is left of a container's memory limit, if there is one."""
    try:
        limit = (group / "memory.max").read_text("ascii").strip()
        current = int((group / "memory.current").read_text("ascii"))
    except OSError:
        return 2**63
    return 2**63 if limit == "max" else max(0, int(limit) - current)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
