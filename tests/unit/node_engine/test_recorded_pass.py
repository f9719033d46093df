"""A recording of the model's pass is the model's pass, to the last bit, or not used."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import (
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource, load
from node.engine.engine import Sampling
from node.engine.kv_slots import Placement
from node.engine.recorded_pass import RecordedPass, recorded_pass
from node.engine.slot_pass import ModelPass
from tests.support.recorded_model import CONTEXT_TOKENS, SLOTS, first_pass, random_model
from tests.support.tiny_model import tiny_config

SHAPE = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_TOKENS,
    "initializer_range": 0.25,
}
CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "llama": tiny_config,
    "sliding window": lambda: MistralConfig(**SHAPE, sliding_window=7),  # type: ignore[arg-type]
    "norms of queries": lambda: Qwen3Config(**SHAPE, head_dim=8),  # type: ignore[arg-type]
}


@pytest.fixture(params=list(CONFIGS))
def recorded(request: pytest.FixtureRequest) -> tuple[ModelPass, RecordedPass]:
    """Return a model's pass and its recording, over the same slots."""
    model = random_model(CONFIGS[request.param]())
    with torch.inference_mode():
        cache = first_pass(model)
        own = ModelPass(model, cache)
        return own, RecordedPass(own, cache)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_every_shape_gives_the_same_bits(
    recorded: tuple[ModelPass, RecordedPass], data: st.DataObject
) -> None:
    """Rows, tokens and positions of a pass are not those it was recorded with.

    Logits and what was written must be equal, or a token could differ, or a neighbour.
    """
    own, recording = recorded
    rows = data.draw(st.integers(1, SLOTS))
    tokens = data.draw(st.sampled_from((1, 1, 2, 9)))
    first = data.draw(
        st.lists(st.integers(0, CONTEXT_TOKENS - tokens), min_size=rows, max_size=rows)
    )
    first_row = data.draw(st.none() | st.integers(0, SLOTS - rows))
    places = torch.arange(rows) + (first_row or 0)
    if first_row is None:
        places = places.flip(0)
    positions = torch.tensor(first)[:, None] + torch.arange(tokens)
    ids = (positions * 7 + torch.arange(rows)[:, None]) % 60 + 1
    placement = Placement(places, positions, int(positions.max()) + 1, first_row)

    with torch.inference_mode():
        before = [one.clone() for one in recording._states]
        wanted = own.logits(ids, positions, placement)
        written = [one.clone() for one in recording._states]
        for states, old in zip(recording._states, before, strict=True):
            states.copy_(old)
        found = recording.logits(ids, positions, placement)

    assert torch.equal(found, wanted)
    assert all(map(torch.equal, recording._states, written))


def batcher_of(model: PreTrainedModel) -> Batcher:
    """Return a batcher that has run its first passes."""
    batcher = Batcher(
        model, slots=SLOTS, context_tokens=CONTEXT_TOKENS, prefill_tokens_max=16
    )
    answer(batcher, tokens=1)
    return batcher


def answer(batcher: Batcher, *, tokens: int) -> list[list[int]]:
    """Return so many steps' tokens of three requests that come one after the other."""
    rows = []
    for number in range(3):
        prompt = [5 + number, *range(9, 12 + number)]
        rows.append(batcher.join(prompt, Sampling(tokens_max=tokens)))
        batcher.step()
    for _ in range(tokens):
        batcher.step()
    for row in tuple(rows):
        batcher.leave(row)
    return [row.token_ids for row in rows]


def test_batch_runs_by_its_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once recorded the model's own code is not run again, and the answers are its."""
    model = random_model(tiny_config())
    batcher = batcher_of(model)
    wanted = answer(batcher, tokens=9)

    assert batcher.record()
    monkeypatch.setattr(model, "forward", None)

    assert answer(batcher, tokens=9) == wanted


def test_model_that_decides_by_its_numbers_is_not_recorded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A recording holds one way only; the model may take another for other tokens."""
    model = random_model(tiny_config())
    forward = model.forward

    def branching(**inputs: torch.Tensor) -> object:
        output = forward(**inputs)
        if "input_ids" in inputs and (inputs["input_ids"] == 200).any():
            output.logits = output.logits * 0
        return output

    monkeypatch.setattr(model, "forward", branching)
    batcher = batcher_of(model)
    wanted = answer(batcher, tokens=4)
    caplog.set_level("INFO", logger="node.engine.recorded_pass")

    assert not batcher.record()
    assert "decides by numbers" in caplog.text
    assert answer(batcher, tokens=4) == wanted


def test_recording_that_gives_other_numbers_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What a model counts outside its tensors is a constant of the recording."""
    model = random_model(tiny_config())
    forward, calls = model.forward, []

    def counting(**inputs: torch.Tensor) -> object:
        calls.append(None)
        output = forward(**inputs)
        output.logits = output.logits + len(calls)
        return output

    monkeypatch.setattr(model, "forward", counting)
    caplog.set_level("INFO", logger="node.engine.recorded_pass")

    assert recorded_pass(model, first_pass(model)) is None
    assert "gives other numbers" in caplog.text


def test_recording_that_writes_nothing_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Right logits are not enough: the next token reads what this one wrote."""
    model = random_model(tiny_config())
    cache = first_pass(model)
    logits = RecordedPass.logits

    def forgetful(
        recording: RecordedPass,
        ids: torch.Tensor,
        positions: torch.Tensor,
        placement: Placement,
    ) -> torch.Tensor:
        found = logits(recording, ids, positions, placement)
        for states in cache.states:
            states[placement.rows[:, None], :, placement.columns] = 0
        return found

    assert recorded_pass(model, cache) is not None
    monkeypatch.setattr(RecordedPass, "logits", forgetful)

    assert recorded_pass(model, cache) is None


def test_single_slot_reads_prompts_of_any_length() -> None:
    """A recording of one line must not hold that line's length for good."""
    model = random_model(tiny_config())
    batcher = Batcher(
        model, slots=1, context_tokens=CONTEXT_TOKENS, prefill_tokens_max=16
    )
    batcher.leave(batcher.join([1, 2, 3], Sampling(tokens_max=1)))
    row = batcher.join([1, 2, 3], Sampling(tokens_max=1))
    batcher.step()
    batcher.leave(row)

    assert batcher.record()
    row = batcher.join(range(9, 18), Sampling(tokens_max=1))
    batcher.step()

    alone = model(torch.tensor([list(range(9, 18))])).logits[0, -1]
    assert row.token_ids[-1] == int(alone.argmax())
    assert batcher._slot_pass._lines._recordings  # type: ignore[attr-defined]


def test_layers_on_disk_are_not_recorded(tiny_directory: Path, tmp_path: Path) -> None:
    """Their weights come and go with each pass; a recording would hold them."""
    source = ModelSource(tiny_directory, {"cpu": "30KB"}, tmp_path / "offload")

    assert not batcher_of(load(source).model).record()
