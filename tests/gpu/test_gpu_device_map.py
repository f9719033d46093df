"""A model over GPU, processor and disk answers as one that lies in one place."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from node.engine.device_map import ModelSource, input_device, load
from node.engine.engine import Sampling
from node.engine.layout import model_parts
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from node.private.self_test import check_row_independence
from tests.gpu.conftest import Device, random_llama
from tests.gpu.greedy import generated, require_same_or_tied
from tests.gpu.test_gpu_private import SMALL
from tests.support.engine_conformance import all_of, ids_of
from tests.support.tiny_model import tiny_tokenizer

SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 10,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}
PROMPT = [20 + 7 * at for at in range(30)]
TOKENS = 16
CONTEXT_TOKENS = 64
SHARES: Mapping[str, Mapping[str, float]] = {
    "cpu": {"cpu": 0.6},
    "cuda": {"0": 0.5, "cpu": 0.4},
}
"""Which part of the weights a device may hold; the rest goes to disk."""


@pytest.fixture
def divided(device: Device, tmp_path: Path) -> ModelSource:
    """Return a model of ten layers that fits no device alone."""
    model = random_llama(SHAPE)
    model.save_pretrained(tmp_path / "divided")
    tiny_tokenizer().save_pretrained(tmp_path / "divided")
    size = sum(one.nbytes for one in model.parameters())
    shares = {
        name: f"{int(size * share) >> 10}KiB"
        for name, share in SHARES[device.name].items()
    }
    return ModelSource(
        tmp_path / "divided",
        memory_max={**device.memory_max, **shares},
        offload_directory=tmp_path / "offload",
    )


async def test_divided_model_answers_as_a_whole_one(
    device: Device, divided: ModelSource
) -> None:
    """Where a layer lies decides how fast it is, and nothing else."""
    whole = random_llama(SHAPE).to(device.name)  # type: ignore[arg-type]
    wanted = generated(whole, PROMPT, tokens_max=TOKENS)
    settings = TransformersSettings(
        divided,
        EngineLimits(slots=2, private_slots=1, waiting_max=4),
        context_tokens_max=CONTEXT_TOKENS,
    )
    engine = TransformersEngine(settings)
    await engine.start()
    try:
        pieces = await all_of(engine.generate(PROMPT, Sampling(tokens_max=TOKENS)))
        layout = set(engine.layout.values())
    finally:
        await engine.stop()

    require_same_or_tied(whole, PROMPT, answer=ids_of(pieces), wanted=wanted)
    assert layout == {*SHARES[device.name], "disk"}


@pytest.mark.parametrize("everything_on_disk", [False, True])
def test_private_rows_of_a_divided_model_are_independent(
    device: Device, divided: ModelSource, *, everything_on_disk: bool
) -> None:
    """Private decoding asks for rows, not for a place: even disk will do."""
    if everything_on_disk:
        nothing = dict.fromkeys(SHARES[device.name], "1KiB")
        divided = replace(divided, memory_max={**device.memory_max, **nothing})
    loaded = load(divided)

    report = check_row_independence(loaded.model, SMALL)

    assert "disk" in loaded.layout.values()
    assert report.independent, report.coupling


def test_layout_names_every_device_and_every_weight(
    device: Device, divided: ModelSource
) -> None:
    """What an operator sees adds up to the model."""
    loaded = load(divided)

    parts = model_parts(loaded.model, loaded.layout)

    named = {"cuda:0" if name == "0" else name for name in SHARES[device.name]}
    assert {part.device for part in parts} == {*named, "disk"}
    size = sum(one.nbytes for one in random_llama(SHAPE).parameters())
    assert sum(part.weight_bytes for part in parts) >= size
    assert input_device(loaded.model).type == device.name
