"""Whether what an engine will hold fits before it holds it.

Decides from what was measured: the weights as they lie, and the keys and values of one
position, which one pass over one slot shows for any architecture. Memory for requests
is taken once, for all slots, so what fits at start fits whatever is asked later.
Refuses to know requests. Activations of a pass are not counted; leave room for them.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from accelerate.utils import convert_file_size_to_int
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.engine import Sampling

_CGROUP = Path("/sys/fs/cgroup")
_PROBE_COLUMNS = 2

DeviceBytes = Mapping[str, int]
"""Bytes by device: "cpu", or the number of an accelerator."""


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """What each device holds of weights and what it will hold of slots and prefixes."""

    weights: DeviceBytes
    slots: DeviceBytes
    prefixes: DeviceBytes

    @property
    def cache_bytes(self) -> int:
        """Return the memory of all slots on all devices."""
        return sum(self.slots.values())

    def require(
        self, *, limits: Mapping[str, str], free_bytes: Callable[[str], int]
    ) -> None:
        """Refuse a plan that does not fit.

        `limits` are sizes such as "20GiB" for all that a device may hold of the model.

        Raises:
            ValueError: naming the device, the sum and what to change.
        """
        for device in sorted(self.slots):
            slots, prefixes = self.slots[device], self.prefixes.get(device, 0)
            weights = self.weights.get(device, 0)
            if device in limits:
                allowed = int(convert_file_size_to_int(limits[device]))
                if weights + slots + prefixes > allowed:
                    raise ValueError(
                        f"{_sum(device, weights, slots, prefixes)} is more than its "
                        f"limit {limits[device]}; {_ADVICE}"
                    )
            if slots + prefixes > free_bytes(device):
                raise ValueError(
                    f"{_sum(device, weights, slots, prefixes)} does not fit beside "
                    f"what it holds, {_mib(free_bytes(device))} are free; {_ADVICE}"
                )


_ADVICE = "lower slots, context_tokens_max or prefix_cache_bytes"


def planned_memory(
    model: PreTrainedModel, *, slots: int, context_tokens: int, prefix_cache_bytes: int
) -> MemoryPlan:
    """Return what an engine of these sizes takes; runs one pass over one token."""
    per_column = _bytes_per_column(model)
    # One more column than the context takes what padding writes.
    columns = slots * (context_tokens + 1)
    taken = {device: size * columns for device, size in per_column.items()}
    whole = sum(per_column.values())
    kept = {
        device: math.ceil(prefix_cache_bytes * size / whole)
        for device, size in per_column.items()
    }
    return MemoryPlan(_weights(model), taken, kept)


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


def _sum(device: str, weights: int, slots: int, prefixes: int) -> str:
    return (
        f"on device {device} weights of {_mib(weights)}, slots of {_mib(slots)} and "
        f"kept prefixes of up to {_mib(prefixes)}"
    )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
