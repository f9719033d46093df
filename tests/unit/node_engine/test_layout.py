"""Which part of a model lies where, in which type, and how much memory it takes."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from node.engine import device_map
from node.engine.batcher import Batcher
from node.engine.device_map import LoadedModel, ModelSource, load
from node.engine.facts import ModelPart
from node.engine.layout import model_parts
from node.engine.warm_up import warm_up
from tests.support.tiny_model import tiny_config

LAYERS = 5
PER_LAYER = ["self_attn", "mlp", "input_layernorm", "post_attention_layernorm"]


@pytest.fixture(scope="module")
def model() -> LlamaForCausalLM:
    """Return a model of five layers that nobody runs."""
    return LlamaForCausalLM(tiny_config(num_hidden_layers=LAYERS))


def shown(parts: Sequence[ModelPart]) -> list[tuple[str, str]]:
    """Return names and devices."""
    return [(part.modules, part.device) for part in parts]


def test_layers_on_one_device_are_one_range(model: LlamaForCausalLM) -> None:
    """An operator reads four lines, not four hundred."""
    parts = model_parts(model, {"": "cpu"})

    assert shown(parts) == [
        ("model.embed_tokens", "cpu"),
        ("model.layers.0-4", "cpu"),
        ("model.norm", "cpu"),
        ("lm_head", "cpu"),
    ]


def test_every_weight_is_counted_once(model: LlamaForCausalLM) -> None:
    """The sum is what the process holds."""
    parts = model_parts(model, {"": "cpu"})

    whole = sum(one.numel() * one.element_size() for one in model.parameters())
    assert sum(part.weight_bytes for part in parts) == whole


def test_shared_weight_is_counted_with_the_first_that_has_it() -> None:
    """A tied head takes no memory of its own."""
    tied = LlamaForCausalLM(tiny_config(tie_word_embeddings=True))

    parts = {part.modules: part.weight_bytes for part in model_parts(tied, {"": "cpu"})}

    assert parts["lm_head"] == 0
    assert parts["model.embed_tokens"] > 0


def test_range_ends_where_the_device_changes(model: LlamaForCausalLM) -> None:
    """Accelerators are named as torch names them."""
    layout: dict[str, str | int] = {
        "model.embed_tokens": 0,
        "model.layers.0": 0,
        "model.layers.1": 0,
        "model.layers.2": "cpu",
        "model.layers.3": "disk",
        "model.layers.4": "disk",
        "model.norm": "disk",
        "model.rotary_emb": "cpu",
        "lm_head": "disk",
    }

    parts = model_parts(model, layout)

    assert shown(parts) == [
        ("model.embed_tokens", "cuda:0"),
        ("model.layers.0-1", "cuda:0"),
        ("model.layers.2", "cpu"),
        ("model.layers.3-4", "disk"),
        ("model.norm", "disk"),
        ("lm_head", "disk"),
    ]


def test_layer_that_is_split_is_shown_in_its_parts(model: LlamaForCausalLM) -> None:
    """A map may go below a layer; what is told must not round it away."""
    layout: dict[str, str | int] = {"": "cpu"}
    layout |= {f"model.layers.1.{one}": "disk" for one in PER_LAYER}

    parts = shown(model_parts(model, layout))

    assert ("model.layers.0", "cpu") in parts
    assert ("model.layers.1.mlp", "disk") in parts
    assert ("model.layers.2-4", "cpu") in parts


def test_offloaded_weights_are_counted(tiny_directory: Path, tmp_path: Path) -> None:
    """A parameter on disk has no storage here, and still a size."""
    whole = load(ModelSource(tiny_directory))
    some = load(ModelSource(tiny_directory, {"cpu": "30KB"}, tmp_path / "offload"))

    at_home = model_parts(whole.model, whole.layout)
    spread = model_parts(some.model, some.layout)

    assert "disk" in {part.device for part in spread}
    assert sum(part.weight_bytes for part in spread) == sum(
        part.weight_bytes for part in at_home
    )


@pytest.mark.parametrize("data_type", ["float32", "bfloat16", "float16"])
def test_model_runs_in_the_type_that_is_configured(
    tiny_directory: Path, data_type: str
) -> None:
    """Weights and activations alike; the proof at start passes in each."""
    loaded = load(ModelSource(tiny_directory, data_type=data_type))
    batcher = Batcher(loaded.model, slots=2, context_tokens=64, prefill_tokens_max=16)

    warm_up(loaded.model, batcher, context_tokens=64)

    assert {one.dtype for one in loaded.model.parameters()} == {
        getattr(torch, data_type)
    }


@pytest.mark.parametrize("data_type", ["int8", "no_such", "Tensor"])
def test_type_that_is_none_of_weights_is_refused(
    tiny_directory: Path, data_type: str
) -> None:
    """Before anything is loaded."""
    with pytest.raises(ValueError, match="no type of weights"):
        load(ModelSource(tiny_directory, data_type=data_type))


@pytest.fixture(scope="module")
def quantised(tiny_directory: Path) -> LoadedModel:
    """Return the tiny model with weights of 8 bits."""
    pytest.importorskip("torchao")
    with warnings.catch_warnings():
        # Kernels of accelerators that are not there.
        warnings.simplefilter("ignore")
        return load(ModelSource(tiny_directory, int8_weights=True))


def test_quantised_weights_are_rounded_by_half_a_step(
    quantised: LoadedModel, tiny_directory: Path
) -> None:
    """A step is a 127th of the row's largest weight; all else is as it was."""
    plain = dict(load(ModelSource(tiny_directory)).model.named_parameters())
    rounded = 0
    for name, weight in quantised.model.named_parameters():
        whole = plain[name]
        if type(weight) is torch.nn.Parameter:
            assert torch.equal(weight, whole)
            continue
        rounded += 1
        step = whole.abs().amax(dim=1, keepdim=True) / 127
        assert ((weight.dequantize() - whole).abs() <= 0.51 * step).all()
    assert rounded == 7 * quantised.model.config.num_hidden_layers


def test_quantised_layers_take_a_third_of_the_memory_and_run_in_slots(
    quantised: LoadedModel, tiny_directory: Path
) -> None:
    """What is told counts the integers and their scales; the proof at start passes."""
    plain = load(ModelSource(tiny_directory))
    layers = [
        next(p for p in model_parts(one.model, one.layout) if "layers" in p.modules)
        for one in (quantised, plain)
    ]
    batcher = Batcher(
        quantised.model, slots=2, context_tokens=64, prefill_tokens_max=16
    )

    warm_up(quantised.model, batcher, context_tokens=64)

    assert layers[0].weight_bytes < 0.35 * layers[1].weight_bytes


def test_quantised_weights_do_not_lie_on_disk(
    tiny_directory: Path, tmp_path: Path
) -> None:
    """What has not been shown to work is refused, with what to change."""
    pytest.importorskip("torchao")
    source = ModelSource(
        tiny_directory, {"cpu": "30KB"}, tmp_path / "offload", int8_weights=True
    )

    with pytest.raises(ValueError, match="cannot lie on disk"):
        load(source)


def test_quantisation_without_its_library_names_it(
    tiny_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, so that a node that needs none does not carry it."""
    monkeypatch.setattr(device_map, "is_torchao_available", lambda: False)

    with pytest.raises(ValueError, match="torchao"):
        load(ModelSource(tiny_directory, int8_weights=True))
