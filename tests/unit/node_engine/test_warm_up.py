"""What cannot run in slots, or is no causal language model, is refused at start."""

import json
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
)

from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource, causal_config, load, planned_layout
from node.engine.kv_slots import AttentionMask, PositionMask
from node.engine.warm_up import warm_up
from tests.support.tiny_model import tiny_config, tiny_tokenizer

CONTEXT_TOKENS = 64


def refusal(model: PreTrainedModel) -> str:
    """Return why the proof refuses a model; nothing for one that passes."""
    batcher = Batcher(
        model, slots=3, context_tokens=CONTEXT_TOKENS, prefill_tokens_max=4
    )
    try:
        warm_up(model, batcher, context_tokens=CONTEXT_TOKENS)
    except ValueError as error:
        return str(error)
    return ""


def test_healthy_model_passes(tiny_directory: Path) -> None:
    """The proof must not refuse what works."""
    assert refusal(load(ModelSource(tiny_directory)).model) == ""


def test_model_that_ignores_positions_is_refused(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong positions give fluent nonsense without any error, so look for them."""
    model = load(ModelSource(tiny_directory)).model
    forward = model.forward

    def forgetful(**inputs: torch.Tensor) -> object:
        if "position_ids" in inputs:
            inputs["position_ids"] = torch.zeros_like(inputs["position_ids"])
        return forward(**inputs)

    monkeypatch.setattr(model, "forward", forgetful)

    assert "do not follow the positions" in refusal(model)


def test_model_that_ignores_the_mask_is_refused(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A query that sees padding answers wrongly, and its neighbours shape it."""
    model = load(ModelSource(tiny_directory)).model
    monkeypatch.setattr(
        PositionMask,
        "of",
        lambda _, positions, used: torch.ones(
            (positions.shape[0], 1, positions.shape[1], used), dtype=torch.bool
        ),
    )

    assert "do not follow the positions" in refusal(model)


def test_sliding_window_is_kept_in_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the window nothing may be seen, as in the model alone; else it is told."""
    torch.manual_seed(0)
    shape = tiny_config().to_dict()
    small = {key: shape[key] for key in ("vocab_size", "hidden_size", "pad_token_id")}
    config = MistralConfig(  # type: ignore[call-arg]
        **small,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT_TOKENS,
        sliding_window=5,
        initializer_range=0.25,
        attn_implementation="sdpa",
    )
    model = MistralForCausalLM(config).requires_grad_(requires_grad=False)
    mask_of = PositionMask.of

    def widened(
        mask: PositionMask, positions: torch.Tensor, used: int
    ) -> AttentionMask:
        mask._window = CONTEXT_TOKENS
        return mask_of(mask, positions, used)

    kept = refusal(model)
    monkeypatch.setattr(PositionMask, "of", widened)

    assert kept == ""
    assert "do not follow the positions" in refusal(model)


def test_offloaded_layers_answer_as_those_in_memory(
    tiny_directory: Path, tmp_path: Path
) -> None:
    """A model larger than its memory limit lies on disk, visibly, and still works."""
    source = ModelSource(tiny_directory, {"cpu": "30KB"}, tmp_path / "offload")

    loaded = load(source)

    assert "disk" in loaded.layout.values()
    assert refusal(loaded.model) == ""


def test_model_beyond_its_memory_limit_needs_a_folder(tiny_directory: Path) -> None:
    """The fix is told: more memory or a folder."""
    source = ModelSource(tiny_directory, {"cpu": "30KB"})

    with pytest.raises(ValueError, match="offload_directory"):
        load(source)


def test_limit_for_a_device_that_is_not_there_is_refused(tiny_directory: Path) -> None:
    """A configuration for another machine must not be half obeyed."""
    source = ModelSource(tiny_directory, {"99": "1GB"})

    with pytest.raises(ValueError, match="names 99"):
        planned_layout(source, causal_config(tiny_directory))


@pytest.mark.parametrize("model_type", ["vit", "no-such-model", None])
def test_directory_of_another_kind_of_model_is_refused(
    tmp_path: Path, model_type: str | None
) -> None:
    """The message names what was found and what is wanted."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))

    with pytest.raises(ValueError, match="no causal language model"):
        causal_config(tmp_path)


def test_written_model_is_an_ordinary_directory(tiny_directory: Path) -> None:
    """Other tools read what we read."""
    model = AutoModelForCausalLM.from_pretrained(tiny_directory)

    assert model.config.vocab_size == len(tiny_tokenizer())
