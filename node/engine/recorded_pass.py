"""A model's pass over its slots, recorded once and run again without its Python code.

Decides whether a recording may stand for the model; refuses to know requests. A pass of
a small model costs mostly what lies around its arithmetic. A recording is the same
operations in the same order, so its answers are the same to the last bit, which is
proved at start on passes of several shapes. A model that looks at its numbers to decide
what to do next, and one that is not plainly in the processor's memory, is not recorded:
it runs as it would without.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch.jit._fuser import optimized_execution
from torch.jit._trace import TracerWarning
from transformers import PreTrainedModel
from transformers.integrations import sdpa_attention

from node.engine.kv_slots import AttentionMask, Placement, PositionMask, SlotCache
from node.engine.slot_pass import LinePass, ModelPass, model_logits

_log = logging.getLogger(__name__)

_PLAIN = (torch.Tensor, torch.nn.Parameter)
_ROWS, _TOKENS = 3, 5


class NotRecorded(Exception):
    """Why a model runs by its own code."""


class _Kind(NamedTuple):
    """What a recording has for good: slots as a view or as copies, single tokens."""

    first_row: int | None
    is_single: bool

    @classmethod
    def of(cls, ids: torch.Tensor, placement: Placement) -> "_Kind":
        return cls(placement.first_row, ids.shape[1] == 1)


_OFTEN = (
    _Kind(0, is_single=True),
    _Kind(None, is_single=True),
    _Kind(0, is_single=False),
)


class RecordedPass:
    """A `LinePass` by recordings, one for each of the kinds of pass that come often.

    Attention packs single tokens in another way than several, so each is recorded.
    """

    def __init__(self, own: ModelPass, cache: SlotCache) -> None:
        """Record; takes a pass for each kind.

        Raises:
            NotRecorded: the model decides by its numbers.
        """
        self._own = own
        self._states = cache.states
        self._seen = torch.empty(cache.scratch_column)
        self._recordings: dict[_Kind, torch.jit.ScriptModule] = {}
        for ids, positions, placement in _passes(cache):
            kind = _Kind.of(ids, placement)
            if kind in _OFTEN and kind not in self._recordings:
                lines = _Lines(own.model, cache, first_row=kind.first_row)
                inputs = self._inputs(ids, positions, placement)
                self._recordings[kind] = _recorded(lines, inputs)

    def logits(
        self, ids: torch.Tensor, positions: torch.Tensor, placement: Placement
    ) -> torch.Tensor:
        """Run (r, q) tokens; return each line's last logits (r, V)."""
        kind = _Kind.of(ids, placement)
        run = self._recordings.get(kind)
        if run is None:
            return self._own.logits(ids, positions, placement)
        try:
            # Nothing is rewritten for shapes that come often: each step has its own.
            with optimized_execution(should_optimize=False):
                found: torch.Tensor = run.forward(
                    *self._inputs(ids, positions, placement)
                )
        except RuntimeError:
            # The model's own code writes the same places again, or fails by itself.
            _log.exception("a recorded pass failed; the model's own code runs instead")
            del self._recordings[kind]
            return self._own.logits(ids, positions, placement)
        return found

    def _inputs(
        self, ids: torch.Tensor, positions: torch.Tensor, placement: Placement
    ) -> tuple[torch.Tensor, ...]:
        # A recording takes tensors alone: how many columns count is a tensor's length.
        seen = self._seen[: placement.columns_used]
        return (ids, positions, placement.columns, placement.rows, seen, *self._states)


class _Lines(torch.nn.Module):
    """The pass as a function of tensors alone, the slots among them."""

    def __init__(
        self, model: PreTrainedModel, cache: SlotCache, *, first_row: int | None
    ) -> None:
        super().__init__()
        self.model = model
        self._slots, self._columns = cache.slots, cache.scratch_column
        self._first_row = first_row
        self._mask = PositionMask(model.config)

    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        columns: torch.Tensor,
        rows: torch.Tensor,
        seen: torch.Tensor,
        *states: torch.Tensor,
    ) -> torch.Tensor:
        """Return each line's last logits."""
        used = seen.shape[0]
        cache = SlotCache(self.model.config, slots=self._slots, columns=self._columns)
        cache.hold(states)
        cache.place(Placement(rows, columns, used, self._first_row))
        mask = self._mask.of(positions, used)
        return model_logits(self.model, cache, ids, positions, _added(mask, states[0]))


