"""Continuous batching: requests join and leave the batch between any two steps.

Decides which rows take part in a pass and in which shape; refuses to know threads,
callers and text. Rows are kept without gaps, so that the decoding pass reads the slots
as a view; a row that leaves is replaced by the last one. Prompts are read in passes of
a bounded size, so that a long prompt cannot hold up those who already decode.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from node.engine.decoding import TokenDraw, choose_all
from node.engine.engine import Sampling
from node.engine.kept_prefixes import KeptPrefixes
from node.engine.kv_slots import SlotCache
from node.engine.mixed_pass import Mixing, lines_of
from node.engine.pass_tensors import last_tokens, parts_of
from node.engine.prompt_order import PromptOrder
from node.engine.recorded_pass import recorded_pass
from node.engine.rows import Drawn, Row
from node.engine.slot_pass import SlotPass


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
        prefix_cache_bytes: int = 0,
    ) -> None:
        self._model = model
        self._slots = slots
        self._cache = SlotCache(model.config, slots=slots, columns=context_tokens)
        self._slot_pass = SlotPass(model, self._cache)
        self._order = PromptOrder(tokens_max=prefill_tokens_max)
        self._kept = KeptPrefixes(self._cache, bytes_max=prefix_cache_bytes)
        self._mixing = Mixing(
            weights_bytes=sum(one.nbytes for one in model.parameters()),
            prompt_tokens_max=prefill_tokens_max,
        )
        self._rows: list[Row] = []
        self._joined = 0

    @property
    def slots(self) -> int:
        """Return how many rows there may be."""
        return self._slots

    @property
    def rows(self) -> Sequence[Row]:
        """Return the rows in the batch."""
        return self._rows

    @property
    def cache(self) -> SlotCache:
        """Return the slots."""
        return self._cache

    @property
    def kept(self) -> KeptPrefixes:
        """Return the prefixes kept of rows that left."""
        return self._kept

    def record(self) -> bool:
        """Record the model's pass where that can be done; return whether it was.

        Once, when a first pass has been run and there is no row.
        """
        recorded = recorded_pass(self._model, self._cache)
        if recorded is not None:
            self._slot_pass.run_by(recorded)
        return recorded is not None

    @torch.inference_mode()
    def join(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        tenant: str = "",
        drawn_ids: Sequence[int] = (),
    ) -> Row:
        """Add a request; what the tenant's prefixes do not hold the next steps read.

        `drawn_ids` are the tokens that its answer has already; the next follows them.
        """
        self._joined += 1
        draw = TokenDraw(sampling, prompt_ids, drawn_ids)
        tokens = [*prompt_ids, *drawn_ids]
        row = Row(
            tokens, draw, self._joined, len(prompt_ids), tenant, place=len(self._rows)
        )
        row.held = row.cached = self._kept.restore(
            tenant, row.token_ids[:-1], place=row.place
        )
        self._rows.append(row)
        return row

    def prompt_tokens_cached(self, row: Row) -> int:
        """Return how much of the row's prompt was kept from before."""
        return min(row.cached, row.prompt_tokens)

    @torch.inference_mode()
    def leave(self, row: Row) -> None:
        """Remove a row between steps, and keep what it holds for its tenant.

        Another row moves into its place.
        """
        place, last = row.place, len(self._rows) - 1
        if row.failed:
            # It may hold NaN, which no mask would keep from the place's next row.
            self._cache.clear(place)
        else:
            self._kept.keep(row.tenant, row.token_ids[: row.held], place=place)
        if place != last:
            moved = self._rows[last]
            self._cache.move(last, place, columns=moved.held)
            self._rows[place], moved.place = moved, place
        self._rows.pop()

    @torch.inference_mode()
    def step(self) -> list[Drawn]:
        """Read a part of the waiting prompts, then give all others one more token.

        A prompt that is read to its end has its first token with the same pass.
        """
        group = self._order.next_group(self._rows)
        ready = [row for row in self._rows if row.missing == 1]
        if ready and group:
            column_bytes = self._cache.column_bytes
            if self._mixing.is_worth(ready, group, column_bytes=column_bytes):
                return self._mixed([*ready, *group], group)
        return self._apart(group)

    def _apart(self, group: Sequence[Row]) -> list[Drawn]:
        """Read the group's prompts in one pass, then decode all others in one."""
        drawn = self._prefill(group)
        served = {result.row for result in drawn}
        ready = [
            row for row in self._rows if row.missing == 1 and row not in served
        ]  # fmt: skip
        return drawn + self._decode(ready)

    def _mixed(self, rows: Sequence[Row], group: Sequence[Row]) -> list[Drawn]:
        """Give every row its next token in one pass, each missing token in a line."""
        lines = lines_of(rows)
        columns = torch.tensor(lines.positions)[:, None]
        try:
            logits = self._pass(
                lines.rows, torch.tensor(lines.token_ids)[:, None], columns, columns
            )
        except Exception:  # noqa: BLE001 - apart, each failure finds its own row.
            return self._apart(group)
        for row in rows:
            row.held = len(row.token_ids)
        return self._choose(rows, logits, lines.ends)

    def _prefill(self, group: Sequence[Row]) -> list[Drawn]:
        """Read a part of each prompt; return failures and first tokens."""
        if not group:
            return []
        try:
            return self._read(group)
        except Exception as failure:  # noqa: BLE001 - reported to the rows' callers.
            if len(group) == 1:
                return [_failed(group[0], failure)]
            # One of them is to blame: alone, only that one fails.
            return [result for row in group for result in self._prefill([row])]

    def _read(self, group: Sequence[Row]) -> list[Drawn]:
        """Run one pass over prompt parts, each padded on the left with scratch."""
        parts = [self._order.part(row) for row in group]
        tensors = parts_of(group, parts, scratch=self._cache.scratch_column)
        logits = self._pass(group, *tensors)
        for row, part in zip(group, parts, strict=True):
            row.held += part
        whole = [at for at, row in enumerate(group) if not row.missing]
        return self._choose([group[at] for at in whole], logits, whole)

    def _decode(self, ready: Sequence[Row]) -> list[Drawn]:
        """Run the last token of every ready row and draw the next."""
        if not ready:
            return []
        try:
            logits, at = self._last_logits(ready)
        except Exception as failure:  # noqa: BLE001 - reported to the rows' callers.
            if len(ready) == 1:
                return [_failed(ready[0], failure)]
            return [result for row in ready for result in self._decode([row])]
        for row in ready:
            row.held += 1
        return self._choose(ready, logits, at)

    def _last_logits(self, ready: Sequence[Row]) -> tuple[torch.Tensor, list[int]]:
        """Return logits of the rows' last tokens, and which of them is each row's.

        The pass runs over all places from the first to the last, so that the slots are
        read as a view: a row between them whose prompt is still read writes to scratch.
        """
        places = [row.place for row in ready]
        span = self._rows[places[0] : places[-1] + 1]
        scratch = self._cache.scratch_column
        logits = self._pass(span, *last_tokens(span, set(places), scratch=scratch))
        return logits, [place - places[0] for place in places]

    def _choose(
        self, rows: Sequence[Row], logits: torch.Tensor, at: Sequence[int]
    ) -> list[Drawn]:
        """Draw a token for each row from its own row of logits."""
        if not rows:
            return []
        if len(at) < len(logits):
            logits = logits[list(at)]
        outcomes = choose_all([row.draw for row in rows], logits)
        for row, outcome in zip(rows, outcomes, strict=True):
            if isinstance(outcome, Exception):
                row.failed = True
            else:
                row.token_ids.append(outcome.token_id)
        return [Drawn(*pair) for pair in zip(rows, outcomes, strict=True)]

    def _pass(
        self,
        group: Sequence[Row],
        ids: torch.Tensor,
        positions: torch.Tensor,
        columns: torch.Tensor,
    ) -> torch.Tensor:
        """Run the model over (r, q) tokens; return the last logits of each row."""
        places = [row.place for row in group]
        return self._slot_pass.run(places, ids, positions, columns)


def _failed(row: Row, failure: Exception) -> Drawn:
    row.failed = True
    return Drawn(row, failure)
