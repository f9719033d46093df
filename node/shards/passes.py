"""Forward passes over parts of a model: some layers with slots, or the two ends.

Decides which waiting frames share a pass: those of as many positions each, so that
nothing is padded. Refuses to know sequences' names, threads and networks. A pass that
gives anything but numbers fails its row and wipes the row's keys and values, for a
masked value that is no number would still spoil whoever has the slot next.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from federated_router.kit.errors import FieldInvalid, Internal
from node.engine.kv_slots import Placement, PositionMask, SlotCache


@dataclass(frozen=True, slots=True, eq=False)
class SlotFrame:
    """Hidden states (n, width) of positions `first` to `first` + n of one slot."""

    slot: int
    first: int
    hidden: torch.Tensor

    @property
    def positions(self) -> int:
        """Return how many positions there are."""
        return len(self.hidden)


Passed = torch.Tensor | Exception
"""The frame's hidden states after the layers, or what ended its sequence."""


class LayerPasses:
    """Runs frames through some layers; every method belongs to the model thread."""

    def __init__(
        self, model: PreTrainedModel, *, slots: int, context_tokens: int
    ) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._cache = SlotCache(model.config, slots=slots, columns=context_tokens)
        self._mask = PositionMask(model.config)

    @property
    def cache_bytes(self) -> int:
        """Return the memory of keys and values taken so far."""
        return sum(size for _, size in self._cache.sizes())

    @torch.inference_mode()
    def run(self, frames: Sequence[SlotFrame]) -> list[Passed]:
        """Run frames of different slots and equally many positions in one pass.

        A failure of several is looked for in each alone, so that only the one to blame
        fails.
        """
        try:
            found = self._pass(frames)
        except Exception as failure:  # noqa: BLE001 - told to the sequence's leader.
            if len(frames) > 1:
                return [one for frame in frames for one in self.run([frame])]
            self._cache.clear(frames[0].slot)
            return [failure]
        return [
            self._checked(frame, hidden)
            for frame, hidden in zip(frames, found, strict=True)
        ]

    def _pass(self, frames: Sequence[SlotFrame]) -> torch.Tensor:
        hidden = torch.stack([frame.hidden for frame in frames]).to(self._device)
        if not bool(torch.isfinite(hidden).all()):
            raise FieldInvalid("Send numbers only.", field="activations.data")
        offsets = torch.arange(frames[0].positions)
        first = torch.tensor([frame.first for frame in frames])
        positions = first[:, None] + offsets
        used = int(positions.max()) + 1
        places = [frame.slot for frame in frames]
        together = places == list(range(places[0], places[0] + len(places)))
        positions = positions.to(self._device)
        self._cache.place(
            Placement(
                rows=torch.tensor(places, device=self._device),
                columns=positions,
                columns_used=used,
                first_row=places[0] if together else None,
            )
        )
        output = self._model(
            inputs_embeds=hidden,
            position_ids=positions,
            attention_mask=self._mask.of(positions, used),
            past_key_values=self._cache,
            use_cache=True,
        )
        after: torch.Tensor = output.last_hidden_state.cpu()
        return after

    def _checked(self, frame: SlotFrame, hidden: torch.Tensor) -> Passed:
        if bool(torch.isfinite(hidden).all()):
            return hidden
        self._cache.clear(frame.slot)
        return Internal("The layers gave something that is not a number.")


def logits_without_layers(ends: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Return logits (n, vocabulary) of a model of no layers for (n, width) states.

    What an architecture does between the last layer and the logits is done. Mask and
    positions are given so that the model makes none of its own.
    """
    count = len(hidden)
    output = ends(
        inputs_embeds=hidden[:, None],
        position_ids=torch.zeros((count, 1), dtype=torch.long, device=hidden.device),
        attention_mask=torch.ones(
            (count, 1, 1, 1), dtype=torch.bool, device=hidden.device
        ),
        use_cache=False,
    )
    logits: torch.Tensor = output.logits[:, -1]
    return logits


def embedded(ends: PreTrainedModel, token_ids: torch.Tensor) -> torch.Tensor:
    """Return the hidden states (n, width) of token ids (n,)."""
    hidden: torch.Tensor = ends.get_input_embeddings()(token_ids)
    return hidden
