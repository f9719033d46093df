"""One pass of a model over its slots.

Decides how lines of tokens become keys, values and logits; refuses to know requests.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from node.engine.device_map import input_device
from node.engine.kv_slots import Placement, PositionMask, SlotCache


class SlotPass:
    """Runs a model whose keys and values lie in `cache`."""

    def __init__(self, model: PreTrainedModel, cache: SlotCache) -> None:
        self._model = model
        self._cache = cache
        self._device = input_device(model)
        self._mask = PositionMask(model.config)

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
        together = list(places) == list(range(places[0], places[0] + len(places)))
        columns_used = int(positions.max()) + 1
        positions = positions.to(self._device)
        self._cache.place(
            Placement(
                torch.tensor(places, device=self._device),
                columns.to(self._device),
                columns_used,
                places[0] if together else None,
            )
        )
        output = self._model(
            input_ids=ids.to(self._device),
            position_ids=positions,
            attention_mask=self._mask.of(positions, columns_used),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1]
        return logits
