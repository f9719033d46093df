"""A shard starts only with what it can hold, and says what it found."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from node.shards import shard_engine
from node.shards.layers import LayerRange
from node.shards.sequences import ShardLimits
from node.shards.shard_engine import ShardEngine, ShardSource

LIMITS = ShardLimits(
    slots=4,
    context_tokens_max=31,
    frame_tokens_max=8,
    sequence_frames_max=2,
    sequence_idle_s=10.0,
)


def shard(directory: Path, limits: ShardLimits = LIMITS) -> ShardEngine:
    """Return an engine of two layers."""
    source = ShardSource("models/m", directory, LayerRange(1, 3), "auto", 1)
    return ShardEngine(source, limits)


async def test_started_shard_knows_itself(
    split_model: Callable[[str], Path],
) -> None:
    """What the registry and operators are told was measured here."""
    engine = shard(split_model("llama"))
    await engine.start()
    try:
        facts = engine.facts
        assert (facts.width, facts.data_type) == (32, torch.float32)
        assert len(facts.digest) == 64
        assert facts.token_ms > 0
        # Attention 32x32 twice and 32x16 twice, three of 32x48, two norms; 2 layers.
        assert facts.weight_bytes == 2 * 4 * (2 * 1024 + 2 * 512 + 3 * 1536 + 2 * 32)
        assert engine.cache_bytes == 2 * 4 * 32 * 2 * 2 * 8 * 4
    finally:
        await engine.stop()


async def test_slots_that_do_not_fit_keep_the_shard_from_starting(
    split_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before they are taken: half a start would fail in the middle of answers."""
    needed = 2 * 4 * 32 * 2 * 2 * 8 * 4
    monkeypatch.setattr(shard_engine, "free_bytes", lambda _: needed - 1)
    with pytest.raises(ValueError, match="lower slots"):
        await shard(split_model("llama")).start()

    monkeypatch.setattr(shard_engine, "free_bytes", lambda _: needed)
    engine = shard(split_model("llama"))
    await engine.start()
    await engine.stop()


async def test_frames_that_fit_no_message_keep_the_shard_from_starting(
    split_model: Callable[[str], Path],
) -> None:
    """32 elements of 4 bytes: 32,736 positions fill a message."""
    limits = replace(LIMITS, frame_tokens_max=40_000)

    with pytest.raises(ValueError, match="frame_tokens_max to 32736 or less"):
        await shard(split_model("llama"), limits).start()


async def test_layers_that_the_model_has_not_keep_the_shard_from_starting(
    split_model: Callable[[str], Path],
) -> None:
    """With the layers that it has."""
    source = ShardSource("models/m", split_model("llama"), LayerRange(4, 9), "auto", 1)

    with pytest.raises(ValueError, match="layers 0-5"):
        await ShardEngine(source, LIMITS).start()
