"""Runs some layers of one model for the pipelines of others.

Decides how frames on the event loop meet the one thread that owns the layers; refuses
to know streams and messages. A frame's failure ends its sequence only, and the thread
lives on.
"""

import asyncio
import logging
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from federated_router.kit.errors import FederationError, Internal
from node.engine.memory import MemoryPlan, device_name, free_bytes
from node.shards.codec import check_type, positions_max
from node.shards.frame_line import FrameLine, WaitingFrame
from node.shards.layers import LayerRange
from node.shards.parts import Layers, load_layers
from node.shards.passes import LayerPasses, Passed, SlotFrame
from node.shards.sequences import HeldSequence, Sequences, ShardLimits

_log = logging.getLogger(__name__)
_JOIN_S = 60.0
_MEASURED_STEPS = 9
_PROBE_COLUMNS = 2

Deliver = Callable[[Passed], None]
Line = FrameLine[torch.Tensor]


@dataclass(frozen=True, slots=True)
class ShardSource:
    """Which layers of which directory are run, and how. `model` is `models/NAME`."""

    model: str
    directory: Path
    layers: LayerRange
    data_type: str
    threads: int


@dataclass(frozen=True, slots=True)
class ShardFacts:
    """What is known once the layers are loaded. `token_ms` was measured here."""

    digest: str
    width: int
    data_type: torch.dtype
    weight_bytes: int
    token_ms: float
    architecture: str
    device: str


class ShardEngine:
    """One shard; make it, `start` it, `stop` it, all on one event loop."""

    def __init__(self, source: ShardSource, limits: ShardLimits) -> None:
        self.source = source
        self.limits = limits
        self.sequences = Sequences(limits)
        self._line = Line(pass_tokens_max=limits.frame_tokens_max)
        self._facts: ShardFacts | None = None
        self._passes: LayerPasses | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    async def start(self) -> None:
        """Load the layers, measure them, begin to take frames.

        Raises:
            ValueError: the directory holds no such layers, or they cannot be split.
        """
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="shard", daemon=True
        )
        self._thread.start()
        await ready

    async def stop(self) -> None:
        """Take no more frames and join the thread; idempotent."""
        self._line.close()
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, _JOIN_S)

    @property
    def facts(self) -> ShardFacts:
        """Return what the layers are.

        Raises:
            RuntimeError: they are not loaded yet.
        """
        if self._facts is None:
            raise RuntimeError("the shard is not started")
        return self._facts

    @property
    def cache_bytes(self) -> int:
        """Return the memory of keys and values."""
        return self._passes.cache_bytes if self._passes is not None else 0

    @property
    def frames_waiting(self) -> int:
        """Return how many frames wait for the thread."""
        return len(self._line)

    def submit(
        self, sequence: HeldSequence, first: int, hidden: torch.Tensor, deliver: Deliver
    ) -> None:
        """Run positions from `first` on; `deliver` is called on the event loop.

        The frame was taken by `sequences.extend`.
        """
        self._line.join(WaitingFrame(sequence, first, len(hidden), hidden, deliver))

    def _run(self, ready: "asyncio.Future[None]") -> None:
        """Be the model thread: load, announce, run passes until closed."""
        try:
            passes = self._load()
        except Exception as failure:  # noqa: BLE001 - raised again by `start`.
            self._on_loop(partial(_settle, ready, failure))
            return
        self._on_loop(partial(_settle, ready, None))
        while groups := self._line.take():
            for group in groups:
                self._step(passes, group)

    def _load(self) -> LayerPasses:
        # Only the thread that calls this is set: OpenMP counts per thread.
        torch.set_num_threads(self.source.threads)
        layers = load_layers(
            self.source.directory, self.source.layers, data_type=self.source.data_type
        )
        check_type(layers.data_type)
        _check_frames(layers, self.limits)
        _check_memory(layers, self.limits)
        passes = LayerPasses(
            layers.model,
            slots=self.limits.slots,
            context_tokens=self.limits.context_tokens_max,
        )
        self._passes = passes
        self._facts = ShardFacts(
            digest=layers.digest,
            width=layers.width,
            data_type=layers.data_type,
            weight_bytes=layers.weight_bytes,
            token_ms=measured_ms(passes, layers, self.limits),
            architecture=layers.architecture,
            device=layers.device,
        )
        return passes

    def _step(
        self, passes: LayerPasses, group: list[WaitingFrame[torch.Tensor]]
    ) -> None:
        frames = [SlotFrame(one.sequence.slot, one.first, one.hidden) for one in group]
        told: list[tuple[Deliver, Passed]] = []
        for waiting, result in zip(group, passes.run(frames), strict=True):
            told.append((waiting.deliver, _told(result)))
        self._on_loop(partial(_deliver_all, told))

    def _on_loop(self, call: Callable[[], None]) -> None:
        # A loop that is closed has no streams left.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


def measured_ms(passes: LayerPasses, layers: Layers, limits: ShardLimits) -> float:
    """Return the median milliseconds of one position; this also warms the layers up."""
    hidden = torch.zeros((1, layers.width), dtype=layers.data_type)
    took_ms = []
    for position in range(min(_MEASURED_STEPS, limits.context_tokens_max)):
        begin_s = time.perf_counter()
        (result,) = passes.run([SlotFrame(0, position, hidden)])
        if isinstance(result, Exception):
            raise result
        took_ms.append((time.perf_counter() - begin_s) * 1000)
    return statistics.median(took_ms)


def _check_frames(layers: Layers, limits: ShardLimits) -> None:
    fitting = positions_max(layers.width, layers.data_type)
    if limits.frame_tokens_max > fitting:
        raise ValueError(
            f"{limits.frame_tokens_max} positions do not fit a message; set "
            f"frame_tokens_max to {fitting} or less"
        )


def _check_memory(layers: Layers, limits: ShardLimits) -> None:
    """Refuse slots that do not fit, before they are taken; one pass tells their size.

    Raises:
        ValueError: naming the sum and what to change.
    """
    probe = LayerPasses(layers.model, slots=1, context_tokens=_PROBE_COLUMNS - 1)
    measured_ms(probe, layers, replace(limits, context_tokens_max=1))
    columns = limits.slots * (limits.context_tokens_max + 1)
    taken = probe.cache_bytes // _PROBE_COLUMNS * columns
    device = device_name(torch.device(layers.device))
    plan = MemoryPlan({device: layers.weight_bytes}, {device: taken}, {})
    plan.require(limits={}, free_bytes=free_bytes)


def _told(result: Passed) -> Passed:
    """Return what the leader may hear; the log has the rest."""
    if isinstance(result, torch.Tensor | FederationError):
        return result
    _log.error("a shard's pass failed", exc_info=result)
    return Internal("The layers failed on this sequence.")


def _settle(ready: "asyncio.Future[None]", failure: Exception | None) -> None:
    if ready.done():
        return
    if failure is None:
        ready.set_result(None)
    else:
        ready.set_exception(failure)


def _deliver_all(told: list[tuple[Deliver, Passed]]) -> None:
    for deliver, result in told:
        deliver(result)
