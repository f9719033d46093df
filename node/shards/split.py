"""A causal language model cut by layers: which part holds which modules.

Decides how a part is built from the whole model's configuration and what its tensors
are called in the whole. Refuses to know files, weights' values and networks. The part
counts its layers from 0, because caches do; a part of no layers is the model's two
ends: embeddings, last norm and head.
"""

import copy
from typing import cast

import torch
from accelerate import init_empty_weights
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from node.shards.layers import LayerRange

_LAYER_LISTS = ("layer_types", "no_rope_layers", "mlp_layer_types")
"""Lists in configurations with one entry per layer."""


ENDS = LayerRange(0, 0)
"""No layers: what comes before the first and after the last."""


def layers_of(config: PretrainedConfig) -> int:
    """Return how many layers the whole model has."""
    return int(config.get_text_config().num_hidden_layers)


def part_config(config: PretrainedConfig, layers: LayerRange) -> PretrainedConfig:
    """Return a copy of the configuration for a model of these layers only.

    Raises:
        ValueError: the model has fewer layers.
    """
    whole = layers_of(config)
    if layers.end > whole:
        raise ValueError(f"the model has {whole} layers, not {layers.end}")
    part = copy.deepcopy(config)
    part.num_hidden_layers = layers.count
    for name in _LAYER_LISTS:
        kinds = getattr(config, name, None)
        if kinds is not None and len(kinds) == whole:
            setattr(part, name, list(kinds[layers.first : layers.end]))
    return part


def empty_part(config: PretrainedConfig, layers: LayerRange) -> PreTrainedModel:
    """Return a causal language model of these layers, without memory for weights.

    Raises:
        ValueError: the architecture does not keep a list of layers and one last norm.
    """
    with init_empty_weights():
        model: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            part_config(config, layers), attn_implementation="sdpa"
        )
    _check_shape(model)
    model.eval()  # type: ignore[no-untyped-call]
    return model


def _check_shape(model: PreTrainedModel) -> None:
    base = model.base_model
    if base is model or not all(hasattr(base, one) for one in ("layers", "norm")):
        raise ValueError(
            f"models of type {model.config.model_type!r} are not a list of layers and "
            "a norm, so that they cannot be split over nodes; serve them on one node"
        )


def as_shard(model: PreTrainedModel) -> PreTrainedModel:
    """Return the part's inner model, which takes and gives hidden states.

    Embeddings and last norm are the leader's: they are taken out.
    """
    inner = cast("PreTrainedModel", model.base_model)
    inner.norm = torch.nn.Identity()
    inner.set_input_embeddings(torch.nn.Identity())
    return inner


def name_in_part(name: str, layers: LayerRange, *, prefix: str) -> str | None:
    """Return what a tensor of the whole model is called in a part; None if elsewhere.

    `prefix` is the model's `base_model_prefix`.
    """
    start = f"{prefix}.layers."
    if not name.startswith(start):
        return name if layers.count == 0 else None
    number, _, rest = name.removeprefix(start).partition(".")
    layer = int(number)
    if not layers.first <= layer < layers.end:
        return None
    return f"{start}{layer - layers.first}.{rest}"


def fill(
    model: PreTrainedModel, tensors: dict[str, torch.Tensor], layers: LayerRange
) -> None:
    """Give an empty part its weights.

    Raises:
        ValueError: a tensor is missing or has another shape.
    """
    try:
        model.load_state_dict(tensors, strict=False, assign=True)
    except RuntimeError as error:
        raise ValueError(f"the model's tensors do not fit it: {error}") from error
    if layers.count == 0:
        model.tie_weights()
    model.requires_grad_(requires_grad=False)
    needed = (
        model.get_submodule(f"{model.base_model_prefix}.layers")
        if layers.count
        else model
    )
    missing = [name for name, one in needed.named_parameters() if one.is_meta]
    if missing:
        raise ValueError(
            f"the directory lacks {missing[0]} and {len(missing) - 1} more tensors of "
            f"layers {layers}; complete it, or serve the model on one node"
        )
