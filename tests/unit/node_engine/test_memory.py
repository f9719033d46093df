"""What does not fit is refused at start; what fits is counted to the byte."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

from node.engine import memory, ready_model
from node.engine.batcher import Batcher
from node.engine.device_map import ModelSource, load
from node.engine.engine import Sampling
from node.engine.limits import EngineLimits
from node.engine.memory import MemoryPlan, Sizes, planned_memory
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from tests.support.tiny_model import tiny_config

MIB = 2**20
SHAPE = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}


def made(config: PretrainedConfig) -> PreTrainedModel:
    """Return a random model of a configuration."""
    config._attn_implementation = "sdpa"
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model.requires_grad_(requires_grad=False).eval()


@pytest.mark.parametrize(
    "config",
    [
        tiny_config(),
        Qwen3Config(**SHAPE),  # type: ignore[arg-type]
        MistralConfig(**SHAPE, sliding_window=8),  # type: ignore[arg-type]
        GPT2Config(vocab_size=64, n_embd=16, n_layer=3, n_head=4),
    ],
    ids=lambda config: config.model_type,
)
def test_plan_is_what_the_slots_take(config: PretrainedConfig) -> None:
    """Byte for byte, whatever the architecture calls its widths."""
    model = made(config)
    slots, context_tokens = 3, 40

    plan = planned_memory(model, Sizes(slots=slots, context_tokens=context_tokens))
    batcher = Batcher(
        model, slots=slots, context_tokens=context_tokens, prefill_tokens_max=16
    )
    batcher.join([1, 2], Sampling(tokens_max=1))
    batcher.step()

    assert plan.cache_bytes == sum(size for _, size in batcher.cache.sizes()) > 0
    assert plan.weights["cpu"] >= sum(one.nbytes for one in model.parameters())


def test_half_precision_takes_half(tiny_directory: Path) -> None:
    """The slots have the type in which the model computes."""
    model = load(ModelSource(tiny_directory)).model

    def planned() -> int:
        return planned_memory(model, Sizes(slots=2, context_tokens=9)).cache_bytes

    whole = planned()
    model.bfloat16()

    assert whole == 2 * planned()


def plan(weights: int = 10, slots: int = 20, prefixes: int = 5) -> MemoryPlan:
    """Return a plan for one device, in mebibytes."""
    return MemoryPlan(
        {"cpu": weights * MIB}, {"cpu": slots * MIB}, {"cpu": prefixes * MIB}
    )


def free(size: int) -> Callable[[str], int]:
    """Return a device that has so many mebibytes free."""
    return lambda _: size * MIB


@pytest.mark.parametrize("limits", [{}, {"cpu": "35MiB"}, {"0": "1KiB"}])
def test_plan_that_just_fits_is_accepted(limits: Mapping[str, str]) -> None:
    """A limit can be used in full; one for another device does not count.

    One byte less is too little, where it is the device's.
    """
    needed = 25 * MIB

    plan().require(limits=limits, free_bytes=lambda _: needed)

    with pytest.raises(ValueError, match="are free; lower slots"):
        plan().require(limits=limits, free_bytes=lambda _: needed - 1)


def test_plan_beyond_the_limit_names_the_sum_and_the_fix() -> None:
    """The limit covers weights, slots and kept prefixes together."""
    with pytest.raises(ValueError, match=r"20\.0 MiB, .*limit 34MiB; lower slots"):
        plan().require(limits={"cpu": "34MiB"}, free_bytes=free(10**6))


def test_plan_beyond_free_memory_is_refused() -> None:
    """The weights lie there already; slots and prefixes need what is free."""
    with pytest.raises(ValueError, match=r"24\.0 MiB are free; lower slots"):
        plan().require(limits={}, free_bytes=free(24))


async def test_engine_does_not_start_without_memory(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator hears it at start, not a caller in the night."""
    monkeypatch.setattr(ready_model, "free_bytes", free(0))
    engine = TransformersEngine(
        TransformersSettings(
            ModelSource(tiny_directory),
            EngineLimits(slots=2, private_slots=1, waiting_max=1),
            threads=1,
        )
    )

    with pytest.raises(ValueError, match="does not fit"):
        await engine.start()
    await engine.stop()


def test_containers_limit_bounds_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container is killed at its own limit, whatever the machine has."""
    monkeypatch.setattr(memory, "_CGROUP", tmp_path)
    machine = memory.free_bytes("cpu")
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.free_bytes("cpu") == 4000

    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free_bytes("cpu") == pytest.approx(machine, rel=0.5)
