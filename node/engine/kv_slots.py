"""Keys and values of every running request, in memory taken once.

Decides where a token's key and value lie: row = the request's slot, column = its
position. Refuses to know sampling and requests. Passes of any shape work alike, whole
prompts, parts of prompts and single tokens, because a mask by position decides what a
query sees, so that what lies beyond a request's own position is never read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PretrainedConfig
from transformers.cache_utils import Cache, CacheLayerMixin

from node.engine.kept_states import KeptStates

FULL, SLIDING = "full_attention", "sliding_attention"

AttentionMask = torch.Tensor | dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one pass writes: `rows` (r,) and `columns` (r, q) of the slots.

    `columns_used` bounds what any query of the pass may see. Rows that count up by
    one are read as a view, others as a copy.
    """

    rows: torch.Tensor
    columns: torch.Tensor
    columns_used: int
    first_row: int | None

    def on(self, device: torch.device) -> "Placement":
        """Return the same placement with its tensors on `device`."""
        if self.rows.device == device:
            return self
        return Placement(
            self.rows.to(device),
            self.columns.to(device),
            self.columns_used,
            self.first_row,
        )


class SlotLayer(CacheLayerMixin):
    """One layer's keys and values: (slots, heads, columns, head width)."""

    is_sliding = False
    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, slots: int, columns: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._slots = slots
        self._columns = columns
        self.placement: Placement | None = None

    def lazy_initialization(
        self, key_states: torch.Tensor, value_states: torch.Tensor
    ) -> None:
        """Take the memory, on the device and in the type of the first keys."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys = self._empty_like(key_states)
        self.values = self._empty_like(value_states)
        self.is_initialized = True

    def hold(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Use memory that was taken elsewhere."""
        self.dtype, self.device = keys.dtype, keys.device
        self.keys, self.values = keys, values
        self.is_initialized = True

    def _empty_like(self, states: torch.Tensor) -> torch.Tensor:
        _, heads, _, width = states.shape
        return states.new_zeros((self._slots, heads, self._columns, width))

    def update(
        self,
        key_states: torch.Tensor,
        value_states: torch.Tensor,
        *_args: object,
        **_kwargs: object,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the pass's keys and values; return all that its queries may see."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if self.placement is None:
            raise RuntimeError("a pass over the slots needs a placement")
        placement = self.placement.on(self.device)
        at = (placement.rows[:, None], placement.columns)
        self.keys.transpose(1, 2).index_put_(at, key_states.transpose(1, 2))
        self.values.transpose(1, 2).index_put_(at, value_states.transpose(1, 2))
        return self._seen(self.keys, placement), self._seen(self.values, placement)

    @staticmethod
    def _seen(states: torch.Tensor, placement: Placement) -> torch.Tensor:
        if placement.first_row is None:
            return states[placement.rows, :, : placement.columns_used]
        last = placement.first_row + placement.rows.shape[0]
        return states[placement.first_row : last, :, : placement.columns_used]

    def move(self, source: int, target: int, columns: int) -> None:
        """Copy the first `columns` columns of one row over another's."""
        if self.is_initialized:
            self.keys[target, :, :columns] = self.keys[source, :, :columns]
            self.values[target, :, :columns] = self.values[source, :, :columns]

    def read(self, row: int, start: int, end: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return copies of one row's keys and values in columns [start, end)."""
        return (
            self.keys[row, :, start:end].clone(),
            self.values[row, :, start:end].clone(),
        )

    def write(
        self, row: int, start: int, end: int, kept: tuple[torch.Tensor, torch.Tensor]
    ) -> None:
        """Put the first kept keys and values into one row's columns [start, end)."""
        keys, values = kept
        self.keys[row, :, start:end] = keys[:, : end - start]
        self.values[row, :, start:end] = values[:, : end - start]

    def clear(self, row: int) -> None:
        """Set one row's keys and values to zero."""
        if self.is_initialized:
            self.keys[row] = 0
            self.values[row] = 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return the columns that the present pass sees, from column 0."""
        del query_length
        return (self.placement.columns_used if self.placement else 0), 0

    def get_seq_length(self) -> int:
        """Return 0: rows differ, and every pass brings its own positions."""
        return 0

    def get_max_length(self) -> int:
        """Return the columns of a row."""
        return self._columns


class SlotCache(Cache):
    """The slots of every layer, with one more column for padding to write to."""

    def __init__(self, config: PretrainedConfig, *, slots: int, columns: int) -> None:
        layers = [
            SlotLayer(slots, columns + 1)
            for _ in range(config.get_text_config().num_hidden_layers)
        ]
        super().__init__(layers=list(layers))
        self._slot_layers = layers
        self.slots = slots
        self.scratch_column = columns

    def hold(self, states: Sequence[torch.Tensor]) -> None:
        """Use the `states` of another cache from now on, and share their memory."""
        for layer, keys, values in zip(
            self._slot_layers, states[::2], states[1::2], strict=True
        ):
            layer.hold(keys, values)

    @property
    def states(self) -> tuple[torch.Tensor, ...]:
        """Return each layer's keys and values in turn; none before the first pass."""
        return tuple(
            states
            for layer in self._slot_layers
            if layer.is_initialized
            for states in (layer.keys, layer.values)
        )

    def place(self, placement: Placement) -> None:
        """Decide where the next pass writes."""
        for layer in self._slot_layers:
            layer.placement = placement

    def move(self, source: int, target: int, *, columns: int) -> None:
        """Copy the first `columns` columns of one row over another's."""
        for layer in self._slot_layers:
            layer.move(source, target, columns)

    def read(self, row: int, start: int, end: int) -> KeptStates:
        """Return copies of one row's keys and values in columns [start, end)."""
        return KeptStates(
            tuple(layer.read(row, start, end) for layer in self._slot_layers)
        )

    def write(self, row: int, start: int, end: int, kept: KeptStates) -> None:
        """Put the first of what was kept into one row's columns [start, end)."""
        for layer, states in zip(self._slot_layers, kept.layers, strict=True):
            layer.write(row, start, end, states)

    def clear(self, row: int) -> None:
        """Set one row to zero, so that nothing of it can be multiplied again.

        A mask gives what lies beyond a request's position the weight zero, and zero
        times a number is zero; but zero times NaN is NaN.
        """
        for layer in self._slot_layers:
            layer.clear(row)

    @property
    def column_bytes(self) -> int:
        """Return the bytes of one position in all layers; 0 before the first pass."""
        return sum(
            layer.keys[0, :, 0].nbytes + layer.values[0, :, 0].nbytes
            for layer in self._slot_layers
            if layer.is_initialized
        )

    def sizes(self) -> list[tuple[torch.device, int]]:
        """Return each layer's device and bytes; none before the first pass."""
        return [
            (layer.keys.device, layer.keys.nbytes + layer.values.nbytes)
            for layer in self._slot_layers
            if layer.is_initialized
        ]


class PositionMask:
    """Makes the masks of a pass: a query sees its own position and what is before.

    Models with a sliding window get a second mask, in the form they expect.
    """

    def __init__(self, config: PretrainedConfig) -> None:
        text = config.get_text_config()
        self._kinds = frozenset(getattr(text, "layer_types", None) or ())
        self._window: int | None = getattr(text, "sliding_window", None)
        if unknown := self._kinds - {FULL, SLIDING}:
            raise ValueError(
                f"layers of type {', '.join(sorted(unknown))} keep no keys per "
                "position; serve a model whose layers are all attention"
            )

    def of(self, positions: torch.Tensor, columns_used: int) -> AttentionMask:
        """Return the mask for queries at `positions` (r, q): True where seen."""
        columns = torch.arange(columns_used, device=positions.device)
        distance = positions[:, None, :, None] - columns[None, None, None, :]
        full = distance >= 0
        if self._window is None:
            return full
        sliding = full & (distance < self._window)
        if self._kinds == {FULL, SLIDING}:
            return {FULL: full, SLIDING: sliding}
        return full if self._kinds == {FULL} else sliding
