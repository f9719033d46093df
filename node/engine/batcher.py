"""Continuous batching: requests join and leave the batch between any two steps.

Decides which rows take part in a pass and in which shape; refuses to know threads,
callers and text. Rows are kept without gaps, so that the decoding pass reads the slots
as a view; a row that leaves is replaced by the last one. Prompts are read in passes of
a bounded size, so that a long prompt cannot hold up those who already decode.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from node.engine.decoding import TokenDraw
from node.engine.device_map import input_device
from node.engine.engine import Sampling
from node.engine.kv_slots import Placement, PositionMask, SlotCache


@dataclass(slots=True, eq=False)
class Row:
    """One request in the batch: its tokens, and how many of them the slots hold.

    The last token is never held before the pass that uses it to make the next one.
    """

    token_ids: list[int]
    draw: TokenDraw
    held: int = 0

    @property
    def missing(self) -> int:
        """Return how many tokens the next passes must read."""
        return len(self.token_ids) - self.held


@dataclass(frozen=True, slots=True)
class Drawn:
    """What one pass gave one row: a token, or the failure that ends the row."""

    row: Row
    token_id: int = -1
    failure: Exception | None = None


class Batcher:
    """Steps all rows of one model; every method runs in the model thread.

    The order of calls: `join` up to `slots` rows, `step`, `leave` for those that are
    done, and so on. A failing pass fails its rows, never the batcher.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        slots: int,
        context_tokens: int,
        prefill_tokens_max: int,
    ) -> None:
        self._model = model
        self._slots = slots
        self._device = input_device(model)
        self._cache = SlotCache(model.config, slots=slots, columns=context_tokens)
        self._mask = PositionMask(model.config)
        self._prefill_tokens_max = prefill_tokens_max
        self._rows: list[Row] = []

    @property
    def slots(self) -> int:
        """Return how many rows there may be."""
        return self._slots

    @property
    def rows(self) -> Sequence[Row]:
        """Return the rows in the batch."""
        return self._rows

    def join(self, prompt_ids: Sequence[int], sampling: Sampling) -> Row:
        """Add a request; its prompt is read by the next steps."""
        row = Row(list(prompt_ids), TokenDraw(sampling))
        self._rows.append(row)
        return row

    @torch.inference_mode()
    def leave(self, row: Row) -> None:
        """Remove a row between steps; another moves into its place."""
        place, last = self._rows.index(row), len(self._rows) - 1
        if place != last:
            moved = self._rows[last]
            self._cache.move(last, place, columns=moved.held)
            self._rows[place] = moved
        self._rows.pop()

    @torch.inference_mode()
    def step(self) -> list[Drawn]:
        """Read some waiting prompts, then give every ready row one more token."""
        drawn = self._prefill(self._prefill_group())
        failed = {result.row for result in drawn if result.failure}
        ready = [
            row for row in self._rows if row.missing == 1 and row not in failed
        ]  # fmt: skip
        return drawn + self._decode(ready)

    def _prefill_group(self) -> list[Row]:
        """Return the first rows whose padded parts fit one pass; at least one."""
        group: list[Row] = []
        longest = 0
        for row in self._rows:
            if row.missing > 1:
                longest = max(longest, self._part(row))
                if group and (len(group) + 1) * longest > self._prefill_tokens_max:
                    break
                group.append(row)
        return group

    def _part(self, row: Row) -> int:
        """Return how many prompt tokens one pass reads, leaving one to decode with."""
        return min(row.missing - 1, self._prefill_tokens_max)

    def _prefill(self, group: Sequence[Row]) -> list[Drawn]:
        """Read a part of each prompt; return only failures, as nothing is drawn."""
        try:
            if group:
                self._read(group)
        except Exception as failure:  # noqa: BLE001 - reported to the rows' callers.
            if len(group) == 1:
                return [Drawn(group[0], failure=failure)]
            # One of them is to blame: alone, only that one fails.
            return [result for row in group for result in self._prefill([row])]
        return []

    def _read(self, group: Sequence[Row]) -> None:
        """Run one pass over prompt parts, each padded on the left with scratch."""
        parts = [self._part(row) for row in group]
        longest = max(parts)
        ids = torch.zeros((len(group), longest), dtype=torch.long)
        positions = torch.zeros_like(ids)
        columns = torch.full_like(ids, self._cache.scratch_column)
        for at, (row, part) in enumerate(zip(group, parts, strict=True)):
            start, end = row.held, row.held + part
            ids[at, longest - part :] = torch.tensor(row.token_ids[start:end])
            positions[at, longest - part :] = torch.arange(start, end)
            columns[at, longest - part :] = torch.arange(start, end)
        self._pass(group, ids, positions, columns)
        for row, part in zip(group, parts, strict=True):
            row.held += part

    def _decode(self, ready: Sequence[Row]) -> list[Drawn]:
        """Run the last token of every ready row and draw the next."""
        if not ready:
            return []
        try:
            ids = torch.tensor([[row.token_ids[-1]] for row in ready])
            columns = torch.tensor([[row.held] for row in ready])
            logits = self._pass(ready, ids, columns, columns)
        except Exception as failure:  # noqa: BLE001 - reported to the rows' callers.
            if len(ready) == 1:
                return [Drawn(ready[0], failure=failure)]
            return [result for row in ready for result in self._decode([row])]
        return [self._draw(row, logits[at]) for at, row in enumerate(ready)]

    @staticmethod
    def _draw(row: Row, logits: torch.Tensor) -> Drawn:
        try:
            token_id = row.draw.choose(logits)
        except Exception as failure:  # noqa: BLE001 - reported to the row's caller.
            return Drawn(row, failure=failure)
        row.held += 1
        row.token_ids.append(token_id)
        return Drawn(row, token_id)

    def _pass(
        self,
        group: Sequence[Row],
        ids: torch.Tensor,
        positions: torch.Tensor,
        columns: torch.Tensor,
    ) -> torch.Tensor:
        """Run the model over (r, q) tokens; return the last logits of each row."""
        places = self._places(group)
        together = places == list(range(places[0], places[0] + len(places)))
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

    def _places(self, group: Sequence[Row]) -> list[int]:
        place_of = {id(row): place for place, row in enumerate(self._rows)}
        return [place_of[id(row)] for row in group]