@torch.inference_mode()
def recorded_pass(model: PreTrainedModel, cache: SlotCache) -> LinePass | None:
    """Return a recording that was seen to do what the model does; None for no such.

    The slots must have their memory; what their first rows hold is overwritten.
    """
    try:
        _require_plain(model)
        own = ModelPass(model, cache)
        recorded = RecordedPass(own, cache)
        _require_same(own, recorded, cache)
    except NotRecorded as reason:
        _log.info("the model runs by its own code, unrecorded: %s", reason)
        return None
    except Exception:  # noqa: BLE001 - a recording is never needed.
        _log.warning("the model could not be recorded; it runs by its own code")
        _log.debug("why it could not", exc_info=True)
        return None
    return recorded


def _require_plain(model: PreTrainedModel) -> None:
    for weights in model.parameters():
        if type(weights) not in _PLAIN or weights.device.type != "cpu":
            raise NotRecorded("its weights are quantised, or not in this memory")


def _recorded(lines: _Lines, inputs: Sequence[torch.Tensor]) -> torch.jit.ScriptModule:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        traced = torch.jit.trace(  # type: ignore[no-untyped-call]
            lines.eval(), tuple(inputs), check_trace=False
        )
        # Kept as it is but for its modules, which are resolved once and not each time.
        frozen: torch.jit.ScriptModule = torch.jit.freeze(
            traced, optimize_numerics=False
        )
    for one in told:
        # Attention asks whether there is one token, which each recording answers.
        by_attention = one.filename == sdpa_attention.__file__
        if issubclass(one.category, TracerWarning) and not by_attention:
            raise NotRecorded(f"{one.filename}:{one.lineno} decides by numbers")
    return frozen


def _added(mask: AttentionMask, like: torch.Tensor) -> AttentionMask:
    """Return the mask as numbers to add, as each layer would make it from truths."""
    if isinstance(mask, dict):
        return {kind: _added_one(one, like) for kind, one in mask.items()}
    return _added_one(mask, like)


def _added_one(mask: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, -torch.inf)


def _require_same(own: ModelPass, recorded: RecordedPass, cache: SlotCache) -> None:
    for ids, positions, placement in _passes(cache):
        wanted = own.logits(ids, positions, placement)
        at = (placement.rows[:, None], slice(None), placement.columns)
        states = [one[at] for one in cache.states]
        for one in cache.states:
            one[at] = 0
        found = recorded.logits(ids, positions, placement)
        after = [one[at] for one in cache.states]
        pairs = zip([wanted, *states], [found, *after], strict=True)
        if not all(torch.equal(left, right) for left, right in pairs):
            raise NotRecorded("its recording gives other numbers")


def _passes(
    cache: SlotCache,
) -> Iterator[tuple[torch.Tensor, torch.Tensor, Placement]]:
    """Yield passes of all kinds and up to the context's end, those of many rows first.

    Prompts and single tokens, in slots that are a view and in slots as copies.
    """
    context, rows_max = cache.scratch_column, min(_ROWS, cache.slots)
    tokens_max = min(_TOKENS, context)
    fewer = max(1, tokens_max - 2)
    for rows, tokens, first in (
        (rows_max, tokens_max, 0),
        (rows_max, 1, tokens_max // 2),
        (1, fewer, 0),
        (1, 1, context - 1),
        (rows_max, fewer, context - fewer),
    ):
        for first_row in (0, None):
            numbers = torch.arange(rows * tokens).reshape(rows, tokens)
            positions = (first + torch.arange(tokens)).expand(rows, tokens)
            places = torch.arange(rows)
            yield (
                numbers + 1,
                positions,
                Placement(
                    places if first_row == 0 else places.flip(0),
                    positions,
                    first + tokens,
                    first_row,
                ),
            )
