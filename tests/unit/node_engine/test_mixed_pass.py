"""A short prompt goes with those who decode: one pass, the same tokens."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.decoding import TokenDraw
from node.engine.device_map import ModelSource, load
from node.engine.engine import Sampling
from node.engine.mixed_pass import PROMPT_TOKENS_MAX, Mixing, lines_of
from node.engine.rows import Drawn, Row
from tests.unit.node_engine.test_batcher import answered, expected, prompt

MANY = Sampling(tokens_max=99)
MIXING = Mixing(weights_bytes=0, prompt_tokens_max=1024)


def row(*, held: int, missing: int) -> Row:
    """Return a row of so many tokens."""
    tokens = list(range(held + missing))
    return Row(tokens, TokenDraw(MANY), number=1, prompt_tokens=len(tokens), held=held)


class CountedPasses:
    """The tiny model in a batcher, and how many lines and places each pass had."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.batcher = Batcher(
            model, slots=6, context_tokens=120, prefill_tokens_max=64
        )
        self.passes: list[tuple[int, int]] = []
        self.fails_at = -1
        self._pass = self.batcher._pass
        self.batcher._pass = self._counted  # type: ignore[method-assign,assignment]

    def _counted(
        self, group: Sequence[Row], ids: torch.Tensor, *rest: torch.Tensor
    ) -> torch.Tensor:
        self.passes.append((ids.shape[0], ids.shape[1]))
        if len(self.passes) - 1 == self.fails_at:
            raise MemoryError("no room for the pass")
        return self._pass(group, ids, *rest)

    def step(self) -> list[Drawn]:
        """Step once; `passes` are those of this step."""
        self.passes.clear()
        with torch.inference_mode():
            return self.batcher.step()


@pytest.fixture
def model(tiny_directory: Path) -> PreTrainedModel:
    """Return the tiny model."""
    return load(ModelSource(tiny_directory)).model


@pytest.fixture
def counted(model: PreTrainedModel) -> CountedPasses:
    """Return a batcher that counts its passes."""
    return CountedPasses(model)


def test_late_prompts_join_the_pass_of_those_who_decode(
    counted: CountedPasses, model: PreTrainedModel
) -> None:
    """One pass where there were two, and every token is that of `generate`."""
    prompts = [prompt(5), prompt(9, 40), prompt(12, 30), prompt(3, 60)]
    rows = [counted.batcher.join(ids, MANY) for ids in prompts[:2]]
    counted.step()

    rows += [counted.batcher.join(ids, MANY) for ids in prompts[2:]]
    counted.step()
    assert counted.passes == [(2 + 12 + 3, 1)]
    for _ in range(6):
        counted.step()
        assert counted.passes == [(4, 1)]

    for one, ids in zip(rows, prompts, strict=True):
        drawn = answered(one, ids)
        assert drawn == expected(model, ids, len(drawn))
        assert len(drawn) >= 7


def test_prompts_beyond_the_bound_have_a_pass_of_their_own(
    counted: CountedPasses,
) -> None:
    """Each line costs the model's head and a copy of its slot: few are worth it."""
    counted.batcher.join(prompt(5), MANY)
    counted.step()

    counted.batcher.join(prompt(PROMPT_TOKENS_MAX + 1), MANY)
    counted.step()

    assert counted.passes == [(1, PROMPT_TOKENS_MAX + 1), (1, 1)]


def test_failed_mixed_pass_is_tried_again_apart(
    counted: CountedPasses, model: PreTrainedModel
) -> None:
    """What one row did to the pass must not end the others, nor lose a token."""
    first = counted.batcher.join(prompt(5), MANY)
    counted.step()
    late = counted.batcher.join(prompt(7, 40), MANY)
    counted.fails_at = 0

    drawn = counted.step()

    assert [one.failure for one in drawn] == [None, None]
    assert len(counted.passes) == 3
    assert answered(first, prompt(5)) == expected(model, prompt(5), 2)
    assert answered(late, prompt(7, 40)) == expected(model, prompt(7, 40), 1)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1))
def test_every_missing_token_has_one_line(shapes: list[tuple[int, int]]) -> None:
    """In the order of its row, at its own position, and the last is known."""
    rows = [row(held=held, missing=missing) for held, missing in shapes]

    lines = lines_of(rows)

    told = list(zip(map(id, lines.rows), lines.positions, strict=True))
    wanted = [
        (id(one), at) for one in rows for at in range(one.held, len(one.token_ids))
    ]
    assert told == wanted
    assert lines.token_ids == lines.positions
    assert [lines.rows[at] for at in lines.ends] == rows
    assert [lines.positions[at] + 1 for at in lines.ends] == [
        len(one.token_ids) for one in rows
    ]


@pytest.mark.parametrize(
    ("mixing", "prompt_tokens", "column_bytes", "worth"),
    [
        (MIXING, PROMPT_TOKENS_MAX, 1, True),
        (MIXING, PROMPT_TOKENS_MAX + 1, 1, False),
        (Mixing(weights_bytes=0, prompt_tokens_max=16), 16, 1, True),
        (Mixing(weights_bytes=0, prompt_tokens_max=16), 17, 1, False),
        # 8 lines over 16 columns: 16 MiB at 2**17 bytes a column.
        (MIXING, 7, 2**17, True),
        (MIXING, 7, 2**17 + 1, False),
        (Mixing(weights_bytes=2**30, prompt_tokens_max=1024), 7, 2**20, True),
        (Mixing(weights_bytes=2**30, prompt_tokens_max=1024), 7, 2**20 + 1, False),
    ],
)
def test_mixing_is_worth_it_up_to_its_bounds(
    mixing: Mixing, prompt_tokens: int, column_bytes: int, *, worth: bool
) -> None:
    """Beyond them the copies cost more than the pass that they save."""
    ready, late = row(held=15, missing=1), row(held=0, missing=prompt_tokens)

    assert mixing.is_worth([ready], [late], column_bytes=column_bytes) is worth
    assert not mixing.is_worth([], [late], column_bytes=1)
    assert not mixing.is_worth([ready], [], column_bytes=1)
