"""Steps of the batch: bounded, fair, and each row by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource, load
from node.engine.engine import Sampling
from node.engine.kv_slots import SlotLayer
from node.engine.rows import Row

CONTEXT_TOKENS = 120
PASS_TOKENS = 16


@pytest.fixture(scope="module")
def model(tiny_directory: Path) -> PreTrainedModel:
    """Return the tiny model."""
    return load(ModelSource(tiny_directory)).model


@pytest.fixture
def batcher(model: PreTrainedModel) -> Iterator[Batcher]:
    """Return a batcher whose passes read at most 16 prompt positions."""
    made = Batcher(
        model,
        slots=4,
        context_tokens=CONTEXT_TOKENS,
        prefill_tokens_max=PASS_TOKENS,
    )
    with torch.inference_mode():
        yield made


def prompt(length: int, start: int = 20) -> list[int]:
    """Return a prompt of a length."""
    return [start + at % 50 for at in range(length)]


def expected(model: PreTrainedModel, prompt_ids: list[int], tokens: int) -> list[int]:
    """Return what transformers itself generates."""
    ids = torch.tensor([prompt_ids])
    generated = model.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens,
        do_sample=False,
        eos_token_id=None,
    )
    return [int(token_id) for token_id in generated[0, len(prompt_ids) :]]


def answered(row: Row, prompt_ids: list[int]) -> list[int]:
    """Return what was drawn for a row."""
    return row.token_ids[len(prompt_ids) :]


def test_running_request_has_a_token_in_each_step_of_a_long_prompt(
    batcher: Batcher, model: PreTrainedModel
) -> None:
    """Whoever decodes never waits for another's prompt, only for one bounded pass."""
    running = batcher.join(prompt(5), Sampling(tokens_max=99))
    batcher.step()
    long = batcher.join(prompt(100), Sampling(tokens_max=99))

    steps = 0
    while not answered(long, prompt(100)):
        held, drawn = long.held, batcher.step()
        steps += 1
        assert running in [one.row for one in drawn]
        assert long.held - held <= PASS_TOKENS

    assert steps == 7  # 100 positions, 16 in a pass.
    assert answered(running, prompt(5)) == expected(model, prompt(5), 1 + steps)
    assert answered(long, prompt(100)) == expected(model, prompt(100), 1)


def test_short_prompt_passes_a_long_one(batcher: Batcher) -> None:
    """The time to the first token of a short prompt does not grow with another's."""
    long = batcher.join(prompt(110), Sampling(tokens_max=9))
    batcher.step()
    short = batcher.join(prompt(12, start=90), Sampling(tokens_max=9))

    batcher.step()
    batcher.step()

    assert answered(short, prompt(12))
    assert not answered(long, prompt(110))


def test_short_prompts_without_end_do_not_starve_a_long_one(batcher: Batcher) -> None:
    """Every second pass begins with the oldest, whatever else comes."""
    long = batcher.join(prompt(96), Sampling(tokens_max=9))

    for _ in range(2 * 96 // PASS_TOKENS):
        short = batcher.join(prompt(8), Sampling(tokens_max=9))
        batcher.step()
        batcher.leave(short)

    assert answered(long, prompt(96))


def test_prompt_has_its_first_token_with_the_pass_that_ends_it(
    batcher: Batcher, model: PreTrainedModel
) -> None:
    """A prompt that fits one pass answers after one step, not two."""
    row = batcher.join(prompt(PASS_TOKENS), Sampling(tokens_max=9))

    drawn = batcher.step()

    assert [one.row for one in drawn] == [row]
    assert answered(row, prompt(PASS_TOKENS)) == expected(model, prompt(PASS_TOKENS), 1)


def test_rows_move_together_when_one_leaves_from_the_middle(
    batcher: Batcher, model: PreTrainedModel
) -> None:
    """A half-read prompt that moves between decoding rows disturbs neither."""
    prompts = [prompt(4), prompt(6, 40), prompt(8, 60), prompt(70, 80)]
    rows = [batcher.join(ids, Sampling(tokens_max=99)) for ids in prompts]
    for _ in range(3):
        batcher.step()
    assert rows[3].missing > 1

    batcher.leave(rows[1])
    for _ in range(12):
        batcher.step()

    for row, ids in ((rows[0], prompts[0]), (rows[2], prompts[2])):
        drawn = answered(row, ids)
        assert drawn == expected(model, ids, len(drawn))
    drawn = answered(rows[3], prompts[3])
    assert drawn
    assert drawn == expected(model, prompts[3], len(drawn))


def test_nan_that_a_row_left_in_its_slot_reaches_nobody(
    batcher: Batcher, model: PreTrainedModel
) -> None:
    """Masked values have weight zero, but zero times NaN is NaN."""
    beside = batcher.join(prompt(5), Sampling(tokens_max=99))
    broken = batcher.join(prompt(40, 30), Sampling(tokens_max=99))
    for _ in range(5):
        batcher.step()
    for layer in batcher.cache.layers:
        assert isinstance(layer, SlotLayer)
        layer.keys[1] = layer.values[1] = float("nan")

    drawn = {one.row: one for one in batcher.step()}
    assert drawn[broken].failure is not None
    assert drawn[beside].failure is None
    batcher.leave(broken)
    after = batcher.join(prompt(6, 70), Sampling(tokens_max=99))
    for _ in range(8):
        assert not any(one.failure for one in batcher.step())

    assert answered(after, prompt(6)) == expected(model, prompt(6, 70), 8)
    assert answered(beside, prompt(5)) == expected(model, prompt(5), 14)
