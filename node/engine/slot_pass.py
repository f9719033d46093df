"""One pass of a model over its slots.

Decides how lines of tokens become keys, values and logits; refuses to know requests.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from transformers import PreTrainedModel

from node.engine.device_map import input_device
from node.engine.kv_slots import AttentionMask, Placement, PositionMask, SlotCache


class LinePass(Protocol):
    """Whatever runs lines of tokens over slots."""

    def logits(
        self, ids: torch.Tensor, positions: torch.Tensor, placement: Placement
    ) -> torch.Tensor:
        """Run (r, q) tokens; return each line's last logits (r, V)."""
        ...


class ModelPass:
    """A `LinePass` by the model's own code."""

    def __init__(self, model: PreTrainedModel, cache: SlotCache) -> None:
        self.model = model
        self._cache = cache
        self._mask = PositionMask(model.config)

    def logits(
        self, ids: torch.Tensor, positions: torch.Tensor, placement: Placement
    ) -> torch.Tensor:
        """Run (r, q) tokens; return each line's last logits (r, V)."""
        self._cache.place(placement)
        mask = self._mask.of(positions, placement.columns_used)
        return model_logits(self.model, self._cache, ids, positions, mask)


class SlotPass:
    """Runs a model whose keys and values lie in `cache`."""

    def __init__(self, model: PreTrainedModel, cache: SlotCache) -> None:
        self._lines: LinePass = ModelPass(model, cache)
        self._device = input_device(model)
        self._rows = torch.arange(cache.slots, device=self._device)

    def run_by(self, lines: LinePass) -> None:
        """Let further passes be run by `lines`, which does as the model does."""
        self._lines = lines

    def run(
        self,
        places: Sequence[int],
        ids: torch.Tensor,
        positions: torch.Tensor,
        columns: torch.Tensor,
    ) -> torch.Tensor:
        """Run (r, q) tokens, line by line in a place; return each line's last logits.

        Places that count up by one are read as a view, others as copies.
        """
        first, last = places[0], places[0] + len(places)
        together = list(places) == list(range(first, last))
        placement = Placement(
            self._rows[first:last] if together else self._rows[list(places)],
            columns.to(self._device),
            int(positions.max()) + 1,
            first if together else None,
        )
        return self._lines.logits(
            ids.to(self._device), positions.to(self._device), placement
        )


def model_logits(
    model: PreTrainedModel,
    cache: SlotCache,
    ids: torch.Tensor,
    positions: torch.Tensor,
    mask: AttentionMask,
) -> torch.Tensor:
    """Call the model over slots that know their placement; return the last logits."""
    output = model(
        input_ids=ids,
        position_ids=positions,
        attention_mask=mask,
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    logits: torch.Tensor = output.logits[:, -1]
    return logits
